"""`curate predict`: how probable each label is, by networks that never saw the image, and how it was learned."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from curate import manifest, predictions, tables
from curate.adding import with_answers
from curate.engine import Local
from curate.errors import UserError
from curate.evidence import Evidence
from curate.files import json_hash
from curate.likeness.duplicates import groups
from curate.predictions import Predictions
from curate.wording import pasted
from curate.workspace import Workspace
from train import parallel, profiles, rounds
from train.checkpoint import Epoch
from train.config import TrainConfig, by_epochs, configure
from train.data import common_size, load_images
from train.profiles import Profile
from train.rounds import Place, Said
from train.rows import one_of_each


@dataclass(frozen=True)
class Predicted:
    """What `predict` did. Accuracies, 0 to 1, are agreement with the given labels; of an image and those generated from
    it one counts."""

    written: str
    images: int
    profile: str
    folds: int
    repeats: int
    fold_accuracy: tuple[float, ...]
    thin_classes: tuple[str, ...]
    config: TrainConfig
    seconds: float
    """Of the trainings, added up, also of those that ran at the same time."""


def predict(
    workspace: Workspace,
    *,
    profile: str = "quick",
    recipe: str | None = None,
    folds: int | None = None,
    settings: Mapping[str, object],
    workers: int | None = None,
    at_once: int | None = None,
    on_epoch: Callable[[Place, Epoch], None] | None = None,
) -> Predicted:
    """Cross-validate on the labelled training images, and those of the pool that people labelled, as often as the
    profile says (see `train.profiles`); write predictions, an embedding, and how its label was learned, for every
    image.

    Duplicates, and generated images with their originals, stay in one fold. `folds` None: those of the profile.
    `recipe`: one of `train.recipes` in place of the profile's, and its epochs in place of those that the profile
    chooses; `settings` change it. An interrupted call with the same images, labels and settings goes on at the last
    epoch. `at_once` networks are trained at the same time; None: chosen, see `train.parallel.choose`. `on_epoch` gets
    which network it is, and the epoch's figures.
    """
    plan = profiles.find(profile)
    plan = replace(plan, folds=plan.folds if folds is None else folds, recipe=recipe or plan.recipe)
    if recipe or "epochs" in settings:
        plan = replace(plan, images=None)
    config = by_epochs(configure(workspace, {**profiles.settings(plan), **settings}))
    folder = workspace.root / predictions.FOLDER
    with workspace.locked(str(predictions.FOLDER)):
        read = workspace.hashes()
        shown = _shown(workspace, workers)
        learned, others = shown.rows[shown.is_learned], shown.rows[~shown.is_learned]
        size = config.image_size or common_size(learned)
        share = len(learned) * (plan.folds - 1) // max(plan.folds, 1)  # all folds but one are learned from
        config = profiles.configured(plan, config, images=share, side=size)
        at_once = parallel.choose(at_once, [config] * plan.folds, images=share, side=size)
        load = partial(
            load_images,
            root=workspace.root,
            classes=shown.classes,
            image_size=size,
            workers=workers,
            memory_limit=0 if at_once > 1 else None,
        )
        own = load(learned)
        said = rounds.run(
            config,
            own,
            shown.groups,
            plan=plan,
            counted=one_of_each(learned),
            others=load(others),
            run_dir=folder / f"folds-{_key(config, plan, own.fingerprint(), shown.groups)}",
            at_once=at_once,
            on_epoch=on_epoch,
        )
        told = {"profile": profile, "recipe": plan.recipe, "folds": plan.folds, **settings}
        with workspace.waiting().writing("predict", told, read=read):
            summary = _summary(learned, said, replace(config, image_size=size), plan, profile)
            predictions.write(workspace, shown.rows, _over_all_rows(shown, said, summary))
        for leftover in folder.glob("folds-*"):
            shutil.rmtree(leftover, ignore_errors=True)
    return Predicted(
        str(folder),
        len(shown.rows),
        profile,
        plan.folds,
        len(said.repeats),
        said.fold_accuracy,
        said.thin_classes,
        config,
        said.seconds,
    )


@dataclass(frozen=True)
class _Shown:
    """N images that can be decoded; M of them are learned from, by turns."""

    rows: pd.DataFrame
    """Of the manifest."""
    is_learned: np.ndarray
    """Shape (N,), bool: labelled, of the training split."""
    groups: np.ndarray
    """Shape (M,): what must stay in one fold."""
    classes: list[str]


def _shown(workspace: Workspace, workers: int | None) -> _Shown:
    """The images of the workspace; raises `UserError` where there is nothing to tell apart."""
    images = with_answers(workspace, tables.read_manifest(workspace))
    decodable = manifest.decodable(images)
    rows = images[decodable].reset_index(drop=True)
    is_learned = ((rows["split"] == "train") & (rows["label"] != "")).to_numpy()
    present = rows["label"][is_learned].nunique()
    if present < 2:
        raise UserError(
            f"{pasted(workspace.root)} has labelled training images of {present} classes; it takes at least 2: add "
            "another"
        )
    with workspace.locked():  # measures what the scan has not measured yet, and of the same rows as a scan
        together = groups(images, Evidence(workspace, images, Local(workers)).get("duplicate_pairs"))
    return _Shown(rows, is_learned, _as_dealt(together[decodable][is_learned]), manifest.classes(rows))


def _as_dealt(groups: np.ndarray) -> np.ndarray:
    """Groups, -1 for none, numbered by their first image; those of one image are none. So folds stay as they are when
    images that nothing is learned from come, unless these bind others together."""
    _, first, group, members = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    number = np.argsort(np.argsort(first))
    return np.where((groups >= 0) & (members[group] > 1), number[group], -1)


def _key(config: TrainConfig, plan: Profile, fingerprint: str, groups: np.ndarray) -> str:
    """Of all that decides the trainings; groups deal the folds, and hang on images that are not learned from, too."""
    told = [asdict(config), asdict(plan), fingerprint, groups.tolist()]
    return json_hash(told, size=8)


def _summary(learned: pd.DataFrame, said: Said, config: TrainConfig, plan: Profile, profile: str) -> dict[str, object]:
    """What `predictions` keep of how they were made."""
    return {
        "config": config.as_dict(),
        "profile": profile,
        "folds": plan.folds,
        "repeats": len(said.repeats),
        "fold_accuracy": list(said.fold_accuracy),
        "thin_classes": list(said.thin_classes),
        "seconds": said.seconds,
        "data_hash": manifest.data_hash(learned),
    }


def _over_all_rows(shown: _Shown, said: Said, summary: dict[str, object]) -> Predictions:
    """What was said of the images that are learned from, and of the others, spread over all rows."""

    def spread(own: np.ndarray, rest: np.ndarray | None = None, *, missing: float = np.nan) -> np.ndarray:
        values = np.full((len(shown.rows), *own.shape[1:]), missing, own.dtype)
        values[shown.is_learned] = own
        if rest is not None and len(rest):
            values[~shown.is_learned] = rest
        return values

    positions = np.append(np.flatnonzero(shown.is_learned), -1)  # the last for "none"
    return Predictions(
        shown.classes,
        spread(said.pred_probs, said.others_pred_probs),
        spread(said.embeddings, said.others_embeddings),
        spread(said.fold, missing=-1),
        summary,
        repeats=np.stack([spread(own, rest) for own, rest in zip(said.repeats, said.others_repeats, strict=True)]),
        neighbors=np.stack([spread(positions[each], missing=-1) for each in said.neighbors]),
        margins=None if said.margins is None else spread(said.margins),
    )
