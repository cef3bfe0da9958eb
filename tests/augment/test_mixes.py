"""Images mixed with one another, and their labels with them."""

import albumentations as A
import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest

import curate.augment
from curate.augment import CutMix, MixUp
from curate.augment.draws import Stream
from curate.augment.frame import Frame
from curate.augment.mixing import partners
from curate.augment.pipeline import batched
from curate.errors import UserError
from tests.augment.cases import pictures

MIXES = [MixUp(alpha=0.4), MixUp(), CutMix(alpha=0.4), CutMix()]
SEVERAL = [
    *MIXES,
    MixUp(p=0.5),
    CutMix(p=0.3),
    A.OneOf([MixUp(), CutMix()], p=0.8),
    A.Sequential([MixUp(), CutMix()], p=1),
]
FRAME = Frame(20, 32, 3)
IDS = np.arange(8) * 5 + 1


def greys(count=8, height=20, width=32):
    """Images of one level each, 30 apart, which is told from any mean: shape (N, H, W, 3)."""
    levels = np.arange(count, dtype=np.uint8) * 30
    return np.broadcast_to(levels[:, None, None, None], (count, height, width, 3)).copy()


@pytest.mark.parametrize("mix", SEVERAL, ids=str)
def test_targets_say_what_is_in_the_image(mix):
    """Of images of one level each, the level's mean is what the target expects."""
    for epoch in range(4):
        images, targets = curate.augment.compile(mix)(greys(), IDS, epoch, labels=range(8), classes=8)
        assert targets.shape == (8, 8)
        assert targets.dtype == np.float32
        np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
        np.testing.assert_allclose(images.mean((1, 2, 3)), targets @ (np.arange(8) * 30), atol=1)


@pytest.mark.parametrize("mix", SEVERAL, ids=str)
def test_the_order_of_the_batch_does_not_matter(mix):
    program, order = curate.augment.compile(mix, seed=2), np.array([3, 7, 0, 1, 6, 5, 2, 4])
    images, targets = program(pictures(32, 3), IDS, 1, labels=range(8), classes=8)
    again, theirs = program(pictures(32, 3)[order], IDS[order], 1, labels=order, classes=8)
    np.testing.assert_array_equal(images[order], again)
    np.testing.assert_array_equal(targets[order], theirs)


@pytest.mark.parametrize("mix", MIXES, ids=str)
def test_every_image_is_the_other_one_of_exactly_one(mix):
    transform = batched(mix)
    for seed in range(20):
        order = transform.draw(Stream(seed, 0, torch.from_numpy(IDS)).at(0), FRAME)["order"]
        other = partners(order)
        assert sorted(other.tolist()) == list(range(8))
        assert not (other == torch.arange(8)).any()


@pytest.mark.parametrize("mix", MIXES, ids=str)
def test_one_image_is_mixed_with_itself(mix):
    images, targets = curate.augment.compile(mix)(pictures(32, 3)[:1], [7], labels=[2], classes=3)
    np.testing.assert_array_equal(images, pictures(32, 3)[:1])
    np.testing.assert_allclose(targets, [[0, 0, 1]], atol=1e-6)


@pytest.mark.parametrize("mix", MIXES, ids=str)
def test_no_image(mix):
    images, targets = curate.augment.compile(mix)(greys(0), [], labels=[], classes=3)
    assert images.shape == (0, 20, 32, 3)
    assert targets.shape == (0, 3)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_weights_of_mixup_are_from_beta(alpha):
    own = batched(MixUp(alpha=alpha)).draw(Stream(0, 0, torch.arange(5000)).at(0), FRAME)["own"]
    assert kstest(own.double().numpy(), beta(alpha, alpha).cdf).pvalue > 1e-4


def test_mixup_is_the_rounded_weighted_mean():
    images = torch.tensor([10, 20], dtype=torch.uint8).view(2, 1, 1, 1)
    params = {"order": torch.tensor([0, 1]), "own": torch.tensor([0.76, 0.0])}
    assert batched(MixUp()).apply(images, params).flatten().tolist() == [12, 10]  # 12.4
    floats = batched(MixUp()).apply(images.float(), params).flatten()
    torch.testing.assert_close(floats, torch.tensor([12.4, 10.0]))


