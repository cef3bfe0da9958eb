"""Accuracy, confusion and calibration, worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from curate.results.interval import mean_interval
from tests.train.digits import digits
from train import models
from train.data import ImageSet
from train.evaluate import Outputs, calibration_error, evaluate, predict, shifted

CERTAIN = np.eye(3, dtype=np.float32)


def image_set(labels: list[int]) -> ImageSet:
    images = torch.zeros((len(labels), 3, 8, 8), dtype=torch.uint8)
    return ImageSet(images, torch.tensor(labels), tuple(map(str, range(len(labels)))), ("a", "b", "c"))


def predictions(classes: list[int]) -> Outputs:
    return Outputs(CERTAIN[classes], None, None, np.zeros((len(classes), 2), np.float32))


def test_accuracy_and_confusion() -> None:
    evaluation = evaluate(predictions([0, 1, 1, 0]), image_set([0, 0, 1, -1]))
    assert evaluation.count == 3
    assert evaluation.accuracy == pytest.approx(2 / 3)
    assert evaluation.accuracy_flip is None
    assert evaluation.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert evaluation.per_class == (0.5, 1.0, None)


def test_leak_free_counts_only_the_images_named() -> None:
    evaluation = evaluate(predictions([0, 1, 1]), image_set([0, 0, -1]), leak_free=np.array([False, True, True]))
    assert (evaluation.accuracy_leak_free, evaluation.leak_free_count) == (0.0, 1)
    every_one_leaks = evaluate(predictions([0, 1, 1]), image_set([0, 0, -1]), leak_free=np.array([False, False, True]))
    assert (every_one_leaks.accuracy_leak_free, every_one_leaks.leak_free_count) == (None, 0)


@pytest.mark.parametrize(
    ("probs", "labels", "error"),
    [
        ([[1, 0]], [0], 0),
        ([[1, 0]], [1], 1),
        ([[0.75, 0.25]] * 4, [0, 0, 0, 1], 0),
        ([[0.75, 0.25]] * 4, [0, 0, 1, 1], 0.25),
        ([[0.9, 0.1], [0.6, 0.4]], [0, 1], 0.35),  # (0.1 + 0.6) / 2
    ],
)
def test_calibration_error(probs: list[list[float]], labels: list[int], error: float) -> None:
    assert calibration_error(np.array(probs), np.array(labels)) == pytest.approx(error)


def test_prediction_flips_averages_and_leaves_the_model_as_it_was() -> None:
    model = models.build("resnet20", num_classes=10, image_size=32)
    torch.nn.init.normal_(model.head.weight)
    images = digits(20).images
    mirrored = predict(model, images.flip(3), precision="fp32")
    both = predict(model, images, flip=True, precision="fp32", batch_size=7)
    assert model.training
    assert both.probs_flip is not None
    assert np.allclose(both.probs_flip, (both.probs + mirrored.probs) / 2, atol=1e-5)
    assert np.allclose(both.probs.sum(1), 1, atol=1e-5)
    assert both.embeddings.shape == (20, 64)


def test_no_images_no_predictions() -> None:
    model = models.build("resnet20", num_classes=10, image_size=32)
    nothing = predict(model, digits(20).images[:0], flip=True)
    assert nothing.probs.shape == nothing.best.shape == (0, 10)
    assert nothing.embeddings.shape == (0, model.embedding_dim)


@pytest.mark.parametrize(
    ("values", "mean", "half_width"),
    [([0.9], 0.9, np.nan), ([1, 2, 3], 2, 2.4841), ([5, 5], 5, 0), ([], np.nan, np.nan)],
)
def test_mean_interval(values: list[float], mean: float, half_width: float) -> None:
    assert mean_interval(values) == pytest.approx((mean, half_width), abs=1e-4, nan_ok=True)


def test_sets_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(Exception, match="classes"):
        replace(image_set([0, 1]), classes=("a",))


def test_multi_crop_is_the_weighted_mean_over_shifted_and_mirrored_views() -> None:
    torch.manual_seed(0)
    model = models.build("resnet_fast", num_classes=10, image_size=32)
    torch.nn.init.normal_(model.head.weight)
    images = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8)
    said = predict(model, images, flip=True, multi_crop=True, precision="fp32")
    views = [predict(model, shifted(images, by), flip=True, precision="fp32").probs_flip for by in (0, -1, 1)]
    expected = 0.5 * views[0] + 0.25 * views[1] + 0.25 * views[2]
    np.testing.assert_allclose(said.probs_multi_crop, expected, atol=1e-6)
    np.testing.assert_allclose(said.probs_multi_crop.sum(1), 1, atol=1e-5)
    assert predict(model, images).probs_multi_crop is None


@pytest.mark.parametrize(("side", "by"), [(8, 1), (32, 1), (128, 4)])
def test_a_shift_goes_with_the_side_and_reflects_the_border(side: int, by: int) -> None:
    images = torch.arange(side, dtype=torch.uint8).expand(1, 3, side, side)
    moved = shifted(images, 1)[0, 0, 0]
    assert moved[by:].tolist() == list(range(side - by))
    assert moved[:by].tolist() == list(range(by, 0, -1))
