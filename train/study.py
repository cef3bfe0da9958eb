"""What experiments are made of: arms at a scale, trained for every seed, each once; claims that the data decide."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from pandas import DataFrame

from curate.errors import UserError
from curate.files import TEMPORARY_PREFIX, write_json
from curate.results.interval import mean_interval, welch_interval
from curate.wording import pasted
from train import parallel
from train.blocks import Network
from train.checkpoint import CHECKPOINT, differences
from train.config import TrainConfig
from train.data import ImageSet
from train.evaluate import predict
from train.loop import train
from train.schedule import steps_an_epoch

Measured = Mapping[str, list[float]]
Probe = Callable[[Network], Measured]
"""What an experiment measures of a network after each epoch; it must leave the network as it is."""
TINY = 64
"""Images that `smoke` trains and looks at: a few steps of the smallest batch, so that a test takes seconds."""

HE_2015 = {
    "lr": 0.1,  # He et al. 2015, section 4.2, as all of these
    "momentum": 0.9,  # here with Nesterov's correction
    "weight_decay": 1e-4,
    "batch_size": 128,
    "label_smoothing": 0.0,  # the paper has none
}
"""How the networks of the first ResNet paper are trained."""


@dataclass(frozen=True)
class Arm:
    """One kind of training that is compared with others."""

    name: str
    model: str
    settings: Mapping[str, object] = field(default_factory=dict)
    """What it is trained with beyond the settings of the scale."""


@dataclass(frozen=True)
class Scale:
    """How large an experiment is made."""

    arms: tuple[Arm, ...]
    train_images: int | None
    """Training images, the same number of each class as far as there are; None for all."""
    test_images: int | None
    curve_images: int
    """Images of each kind, training and test, that errors are measured on after each epoch; at the end on all."""
    seeds: int
    settings: Mapping[str, object]
    """What all arms are trained with."""


@dataclass(frozen=True)
class Study:
    """An experiment at a scale, on a data set, in a folder."""

    scale: Scale
    train_set: ImageSet
    test_set: ImageSet
    data_hash: str
    settings: Mapping[str, object]
    """What is asked for beyond the settings of scale and arm."""
    seeds: tuple[int, ...]
    folder: Path
    say: Callable[[str], None]
    at_once: int = 1
    """Trainings that run at the same time."""


@dataclass(frozen=True)
class Point:
    """A point of an arm's curves. Errors lie between 0 and 1."""

    epoch: int
    """0 before the first step."""
    iteration: int
    train_error: float
    """On training images as they are, network in evaluation mode."""
    test_error: float
    running_error: float | None = None
    """On augmented training images, while the weights changed; None before the first step."""
    measured: Measured = field(default_factory=dict)


@dataclass(frozen=True)
class ArmResult:
    """One training of an arm. Errors are those of the finished network, on all images."""

    arm: str
    seed: int
    config: Mapping[str, Any]
    data_hash: str
    parameters: int
    train_error: float
    test_error: float
    seconds: float
    """Of training, measuring left out."""
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Claim:
    """Something the paper found, and whether it came out so here."""

    says: str
    ours: str
    """The figures that decide."""
    as_in_the_paper: bool


@dataclass(frozen=True)
class Outcome:
    """What an experiment came to."""

    results: tuple[ArmResult, ...]
    table: DataFrame
    claims: tuple[Claim, ...]
    figures: Mapping[str, Figure]
    note: str
    """What the paper's figures were measured on."""


def train_arms(study: Study, *, probe: Probe | None = None) -> list[ArmResult]:
    """Every arm with every seed: seed by seed, so that an interrupted study has whole comparisons first."""
    todo = [(seed, arm) for seed in study.seeds for arm in study.scale.arms]
    if all(result_path(study, arm, seed).exists() for seed, arm in todo):
        return [train_arm(study, arm, seed) for seed, arm in todo]
    with parallel.shared(study.train_set, study.test_set, at_once=study.at_once) as (train_set, test_set):
        there = replace(study, train_set=train_set, test_set=test_set, say=print)  # each training says it by `tell`
        one_arm = partial(_train_one, study=there, probe=probe)
        # all of them, also those that are finished: the place says how many threads one has
        return list(parallel.each(one_arm, todo, at_once=study.at_once, hear=lambda number, line: study.say(line)))


