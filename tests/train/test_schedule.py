"""Training of so many steps: it ends with the last of them, also within an epoch, whatever the size of the set."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.errors import UserError
from curate.workspace import Workspace
from tests.train.digits import QUICK, digits
from train import loop, verbs
from train.checkpoint import Epoch
from train.config import TrainConfig
from train.epoch import Passed, run_epoch
from train.loop import Trained, train
from train.predict import predict
from train.schedule import batches, epochs_in_all, lr_share, steps_an_epoch, with_steps_of

SMALL = replace(QUICK, model="plain20", lr=0.1, batch_size=16)
SIDE = 8


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps of each epoch that is trained from here on, counted by the optimizer."""
    counts: list[int] = []

    def counted(training: object, *rest: object) -> Passed:
        counts.append(0)
        optimizer = training.optimizer  # type: ignore[attr-defined]
        step = optimizer.step

        def one(*arguments: object) -> object:
            counts[-1] += 1
            return step(*arguments)

        optimizer.step = one
        passed = run_epoch(training, *rest)  # type: ignore[arg-type]
        optimizer.step = step
        return passed

    monkeypatch.setattr(loop, "run_epoch", counted)
    return counts


def same_weights(first: Trained, second: Trained) -> bool:
    one, two = first.model.state_dict(), second.model.state_dict()
    return all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize(
    ("count", "steps", "expected"),
    [
        (64, 8, [4, 4]),  # whole epochs
        (64, 10, [4, 4, 2]),
        (64, 1, [1]),  # less than one
        (64, 4, [4]),
        (54, 8, [3, 3, 2]),  # six images over
        (37, 7, [2, 2, 2, 1]),
        (7, 3, [1, 1, 1]),  # fewer images than a batch holds
        (49, 9, [3, 3, 3]),
        (48, 31, [3] * 10 + [1]),
    ],
)
def test_it_takes_exactly_so_many_steps(taken: list[int], count: int, steps: int, expected: list[int]) -> None:
    trained = train(replace(SMALL, steps=steps), digits(count, side=SIDE))
    assert taken == expected
    assert trained.epochs_done == pytest.approx(steps / steps_an_epoch(trained.config, count))
    assert trained.history[-1].share == pytest.approx(expected[-1] / steps_an_epoch(trained.config, count))
    assert sum(epoch.images for epoch in trained.history) == min(16, count) * steps


@pytest.mark.parametrize("raw", [64, 61])
@pytest.mark.parametrize("count", [64, 60, 54, 40, 90])
def test_sets_of_any_size_take_the_same_steps_of_as_many_images(taken: list[int], raw: int, count: int) -> None:
    config = with_steps_of(replace(SMALL, epochs=2), raw)
    trained = train(config, digits(count, side=SIDE))
    assert sum(taken) == 8
    assert sum(epoch.images for epoch in trained.history) == 8 * (raw // 4)


@pytest.mark.parametrize("steps", [6, 8])
def test_the_learning_rate_comes_down_at_the_last_step(steps: int) -> None:
    """As it does after so many steps in whole epochs: the highest rate and the last one are the same."""
    trained = train(replace(SMALL, steps=steps), digits(64, side=SIDE))
    last = (steps - 1) / steps
    assert trained.history[-1].lr == pytest.approx(SMALL.lr * (1 - (last - SMALL.warmup) / (1 - SMALL.warmup)))


def test_steps_of_whole_epochs_are_those_epochs() -> None:
    """Batches and rates as they are with `epochs`."""
    image_set = digits(512, side=SIDE)
    by_epochs = train(replace(SMALL, epochs=2), image_set)
    by_steps = train(replace(SMALL, epochs=5, steps=64), image_set)
    assert same_weights(by_steps, by_epochs)


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_it_goes_on_to_the_same_weights(tmp_path: Path, stop: int) -> None:
    config, image_set = replace(SMALL, steps=8), digits(54, side=SIDE)

    def on_epoch(epoch: Epoch) -> None:
        if epoch.epoch == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, image_set, run_dir=tmp_path, on_epoch=on_epoch)
    resumed = train(config, image_set, run_dir=tmp_path)
    whole = train(config, image_set)
    assert same_weights(resumed, whole)
    assert resumed.epochs_done == whole.epochs_done == pytest.approx(8 / 3)


def test_a_checkpoint_of_other_steps_is_refused(tmp_path: Path) -> None:
    train(replace(SMALL, steps=2), digits(48, side=SIDE), run_dir=tmp_path)
    with pytest.raises(UserError, match="another run: steps = 2 there, 3 here"):
        train(replace(SMALL, steps=3), digits(48, side=SIDE), run_dir=tmp_path)


def test_margins_have_a_row_for_the_last_epoch_in_part() -> None:
    margins = train(replace(SMALL, steps=8), digits(54, side=SIDE), keep_margins=True).margins
    assert margins is not None
    assert margins.shape == (3, 54)
    assert np.isfinite(margins).sum(1).tolist() == [48, 48, 32]  # three, three and two steps of 16


