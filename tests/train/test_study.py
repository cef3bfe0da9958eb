"""What experiments compute from trainings: subsets, claims, gradients, and how tables say it."""

import numpy as np
import pandas as pd
import pytest
import torch

from tests.train.digits import digits
from train import models
from train.data import ImageSet
from train.experiments import gradient_flow, identity_mappings, ladder
from train.reproduce import cell, chosen_arms, for_people, scales
from train.study import ArmResult, Point, lower, stratified


@pytest.mark.parametrize(
    ("labels", "count", "per_class"),
    [
        ("aabb", None, {"a": 2, "b": 2}),
        ("aabb", 9, {"a": 2, "b": 2}),
        ("aaaabbbb", 4, {"a": 2, "b": 2}),
        ("aaaaaab", 4, {"a": 3, "b": 1}),
        ("aaaaaa", 2, {"a": 2}),
        ("abcdef", 6, dict.fromkeys("abcdef", 1)),
        ("", 3, {}),
    ],
)
def test_stratified(labels: str, count: int | None, per_class: dict[str, int]) -> None:
    chosen = stratified(list(labels), count, seed=0)
    assert sorted(set(chosen.tolist())) == chosen.tolist()
    assert {name: [labels[at] for at in chosen].count(name) for name in sorted(set(labels))} == per_class
    assert chosen.tolist() == stratified(list(labels), count, seed=0).tolist()


def result(arm: str, error: float, *, seed: int = 0, points: tuple[Point, ...] = ()) -> ArmResult:
    return ArmResult(arm, seed, {}, "", 1, error / 2, error, 1.0, points)


@pytest.mark.parametrize(
    ("results", "says"),
    [
        ([result("a", 0.1), result("b", 0.2)], [True]),
        ([result("a", 0.2), result("b", 0.1)], [False]),
        ([result("a", 0.1), result("b", 0.1)], [False]),
        ([result("a", 0.1)], []),
        ([result("a", 0.1), result("a", 0.3, seed=1), result("b", 0.25), result("b", 0.1, seed=1)], [False]),
    ],
)
def test_a_claim_is_decided_by_the_mean(results: list[ArmResult], says: list[bool]) -> None:
    claims = lower("a beats b", results, "a", "b")
    assert [claim.as_in_the_paper for claim in claims] == says
    assert all(("±" in claim.ours) == (len(results) > 2) for claim in claims)


def test_claims_of_identity_mappings_follow_the_figures() -> None:
    paper = [result(f"{kind}110", pair[0] / 100) for kind, pair in identity_mappings.KINDS.items()]
    assert [claim.as_in_the_paper for claim in identity_mappings.claims_at(110, paper)] == [True] * 4
    reverse = [result(item.arm, 0.2 - item.test_error) for item in paper]
    assert [claim.as_in_the_paper for claim in identity_mappings.claims_at(110, reverse)] == [False] * 4
    assert identity_mappings.claims_at(164, paper) == []


@pytest.mark.parametrize(("error", "reached"), [(0.31, False), (0.3, True), (0.1, True)])
def test_levels_of_the_ladder(error: float, reached: bool) -> None:
    assert [claim.as_in_the_paper for claim in ladder.levels([result("alexnet", error)], ladder.STORY)] == [reached]


@pytest.mark.parametrize(
    ("norms", "ratio"), [([1.0], 1), ([2.0, 2.0], 1), ([0.5, 4.0, 1.0], 8), ([0.0, 1.0], 1 / gradient_flow.TINIEST)]
)
def test_unevenness(norms: list[float], ratio: float) -> None:
    assert gradient_flow.unevenness(norms) == ratio


@pytest.mark.parametrize("name", ["plain20", "resnet20"])
def test_measuring_gradients_leaves_the_network_as_it_is(name: str) -> None:
    batch: ImageSet = digits(16)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = models.build(name, num_classes=10, image_size=32)
    before = {key: value.clone() for key, value in network.eval().state_dict().items()}
    measured = gradient_flow.measure(network, batch=batch)
    assert not network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert {len(values) for values in measured.values()} == {19}
    assert min(measured["gradient_norm"]) > 0
    assert np.all(np.array(measured["weight_p5"]) < np.array(measured["weight_p95"]))


def test_only_keeps_the_order_of_the_scale() -> None:
    scale = scales("degradation")["smoke"]
    assert [arm.name for arm in chosen_arms(scale, ["resnet20", "plain20"]).arms] == ["plain20", "resnet20"]
    assert chosen_arms(scale, None) == scale


@pytest.mark.parametrize(
    ("value", "whole", "text"),
    [
        (1.005, False, "1.00"),
        (1234.5, True, "1,234"),
        (float("nan"), False, ""),
        (1234, False, "1,234"),
        ("a", False, "a"),
    ],
)
def test_cell(value: object, whole: bool, text: str) -> None:
    assert cell(value, whole) == text


def test_columns_without_a_figure_are_left_out() -> None:
    table = pd.DataFrame({"arm": ["a"], "test_error_percent": [1.0], "paper_test_error_percent": [float("nan")]})
    assert list(for_people(table).columns) == ["arm", "test error, %"]
