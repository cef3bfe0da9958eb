"""What the App shows of a dataset: saved views, a map and similarity by embeddings of our own, fields and colours."""

from typing import TYPE_CHECKING

import numpy as np

from curate import finders, registry
from curate.decisions import POLICY
from curate.review.asking import DISPUTED
from curate.review.dataset import MARK
from curate.review.samples import LABELS, QUEUE

if TYPE_CHECKING:
    import fiftyone as fo

COLORS = {"ground_truth": "#0072B2", "suggestion": "#D55E00", "decision": "#007A5A"}
"""Of what is written on the pictures: Okabe & Ito 2008, the last darker, to bear white letters."""
SIMILARITY, PCA, UMAP = "curate_similarity", "curate_pca", "curate_umap"
"""Names of what FiftyOne's brain keeps."""


def save_views(dataset: "fo.Dataset") -> None:
    """Save the views: what needs a person, twins, leaks, what the policy did, what changed, each finder worst first."""
    from fiftyone import ViewField as F

    views = {
        "needs a person": dataset.exists("queue.position").sort_by("queue.position"),
        "people disagree": dataset.match(F("queue.title") == DISPUTED),
        "twins side by side": dataset.exists("group").sort_by("group"),
        "twins as groups": dataset.exists("group").group_by("group"),
        "leaks": _with_twins(dataset, "split_leak"),
        "dropped by policy": dataset.match(F("decision.label") == f"{POLICY}: drop"),
        "relabelled by policy": dataset.match(F("decision.label").starts_with(f"{POLICY}: relabel")),
        "changed since last time": dataset.match(F("changed") == max(dataset.info[MARK]["openings"], 2)),
    }
    for finder in registry.functions(finders):
        if dataset.has_field(f"{finder}.score"):
            flagged = dataset.match(F(f"{finder}.flagged") == True)  # noqa: E712  (an expression, not a comparison)
            views[f"{finder}, worst first"] = flagged.sort_by(f"{finder}.score")
    for name in set(dataset.list_saved_views()) - set(views):
        if name.endswith(", worst first"):
            dataset.delete_saved_view(name)
    for name, view in views.items():
        dataset.save_view(name, view, overwrite=True)


def embed(dataset: "fo.Dataset", embeddings: dict[str, np.ndarray], version: str) -> None:
    """Similarity search and a map by principal components, by embeddings of our own: nothing is downloaded.

    embeddings: image_id -> shape (D,); version: what they are of. With those of the same version nothing is done.
    """
    import fiftyone.brain as fob

    done = f"{version} {len(dataset)}"
    if dataset.info[MARK].get("embedded") == done or len(embeddings) < 3:
        return
    ids = dict(zip(*dataset.values(["image_id", "id"]), strict=True))
    known = [image_id for image_id in embeddings if image_id in ids]
    samples = dataset.select([ids[image_id] for image_id in known], ordered=True)
    values = np.stack([embeddings[image_id] for image_id in known])
    for key in (SIMILARITY, PCA, UMAP):
        if key in dataset.list_brain_runs():
            dataset.delete_brain_run(key)
    fob.compute_visualization(samples, embeddings=values, method="pca", brain_key=PCA, num_dims=2, seed=0)
    fob.compute_similarity(samples, embeddings=values, backend="sklearn", brain_key=SIMILARITY)
    dataset.info[MARK] = dict(dataset.info[MARK]) | {"embedded": done}
    dataset.save()


def embed_by_umap(dataset: "fo.Dataset") -> None:
    """The map by UMAP beside that by principal components, of the same embeddings; once."""
    import fiftyone.brain as fob

    if UMAP in dataset.list_brain_runs() or SIMILARITY not in dataset.list_brain_runs():
        return
    index = dataset.load_brain_results(SIMILARITY)
    values, ids, _ = index.get_embeddings()
    samples = dataset.select(list(ids), ordered=True)
    fob.compute_visualization(samples, embeddings=values, method="umap", brain_key=UMAP, num_dims=2, seed=0)


def show_fields(dataset: "fo.Dataset", *, thumbnails: bool) -> None:
    """What the App shows at first: labels on the pictures, finders folded, the small copies in the grid."""
    import fiftyone as fo

    config = dataset.app_config
    if thumbnails:
        config.media_fields = ["filepath", "thumbnail"]
        config.grid_media_field = "thumbnail"
    config.active_fields = fo.ActiveFields(exclude=False, paths=list(COLORS))
    config.color_scheme = fo.ColorScheme(
        color_by="field", fields=[{"path": path, "fieldColor": color} for path, color in COLORS.items()]
    )
    own = [*LABELS, "image_id", "split", "source", "group"]
    queued = [f"queue.{name}" for name in QUEUE]
    others = [
        fo.SidebarGroupDocument(
            name=group.name, paths=[path for path in group.paths if path not in [*own, *queued]], expanded=False
        )
        for group in fo.DatasetAppConfig.default_sidebar_groups(dataset)
        if group.name != "queue"
    ]
    config.sidebar_groups = [
        fo.SidebarGroupDocument(name="image", paths=own),
        fo.SidebarGroupDocument(name="waits for an answer", paths=queued),
        *others,
    ]
    dataset.save()


def _with_twins(dataset: "fo.Dataset", finder: str) -> "fo.DatasetView":
    """What a finder flagged, with all that show the same photo, one group after another."""
    from fiftyone import ViewField as F

    if not dataset.has_field(f"{finder}.flagged"):
        return dataset.limit(0)
    names = dataset.match(F(f"{finder}.flagged") == True).distinct("group")  # noqa: E712
    return dataset.match(F("group").is_in(names)).sort_by("group")
