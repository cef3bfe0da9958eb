"""What `predict` writes of a workspace, by profile: a row for every image, whatever its split."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from curate import predictions
from curate.cli import find
from curate.cli.find import _saying_folds
from curate.engine import Local
from curate.errors import UserError
from curate.tables import read_manifest
from curate.verbs import scan
from curate.workspace import DECISIONS, MANIFEST, Workspace
from tests.command import invoke, run
from tests.conftest import add, png
from train import rounds
from train.checkpoint import Epoch
from train.config import TrainConfig
from train.predict import _as_dealt, predict
from train.rounds import Place

SETTINGS = {"epochs": 1, "image_size": 16, "device": "cpu", "flip": False}


@pytest.mark.parametrize(("profile", "folds", "repeats"), [("quick", 2, 2), ("plain", 3, 1)])
def test_it_writes_all_that_was_said(workspace: Workspace, profile: str, folds: int, repeats: int) -> None:
    heard: list[str] = []
    done = predict(
        workspace,
        profile=profile,
        folds=folds,
        settings=SETTINGS,
        at_once=1,
        on_epoch=lambda place, epoch: heard.append(str(place)),
    )
    assert (done.profile, done.folds, done.repeats, done.images) == (profile, folds, repeats, 40)
    assert len(done.fold_accuracy) == len(heard) == folds * repeats
    assert heard[0] == f"round 1 of {repeats}, fold 1 of {folds}"
    assert not list((workspace.root / predictions.FOLDER).glob("folds-*"))

    images = read_manifest(workspace)
    found = predictions.read(workspace, images)
    trained = (images["split"] == "train").to_numpy()
    assert found.repeats is not None
    assert found.neighbors is not None
    assert found.margins is not None
    assert found.present.all()
    assert found.repeats.shape == (repeats, 40, 10)
    np.testing.assert_allclose(found.pred_probs.sum(axis=1), 1, atol=1e-6)
    assert (found.pred_probs <= found.repeats.max(axis=0) + 1e-6).all()
    assert (np.isnan(found.margins).all(axis=1) == ~trained).all()
    assert ((found.fold >= 0) == trained).all()
    near = found.neighbors[0]
    assert (near[~trained] == -1).all()
    row, place = np.nonzero(near >= 0)
    assert len(row) > 100
    assert trained[near[row, place]].all()
    assert (found.fold[near[row, place]] == found.fold[row]).all()  # rows of the manifest, not of the training set


def test_predictions_that_took_more_rounds_are_not_replaced_without_a_word(workspace: Workspace) -> None:
    predict(workspace, profile="quick", folds=2, settings=SETTINGS, at_once=1)

    def warned(profile: str) -> str:
        asked = ("predict", workspace.root, "--profile", profile, "--folds", "31")
        return invoke(*asked, refused=True).stderr  # before it trains

    told = (
        r"curate: the predictions of --profile quick \(2 rounds, .* of training\) will be replaced; Ctrl-C keeps them\n"
    )
    assert re.fullmatch(told, warned("plain"))
    assert not warned("quick") + warned("best")
    (workspace.root / predictions.FILE).write_bytes(b"damaged")
    assert not warned("plain")


def test_a_recipe_takes_the_place_of_the_profiles(workspace: Workspace) -> None:
    """`standard` names nothing, and so nothing is left of the recipe of the profile."""
    done = predict(workspace, profile="quick", recipe="standard", folds=2, settings=SETTINGS, at_once=1)
    assert (done.config.optimizer, done.config.skip_easy, done.config.label_smoothing) == ("sgd", 0, 0.1)
    done = predict(workspace, profile="quick", folds=2, settings=SETTINGS, at_once=1)
    assert done.config.optimizer == "muon"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[TrainConfig, np.ndarray]]:
    """The settings that `predict` would train with, and the images that would count."""

    def ask(workspace: Workspace, **arguments: object) -> tuple[TrainConfig, np.ndarray]:
        told: list[tuple[TrainConfig, np.ndarray]] = []

        def run(config: TrainConfig, *_: object, counted: np.ndarray, **__: object) -> None:
            told.append((config, counted))
            raise KeyboardInterrupt

        monkeypatch.setattr(rounds, "run", run)
        with pytest.raises(KeyboardInterrupt):
            predict(workspace, **arguments)  # type: ignore[arg-type]
        return told[0]

    return ask


@pytest.mark.parametrize(
    ("recipe", "settings", "epochs"), [(None, {}, 20), ("best", {}, 60), ("best", {"epochs": 3}, 3), ("fast", {}, 15)]
)
def test_a_recipe_brings_its_epochs(
    workspace: Workspace, asked: Callable, recipe: str | None, settings: dict[str, object], epochs: int
) -> None:
    settings = {"image_size": 16, "device": "cpu", **settings}
    config, _ = asked(workspace, profile="quick", recipe=recipe, settings=settings)
    assert config.epochs == epochs


def test_a_generated_image_does_not_count_beside_its_original(workspace: Workspace, asked: Callable) -> None:
    images = read_manifest(workspace)
    first, second = images.index[images["split"] == "train"][:2]
    images.loc[second, "parent_id"] = images.loc[first, "image_id"]
    with workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, images)
    _, counted = asked(workspace, settings=SETTINGS)
    assert counted.tolist() == [True, False] + [True] * 28


def test_the_workspace_says_on_which_device(workspace: Workspace) -> None:
    workspace.path("recipe.yaml").write_text("name: ours\ntrain: {device: cuda, image_size: 16, epochs: 1}\n")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(UserError, match="device"):
        run("predict", workspace.root)
    with pytest.raises(UserError, match="device"):
        run("train", workspace.root)


@pytest.mark.parametrize("folds", [0, 1, 31])
def test_a_number_of_folds_that_cannot_be_is_an_error(workspace: Workspace, folds: int) -> None:
    settings = {"image_size": 16, "device": "cpu"}
    with pytest.raises(UserError, match=f"folds = {folds} for 30 labelled images"):
        predict(workspace, folds=folds, settings=settings)
    assert not predictions.exists(workspace)


def test_an_unknown_profile_is_named_before_anything_is_done(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="no profile is called 'slow'"):
        predict(workspace, profile="slow", settings={})


def test_a_scan_after_it_searches_no_pairs_again(workspace: Workspace, tmp_path: Path) -> None:
    """Also with images that cannot be decoded, which are not predicted."""
    (tmp_path / "more" / "3").mkdir(parents=True)
    (tmp_path / "more" / "3" / "broken.png").write_bytes(b"no image")
    add(workspace, tmp_path / "more")
    done = predict(workspace, profile="plain", folds=2, settings=SETTINGS, at_once=1)
    assert done.images == 40

    def kept() -> list[tuple[Path, int]]:
        """Files of links, and when they were written."""
        files = (workspace.root / "signals" / "duplicate_pairs").glob("v*/*")
        return [(file, file.stat().st_mtime_ns) for file in files]

    before = kept()
    scan(workspace, only=["near_duplicate"], settings={}, engine=Local(1))
    assert kept() == before
    assert len(before) == 1


def test_it_learns_from_labels_that_people_gave_in_the_pool(workspace: Workspace, tmp_path: Path) -> None:
    """And not from those that networks gave; the manifest stays as it was."""
    (tmp_path / "pool").mkdir()
    for name in ("asked", "sure", "waits"):
        (tmp_path / "pool" / f"{name}.png").write_bytes(png(len(name)))
    add(workspace, tmp_path / "pool", split="pool")
    before = read_manifest(workspace)
    lines = ["image_id,action,label,by,because", "pool/asked.png,relabel,3,ada,", "pool/sure.png,relabel,4,policy,x"]
    workspace.path(DECISIONS).write_text("\n".join([*lines, ""]))
    predict(workspace, profile="plain", folds=2, settings=SETTINGS, at_once=1)
    found = predictions.read(workspace, before)
    learned = dict(zip(before["image_id"], found.fold >= 0, strict=True))
    assert [learned[f"pool/{name}.png"] for name in ("asked", "sure", "waits")] == [True, False, False]
    assert sum(learned.values()) == 31
    assert read_manifest(workspace).equals(before)


def test_an_interrupted_call_with_other_groups_begins_anew(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images that came meanwhile may bind others together, which deals other folds."""

    def stop(place: Place, epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(workspace, folds=2, settings=SETTINGS, at_once=1, on_epoch=stop)
    monkeypatch.setattr("train.predict.groups", lambda images, pairs: np.arange(len(images)) // 4)
    heard: list[str] = []
    predict(workspace, folds=2, settings=SETTINGS, at_once=1, on_epoch=lambda place, epoch: heard.append(str(place)))
    assert heard[0] == "round 1 of 2, fold 1 of 2"
    assert not list((workspace.root / predictions.FOLDER).glob("folds-*"))


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([-1, -1], [-1, -1]),
        ([7, 3, 7, 3, 5], [0, 1, 0, 1, -1]),
        ([-1, 2, -1, 2, 9, 9], [-1, 1, -1, 1, 2, 2]),
        ([], []),
    ],
)
def test_groups_are_numbered_by_their_first_image(groups: list[int], expected: list[int]) -> None:
    assert _as_dealt(np.array(groups, int)).tolist() == expected


