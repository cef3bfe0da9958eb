"""Every experiment there is keeps the contract; what the data decide is tested by tables."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from curate import registry
from curate.cli import app, main
from curate.errors import UserError
from curate.ingest.add import add
from curate.workspace import Workspace
from tests.conftest import write_digits
from tests.train.digits import digits
from train import experiments, models
from train import loop as looping
from train.blocks import Network
from train.config import TrainConfig
from train.data import ImageSet
from train.experiments import gradient_flow, identity_mappings, ladder
from train.reproduce import cell, chosen_arms, for_people, scales, start_over
from train.study import Arm, ArmResult, Point, Scale, Study, lower, stratified, train_arm, train_arms

NAMES = list(registry.modules(experiments))
RUNS = [(name, scale) for name in NAMES for scale in scales(name)]
KEYS = {
    *(
        "experiment",
        "scale",
        "data",
        "seeds",
        "hardware",
        "at_once",
        "torch_version",
        "curate",
        "seconds",
        "settings",
        "note",
    ),
    *("claims", "table", "written", "files", "arms"),
}
runner = CliRunner()


def reproduce(*arguments: str | Path) -> dict[str, object]:
    """What the verb prints as JSON."""
    done = runner.invoke(app, ["reproduce", *map(str, arguments), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The one line on stderr of a `curate reproduce` that ends with status 1."""

    def fail(*arguments: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", ["curate", "reproduce", *map(str, arguments), "--json"])
        with pytest.raises(SystemExit) as caught:
            main()
        printed = capsys.readouterr()
        assert caught.value.code == 1
        assert printed.err.startswith("curate: ")
        assert printed.err.count("\n") == 1
        return printed.err

    return fail


# The contract


@pytest.mark.parametrize("name", NAMES)
def test_smoke_writes_everything_and_trains_nothing_twice(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    first = reproduce(name.replace("_", "-"), "--scale", "smoke", "--out", out)
    written = json.loads((out / "result.json").read_text())
    assert set(written) == KEYS
    assert set(first) == KEYS - {"arms"}
    assert "digits" in written["data"]["name"]
    assert {path.name for path in out.iterdir() if path.is_file()} == set(written["files"])
    assert {".png", ".svg"} <= {Path(file).suffix for file in written["files"]}
    for file in written["files"]:
        assert (out / file).stat().st_size > 100
    table = pd.read_csv(out / "table.csv")
    assert list(table["arm"]) == [arm.name for arm in scales(name)["smoke"].arms]
    assert table["test_error_percent"].between(0, 100).all()
    page = (out / "table.md").read_text()
    assert "as in the paper" in page
    assert written["claims"]
    for claim in written["claims"]:
        assert f"| {claim['says']} | {claim['ours']} | {'yes' if claim['as_in_the_paper'] else 'no'} |" in page
    for arm in written["arms"]:
        assert [point["epoch"] for point in arm["points"]] == [0, 1]
        assert arm["points"][1]["running_error"] is not None
    assert sorted(path.suffix for path in (out / "arms").glob("*-seed-*")) == [".json"] * len(table)

    def no_training(*arguments: object, **settings: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("train.study.train", no_training)
    assert reproduce(name, "--scale", "smoke", "--out", out)["table"] == first["table"]


@pytest.mark.parametrize(("name", "scale"), RUNS)
def test_scales_can_be_trained(name: str, scale: str) -> None:
    """Names of networks and settings are right, at scales that no test can run."""
    item = scales(name)[scale]
    assert len({arm.name for arm in item.arms}) == len(item.arms)
    for arm in item.arms:
        TrainConfig.from_mapping({**item.settings, **arm.settings, "model": arm.model})


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_has_the_three_scales_and_a_docstring(name: str) -> None:
    assert set(scales(name)) == {"smoke", "short", "paper"}
    assert registry.summary(registry.functions(experiments)[name]).endswith(".")


def test_without_a_name_they_are_listed() -> None:
    done = runner.invoke(app, ["reproduce", "--json"], catch_exceptions=False)
    assert [item["name"] for item in json.loads(done.stdout)] == NAMES


# A workspace


def test_a_workspace_is_trained_and_tested_on_its_own_splits(tmp_path: Path, workspace: Workspace) -> None:
    out = tmp_path / "out"
    only = ("--only", "resnet20")
    result = reproduce("degradation", workspace.root, "--scale", "smoke", "--out", out, *only, "--seeds", "2")
    assert result["data"]["train_images"] == 30
    assert result["data"]["test_images"] == 10
    assert result["data"]["image_size"] == 24
    assert result["seeds"] == [0, 1]
    assert result["claims"] == []
    assert [row["seeds"] for row in result["table"]] == [2]


# What people can mend


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["degredation"],
            "no experiment is called 'degredation' (did you mean 'degradation'?); there are: degradation, ",
        ),
        (["degradation", "--scale", "huge"], "no scale is called 'huge'; there are: paper, short, smoke"),
        (
            ["degradation", "--scale", "smoke", "--only", "plain21"],
            "is called 'plain21' (did you mean 'plain20'?); there are: plain20, ",
        ),
        (["degradation", "nowhere"], "nowhere is no workspace"),
        (["degradation", "--set", "model=resnet20"], "--set model=… is what the experiment varies; --only"),
        (["degradation", "--set", "epoch=3"], "no training setting is called 'epoch'"),
        (["degradation", "--set", "epochs=0"], "training setting epochs = 0"),
        (["degradation", "--set", "seed=x"], "training setting seed = 'x'"),
        (["degradation", "--device", "tpu"], "training setting device = 'tpu'"),
        (["degradation", "--scale", "smoke", "--out", "FILE"], "FILE is a file; name a folder with --out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input(
    arguments: list[str], message: str, fails: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").touch()
    assert message in fails(*arguments)
    assert not Path("reproduce").exists()


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ("train/*/*", "no labelled test images to evaluate on; add some with --split test"),
        ("test/*/*", "has no labelled training images"),
        ("*/3/*", "labelled training images of 1 classes; an experiment takes at least 2"),
    ],
)
def test_splits_that_cannot_be_used(kept: str, message: str, fails: Callable[..., str], tmp_path: Path) -> None:
    write_digits(tmp_path / "all", 60)
    for path in sorted((tmp_path / "all").glob(kept)):
        place = tmp_path / "photos" / path.relative_to(tmp_path / "all")
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)
    made = Workspace(tmp_path / "ws")
    add(made, tmp_path / "photos", layout="folder")
    assert message in fails("degradation", made.root, "--scale", "smoke", "--out", tmp_path / "out")


