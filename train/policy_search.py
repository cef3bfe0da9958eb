"""Which augmentation trains the best network: short trainings of a handful, of which the better half goes on.

Successive halving: Jamieson and Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter
optimization". All are measured on the same images, which none is trained on and which are no test images. The best one
was chosen on them, so its lead is a little more than it would be on others.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

import curate.augment as ours
from curate.augment.pipeline import as_dict, from_dict, read_pipeline
from curate.augment.upstream import albumentations
from curate.errors import UserError
from curate.files import json_hash, write_bytes_atomic, write_json
from curate.results import paired
from curate.results.interval import mean_interval, share_interval
from train.augment import mirrors, on_levels, pipeline, program
from train.config import TrainConfig
from train.crossval import assign_folds
from train.data import ImageSet
from train.evaluate import predict
from train.loop import train

RECIPE = "recipe"
"""The candidate that the others are compared with: what the training settings say."""
FOLDS = 5
"""One part in so many is held out, where there are no images of the split `val`."""
SEEDS = 3
"""Trainings of each finalist: the fewest that an interval says something of."""
TRAININGS = "trainings.jsonl"


@dataclass(frozen=True)
class Candidate:
    """A pipeline that is tried."""

    name: str
    augment: Mapping[str, Any]
    """As `A.to_dict` gives it."""


@dataclass(frozen=True)
class Tried:
    """One training of a candidate."""

    candidate: str
    epochs: int
    seed: int
    accuracy: float
    """On the images held out, 0 to 1, single view."""
    right: str
    """Which of these it is right about: a bit each, `np.packbits` as hex."""
    seconds: float


@dataclass(frozen=True)
class Standing:
    """How a candidate did in the last round that it took part in."""

    candidate: str
    round: int
    epochs: int
    accuracy: float
    """Mean over the trainings of that round."""
    half_width: float
    """Of its 95 % interval: Student's over the trainings; of one alone Wilson's over the images, up to its farther
    limit."""
    n: int
    difference: float | None
    """From the recipe, in the same round, paired by seed; None where it did not take part in it, and for itself."""
    difference_half_width: float | None


@dataclass(frozen=True)
class Found:
    """What came of a search."""

    places: tuple[Standing, ...]
    """Best first."""
    best: str
    clear: bool
    """Whether the best one's lead over the recipe is more than its interval."""
    held_out: int
    """Images that accuracy is measured on."""
    seconds: float
    """Of the trainings, each counted once, however many rounds it is in."""
    written: tuple[str, ...]


