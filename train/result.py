"""What a run came to: each seed, kept as it ends, and all of them together, `result.json` and what lies beside it."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from pandas import DataFrame

from curate.errors import UserError
from curate.files import replacing, write_bytes_atomic, write_json
from curate.machine import choose_device, hardware
from curate.results.flips import LEAK_FREE, PREDICTED
from curate.results.interval import Score, score
from curate.wording import pasted
from train import event_files
from train.checkpoint import Epoch
from train.config import TrainConfig
from train.data import ImageSet
from train.distributed import count
from train.evaluate import Evaluation, mean_per_class
from train.schedule import epochs_in_all

RESULT, WEIGHTS = "result.json", "model.safetensors"


@dataclass(frozen=True)
class RunResult:
    """What a run came to: `result.json`. Accuracies lie between 0 and 1."""

    config: TrainConfig
    classes: tuple[str, ...]
    data_hash: str
    seeds: tuple[int, ...]
    hardware: str
    at_once: int
    """How many seeds were trained at the same time, and so shared the hardware."""
    torch_version: str
    seconds: float
    """Of training alone, all seeds added up, also of those that were trained at the same time."""
    eval_seconds: float
    """Of evaluation: after each epoch on a sample, and at the end."""
    compile_seconds: float
    """Of compiling the network."""
    images_seen: int
    """By the network in training, all seeds added up, an image each time it was seen."""
    epochs_done: tuple[float, ...]
    """Per seed; the last of them in part where `steps` or the time budget ended training in it."""
    cut_short: bool
    """Whether the time budget ended training before its time, for some seed."""
    train_images: int
    eval_images: int
    accuracy: Score
    """Single view."""
    accuracy_flip: Score | None
    """Mean of image and mirror image; None where training shows no mirror images, see `train.augment.mirrors`."""
    accuracy_multi_crop: Score | None
    """Mean over shifted views, mirrored too where training shows mirror images."""
    accuracy_leak_free: Score | None
    """Single view on the evaluation images without a twin in the training set; None if these were not named, and where
    there are none."""
    leak_free_images: int | None
    calibration_error: Score
    per_class: tuple[float | None, ...]
    """Single-view accuracy per class, mean over the seeds; None for a class without an evaluation image."""
    confusion: tuple[tuple[int, ...], ...]
    """Row true class, column predicted class; counts summed over the seeds."""


@dataclass(frozen=True)
class SeedResult:
    """What the training of one seed came to."""

    seed: int
    history: tuple[Epoch, ...]
    evaluation: Evaluation
    predicted: np.ndarray
    """Shape (N,), int16: the class that single view says, of every evaluation image."""
    epochs_done: float
    seconds: float
    eval_seconds: float
    compile_seconds: float
    computed: str = ""
    """See `train.hardware.computing`; "" where an earlier version of curate did not say."""


def write_seed(folder: Path, key: str, one: SeedResult) -> None:
    """Keep a finished seed in `folder`, complete or not at all, so that the run can be added to on another day.

    key: of settings and images, without which it is not read again.
    """
    content = asdict(one) | {"key": key, "predicted": one.predicted.tolist()}
    content["evaluation"]["confusion"] = one.evaluation.confusion.tolist()
    write_json(folder / RESULT, content)


def read_seed(folder: Path, key: str) -> SeedResult | None:
    """The finished seed in `folder`; None where there is none, or one of other settings or images."""
    path = folder / RESULT
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("key") != key:
            return None
        said = content.pop("evaluation")
        evaluation = Evaluation(
            **said | {"per_class": tuple(said["per_class"]), "confusion": np.array(said["confusion"], np.int64)}
        )
        history = tuple(Epoch(**epoch) for epoch in content.pop("history"))
        return SeedResult(
            **content | {"history": history, "predicted": np.array(content["predicted"], np.int16)},
            evaluation=evaluation,
        )
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(
            f"{pasted(path)} cannot be read ({reason}); delete its folder to train that seed again"
        ) from None


def write_result(
    run_dir: Path,
    done: Sequence[SeedResult],
    *,
    config: TrainConfig,
    train_images: int,
    eval_set: ImageSet,
    leak_free: np.ndarray | None,
    data_hash: str,
    at_once: int,
    tensorboard: bool = False,
) -> RunResult:
    """Sum the seeds up: `metrics.jsonl`, two pictures, `predicted.parquet`, the weights of the seed that kept them and,
    last, `result.json`.

    An earlier run's files stay until all is ready to be written; a run that is killed after that counts as unfinished,
    and the same command finishes it without training.

    config: with the size of the images. leak_free: see `train.evaluate.evaluate`.
    """
    from train import plots  # Matplotlib takes half a second to import, and workers that train draw nothing

    history = [epoch for one in done for epoch in one.history]
    evaluations = [one.evaluation for one in done]
    lines = "".join(json.dumps(asdict(epoch), allow_nan=False) + "\n" for epoch in history)
    confusion = np.sum([evaluation.confusion for evaluation in evaluations], axis=0)
    pictures = {
        "learning_curve.png": plots.learning_curve(history),
        "confusion.png": plots.confusion_matrix(confusion, eval_set.classes),
    }
    predicted = predicted_table(eval_set, done, leak_free)
    new = [path for one in done if (path := run_dir / f"seed-{one.seed}" / WEIGHTS).exists()]
    for name in (RESULT, "model.onnx") if new else (RESULT,):
        (run_dir / name).unlink(missing_ok=True)
    for name, content in {"metrics.jsonl": lines.encode(), **pictures}.items():
        write_bytes_atomic(run_dir / name, content)
    with replacing(run_dir / PREDICTED) as temporary:
        predicted.to_parquet(temporary, index=False, compression="zstd")
    for weights in new:
        weights.replace(run_dir / WEIGHTS)
    epochs = tuple(one.epochs_done for one in done)
    result = RunResult(
        config=config,
        classes=eval_set.classes,
        data_hash=data_hash,
        seeds=tuple(one.seed for one in done),
        hardware=hardware(choose_device(config.device)) + f", {count()} processes" * (count() > 1),
        at_once=min(at_once, len(done)),
        torch_version=torch.__version__,
        seconds=sum(one.seconds for one in done),
        eval_seconds=sum(one.eval_seconds for one in done),
        compile_seconds=sum(one.compile_seconds for one in done),
        images_seen=sum(epoch.images for epoch in history),
        epochs_done=epochs,
        cut_short=config.time_budget is not None and min(epochs) < epochs_in_all(config, train_images) - 1e-6,
        train_images=train_images,
        eval_images=evaluations[0].count,
        accuracy=score([evaluation.accuracy for evaluation in evaluations]),
        accuracy_flip=_optional_score([evaluation.accuracy_flip for evaluation in evaluations]),
        accuracy_multi_crop=_optional_score([evaluation.accuracy_multi_crop for evaluation in evaluations]),
        accuracy_leak_free=_optional_score([evaluation.accuracy_leak_free for evaluation in evaluations]),
        leak_free_images=evaluations[0].leak_free_count,
        calibration_error=score([evaluation.calibration_error for evaluation in evaluations]),
        per_class=mean_per_class(confusion),
        confusion=tuple(tuple(int(cell) for cell in row) for row in confusion),
    )
    write_json(run_dir / RESULT, asdict(result))
    if tensorboard:
        event_files.write_finished(run_dir)
    else:  # they are of an earlier run of this name
        shutil.rmtree(run_dir / "tensorboard", ignore_errors=True)
    return result


def predicted_table(eval_set: ImageSet, done: Sequence[SeedResult], leak_free: np.ndarray | None) -> DataFrame:
    """What each seed said of every labelled evaluation image: columns `image_id`, `label`, `seed-N` per seed and, where
    it is known, `leak_free`."""
    names = np.array(eval_set.classes, dtype=object)
    labels = eval_set.labels.numpy()
    has = labels >= 0
    columns = {"image_id": np.array(eval_set.image_ids, dtype=object)[has], "label": names[labels[has]]}
    table = DataFrame(columns | {f"seed-{one.seed}": names[one.predicted[has]] for one in done}).astype("str")
    return table if leak_free is None else table.assign(**{LEAK_FREE: leak_free[has]})


def _optional_score(values: list[float | None]) -> Score | None:
    known = [value for value in values if value is not None]
    return score(known) if known else None
