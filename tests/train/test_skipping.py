"""Easy images are left out now and then, and the rest of them count for those."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.train.digits import QUICK, digits
from tests.train.test_loop import Stop, same_weights, stop_after
from train.config import TrainConfig
from train.evaluate import evaluate, predict
from train.loop import train
from train.schedule import batches
from train.skipping import without_easy
from train.visits import draw_visits

CONFIG = TrainConfig(epochs=8, batch_size=100, skip_easy=0.5)
COUNT = 10_050
LOSSES = torch.cat([torch.full((COUNT - 2000,), 0.1), torch.full((2000,), 2.0)])


def test_half_of_the_easy_images_go_and_the_others_count_twice() -> None:
    visits = without_easy(draw_visits(CONFIG, COUNT, 3), LOSSES, CONFIG, 3 / 8)
    kept = torch.zeros(COUNT, dtype=torch.bool).index_fill_(0, visits.order, True)
    assert len(visits.order) == kept.sum()
    assert 0.47 < kept[:-2000].float().mean() < 0.53
    assert kept[-2000:].float().mean() > 0.96  # but for those that do not fill a batch
    assert (visits.weight[:-2000] == 2).all()
    assert (visits.weight[-2000:] == 1).all()
    whole = batches(draw_visits(CONFIG, COUNT, 3).order, CONFIG, COUNT)
    assert {len(part) for part in batches(visits.order, CONFIG, COUNT)} == {len(whole[0])}


def test_the_sum_of_weights_stays_what_it_was() -> None:
    totals = []
    for seed in range(20):
        config = replace(CONFIG, seed=seed)
        visits = without_easy(draw_visits(config, COUNT, 3), LOSSES, config, 3 / 8)
        totals.append(float(visits.weight[visits.order].sum()))
    assert 0.98 < sum(totals) / len(totals) / COUNT < 1  # about half a batch is over


@pytest.mark.parametrize(("skip_easy", "progress"), [(0.0, 0.5), (0.5, 0.875)])
def test_all_are_seen_at_the_end_and_where_it_is_off(skip_easy: float, progress: float) -> None:
    config = replace(CONFIG, skip_easy=skip_easy)
    visits = draw_visits(config, COUNT, 3)
    assert without_easy(visits, LOSSES, config, progress) is visits


def test_the_last_epoch_leaves_nothing_out_of_short_trainings_either() -> None:
    """Of four, the last begins after three quarters of training."""
    seen = [epoch.images for epoch in train(replace(QUICK, epochs=4, skip_easy=0.5), digits(200)).history]
    assert seen[0] == seen[3] == 200
    assert max(seen[1:3]) < 200


def test_a_set_of_one_batch_is_left_whole() -> None:
    visits = draw_visits(CONFIG, 20, 3)
    assert without_easy(visits, LOSSES[-2020:-2000].clone(), CONFIG, 0.5).order.numel() == 20


def test_images_in_no_batch_yet_stay_and_say_nothing_of_the_others() -> None:
    """Where `steps` are asked for, less than a batch is left out of a pass; the mean is of those with a loss."""
    config = replace(CONFIG, steps=800)
    losses = LOSSES.index_fill(0, torch.arange(50), float("inf"))
    visits = without_easy(draw_visits(config, COUNT, 3), losses, config, 3 / 8)
    kept = torch.zeros(COUNT, dtype=torch.bool).index_fill_(0, visits.order, True)
    assert kept[:50].float().mean() > 0.9
    assert 0.47 < kept[50:-2000].float().mean() < 0.53
    assert kept[-2000:].float().mean() > 0.96


@pytest.mark.parametrize("count", [300, 290])
def test_sets_of_any_size_leave_out_the_same_share(count: int) -> None:
    """290 images leave 15 over, in batches of 25: these have no loss after the first pass."""
    config = replace(QUICK, steps=48, batch_size=25, skip_easy=0.5)
    second = train(config, digits(count)).history[1]
    assert 0.65 < second.images / count < 0.85


def test_it_learns_from_fewer_images_and_resumes_to_the_same_weights(tmp_path: Path) -> None:
    config, test = replace(QUICK, epochs=8, skip_easy=0.5), digits(297, start=1500)
    whole = train(config, digits(500))
    assert evaluate(predict(whole.model, test.images), test).accuracy > 0.9
    seen = [epoch.images for epoch in whole.history]
    assert seen[0] == seen[-1] == 500
    assert max(seen[1:-1]) < 470
    assert whole.epochs_done == 8
    with pytest.raises(Stop):
        train(config, digits(500), run_dir=tmp_path, on_epoch=stop_after(3))  # type: ignore[arg-type]
    assert same_weights(train(config, digits(500), run_dir=tmp_path), whole)


def test_all_are_seen_again_before_time_is_up(ticking: None) -> None:
    """A budget for a part of the epochs, by a clock that goes on by a second a step: it says when the last ones are."""
    config = replace(QUICK, epochs=400, skip_easy=0.5, time_budget=150.0)
    seen = [epoch.images for epoch in train(config, digits(150)).history]
    assert 5 < len(seen) < 80
    assert min(seen[1:-3]) < 125
    assert seen[0] == seen[-2] == 150


def test_all_are_seen_again_where_the_clock_ends_training_after_few_epochs(ticking: None) -> None:
    """The budget is for about three and a half: nobody knows how many there will be."""
    history = train(replace(QUICK, epochs=100, skip_easy=0.5, time_budget=38.0), digits(150)).history
    whole = [epoch.images / epoch.share for epoch in history]
    assert len(whole) in (4, 5)
    assert whole[1] < 125
    late = [sum(each.seconds for each in history[: at + 1]) >= 0.9 * 38 for at in range(len(history))]
    assert [round(images) for images, is_late in zip(whole, late, strict=True) if is_late] == [150] * sum(late)
    assert late[-1]
