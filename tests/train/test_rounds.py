"""Rounds on digits: on the given labels, then on what these and predictions say."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from curate.labels import label_noise
from curate.predictions import NEIGHBORS
from tests.train.digits import QUICK, digits
from train import rounds
from train.checkpoint import Epoch
from train.config import TrainConfig
from train.crossval import OutOfFold, cross_validate
from train.data import ImageSet
from train.profiles import Profile
from train.rounds import Place, Said

CONFIG = replace(QUICK, epochs=2, batch_size=32)
PLAN = Profile("two rounds on corrected labels", folds=2, corrected=2)
COUNT = 150
WRONG = slice(0, COUNT, 15)


@pytest.fixture(scope="module")
def image_set() -> ImageSet:
    """Ten of the labels are wrong, and five images have none."""
    made = digits(COUNT)
    labels = made.labels.clone()
    labels[WRONG] = (labels[WRONG] + 1) % 10
    labels[3:8] = -1
    return replace(made, labels=labels)


def run(
    image_set: ImageSet,
    folder: Path,
    *,
    config: TrainConfig = CONFIG,
    plan: Profile = PLAN,
    on_epoch: Callable[[Place, Epoch], None] | None = None,
) -> Said:
    return rounds.run(
        config,
        image_set,
        np.full(len(image_set), -1),
        plan=plan,
        others=digits(12, start=COUNT),
        run_dir=folder,
        at_once=1,
        on_epoch=on_epoch,
    )


@pytest.fixture(scope="module")
def heard() -> list[Place]:
    return []


@pytest.fixture(scope="module")
def said(image_set: ImageSet, heard: list[Place], tmp_path_factory: pytest.TempPathFactory) -> Said:
    return run(image_set, tmp_path_factory.mktemp("whole"), on_epoch=lambda place, epoch: heard.append(place))


def test_every_image_is_predicted_in_every_repetition(said: Said, heard: list[Place]) -> None:
    assert said.repeats.shape == (3, COUNT, 10)
    assert said.others_repeats.shape == (3, 12, 10)  # of other splits
    for repeats, together in ((said.repeats, said.pred_probs), (said.others_repeats, said.others_pred_probs)):
        np.testing.assert_allclose(repeats.sum(2), 1, atol=1e-5)
        np.testing.assert_allclose((repeats[0] + 2 * repeats[1] + 2 * repeats[2]) / 5, together, atol=1e-5)
    assert said.neighbors.shape == (3, COUNT, NEIGHBORS)
    assert said.embeddings.shape[0] == COUNT
    assert said.others_embeddings.shape == (12, said.embeddings.shape[1])
    assert said.margins is not None
    assert said.margins.shape == (COUNT, 2)
    assert said.fold.shape == (COUNT,)
    assert len(said.fold_accuracy) == 6
    assert heard == [
        Place(number, 3, fold, 2, epochs=2, after=12 - 4 * number + 4 - 2 * fold)
        for number in (1, 2, 3)
        for fold in (1, 2)
        for _ in range(2)
    ]


def test_an_image_without_label_has_no_margin(said: Said) -> None:
    assert said.margins is not None
    assert np.isnan(said.margins[3:8]).all()
    assert np.isfinite(np.delete(said.margins, slice(3, 8), axis=0)).all()
    assert (said.fold[3:8] == -1).all()


def test_later_rounds_learn_what_labels_and_all_before_say_together(
    image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The labels that are trained on, as they reach `cross_validate`."""
    told: list[tuple[TrainConfig, ImageSet]] = []
    cross_validate = rounds.cross_validate

    def listen(config: TrainConfig, images: ImageSet, *args: object, **settings: object) -> object:
        told.append((config, images))
        return cross_validate(config, images, *args, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(rounds, "cross_validate", listen)
    result = run(image_set, tmp_path, config=replace(CONFIG, epochs=1))
    given = image_set.labels.numpy()
    assert told[0][1].soft_labels is None
    for number in (1, 2):
        repeats = result.repeats[:number]
        together = (repeats[0] + 2 * repeats[1:].sum(0)) / (2 * number - 1)
        expected = label_noise.soft_labels(label_noise.fit(repeats, given, together), together, given)
        learned = told[number][1]
        assert learned.soft_labels is not None
        np.testing.assert_allclose(learned.soft_labels.numpy(), expected, atol=1e-3)
        assert (learned.labels == image_set.labels).all()  # so that margins and folds are of the given ones
    assert len({config.seed for config, _ in told}) == len(told) == 3


@pytest.mark.parametrize("network", [2, 3, 5])
def test_an_interrupted_call_comes_to_the_same(said: Said, image_set: ImageSet, tmp_path: Path, network: int) -> None:
    """Stopped after the first epoch of a network of the first round, the second, and the third."""
    heard: list[Place] = []

    def stop(place: Place, epoch: Epoch) -> None:
        heard.append(place)
        if len(heard) == 2 * network:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(image_set, tmp_path, on_epoch=stop)
    left: list[Place] = []
    resumed = run(image_set, tmp_path, on_epoch=lambda place, epoch: left.append(place))
    assert len(left) == 12 - 2 * network
    for field in fields(Said):
        if field.name != "seconds":
            one, two = getattr(resumed, field.name), getattr(said, field.name)
            assert np.array_equal(one, two, equal_nan=isinstance(two, np.ndarray) and two.dtype.kind == "f"), field.name


def test_a_round_goes_on_with_the_labels_it_began_with(
    image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resumed on other hardware, the round before it predicts otherwise in its last bits."""

    def stop(place: Place, epoch: Epoch) -> None:
        if place.round == 2:
            raise KeyboardInterrupt

    def elsewhere(*given: object, **more: object) -> OutOfFold:
        result = cross_validate(*given, **more)  # type: ignore[arg-type]
        return replace(result, pred_probs=result.pred_probs * np.float32(1 + 1e-6))

    with pytest.raises(KeyboardInterrupt):
        run(image_set, tmp_path, on_epoch=stop)
    monkeypatch.setattr(rounds, "cross_validate", elsewhere)
    left: list[Place] = []
    run(image_set, tmp_path, on_epoch=lambda place, epoch: left.append(place))
    assert len(left) == 12 - 5


def test_one_round_alone(image_set: ImageSet, tmp_path: Path) -> None:
    plain = run(image_set, tmp_path, config=replace(CONFIG, epochs=1), plan=replace(PLAN, corrected=0))
    assert plain.repeats.shape == (1, COUNT, 10)
    np.testing.assert_allclose(plain.repeats[0], plain.pred_probs, atol=1e-6)
    assert plain.margins is not None


def test_mixed_images_have_no_margins(image_set: ImageSet, tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=1, mixup=0.5)
    mixed = run(image_set, tmp_path, config=config, plan=replace(PLAN, corrected=1))
    assert mixed.repeats.shape == (2, COUNT, 10)
    assert mixed.margins is None
