"""Checks of a set's tables: findings, leaks, classes, test images, disputes, and whether all of that is current."""

import numpy as np
import pandas as pd

from curate.apply import about_each
from curate.decisions import LEAK, POLICY, TWINS
from curate.gate.check import Check, bounded
from curate.gate.facts import Facts, out_of_pool
from curate.manifest import learned, tested, training
from curate.recipe import FINDINGS_OF
from curate.wording import plural


def curated_current(facts: Facts) -> Check:
    """Whether the curated set is what `apply` makes of the images and decisions as they are now."""
    name = "curated_current"
    if facts.curated == "current":
        return Check(name, "passed", "the curated set is of the images and decisions as they are now")
    apply = f"curate apply {facts.ws}"
    if facts.curated == "stale":
        reason = "the curated set is not of the images and decisions as they are now, so the manifest is judged"
        return Check(name, "failed", reason, way_out=apply)
    reason = "there is no curated set yet, so the manifest is judged"
    return Check(name, "skipped", reason, way_out=apply if facts.decided else f"curate decide {facts.ws}")


def findings_current(facts: Facts) -> Check:
    """Whether the findings that count here are of the images, and of the predictions, as they are now."""
    name = "findings_current"
    if facts.stale:
        return Check(name, "failed", "; ".join(facts.stale), way_out=next(iter(facts.stale.values())))
    if facts.findings is None:
        return Check(name, "skipped", "nothing was scanned yet", way_out=f"curate scan {facts.ws}")
    return Check(name, "passed", "the findings are of the images as they are now")


def decisions_current(facts: Facts) -> Check:
    """Whether the policy that decided is the recipe's policy as it is now."""
    name, decide = "decisions_current", f"curate decide {facts.ws}"
    if facts.policy_changed is None:
        return Check(name, "skipped", "no policy has decided yet", way_out=decide)
    if facts.policy_changed:
        return Check(name, "failed", "the recipe's policy has changed since it decided", way_out=decide)
    return Check(name, "passed", "the recipe's policy is as it was when it decided, or another was given to decide")


def _open(facts: Facts, images: pd.DataFrame) -> pd.Series:
    """Which of these images, of the judged set, have no decision that is in effect: shape (N,), bool.

    `keep` is in effect as it is, `relabel` where the image has that label, and `drop` of no image that is there still.
    Generated images follow their originals.
    """
    said = about_each(images, facts.decisions)
    return ~((said["action"] == "keep") | ((said["action"] == "relabel") & (said["label"] == images["label"])))


def open_findings(facts: Facts, finder: str, limit: float) -> Check:
    """The share of a class's training images that the finder flags and nobody decided about; of the worst class."""
    name = FINDINGS_OF + finder
    if facts.findings is None or finder in facts.not_run:
        return Check(name, "skipped", f"{finder} was not run", way_out=facts.not_run[finder])
    rows = training(facts.images)
    if rows.empty:
        return Check(name, "skipped", "there are no labelled training images", way_out=f"curate add {facts.ws} SOURCE")
    found = facts.findings[(facts.findings["finder"] == finder) & facts.findings["flagged"]]
    left = rows["image_id"].isin(found["image_id"]) & _open(facts, rows)
    images, flagged = rows["label"].value_counts().sort_index(), rows["label"][left].value_counts()
    shares = flagged.reindex(images.index, fill_value=0) / images
    worst = str(shares.idxmax())
    count, of = int(flagged.get(worst, 0)), int(images[worst])
    about = f"{count:,} of {plural(of, 'training image', 'training images')} of class {worst!r}, the worst"
    return bounded(
        Check(
            name,
            "passed",
            f"{about}, and {left.sum():,} of all {len(rows):,} are flagged and neither relabelled nor kept",
            float(shares[worst]),
            "at most",
            limit,
            _settle(facts, set(rows["image_id"][left])),
            {"class": worst, "open": count, "images": of, "open_in_all": int(left.sum()), "images_in_all": len(rows)},
        )
    )


def _settle(facts: Facts, image_ids: set[str]) -> str:
    """The command that does something about images with open findings."""
    if not facts.decided:
        return f"curate decide {facts.ws}"
    waiting = facts.decisions["image_id"][facts.decisions["action"] != "keep"]
    if facts.judged == "raw" and waiting.isin(image_ids).any():
        return f"curate apply {facts.ws}"
    return f"curate review {facts.ws}"