def test_images_that_are_left_out_count_as_seen(taken: list[int]) -> None:
    config = replace(SMALL, steps=60, skip_easy=0.9)
    trained = train(config, digits(64, side=SIDE))
    assert sum(taken) < 60
    assert trained.epochs_done == pytest.approx(15)
    assert len(trained.history) == 15


# The arithmetic


@pytest.mark.parametrize("count", [16, 60, 100, 512, 1442, 50_000])
@pytest.mark.parametrize("epochs", [1, 3, 30])
def test_a_set_of_that_size_is_trained_as_before(count: int, epochs: int) -> None:
    config = TrainConfig(epochs=epochs, head_lr=0.3, bias_lr=2.0)
    share = lr_share(config, count)
    found = with_steps_of(config, count)
    assert found.steps == epochs * steps_an_epoch(config, count)
    assert epochs_in_all(found, count) == epochs
    assert steps_an_epoch(found, count) == steps_an_epoch(config, count)
    now = lr_share(found, count)
    assert [now * rate for rate in (found.lr, found.head_lr or 0, found.bias_lr or 0)] == pytest.approx(
        [share * 0.8, share * 0.3, share * 2.0]
    )
    assert replace(found, steps=None, batch_size=config.batch_size, lr=0.8, head_lr=0.3, bias_lr=2.0) == config
    sizes = [[len(batch) for batch in batches(torch.arange(count), each, count)] for each in (found, config)]
    assert sizes[0] == [min(sizes[1])] * len(sizes[1])  # all of one size: less than one a batch is left out


@pytest.mark.parametrize("count", [1, 2, 3, 39, 103])
def test_no_batch_is_of_one_image(count: int) -> None:
    config = TrainConfig(batch_size=2)
    sizes = {len(batch) for batch in batches(torch.arange(count), config, count)}
    assert min(sizes) >= min(2, count)
    assert with_steps_of(config, max(2, count)).batch_size >= 2


def test_no_batch_is_larger_than_the_smallest_set() -> None:
    """All sets see as many images at the same rate, also those that are smaller than the batch that was asked for."""
    config = TrainConfig(steps=500, batch_size=256, head_lr=0.3)
    found = with_steps_of(config, 300, fewest=150)
    assert (found.steps, found.batch_size) == (500, 150)
    assert found.lr == pytest.approx(0.8 * math.sqrt(150 / 256))
    assert found.head_lr == pytest.approx(0.3 * math.sqrt(150 / 256))
    for count in (150, 151, 300):
        assert lr_share(found, count) == 1
        assert {len(batch) for batch in batches(torch.arange(count), found, count)} == {150}
    assert with_steps_of(config, 300, fewest=290) == with_steps_of(config, 300)


def test_nothing_is_left_out_for_being_easy() -> None:
    """Of a set with easier images that would be more, so it would take fewer steps."""
    assert with_steps_of(TrainConfig(skip_easy=0.5), 1000).skip_easy == 0


def test_rates_that_are_not_set_stay_so() -> None:
    found = with_steps_of(TrainConfig(), 100)
    assert (found.head_lr, found.bias_lr) == (None, None)


def test_it_changes_nothing_twice() -> None:
    once = with_steps_of(TrainConfig(), 1000)
    assert with_steps_of(once, 1000) == once


def test_steps_that_were_asked_for_stay() -> None:
    assert with_steps_of(TrainConfig(steps=77), 5000).steps == 77


@pytest.mark.parametrize("steps", [0, -1, 1.5, True, "8", math.inf])
def test_what_is_no_number_of_steps(steps: object) -> None:
    with pytest.raises(UserError, match=r"steps = .* has to be a whole number from 1"):
        TrainConfig.from_mapping({"steps": steps})


@pytest.mark.parametrize("verb", [predict, partial(verbs.search_policies, data="raw")], ids=["predict", "search"])
def test_verbs_that_go_by_epochs_refuse_steps(workspace: Workspace, verb: Callable[..., object]) -> None:
    with pytest.raises(UserError, match="steps = 8; this verb goes by epochs: set epochs, and leave steps out"):
        verb(workspace, settings={"steps": 8})
    assert len(workspace.ledger()) == 1


def test_a_search_takes_no_time_budget(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="time_budget = 2; pipelines are compared by epochs: set epochs, leave time"):
        verbs.search_policies(workspace, data="raw", settings={"time_budget": 2})


def test_a_run_of_steps_is_not_cut_short(workspace: Workspace) -> None:
    settings = {"model": "plain20", "image_size": SIDE, "steps": 3, "batch_size": 16, "device": "cpu", "flip": False}
    _, result = verbs.train(workspace, data="raw", seeds=1, settings=settings)
    assert result.epochs_done == pytest.approx((3,))  # 30 images, one step an epoch
    assert not result.cut_short
    assert result.images_seen == 48
