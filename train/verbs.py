"""Verbs that train, as functions: read the workspace, train, write a run. See also `train.predict`, `train.prove`."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from curate import manifest, portable, tables
from curate.errors import UserError, known
from curate.likeness.duplicates import groups
from curate.results.runs import PROVE
from curate.wording import pasted
from curate.workspace import Workspace
from train import parallel, policy_search, run
from train.checkpoint import Epoch
from train.config import TrainConfig, by_epochs, configure
from train.data import common_size, load_images
from train.onnx_file import Exported, write_onnx
from train.result import RESULT, WEIGHTS, RunResult
from train.rows import duplicate_pairs, eval_rows_of, leak_free, one_of_each, train_rows_of
from train.run import load_model, train_run

SEARCH = "augment-search"
"""The folder among the runs in which `search_policies` keeps what it trains."""


def train(
    workspace: Workspace,
    *,
    data: str,
    seeds: int,
    settings: Mapping[str, object],
    name: str | None = None,
    resume: bool = True,
    tensorboard: bool = False,
    at_once: int | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> tuple[Path, RunResult]:
    """Train on the raw or the curated training images and evaluate on the test images of the manifest.

    Before and after are measured on the same test images: those of the manifest, whatever was decided about them. Sets
    that come without a test split, as Imagenette does, are evaluated on `val`. `at_once` seeds are trained at the same
    time; None: chosen, see `train.parallel.choose`.
    """
    read = workspace.hashes()
    asked = _asked(workspace, data, settings, name)
    side = asked.config.image_size or common_size(asked.train_rows)
    several = parallel.choose(at_once, [asked.config] * seeds, images=len(asked.train_rows), side=side)
    with workspace.locked(f"runs/{asked.run_dir.name}"):
        result = train_run(
            asked.config,
            asked.train_rows,
            asked.test_rows,
            workspace.root,
            asked.run_dir,
            classes=asked.classes,
            seeds=seeds,
            data_hash=manifest.data_hash(asked.train_rows),
            leak_free_ids=leak_free(workspace, asked.images, asked.test_rows, asked.train_rows),
            resume=resume,
            tensorboard=tensorboard,
            at_once=several,
            on_epoch=on_epoch,
        )
    said = {"data": data, "name": asked.run_dir.name, "seeds": seeds, **settings}
    workspace.waiting().note("train", said, read=read)
    return asked.run_dir, result


def search_policies(
    workspace: Workspace,
    *,
    data: str,
    settings: Mapping[str, object],
    files: Sequence[Path] = (),
    say: Callable[[policy_search.Tried], None] | None = None,
) -> policy_search.Found:
    """Compare a handful of augmentations by short trainings, see `train.policy_search`.

    Measured on the images of `val` of which no version is trained on, or, where there are none with a label, on a part
    of the training images that is held out, duplicates and generated images with their originals; never on what runs
    are measured on, which is `val` where there is no test split. Of an image and those generated from it one counts.
    Written to `runs/augment-search`; an interrupted call goes on.
    """
    config = by_epochs(configure(workspace, settings))
    if config.time_budget is not None:
        raise UserError(
            f"time_budget = {config.time_budget:g}; pipelines are compared by epochs: set epochs, leave time_budget out"
        )
    read = workspace.hashes()
    raw = tables.read_manifest(workspace)
    chosen = tables.read_images(workspace, data)
    rows = train_rows_of(chosen)
    val = manifest.usable(raw, "val").reset_index(drop=True) if manifest.tested_split(raw) != "val" else raw.iloc[:0]
    if rows.empty:
        raise UserError(f"{pasted(workspace.root)} has no labelled training images; add some with --split train")
    classes = manifest.classes(raw[manifest.decodable(raw)])
    size = config.image_size or common_size(rows)
    tried = policy_search.candidates(config, size, files)
    with workspace.locked(f"runs/{SEARCH}"):
        images = load_images(rows, workspace.root, classes=classes, image_size=size)
        together = pd.Series(groups(raw, duplicate_pairs(workspace, raw)), raw["image_id"])
        of_rows = together[rows["image_id"]].to_numpy()
        unseen = val[one_of_each(val) & ~together[val["image_id"]].isin(of_rows).to_numpy()]
        if len(unseen):
            held_out = load_images(unseen, workspace.root, classes=classes, image_size=size)
        else:
            images, held_out = policy_search.split(images, of_rows, one_of_each(rows), seed=config.seed)
        folder = workspace.root / "runs" / SEARCH
        found = policy_search.search(config, images, held_out, tried, folder, say=say)
    said = {"data": data, "pipelines": [str(file) for file in files], **settings}
    workspace.waiting().note("augment search", said, read=read)
    return found


def help_train(
    workspace: Workspace, *, data: str, seeds: int, settings: Mapping[str, object], name: str | None = None
) -> None:
    """What the other processes do while the first is in `train` with the same arguments."""
    asked = _asked(workspace, data, settings, name)
    run.help_train(asked.config, asked.train_rows, workspace.root, asked.run_dir, classes=asked.classes, seeds=seeds)


@dataclass(frozen=True)
class _Asked:
    """What a training is asked to do."""

    config: TrainConfig
    images: pd.DataFrame
    """The manifest."""
    train_rows: pd.DataFrame
    test_rows: pd.DataFrame
    classes: list[str]
    run_dir: Path


def _asked(workspace: Workspace, data: str, settings: Mapping[str, object], name: str | None) -> _Asked:
    config = configure(workspace, settings)
    raw = tables.read_manifest(workspace)
    chosen = tables.read_images(workspace, data)
    train_rows = train_rows_of(chosen)
    if train_rows.empty:
        there = int((chosen["split"] == "train").sum())
        raise UserError(
            f"{pasted(workspace.root)} has {there} training images and none of them has a label; add labelled ones "
            "with --split train"
        )
    test_rows = eval_rows_of(workspace, raw)
    run_name = name or f"{data}-{config.model}"
    if not re.fullmatch(r"[\w][\w.-]*", run_name):
        raise UserError(f"--name {run_name!r} must be letters, digits, '.', '_' and '-'")
    if why := _taken(run_name) or portable.why_not(run_name):
        raise UserError(f"--name {run_name!r}: {why}; choose another")
    classes = manifest.classes(raw[manifest.decodable(raw)])
    return _Asked(config, raw, train_rows, test_rows, classes, workspace.root / "runs" / run_name)


def _taken(run_name: str) -> str:
    """Which verb keeps what it trains in the folder of a run of this name; "" for none."""
    if run_name.startswith(PROVE):
        return "runs of 'curate prove' are called so"
    return "'curate augment search' keeps its trainings there" if run_name == SEARCH else ""


def export_onnx(workspace: Workspace, run_name: str, out: Path | None = None) -> Exported:
    """Write the network of a finished run as ONNX, by default into the run's folder."""
    finished = sorted(path.parent.name for path in (workspace.root / "runs").glob(f"*/{RESULT}"))
    finished = [name for name in finished if (workspace.root / "runs" / name / WEIGHTS).exists()]
    if run_name not in finished:
        raise known("finished run that kept its network", run_name, finished)
    run_dir = workspace.root / "runs" / run_name
    exported = write_onnx(out or run_dir / "model.onnx", load_model(run_dir))
    workspace.note("onnx", {"run": run_name, "written": exported.written})
    return exported