# Going on


def study(folder: Path, *, images: int = 48, **settings: object) -> Study:
    scale = Scale((Arm("resnet", "resnet20"),), None, None, 16, 1, {"epochs": 3, "batch_size": 16, "lr": 0.05})
    return Study(
        scale, digits(images), digits(20, start=200), f"of {images}", settings, (0,), folder, lambda line: None
    )


def settled(result: ArmResult) -> ArmResult:
    return replace(result, seconds=0.0)


def test_an_interrupted_arm_goes_on_to_the_same_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arm = Arm("resnet", "resnet20")
    whole = train_arm(study(tmp_path / "whole"), arm, 0)
    write = looping.write_checkpoint

    def stop(path: Path, model: Network, optimizer: object, history: list[object], *rest: object) -> None:
        if len(history) == 2:  # after epoch 2 was watched, before its checkpoint is written
            raise KeyboardInterrupt
        write(path, model, optimizer, history, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(looping, "write_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            train_arm(study(tmp_path / "parts"), arm, 0)
    assert not (tmp_path / "parts" / "arms" / "resnet-seed-0.json").exists()
    parts = train_arm(study(tmp_path / "parts"), arm, 0)
    assert settled(parts) == settled(whole)
    assert [point.epoch for point in parts.points] == [0, 1, 2, 3]
    assert [path.name for path in (tmp_path / "parts" / "arms").iterdir()] == ["resnet-seed-0.json"]


def weights(network: Network) -> dict[str, list[float]]:
    return {"head": [float(network.head.weight.detach().norm())]}


def test_arms_at_the_same_time_come_to_the_same(tmp_path: Path) -> None:
    """Three seeds, one of which was trained before; what they say arrives."""
    said: list[str] = []
    one = replace(study(tmp_path / "one", epochs=1), seeds=(0, 1, 2))
    two = replace(one, folder=tmp_path / "two", at_once=2, say=said.append)
    train_arm(two, two.scale.arms[0], 1, probe=weights)
    said.clear()
    results = train_arms(two, probe=weights)
    assert [settled(result) for result in results] == [settled(result) for result in train_arms(one, probe=weights)]
    assert sorted(line[:23] for line in said) == [  # who is at work at the same time may speak first
        "resnet seed 0 epoch   0",
        "resnet seed 0 epoch   1",
        "resnet seed 1: trained ",
        "resnet seed 2 epoch   0",
        "resnet seed 2 epoch   1",
    ]
    assert {path.name for path in (tmp_path / "two/arms").iterdir()} == {
        f"resnet-seed-{seed}.json" for seed in range(3)
    }


def test_arms_of_other_settings_or_images_are_refused(tmp_path: Path) -> None:
    arm = Arm("resnet", "resnet20")
    train_arm(study(tmp_path, epochs=1), arm, 0)
    with pytest.raises(UserError, match=r"another study: epochs = 1 there, 2 here\. Use another --out, or --fresh"):
        train_arm(study(tmp_path, epochs=2), arm, 0)
    with pytest.raises(UserError, match="data of 48 there, of 40 here"):
        train_arm(study(tmp_path, images=40, epochs=1), arm, 0)
    (tmp_path / "arms" / "resnet-seed-0.json").write_text("{}")
    with pytest.raises(UserError, match=r"cannot be read .* delete it"):
        train_arm(study(tmp_path, epochs=1), arm, 0)


def test_fresh_trains_anew(tmp_path: Path) -> None:
    common = ("degradation", "--scale", "smoke", "--out", tmp_path / "out", "--only", "resnet20")
    reproduce(*common)
    result = reproduce(*common, "--set", "epochs=2", "--fresh")
    assert result["settings"]["resnet20"]["epochs"] == 2
    svg = (tmp_path / "out" / "errors.svg").read_text(encoding="utf-8")
    assert svg.count('id="axes_') == 1  # no empty panel for the plain networks


def test_fresh_keeps_what_is_not_asked_for(tmp_path: Path) -> None:
    arms = tmp_path / "arms"
    for name in ("resnet-seed-0", "resnet-seed-1", "plain-seed-0"):
        (arms / name).mkdir(parents=True)
        (arms / f"{name}.json").touch()
        (arms / name / "points.json").touch()
    start_over(study(tmp_path))  # resnet, seed 0
    assert sorted(path.name for path in arms.iterdir()) == [
        "plain-seed-0",
        "plain-seed-0.json",
        "resnet-seed-1",
        "resnet-seed-1.json",
    ]


# Pure functions


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
