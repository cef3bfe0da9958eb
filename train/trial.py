"""What the trainings of a proof work on, and what is kept of each: finished seeds, by their settings and images."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from curate import manifest
from curate.errors import UserError
from curate.files import json_hash, write_json
from curate.results.proof import CURATED, RAW, Seeds
from curate.wording import pasted
from curate.workspace import Workspace
from train.arms import Arm, Plan
from train.checkpoint import CHECKPOINT, Epoch
from train.config import TrainConfig
from train.data import ImageSet, load_images
from train.result import RESULT, SeedResult, read_seed, write_seed
from train.rows import leak_free
from train.run import train_seed

BATCHES = 2
"""How batches are made where steps are counted: other seeds were trained otherwise. 2: all of one size."""
FREE = ("seed", "device")
"""Settings that may differ from those of earlier seeds."""
Done = dict[str, dict[int, SeedResult]]
"""Arm -> seed -> what came of it."""


@dataclass(frozen=True)
class Trial:
    """What every training of a proof works on."""

    root: Path
    config: TrainConfig
    arms: Mapping[str, Arm]
    keys: Mapping[str, str]
    """Of an arm's settings and images: seeds that were trained with another one do not count."""
    images: ImageSet
    """Of all arms, without labels."""
    rows: Mapping[str, tuple[np.ndarray, np.ndarray]]
    """Arm -> positions in `images`, labels: shape (M,), int64."""
    eval_set: ImageSet
    leak_free: np.ndarray | None
    """Shape (N,), bool, of the evaluation images."""

    def folder(self, arm: str) -> Path:
        return self.root / "runs" / self.arms[arm].run

    @property
    def measured_leak_free(self) -> np.ndarray | None:
        """`leak_free` of the evaluation images that have a label, as accuracy is measured on these alone."""
        return None if self.leak_free is None else self.leak_free[(self.eval_set.labels >= 0).numpy()]

    def train_set(self, name: str, seed: int) -> ImageSet:
        """The images that a seed of an arm trains on, with their labels."""
        (positions, labels), arm = self.rows[name], self.arms[name]
        if arm.dropped:
            drawn = arm.rows["image_id"].isin(arm.drawn(seed)["image_id"]).to_numpy()
            positions, labels = positions[drawn], labels[drawn]
        return replace(self.images.subset(torch.from_numpy(positions)), labels=torch.from_numpy(labels))


def make(
    workspace: Workspace,
    images: pd.DataFrame,
    test_rows: pd.DataFrame,
    plan: Plan,
    config: TrainConfig,
    at_once: int,
) -> Trial:
    """The trial of a plan: every image that an arm needs is decoded once."""
    learned = pd.concat([arm.rows for arm in plan.arms])
    classes = manifest.classes(pd.concat([images[manifest.decodable(images)], learned]))
    rows = learned.drop_duplicates("image_id", ignore_index=True)
    load = partial(
        load_images,
        root=workspace.root,
        classes=classes,
        image_size=config.image_size,
        memory_limit=0 if at_once > 1 else None,
    )
    together, eval_set = load(rows.assign(label="")), load(test_rows)
    place = pd.Index(rows["image_id"])
    free = leak_free(workspace, images, test_rows, rows)
    tested = manifest.data_hash(test_rows)
    return Trial(
        workspace.root,
        config,
        {arm.name: arm for arm in plan.arms},
        {arm.name: _key(config, classes, arm.content, tested) for arm in plan.arms},
        together,
        {
            arm.name: (
                place.get_indexer(pd.Index(arm.rows["image_id"])).astype(np.int64),
                manifest.label_codes(arm.rows, classes),
            )
            for arm in plan.arms
        },
        eval_set,
        None if free is None else np.isin(eval_set.image_ids, free),
    )


def _key(config: TrainConfig, classes: list[str], trained: str, tested: str) -> str:
    """Of all that decides a training but its seed. Classes count: what is kept says the number of one."""
    settings = {name: value for name, value in config.as_dict().items() if name not in FREE}
    return json_hash([BATCHES, settings, classes, trained, tested], size=16)