def leaks(facts: Facts, limit: int) -> Check:
    """Training images that show a photo of the test or validation images.

    The twin counts if it is in the manifest, since accuracy is measured on the test images of that. A pair no longer
    counts where a person keeps the training image because of this very finder: a policy has not looked, and who keeps
    it because its label is right has not said that it may leak.
    """
    if facts.findings is None or LEAK in facts.not_run:
        return Check("leaks", "skipped", "nobody has looked for leaks yet", way_out=facts.not_run[LEAK])
    added = out_of_pool(facts.images, facts.manifest)
    if len(added) and (missing := [name for name in TWINS if name in facts.not_run]):
        reason = f"{' and '.join(missing)} has not looked at images that were labelled out of the pool"
        return Check("leaks", "skipped", reason, way_out=facts.not_run[missing[0]])
    ours = facts.images["image_id"][facts.images["split"] == "train"]
    measured_on = facts.manifest["image_id"][facts.manifest["split"].isin(["test", "val"])]
    found = facts.findings[facts.findings["flagged"] & facts.findings["related_id"].isin(measured_on)]
    # The pool takes no part in leaks: of what was labelled out of it, what else is known of its twins has to do.
    twins = found["finder"].isin(TWINS) & found["image_id"].isin(added)
    found = found[((found["finder"] == LEAK) & found["image_id"].isin(ours)) | twins].drop_duplicates("image_id")
    kept = facts.decisions[(facts.decisions["action"] == "keep") & (facts.decisions["by"] != POLICY)]
    because = np.array([LEAK in names.split(";") for names in kept["because"]], bool)
    looked_at = found["image_id"].isin(kept["image_id"][because])
    left = found[~looked_at]
    reason = "no training image shows a photo of the test or validation images"
    if len(left):
        first = left.iloc[0]
        verb = plural(len(left), "training image shows", "training images show")
        reason = f"{verb} a photo of the test or validation images, such as {first.image_id} ({first.related_id})"
    if looked_at.any():
        reason += f"; {looked_at.sum():,} that people looked at and kept are not counted"
    way_out = _settle(facts, set(left["image_id"]))
    if way_out == f"curate review {facts.ws}":
        way_out = f"curate findings {facts.ws} --finder {LEAK}"
    details = {"kept_by_people": int(looked_at.sum())}
    return bounded(Check("leaks", "passed", reason, len(left), "at most", limit, way_out, details))


def images_per_class(facts: Facts, limit: int) -> Check:
    """The training images of the smallest class; generated ones, which show their originals once more, do not count.

    Also of classes that were dropped as a whole; one that was relabelled as a whole is no class any more."""
    gone = facts.manifest[~facts.manifest["image_id"].isin(facts.images["image_id"])]
    still = facts.manifest["label"][facts.manifest["image_id"].isin(facts.images["image_id"])]
    labels = sorted((set(facts.images["label"]) | (set(gone["label"]) - set(still))) - {""})
    originals = learned(facts.images[facts.images["parent_id"] == ""])
    counts = originals["label"].value_counts().reindex(labels, fill_value=0)
    way_out = f"curate add {facts.ws} SOURCE"
    if not labels:
        return Check(
            "images_per_class", "failed", "there are no labelled images", 0, "at least", limit, way_out, {"classes": 0}
        )
    least = str(counts.idxmin())
    below = int((counts < limit).sum())
    reason = f"class {least!r} has {plural(int(counts[least]), 'training image', 'training images')}, the fewest"
    reason += f"; {plural(below, 'class has', 'classes have')} too few" if below > 1 else ""
    details: dict[str, str | float | None] = {"class": least, "classes_below": below, "classes": len(labels)}
    return bounded(Check("images_per_class", "passed", reason, int(counts[least]), "at least", limit, way_out, details))


def test_images(facts: Facts, limit: int) -> Check:
    """The labelled images to measure on."""
    rows = tested(facts.manifest)
    instead = (facts.manifest["split"] != "test").all() and len(rows)
    reason = plural(len(rows), "labelled image", "labelled images") + " to measure on"
    reason += ", those of 'val', as there is no test split" if instead else ""
    way_out = f"curate add {facts.ws} SOURCE --split test"
    return bounded(Check("test_images", "passed", reason, len(rows), "at least", limit, way_out))


def disputes(facts: Facts, limit: int) -> Check:
    """The images about which people disagree, so that none of their decisions counts."""
    count = len(facts.disputed)
    reason = "people agree about every image that several decided on"
    if count:
        first = f"{facts.disputed.index[0]} ({facts.disputed.iloc[0]})"
        reason = f"people disagree about {plural(count, 'image', 'images')}, such as {first}"
    way_out = f"curate review {facts.ws} --sheet --by NAME"  # of one who has not said yet
    return bounded(Check("disputes", "passed", reason, count, "at most", limit, way_out))