def _train_one(job: tuple[int, Arm], tell: Callable[[str], None], *, study: Study, probe: Probe | None) -> ArmResult:
    seed, arm = job
    return train_arm(replace(study, say=tell), arm, seed, probe=probe)


def result_path(study: Study, arm: Arm, seed: int) -> Path:
    """Of what a finished training of the arm came to."""
    return study.folder / "arms" / f"{arm.name}-seed-{seed}.json"


def train_arm(study: Study, arm: Arm, seed: int, *, probe: Probe | None = None) -> ArmResult:
    """Train one arm, or read what it came to where it was trained before; an interrupted training goes on.

    Raises `UserError` where the folder holds a training of other settings or other images.
    """
    config = arm_config(study, arm, seed)
    path = result_path(study, arm, seed)
    if path.exists():
        done = read_result(path)
        refuse_another(done, config, study.data_hash, path)
        study.say(f"{arm.name} seed {seed}: trained before, {told(done)}")
        return done
    unfinished = path.with_suffix("")
    kept = unfinished / "points.json"
    points = {point.epoch: point for point in read_points(kept)}
    look_train, look_test = (spread(images, study.scale.curve_images) for images in (study.train_set, study.test_set))
    steps = steps_an_epoch(config, len(study.train_set))

    def watch(epochs: int, network: Network) -> None:
        if not epochs:
            points.clear()
        measured = probe(network) if probe else {}
        errors = (error(network, look_train, config), error(network, look_test, config))
        points[epochs] = Point(epochs, epochs * steps, *errors, measured=measured)
        write_json(kept, [asdict(point) for point in points.values()])
        study.say(
            f"{arm.name} seed {seed} epoch {epochs:3d}/{config.epochs}  error: train {100 * errors[0]:5.1f} %  "
            f"test {100 * errors[1]:5.1f} %"
        )

    trained = train(config, study.train_set, run_dir=unfinished, watch=watch)
    running = {epoch.epoch: 1 - epoch.train_acc for epoch in trained.history}
    result = ArmResult(
        arm=arm.name,
        seed=seed,
        config=config.as_dict(),
        data_hash=study.data_hash,
        parameters=sum(parameter.numel() for parameter in trained.model.parameters()),
        train_error=error(trained.model, study.train_set, config),
        test_error=error(trained.model, study.test_set, config),
        seconds=trained.seconds,
        points=tuple(replace(points[at], running_error=running.get(at)) for at in sorted(points)),
    )
    write_json(path, asdict(result))
    forget(unfinished)
    return result


def arm_config(study: Study, arm: Arm, seed: int) -> TrainConfig:
    """Settings of the scale, changed by the arm's, these by those of the study."""
    settings = {**study.scale.settings, **arm.settings, **study.settings, "model": arm.model, "seed": seed}
    return TrainConfig.from_mapping(settings)


def refuse_another(done: ArmResult, config: TrainConfig, data_hash: str, path: Path) -> None:
    """Stop where a finished training is of other settings or images than are asked for."""
    if unlike := differences(done.config, done.data_hash, config, data_hash):
        raise UserError(f"{pasted(path)} is of another study: {'; '.join(unlike)}. Use another --out, or --fresh")


def error(network: Network, images: ImageSet, config: TrainConfig) -> float:
    """Share of the images that the network, in evaluation mode, gets wrong, 0 to 1."""
    probs = predict(network, images.images, precision=config.precision).probs
    return float((probs.argmax(1) != images.labels.numpy()).mean())