def candidates(config: TrainConfig, size: int, files: Sequence[Path] = ()) -> list[Candidate]:
    """The recipe's own augmentation, none, and stronger ones on top of it; then those of the files.

    What mirrors or turns is left out where the recipe does not mirror: letters and digits must not be.
    Raises `UserError` for a file that is no pipeline, and for one that is not for images of this size.
    """
    own = _steps(pipeline(config, size) if config.augment is None else from_dict(config.augment))
    tried = {
        RECIPE: own,
        "none": [],
        "cutout": on_levels(own, [ours.Cutout(max(1, size // 4), fill=128)]),
        "color": on_levels(own, _color()),
        "mixup": [*own, ours.MixUp(0.2)],
        "cutmix": [*own, ours.CutMix(1.0)],
    }
    if mirrors(config):
        tried |= {
            "rand_augment": [ours.RandAugment(2, 9), *own],
            "trivial_augment": [ours.TrivialAugment(), *own],
        }
    found = [Candidate(name, _composed(steps)) for name, steps in tried.items()]
    for file in files:
        found.append(Candidate(file.stem, as_dict(read_pipeline(file))))
    names = [each.name for each in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"two pipelines are called {twice[0]!r}; rename one of the files ({', '.join(names)})")
    for each in found:
        try:
            program(replace(config, augment=each.augment), size)
        except UserError as error:
            raise UserError(f"{each.name}: {error}") from None
    return found


def search(
    config: TrainConfig,
    images: ImageSet,
    held_out: ImageSet,
    tried: Sequence[Candidate],
    folder: Path,
    *,
    say: Callable[[Tried], None] | None = None,
) -> Found:
    """Train all candidates for a quarter of the epochs (up to eight of them), the better half for twice as many, and so
    on; the best two, and the recipe, `SEEDS` times for all of them. None leaves out easy images, which mixing forbids.

    What was trained stands in `folder` and is not trained again by a later call with the same images and settings.
    """
    config = replace(config, skip_easy=0.0)
    done: list[list[Tried]] = []
    left, own = list(tried), next((each for each in tried if each.name == RECIPE), None)
    kept = _Kept(folder / TRAININGS, _key(config, images, held_out))
    rounds = max(0, math.ceil(math.log2(len(left))) - 1)
    for number in range(rounds):
        epochs = max(1, config.epochs >> rounds - number)
        trained = [_trained(config, images, held_out, each, epochs, config.seed, kept, say) for each in left]
        done.append(trained)
        order = sorted(range(len(left)), key=lambda at: -trained[at].accuracy)
        left = [left[at] for at in order[: max(2, -(-len(left) // 2))]]
    finalists = left if own is None or own in left else [*left, own]
    final = [
        _trained(config, images, held_out, each, config.epochs, config.seed + number, kept, say)
        for number in range(SEEDS)
        for each in finalists
    ]
    places = _places([*done, final], len(held_out))
    best = places[0]
    clear = best.candidate == RECIPE or _above_zero(best)
    chosen = next(each for each in tried if each.name == best.candidate)
    paths = folder / "best.json", folder / "search.json"
    seconds = sum({(each.candidate, each.epochs, each.seed): each.seconds for each in chain(*done, final)}.values())
    found = Found(tuple(places), best.candidate, clear, len(held_out), seconds, tuple(str(path) for path in paths))
    write_json(paths[0], chosen.augment)
    write_json(paths[1], {"config": config.as_dict(), **asdict(found)})
    return found


def split(images: ImageSet, groups: np.ndarray, counted: np.ndarray, *, seed: int) -> tuple[ImageSet, ImageSet]:
    """What is trained on, and what is held out: a part in `FOLDS` of the images that count, without their look-alikes.

    groups: shape (N,), a number per image that only look-alikes share. counted: shape (N,), bool.
    """
    labels = np.where(counted, images.labels.numpy(), -1)
    held_out = assign_folds(labels, groups, folds=FOLDS, seed=seed) == 0
    return images.subset(~np.isin(groups, groups[held_out])), images.subset(held_out)


class _Kept:
    """Trainings in a file, a line each."""

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lines = list(_read(path)) if path.exists() else []

    def find(self, name: str, epochs: int, seed: int) -> Tried | None:
        for line in self._lines:
            if (line["key"], line["candidate"], line["epochs"], line["seed"]) == (self.key, name, epochs, seed):
                return Tried(**{field: line[field] for field in Tried.__dataclass_fields__})
        return None

    def add(self, training: Tried) -> None:
        line = {"key": self.key, **asdict(training)}
        self._lines.append(line)
        text = "".join(json.dumps(each) + "\n" for each in self._lines)
        write_bytes_atomic(self.path, text.encode())


def _trained(
    config: TrainConfig,
    images: ImageSet,
    held_out: ImageSet,
    candidate: Candidate,
    epochs: int,
    seed: int,
    kept: _Kept,
    say: Callable[[Tried], None] | None,
) -> Tried:
    name = f"{candidate.name} {json_hash(candidate.augment, size=6)}"
    found = kept.find(name, epochs, seed)
    if found is None:
        asked = replace(config, augment=candidate.augment, epochs=epochs, seed=seed, image_size=images.image_size)
        result = train(asked, images)
        probs = predict(result.model, held_out.images, precision=config.precision).probs
        right = probs.argmax(1) == held_out.labels.numpy()
        found = Tried(name, epochs, seed, float(right.mean()), np.packbits(right).tobytes().hex(), result.seconds)
        kept.add(found)
    found = replace(found, candidate=candidate.name)
    if say:
        say(found)
    return found


def _places(rounds: Sequence[Sequence[Tried]], images: int) -> list[Standing]:
    """Each candidate's last round; those of the last one first, best first, of equals the recipe."""
    places: dict[str, Standing] = {}
    for number, trained in enumerate(rounds):
        names = list(dict.fromkeys(each.candidate for each in trained))
        for name in sorted(names, key=lambda name: -_mean(trained, name)):
            places.pop(name, None)
            places[name] = _place(trained, name, number + 1, images)
    return sorted(places.values(), key=lambda place: (-place.round, -place.accuracy, place.candidate != RECIPE))


def _place(trained: Sequence[Tried], name: str, number: int, images: int) -> Standing:
    own, recipe = ([each for each in trained if each.candidate == wanted] for wanted in (name, RECIPE))
    accuracies = [each.accuracy for each in own]
    mean, half = mean_interval(accuracies)
    if len(own) == 1:
        low, high = share_interval(round(mean * images), images)
        half = max(mean - low, high - mean)
    difference = difference_half = None
    if recipe and name != RECIPE:
        pairs = [(a, b) for a in own for b in recipe if a.seed == b.seed]
        lead = paired.difference(
            np.stack([_right(a, images) - _right(b, images) for a, b in pairs]), at_all_times=False
        )
        difference, difference_half = lead.mean, lead.half_width
    return Standing(name, number, own[0].epochs, mean, half, len(own), difference, difference_half)


def _right(tried: Tried, images: int) -> np.ndarray:
    """1 for each of the images held out that it is right about: shape (images,), int8."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(tried.right), np.uint8), count=images).astype(np.int8)


def _mean(trained: Sequence[Tried], name: str) -> float:
    return fmean(each.accuracy for each in trained if each.candidate == name)


def _above_zero(place: Standing) -> bool:
    half_width = place.difference_half_width
    return place.difference is not None and half_width is not None and place.difference > half_width


def _composed(steps: Sequence[Any]) -> dict[str, Any]:
    return as_dict(albumentations().Compose(list(steps)))


def _steps(asked: Any) -> list[Any]:
    """Of the pipeline; itself where it is no plain sequence of them."""
    return list(asked.transforms) if type(asked) is albumentations().Compose and asked.p == 1 else [asked]


def _color() -> list[Any]:
    a = albumentations()
    return [a.ColorJitter(0.3, 0.3, 0.3, 0.05, p=0.8), a.ToGray(p=0.05)]


def _key(config: TrainConfig, images: ImageSet, held_out: ImageSet) -> str:
    """Of all that decides a training, but for candidate, epochs and seed; and of what is kept of one."""
    told = replace(config, epochs=1, seed=0, augment=None).as_dict()
    content = [list(Tried.__dataclass_fields__), told, images.fingerprint(), held_out.fingerprint()]
    return json_hash(content, size=6)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)
