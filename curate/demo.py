"""`curate demo`: the whole loop on real handwritten digits, with defects planted on purpose and found again."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from curate import plant, report, verbs
from curate.add import add
from curate.errors import UserError
from curate.incoming import told
from curate.recipe import dump, load
from curate.sources import Options, Sample, digits
from curate.workspace import FINDINGS, MANIFEST, RECIPE, Workspace, read_table

IMAGES, PLANTED = "digits", "planted.csv"
SEED = 0


@dataclass(frozen=True)
class Demo:
    """What the demo came to."""

    found: pd.DataFrame
    """Per finder: planted, flagged, found, precision, recall."""
    raw_accuracy: list[float]
    """Per seed, on the same test images, 0 to 1."""
    curated_accuracy: list[float]
    gain_points: float
    """Mean paired difference, percentage points."""
    gain_half_width: float
    """Half of its 95 % interval (Student t over the seeds)."""
    verdict: list[str]
    report: Path


def run(root: Path, *, seeds: int, say: Callable[[str], None]) -> Demo:
    """Make the workspace `root` with planted defects and run the loop on it. Raises `UserError` where `root` is in use."""
    if root.exists() and any(root.iterdir()):
        if not (root / PLANTED).exists():
            raise UserError(f"{root} is not empty; name a new folder: 'curate demo FOLDER'")
        shutil.rmtree(root)  # a demo of before: it is made anew
    workspace = Workspace(root)
    chosen = load("digits")
    samples, planted = plant.plant(list(digits.read(root, Options())), seed=SEED)
    write_images(root / IMAGES, samples)
    planted.to_csv(root / PLANTED, index=False)
    with workspace.writing("recipe", {"name": chosen.name}) as transaction:
        transaction.write_text(RECIPE, dump(chosen))
    added = add(workspace, root / IMAGES, layout="folder", name=IMAGES, split=None, options=Options())
    say(f"add      {told(added)}; {len(planted):,} defects planted, listed in {root / PLANTED}")

    from train import verbs as training

    predicted = training.predict(workspace, folds=5, settings={})
    say(f"predict  {100 * np.mean(predicted.fold_accuracy):.1f} % agreement with the given labels, out of fold")
    scanned = verbs.scan(workspace, only=None, settings={}, workers=None)
    say(f"scan     {sum(scanned.flagged.values()):,} findings by {len(scanned.flagged)} finders")
    decided = verbs.decide(workspace, None)
    say(f"decide   {', '.join(f'{name} {count:,}' for name, count in decided.actions.items())}; {decided.for_review:,} left to a person")
    applied = verbs.apply(workspace, include_test=False)
    say(f"apply    {applied.dropped:,} dropped, {applied.relabelled:,} relabelled, {applied.images:,} left")
    accuracy = {}
    for data in ("raw", "curated"):
        _, result = training.train(workspace, data=data, seeds=seeds, settings={})
        accuracy[data] = list(result.accuracy.values)
        say(f"train    {data}: {100 * result.accuracy.mean:.2f} % ± {100 * (result.accuracy.half_width or 0):.2f}, {seeds} seeds, {result.seconds:.0f} s")
    found = plant.score_findings(planted, read_table(workspace.path(FINDINGS)), read_table(workspace.path(MANIFEST)))
    mean, half_width = paired_difference(accuracy["raw"], accuracy["curated"])
    return Demo(found, accuracy["raw"], accuracy["curated"], mean, half_width, [_verdict(mean, half_width, seeds)], report.write(workspace))


def write_images(folder: Path, samples: list[Sample]) -> None:
    """The samples as files under `folder`, each under its name."""
    for sample in samples:
        path = folder / sample.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample.data or b"")


def paired_difference(before: list[float], after: list[float]) -> tuple[float, float]:
    """Mean of `after - before`, seed by seed, and half of its 95 % interval, in percentage points."""
    from train.interval import mean_interval

    mean, half_width = mean_interval(100 * (np.array(after) - np.array(before)))
    return mean, half_width


def _verdict(mean: float, half_width: float, seeds: int) -> str:
    clear = "better" if mean > half_width else "worse" if mean < -half_width else "no clear difference"
    return f"Curated minus raw: {mean:+.2f} ± {half_width:.2f} points on the same test images (95 % interval, {seeds} seeds): {clear}."
