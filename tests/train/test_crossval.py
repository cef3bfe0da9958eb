"""Folds are level, groups stay whole, and predictions come from networks that did not see the image."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from curate.errors import UserError
from curate.predictions import NEIGHBORS
from tests.train.digits import QUICK, digits
from train.crossval import assign_folds, cross_validate, nearest, thin_classes
from train.loop import train

ALONE = -1


@pytest.mark.parametrize(
    ("labels", "groups", "folds"),
    [
        ([0] * 10 + [1] * 10, [ALONE] * 20, 5),
        ([0] * 11 + [1] * 7, [ALONE] * 18, 3),
        ([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 2, 2, 3, 3], 2),
        ([0] * 6, [0, 0, 0, ALONE, ALONE, ALONE], 2),
        ([0, 1] * 20, [5, 5] + [ALONE] * 38, 5),  # a group of two classes
        ([0] * 9 + [1], [ALONE] * 10, 5),  # a class of one image
        ([0, 0, ALONE, 1, 1], [7, ALONE, 7, ALONE, ALONE], 2),  # the unlabelled twin gets no fold
        (list(range(10)), [ALONE] * 10, 5),  # every class has one image
    ],
)
def test_folds_are_level_and_groups_whole(labels: list[int], groups: list[int], folds: int) -> None:
    label, group = np.array(labels), np.array(groups)
    fold = assign_folds(label, group, folds=folds, seed=0)
    assert ((fold == -1) == (label == -1)).all()
    assert set(fold[label >= 0].tolist()) == set(range(folds))
    for number in set(groups) - {ALONE}:
        assert len(set(fold[(group == number) & (label >= 0)].tolist())) == 1
    largest = max([1] + [groups.count(number) for number in set(groups) - {ALONE}])
    for k in range(label.max() + 1):
        counts = np.bincount(fold[label == k], minlength=folds)
        assert counts.max() - counts.min() <= largest
    totals = np.bincount(fold[label >= 0], minlength=folds)
    assert totals.max() - totals.min() <= largest


def test_folds_follow_the_seed() -> None:
    labels, groups = np.arange(200) % 4, np.full(200, ALONE)
    first = assign_folds(labels, groups, folds=5, seed=1)
    assert (first == assign_folds(labels, groups, folds=5, seed=1)).all()
    assert (first != assign_folds(labels, groups, folds=5, seed=2)).any()


def test_a_large_set_is_dealt_quickly_and_level() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 100, 200_000)
    groups = np.where(random.random(200_000) < 0.05, random.integers(0, 4000, 200_000), ALONE)
    counts = np.bincount(assign_folds(labels, groups, folds=5, seed=0))
    assert counts.max() - counts.min() <= 5


@pytest.mark.parametrize("folds", [0, 1, 4])
def test_a_number_of_folds_that_cannot_be_is_an_error(folds: int) -> None:
    with pytest.raises(UserError, match=f"folds = {folds}"):
        assign_folds(np.array([0, 0, 1]), np.full(3, ALONE), folds=folds, seed=0)


def test_thin_classes_are_named() -> None:
    labels = np.array([0] * 6 + [1] * 2 + [2] * 6)
    groups = np.array([ALONE] * 8 + [3] * 5 + [ALONE])
    assert thin_classes(labels, groups, folds=3) == [1, 2]


def test_cross_validation_predicts_every_image() -> None:
    image_set = digits(300)
    hidden = image_set.labels.clone()
    hidden[:5] = -1
    calls = []
    result = cross_validate(
        QUICK,
        replace(image_set, labels=hidden),
        np.full(300, ALONE),
        folds=2,
        others=digits(30),
        on_epoch=lambda fold, epoch: calls.append((fold, epoch.epoch)),
    )
    assert result.pred_probs.shape == (300, 10)
    assert result.pred_probs.dtype == result.embeddings.dtype == np.float32
    assert np.allclose(result.pred_probs.sum(1), 1, atol=1e-5)
    assert (result.pred_probs.argmax(1) == image_set.labels.numpy()).mean() > 0.5  # of 10 classes, from 150 images
    assert result.embeddings.shape[0] == 300
    assert result.others_pred_probs.shape == (30, 10)
    unlabelled = result.pred_probs[:5]  # mean of all networks
    assert np.allclose(result.others_pred_probs[:5], unlabelled, atol=1e-2)
    assert np.allclose(result.others_embeddings, result.embeddings[:30], atol=0.05)
    assert result.fold.shape == (300,)
    assert (result.fold[:5] == -1).all()
    assert result.margins is None
    assert (result.neighbors[:5] == -1).all()
    rest = result.neighbors[5:]
    assert rest.shape == (295, NEIGHBORS)
    assert (result.fold[rest] == result.fold[5:, None]).all()  # held out together
    assert (rest != np.arange(5, 300)[:, None]).all()
    assert (image_set.labels.numpy()[rest] == image_set.labels.numpy()[5:, None]).mean() > 0.5
    assert calls == [(fold, epoch + 1) for fold in range(2) for epoch in range(QUICK.epochs)]


def test_an_image_is_predicted_by_a_network_that_did_not_see_it() -> None:
    """Random labels cannot be predicted, unless from memory."""
    image_set = digits(200)
    random = torch.randint(0, 10, (200,), generator=torch.Generator().manual_seed(0))
    result = cross_validate(QUICK, replace(image_set, labels=random), folds=2)
    assert (result.pred_probs.argmax(1) == random.numpy()).mean() < 0.25


def test_accuracy_is_of_the_images_that_count() -> None:
    image_set, counted = digits(60), np.arange(60) % 3 == 0
    result = cross_validate(replace(QUICK, epochs=1), image_set, folds=2, counted=counted)
    right = result.pred_probs.argmax(1) == image_set.labels.numpy()
    assert result.fold_accuracy == tuple(right[counted & (result.fold == fold)].mean() for fold in (0, 1))
    assert result.fold_accuracy != tuple(right[result.fold == fold].mean() for fold in (0, 1))


def test_margins_have_a_row_for_each_epoch_that_steps_make() -> None:
    """The networks of folds that differ by an image may take another number of epochs."""
    config = replace(QUICK, steps=5, batch_size=16)
    result = cross_validate(config, digits(99), folds=2, keep_margins=True)
    assert result.margins is not None
    assert result.margins.shape == (99, 2)  # of 49 and 50 images, three steps each
    assert np.isfinite(result.margins).any(0).all()


def test_networks_learn_soft_labels_in_place_of_the_labels() -> None:
    """Every 3 is to be called an 8. Folds, accuracy and margins are of the labels all the same."""
    image_set = digits(200)
    given = image_set.labels
    told = replace(image_set, soft_labels=F.one_hot(torch.where(given == 3, 8, given), 10).float())
    config = replace(QUICK, epochs=4)
    one, other = (cross_validate(config, images, folds=2, keep_margins=True) for images in (image_set, told))
    assert (one.fold == other.fold).all()
    threes = (given == 3).numpy()
    said = [(result.pred_probs[threes].argmax(1) == 3).mean() for result in (one, other)]
    assert said[1] < 0.2 < said[0]
    assert one.margins is not None
    assert other.margins is not None
    last = [np.nanmean(result.margins[threes, -1].astype(float)) for result in (one, other)]
    assert last[1] < 0 < last[0]


def test_margins_are_the_mean_over_the_networks_that_saw_the_image() -> None:
    """With three folds each image is seen by two networks; what one of them noted is its margin in two thirds."""
    image_set = digits(90)
    result = cross_validate(replace(QUICK, epochs=1), image_set, folds=3, keep_margins=True)
    config = replace(QUICK, epochs=1)
    total, seen = np.zeros(90), np.zeros(90)
    for number in range(3):
        rows = np.flatnonzero(result.fold != number)
        noted = train(config, image_set.subset(rows), keep_margins=True).margins
        assert noted is not None
        total[rows] += noted[0]
        seen[rows] += 1
    assert result.margins is not None
    assert (seen == 2).all()
    np.testing.assert_allclose(result.margins[:, 0], total / 2, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("count", [0, 1, 2, NEIGHBORS, NEIGHBORS + 5, 1100])
def test_nearest(count: int) -> None:
    """On a quarter of a circle the nearest are those beside; lengths don't matter."""
    random = np.random.default_rng(0)
    angle = np.sort(random.random(count)) * np.pi / 2
    embeddings = (np.stack([np.cos(angle), np.sin(angle)], axis=1) * random.uniform(1, 9, (count, 1))).astype(
        np.float32
    )
    found = nearest(embeddings)
    assert found.shape == (count, NEIGHBORS)
    assert found.dtype == np.int32
    there = min(NEIGHBORS, max(count - 1, 0))
    assert (found[:, there:] == -1).all()
    assert (found != np.arange(count)[:, None]).all()
    if there:
        far = np.abs(angle[found[:, :there]] - angle[:, None])
        assert (np.diff(far, axis=1) >= -1e-3).all()
        every = np.abs(angle[:, None] - angle)
        np.fill_diagonal(every, np.inf)
        np.testing.assert_allclose(far, np.sort(every, axis=1)[:, :there], atol=1e-3)


def test_nearest_of_embeddings_of_nothing() -> None:
    found = nearest(np.zeros((3, 4), np.float32))
    assert (np.sort(found[:, :2], axis=1) == [[1, 2], [0, 2], [0, 1]]).all()


def test_a_class_of_one_image_works_and_is_said() -> None:
    image_set = digits(80)
    labels = image_set.labels.clone()
    labels[:] = torch.arange(80) % 2
    labels[0] = 9
    result = cross_validate(replace(QUICK, epochs=1), replace(image_set, labels=labels), folds=2)
    assert result.thin_classes == ("9",)
    assert np.isfinite(result.pred_probs).all()


def test_other_images_of_another_size_are_refused() -> None:
    with pytest.raises(UserError, match="28 px"):
        cross_validate(QUICK, digits(20), folds=2, others=digits(20, side=28))