def prepare(trial: Trial, asked: TrainConfig, fresh: bool) -> None:
    """Make the arms' folders; what is unfinished of other images or settings goes, and, with `fresh`, all seeds.

    Finished seeds of other images, and what they were summed up to, stay until there are new ones. asked: the settings
    before they were made to fit the sets. Raises `UserError` where the first set is the same and other settings are
    asked for: its finished seeds would be lost. Where others follow from the sets, these are trained anew.
    """
    given, settings = (json.loads(json.dumps(config.as_dict())) for config in (asked, trial.config))
    first = next(iter(trial.arms))
    for name, arm in trial.arms.items():
        folder, trained = trial.folder(name), arm.data_hash
        earlier = _earlier(folder / "config.json")
        same = earlier.get("key") == trial.keys[name]
        kept = name == first and earlier.get("data_hash") == trained and any(folder.glob(f"seed-*/{RESULT}"))
        before, now = (earlier["asked"], given) if "asked" in earlier else (earlier, settings)
        differ = [each for each in now if each not in FREE and now[each] != before.get(each)]
        if kept and differ and not same and not fresh:
            changes = ", ".join(f"{each} {before.get(each)} → {now[each]}" for each in differ[:3])
            raise UserError(
                f"the seeds kept in {pasted(folder)} were trained with other settings ({changes}): give those again, "
                "or start anew with --fresh"
            )
        for seed in folder.glob("seed-*") if fresh else ():
            shutil.rmtree(seed)
        # only finished seeds can be added to from another device
        if not same or earlier.get("device") != settings["device"]:
            for unfinished in folder.glob(f"seed-*/{CHECKPOINT}"):
                unfinished.unlink()
        about = {"asked": given, "data_hash": trained, "key": trial.keys[name]}
        write_json(folder / "config.json", settings | about)


def forget_others(trial: Trial) -> None:
    """Remove finished seeds of other images or settings."""
    for name, key in trial.keys.items():
        for result in trial.folder(name).glob(f"seed-*/{RESULT}"):
            if not read_seed(result.parent, key):
                shutil.rmtree(result.parent)


def _earlier(path: Path) -> dict[str, Any]:
    """The settings that a run's folder was begun with; none where there are none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def train_one(job: tuple[str, int], tell: Callable[[Epoch], None], *, trial: Trial) -> SeedResult:
    """Train an arm with a seed, and keep what came of it; or read what was kept."""
    name, seed = job
    folder = trial.folder(name)
    if one := read_seed(folder / f"seed-{seed}", trial.keys[name]):
        return _leaks_as_now(one, trial)
    one = train_seed(
        seed,
        tell,
        config=trial.config,
        train_set=trial.train_set(name, seed),
        eval_set=trial.eval_set,
        leak_free=trial.leak_free,
        run_dir=folder,
        kept=trial.config.seed if name in (RAW, CURATED) else None,
    )
    write_seed(folder / f"seed-{seed}", trial.keys[name], one)
    (folder / f"seed-{seed}" / CHECKPOINT).unlink(missing_ok=True)
    return one


def kept(trial: Trial, numbers: Sequence[int]) -> Done:
    """The seeds among `numbers` that are finished."""
    done: Done = {name: {} for name in trial.arms}
    for name, arm_done in done.items():
        for seed in numbers:
            if one := read_seed(trial.folder(name) / f"seed-{seed}", trial.keys[name]):
                arm_done[seed] = _leaks_as_now(one, trial)
    return done


def _leaks_as_now(one: SeedResult, trial: Trial) -> SeedResult:
    """A seed that was kept, measured without the leaks that are known now."""
    among = trial.leak_free
    if among is None:
        return replace(one, evaluation=replace(one.evaluation, accuracy_leak_free=None, leak_free_count=None))
    labels = trial.eval_set.labels.numpy()
    right = (one.predicted == labels)[among & (labels >= 0)]
    accuracy = float(right.mean()) if len(right) else None
    return replace(one, evaluation=replace(one.evaluation, accuracy_leak_free=accuracy, leak_free_count=len(right)))


def seeds_of(trial: Trial, done: Mapping[int, SeedResult]) -> Seeds:
    """Which labelled test images each seed is right about."""
    labels = trial.eval_set.labels.numpy()
    has = labels >= 0
    return Seeds({seed: (one.predicted == labels)[has] for seed, one in done.items()})
