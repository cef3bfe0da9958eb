"""A training run as a folder: settings, learning curve, result, weights, pictures."""

import json
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from pandas import DataFrame
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from curate.errors import UserError
from curate.files import write_bytes_atomic, write_json
from curate.wording import pasted, plural
from train import distributed, event_files, models, parallel
from train.augment import mirrors
from train.blocks import Network
from train.checkpoint import CHECKPOINT, Epoch, load_weights
from train.config import TrainConfig
from train.data import ImageSet, load_images
from train.evaluate import evaluate, predict
from train.hardware import computing
from train.loop import Trained, train
from train.result import WEIGHTS, RunResult, SeedResult, write_result

ABOUT = "curate"
"""Entry of a weights file that holds settings and class names, as JSON."""


def train_run(
    config: TrainConfig,
    train_rows: DataFrame,
    eval_rows: DataFrame,
    root: Path,
    run_dir: Path,
    *,
    classes: Sequence[str],
    seeds: int = 1,
    data_hash: str,
    leak_free_ids: Collection[str] | None = None,
    resume: bool = True,
    tensorboard: bool = False,
    at_once: int = 1,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> RunResult:
    """Train on manifest rows with `seeds` seeds (`config.seed`, the next, …), evaluate, and write the run's folder.

    Rows with an `error` or, for training, without a label have to be left out by the caller. `root` is the workspace.
    Writes `config.json`, `metrics.jsonl`, `model.safetensors` (of the last seed), `learning_curve.png`,
    `confusion.png`, `predicted.parquet` and, last, `result.json`: a folder with that file is complete, and what an
    earlier run of this name came to stays until all is trained. With `resume` an interrupted run goes on after its last
    epoch. `tensorboard` adds event files in `tensorboard/`. So many seeds as `at_once` says are trained at the same
    time, see `train.parallel.each`; their images are in files of the workspace.
    `leak_free_ids`: the evaluation images that have no twin in the training set.
    """
    if tensorboard:
        event_files.check_installed()
    if seeds < 1:
        raise UserError(f"seeds = {seeds}; a run takes at least 1")
    if train_rows.empty or eval_rows.empty:
        raise UserError(
            f"{len(train_rows)} images to train on and {len(eval_rows)} to evaluate on; a run needs both: add some"
        )
    check_classes(train_rows, eval_rows)
    train_set = _load_training(config, train_rows, root, classes, at_once)
    limit = 0 if at_once > 1 else None
    eval_set = load_images(eval_rows, root, classes=classes, image_size=train_set.image_size, memory_limit=limit)
    leak_free = None if leak_free_ids is None else np.isin(eval_set.image_ids, list(leak_free_ids))
    if not len(eval_set.labelled()):
        raise UserError(f"none of the {len(eval_rows)} images to evaluate on has a label; add labelled ones")
    write_json(run_dir / "config.json", config.as_dict() | {"data_hash": data_hash, "seeds": seeds})

    if tensorboard and not (resume and any(run_dir.glob(f"seed-*/{CHECKPOINT}"))):
        shutil.rmtree(run_dir / "tensorboard", ignore_errors=True)

    def after_epoch(number: int, epoch: Epoch) -> None:
        if tensorboard:
            event_files.append_event(run_dir / "tensorboard", epoch)
        if on_epoch:
            on_epoch(epoch)

    distributed.wait()  # as often as `help_train` does: here, and in `train_seed`
    numbers = tuple(range(config.seed, config.seed + seeds))
    if not resume:
        for folder in run_dir.glob("seed-*"):
            shutil.rmtree(folder)
    with parallel.shared(train_set, eval_set, at_once=at_once) as (train_set, eval_set):
        one_seed = partial(
            train_seed,
            config=config,
            train_set=train_set,
            eval_set=eval_set,
            leak_free=leak_free,
            run_dir=run_dir,
            kept=numbers[-1],
        )
        done = list(parallel.each(one_seed, numbers, at_once=at_once, hear=after_epoch))
    result = write_result(
        run_dir,
        done,
        config=replace(config, image_size=train_set.image_size),
        train_images=len(train_set.labelled()),
        eval_set=eval_set,
        leak_free=leak_free,
        data_hash=data_hash,
        at_once=at_once,
        tensorboard=tensorboard,
    )
    for folder in run_dir.glob("seed-*"):  # only now is nothing left to resume, nor of an earlier run
        shutil.rmtree(folder)
    return result


def train_seed(
    seed: int,
    tell: Callable[[Epoch], None],
    *,
    config: TrainConfig,
    train_set: ImageSet,
    eval_set: ImageSet,
    leak_free: np.ndarray | None,
    run_dir: Path,
    kept: int | None,
) -> SeedResult:
    """Train one seed and evaluate it; the network of the seed `kept` is saved in its folder, of none for None."""
    distributed.wait()
    folder = run_dir / f"seed-{seed}"
    trained = train(replace(config, seed=seed), train_set, eval_set=eval_set, run_dir=folder, on_epoch=tell)
    started = time.perf_counter()
    predictions = predict(
        trained.model, eval_set.images, flip=mirrors(config), multi_crop=True, precision=config.precision
    )
    eval_seconds = trained.eval_seconds + time.perf_counter() - started
    if seed == kept:
        save_model(folder / WEIGHTS, trained)
    return SeedResult(
        seed=seed,
        history=trained.history,
        evaluation=evaluate(predictions, eval_set, leak_free=leak_free),
        predicted=predictions.probs.argmax(1).astype(np.int16),
        epochs_done=trained.epochs_done,
        seconds=trained.seconds,
        eval_seconds=eval_seconds,
        compile_seconds=trained.compile_seconds,
        computed=computing(config.device, config.precision),
    )


def help_train(
    config: TrainConfig, train_rows: DataFrame, root: Path, run_dir: Path, *, classes: Sequence[str], seeds: int = 1
) -> None:
    """What the other processes do while the first is in `train_run` with the same arguments: their share of each step.

    They write nothing and say nothing.
    """
    distributed.wait()
    train_set = _load_training(config, train_rows, root, classes)
    for seed in range(config.seed, config.seed + seeds):
        distributed.wait()
        train(replace(config, seed=seed), train_set, run_dir=run_dir / f"seed-{seed}")


def check_classes(train_rows: DataFrame, eval_rows: DataFrame, *, within: str = "") -> None:
    """Raises `UserError` for classes that a network could not learn. within: which of several sets it is."""
    known = sorted(set(train_rows["label"]) - {""})
    place = f" in {within}" if within else ""
    if len(known) < 2:
        only = f", {known[0]!r}" if known else ""
        raise UserError(
            f"the labelled training images{place} are of {len(known)} classes{only}; it takes at least 2 to train: add "
            "another"
        )
    unseen = eval_rows["label"][~eval_rows["label"].isin([*known, ""])].value_counts()
    if len(unseen):
        there = plural(int(unseen.iloc[0]), "image", "images")
        raise UserError(
            f"class {unseen.index[0]!r} has {there} to evaluate on and none to train on{place}; "
            "add training images of it, or relabel or drop these"
        )


def _load_training(
    config: TrainConfig, rows: DataFrame, root: Path, classes: Sequence[str], at_once: int = 1
) -> ImageSet:
    """Several processes share one file of the decoded images, and so its memory."""
    limit = 0 if max(at_once, distributed.count()) > 1 else None
    return load_images(rows, root, classes=classes, image_size=config.image_size, memory_limit=limit)


def save_model(path: Path, trained: Trained) -> None:
    """Write weights, with settings and class names beside them, as safetensors."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in trained.model.state_dict().items()}
    about = json.dumps({"config": trained.config.as_dict(), "classes": trained.classes})
    write_bytes_atomic(path, save(tensors, {ABOUT: about}))  # one entry: safetensors writes several in any order


@dataclass(frozen=True)
class Saved:
    """A network read back from a run's folder."""

    model: Network
    config: TrainConfig
    classes: tuple[str, ...]


def load_model(run_dir: Path) -> Saved:
    """The network of `run_dir/model.safetensors`, in evaluation mode on the CPU.

    Raises `UserError` where there is none or the file is not one of this trainer.
    """
    path = run_dir / WEIGHTS
    if not path.exists():
        raise UserError(f"{pasted(path)} does not exist; train first, for instance with 'curate train'")
    try:
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()[ABOUT])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
        classes, settings = tuple(about["classes"]), about["config"]
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{pasted(path)} is no model of this trainer ({error}); train again") from None
    config = TrainConfig.from_mapping(settings)
    with torch.random.fork_rng(devices=[]):
        size = config.image_size or 32
        model = models.build(config.model, num_classes=len(classes), image_size=size, options=config.model_options)
    load_weights(model, tensors, str(path), "train again")
    return Saved(model.eval(), config, classes)