def test_cutmix_takes_a_rectangle_of_the_image_s_proportions():
    """Around any pixel; half as many pixels as is drawn where it lies at the border, and the label says so."""
    transform = batched(CutMix())
    params = transform.draw(Stream(0, 0, torch.arange(20_000)).at(0), FRAME)
    left, top, right, bottom = params["box"].unbind(1)
    assert (left >= 0).all()
    assert (right <= 32).all()
    assert (top >= 0).all()
    assert (bottom <= 20).all()
    inner = (left > 0) & (right < 32) & (top > 0) & (bottom < 20)
    assert ((right - left)[inner] * 20 - (bottom - top)[inner] * 32).abs().max() <= 26  # both are whole pixels
    own = transform.own(params, FRAME)
    assert own.min() >= 0
    assert own.max() == 1
    assert own.mean() > 0.6  # 0.5 is drawn, and some of it lies outside


def test_cutmix_takes_pixels_as_they_are():
    images, targets = curate.augment.compile(CutMix())(greys(), IDS, labels=range(8), classes=8)
    for image, target in zip(images, targets, strict=True):
        levels, counts = np.unique(image[:, :, 0], return_counts=True)
        assert dict(zip((levels // 30).tolist(), (counts / 640).tolist(), strict=True)) == pytest.approx(
            {int(label): float(target[label]) for label in np.flatnonzero(target)}, abs=1e-6
        )


def test_p_leaves_images_alone():
    images, targets = curate.augment.compile(MixUp(p=0.5))(greys(), IDS, labels=range(8), classes=8)
    same = (images == greys()).all((1, 2, 3))
    assert 0 < same.sum() < 8
    np.testing.assert_array_equal(targets[same], np.eye(8, dtype=np.float32)[same])


def test_labels_come_as_probabilities_too():
    soft = np.array([[0.5, 0.5, 0], [0, 0.25, 0.75]])
    _, targets = curate.augment.compile(CutMix())(greys(2), [1, 2], labels=soft)
    assert targets.dtype == np.float32
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)


def test_tensors_give_tensors():
    images, targets = curate.augment.compile(MixUp())(torch.from_numpy(greys()), IDS, labels=torch.arange(8), classes=8)
    assert isinstance(images, torch.Tensor)
    assert isinstance(targets, torch.Tensor)


def test_labels_come_back_as_they_are_where_nothing_is_mixed():
    labels = ["a", "b"]
    _, same = curate.augment.compile([A.HorizontalFlip()])(greys(2), [1, 2], labels=labels)
    assert same is labels


def test_images_of_several_sizes_are_mixed_when_they_are_of_one():
    pipeline = [A.RandomCrop(16, 16, p=1), CutMix(), A.VerticalFlip(p=1)]
    program = curate.augment.compile(pipeline, seed=1)
    images = [greys()[number, :, : 32 - number % 3] for number in range(8)]
    mixed, targets = program(images, IDS, labels=range(8), classes=8)
    np.testing.assert_allclose(mixed.mean((1, 2, 3)), targets @ (np.arange(8) * 30), atol=1e-3)
    assert (targets.max(1) < 1).sum() >= 4
    whole, theirs = program(greys()[:, :, :30], IDS, labels=range(8), classes=8)
    np.testing.assert_array_equal(mixed, whole)
    np.testing.assert_array_equal(targets, theirs)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (None, 8, "give labels="),
        (range(8), None, "classes=10"),
        (range(8), 7, "from 0 to 7, but classes=7"),
        (range(-1, 7), 8, "from -1 to 6"),
        (range(7), 8, r"8 images, but labels of shape \(7,\)"),
        (np.arange(8.0), 8, "float64"),
        (np.ones((8, 2), np.int64), 2, r"shape \(8, 2\), int64"),
        (["cat"] * 8, 8, "numbers of classes"),
        (np.ones((7, 2)), None, r"shape \(7, 2\)"),
    ],
)
def test_labels_that_are_none(labels, classes, message):
    with pytest.raises(UserError, match=message):
        curate.augment.compile(MixUp())(greys(), IDS, labels=labels, classes=classes)


@pytest.mark.parametrize("mix", [MixUp, CutMix])
def test_one_image_is_not_enough_for_albumentations(mix):
    with pytest.raises(UserError, match=r"curate\.augment\.compile"):
        A.Compose([mix()])(image=greys()[0])