def spread(images: ImageSet, count: int) -> ImageSet:
    """`count` of the images, the same share of each class; all where there are no more."""
    return images if len(images) <= count else images.subset(stratified(images.labels.numpy(), count, seed=0))


def stratified(labels: np.ndarray | Sequence[object], count: int | None, *, seed: int) -> np.ndarray:
    """Positions of `count` labels, in order, as equally many of each class as there are; all for None.

    Classes with fewer than their share give all they have, and the others fill up.
    """
    values = np.asarray(labels)
    if count is None or len(values) <= count:
        return np.arange(len(values))
    order = np.random.default_rng(seed).permutation(len(values))
    place = np.empty(len(values), np.int64)  # which of its class an image is, in that order
    for name in np.unique(values):
        own = order[values[order] == name]
        place[own] = np.arange(len(own))
    return np.sort(order[np.argsort(place[order], kind="stable")][:count])


def summary(study: Study, results: Sequence[ArmResult], paper: Mapping[str, float | None]) -> DataFrame:
    """A row per arm: error in per cent, mean over the seeds and half its 95 % interval, beside the paper's."""
    rows = []
    for arm in study.scale.arms:
        own = [result for result in results if result.arm == arm.name]
        test, half_width = mean_interval([100 * result.test_error for result in own])
        rows.append(
            {
                "arm": arm.name,
                "parameters": own[0].parameters,
                "seeds": len(own),
                "train_error_percent": 100 * float(np.mean([result.train_error for result in own])),
                "test_error_percent": test,
                "test_error_half_width": half_width,
                "paper_test_error_percent": paper.get(arm.name) or float("nan"),
                "seconds": float(np.mean([result.seconds for result in own])),
            }
        )
    return DataFrame(rows)


def lower(says: str, results: Sequence[ArmResult], better: str, worse: str, *, of: str = "test") -> list[Claim]:
    """The claim that `better` has the lower error on average; none where one of the two was not trained.

    of: "train" or "test".
    """
    low, high = (
        [100 * (result.train_error if of == "train" else result.test_error) for result in results if result.arm == name]
        for name in (better, worse)
    )
    if not low or not high:
        return []
    means = float(np.mean(low)), float(np.mean(high))
    ours = f"{of} error {better} {means[0]:.2f} %, {worse} {means[1]:.2f} %"
    if min(len(low), len(high)) > 1:
        difference, half_width = welch_interval(low, high)
        ours += f"; difference {difference:+.2f} ± {half_width:.2f} points (95 %)"
    return [Claim(says, ours, means[0] < means[1])]


def told(result: ArmResult) -> str:
    """What a training came to, in words."""
    return f"error: train {100 * result.train_error:.2f} %, test {100 * result.test_error:.2f} %"


def read_result(path: Path) -> ArmResult:
    """A finished arm as `train_arm` wrote it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        points = tuple(Point(**point) for point in content.pop("points"))
        return ArmResult(**content, points=points)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{pasted(path)} cannot be read ({error}); delete it to train that arm again") from None


def read_points(path: Path) -> list[Point]:
    """The curves of an unfinished arm; none where there is no file."""
    if not path.exists():
        return []
    try:
        return [Point(**point) for point in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise UserError(f"{pasted(path)} cannot be read ({error}); delete its folder to train that arm again") from None


def forget(folder: Path) -> None:
    """Remove what an arm needed to go on."""
    for name in (CHECKPOINT, "points.json"):
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):  # of a training that was killed while it wrote
        path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def image_set(images: np.ndarray, labels: Sequence[str], ids: Sequence[str]) -> ImageSet:
    """Images in memory, shape (N, S, S, 3), uint8, with their labels by name."""
    classes = tuple(sorted(set(labels)))
    positions = torch.tensor([classes.index(label) for label in labels], dtype=torch.int64)
    return ImageSet(torch.from_numpy(images).permute(0, 3, 1, 2), positions, tuple(ids), classes)
