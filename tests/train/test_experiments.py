"""Every experiment there is keeps the contract; what the data decide is tested by tables."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from curate import registry
from curate.errors import UserError
from curate.ingest.add import add
from curate.workspace import Workspace
from tests.command import run_json
from tests.conftest import write_digits
from tests.train.digits import digits
from train import experiments, recipes
from train import loop as looping
from train.blocks import Network
from train.config import TrainConfig
from train.reproduce import scales, start_over
from train.study import Arm, ArmResult, Scale, Study, train_arm, train_arms

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


# The contract


@pytest.mark.parametrize("name", NAMES)
def test_smoke_writes_everything_and_trains_nothing_twice(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    first = run_json("reproduce", name.replace("_", "-"), "--scale", "smoke", "--out", out)
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
    assert run_json("reproduce", name, "--scale", "smoke", "--out", out)["table"] == first["table"]


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
    assert [item["name"] for item in run_json("reproduce")] == NAMES


# A workspace


def test_a_workspace_is_trained_and_tested_on_its_own_splits(tmp_path: Path, workspace: Workspace) -> None:
    out = tmp_path / "out"
    asked = ("--scale", "smoke", "--out", out, "--only", "resnet20", "--seeds", "2")
    result = run_json("reproduce", "degradation", workspace.root, *asked)
    assert result["data"]["train_images"] == 30
    assert result["data"]["test_images"] == 10
    assert result["data"]["image_size"] == 24
    assert result["seeds"] == [0, 1]
    assert result["claims"] == []
    assert [row["seeds"] for row in result["table"]] == [2]


def test_an_arms_own_settings_hold_before_those_of_the_data(tmp_path: Path, workspace: Workspace) -> None:
    """`best` is trained as by `--recipe fast`, which has `pad`; AlexNet has none of its own."""
    asked = ("--scale", "smoke", "--only", "alexnet", "--only", "best", "--seeds", "1")
    workspace.path("recipe.yaml").write_text("name: ours\ntrain: {lr: 7, flip: false, pad: 3, crop_area: 0.5}\n")
    trained = run_json("reproduce", "ladder", workspace.root, *asked, "--out", tmp_path / "out")["settings"]
    looked_at = ("flip", "pad", "crop_area", "lr")
    fast = recipes.load("fast")
    assert [trained["alexnet"][name] for name in looked_at] == [False, 3, 0.5, 0.01]
    assert [trained["best"][name] for name in looked_at] == [False, fast["pad"], 0.5, fast["lr"]]


@pytest.mark.parametrize(("asked", "size"), [((), 16), (("--set", "image_size=12"), 12)])
def test_digits_are_of_the_size_that_is_recorded(asked: tuple[str, ...], size: int, tmp_path: Path) -> None:
    common = ("reproduce", "degradation", "--scale", "smoke", "--only", "resnet20", "--out", tmp_path)
    result = run_json(*common, *asked)
    assert result["data"]["image_size"] == result["settings"]["resnet20"]["image_size"] == size
    assert result["data"]["name"].endswith(f"{size} px")


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
    assert message in fails("reproduce", *arguments, "--json")
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
    asked = ("--scale", "smoke", "--out", tmp_path / "out", "--json")
    assert message in fails("reproduce", "degradation", made.root, *asked)


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
    common = ("reproduce", "degradation", "--scale", "smoke", "--out", tmp_path / "out", "--only", "resnet20")
    run_json(*common)
    result = run_json(*common, "--set", "epochs=2", "--fresh")
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