def test_it_says_how_long_the_rest_will_take(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two networks of two epochs at the same time, then two more; an epoch of one comes every 30 s."""
    monkeypatch.setattr("time.monotonic", itertools.count(step=30).__next__)
    tell = _saying_folds()
    places = [Place(1, 2, fold, 2, epochs=2, after=6 - 2 * fold + 2) for fold in (1, 2)]
    for number in (1, 2):
        for place in places:
            tell(place, Epoch(seed=0, epoch=number, train_loss=1, train_acc=0.5, eval_acc=None, seconds=60))
    tell(Place(2, 2, 2, 2, epochs=2, after=0), Epoch(0, 2, 1, 0.5, None, 60))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("round 1 of 2, fold 1 of 2  seed 0 epoch   1")
    assert [line.partition("  about ")[2] for line in lines] == [
        "4 min left",
        "3 min left",
        "2 min left",
        "2 min left",
        "",
    ]


@pytest.mark.parametrize(("epochs", "told"), [(30, 0), (900, 1)])
def test_what_takes_long_says_once_what_takes_less(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], epochs: int, told: int
) -> None:
    monkeypatch.setattr("time.monotonic", itertools.count(step=5).__next__)
    tell = _saying_folds()
    for number in (1, 2, 3):
        tell(Place(1, 1, 1, 1, epochs=epochs, after=0), Epoch(0, number, 1, 0.5, None, 5))
    assert capsys.readouterr().err.count("or one round (--profile plain) take less") == told


@pytest.mark.parametrize(("profile", "warned"), [("plain", True), ("quick", False)])
def test_weak_networks_of_one_round_are_warned_of(workspace: Workspace, profile: str, warned: bool) -> None:
    settings = ["--set", "epochs=1", "--set", "image_size=16", "--set", "flip=false"]
    done = invoke("predict", workspace.root, "--profile", profile, "--folds", "2", "--device", "cpu", *settings)
    assert ("one round cannot tell their mistakes from wrong labels" in done.stderr) == warned
    assert find._one_round([0.7, 0.9], 1) == []
