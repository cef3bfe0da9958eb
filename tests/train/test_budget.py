"""With a time budget training ends on time, with the learning rate at its end."""

from dataclasses import replace
from pathlib import Path

import pytest

from curate.errors import UserError
from tests.train.digits import QUICK, digits
from train.budget import Clock, parse_seconds
from train.checkpoint import Epoch
from train.config import TrainConfig
from train.loop import train

BUDGET = 14.0
CONFIG = replace(QUICK, epochs=4, batch_size=16, time_budget=BUDGET)
"""12 steps, each of which takes a second by the clock of these tests, as does what stands around an epoch."""


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("16m", 960), ("2h", 7200), ("1.5m", 90), ("45", 45), (" 3s ", 3)]
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds
    assert TrainConfig.from_mapping({"time_budget": text}).time_budget == seconds


@pytest.mark.parametrize("text", ["", "m", "16 minutes", "-3s", "1d", "0s", "nan"])
def test_what_is_no_time_is_named(text: str) -> None:
    with pytest.raises(UserError, match="time_budget"):
        TrainConfig.from_mapping({"time_budget": text})


def test_the_schedule_follows_whichever_is_ahead(ticking: None) -> None:
    clock = Clock(10.0, spent=2.0)
    assert clock.progress(0.5) == 0.5  # paused: 2 of 10 seconds
    clock.resume()
    assert clock.progress(0.1) == pytest.approx(0.3)
    assert clock.progress(0.9) == 0.9
    clock.pause()
    assert clock.spent() == clock.spent()
    assert Clock(None).progress(0.25) == 0.25


def test_training_ends_when_time_is_up_and_says_how_far_it_came(ticking: None) -> None:
    trained = train(CONFIG, digits(48))
    assert 0 < trained.epochs_done < CONFIG.epochs
    assert trained.history[-1].lr < 0.15 * max(epoch.lr for epoch in trained.history)
    assert sum(epoch.images for epoch in trained.history) == pytest.approx(48 * trained.epochs_done)
    assert trained.seconds <= BUDGET + 6


def test_an_interrupted_run_goes_on_with_the_seconds_that_are_left(ticking: None, tmp_path: Path) -> None:
    def stop(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, digits(48), run_dir=tmp_path, on_epoch=stop)
    resumed = train(CONFIG, digits(48), run_dir=tmp_path)
    assert resumed.epochs_done < CONFIG.epochs
    assert resumed.seconds <= BUDGET + 6
    again = train(CONFIG, digits(48), run_dir=tmp_path)  # nothing is left
    assert again.history == resumed.history


def test_a_budget_that_is_not_needed_changes_nothing() -> None:
    config = replace(QUICK, epochs=1)
    plain, timed = train(config, digits(40)), train(replace(config, time_budget=1e6), digits(40))
    assert timed.epochs_done == 1
    assert timed.history[0].train_loss == plain.history[0].train_loss
