"""TensorBoard reads the curves of every seed, each epoch once, whatever interrupted the run."""

import json
from pathlib import Path

import pytest

from curate.errors import UserError
from curate.workspace import Workspace
from train import event_files, verbs
from train.checkpoint import Epoch

pytest.importorskip("tensorboard")
SETTINGS = {"epochs": 2, "image_size": 16, "device": "cpu", "flip": False}


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Curve -> (epoch, value)."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder)).Reload()
    return {name: [(event.step, event.value) for event in read.Scalars(name)] for name in read.Tags()["scalars"]}


def test_a_run_that_was_interrupted_has_each_epoch_once(workspace: Workspace) -> None:
    folder = workspace.root / "runs/one/tensorboard"
    seen = []

    def stop(epoch: Epoch) -> None:
        seen.append(curves(folder / "seed-0")["train/loss"])  # there while it trains
        raise KeyboardInterrupt

    def look(epoch: Epoch) -> None:
        seen.append(curves(folder / f"seed-{epoch.seed}")["train/loss"])

    for on_epoch in (stop, look):
        try:
            _, result = verbs.train(
                workspace, data="raw", seeds=2, settings=SETTINGS, name="one", tensorboard=True, on_epoch=on_epoch
            )
        except KeyboardInterrupt:
            continue
    assert [[step for step, _ in curve] for curve in seen] == [[1], [1, 2], [1], [1, 2]]
    assert sorted(path.name for path in folder.iterdir()) == ["seed-0", "seed-1"]
    for seed in result.seeds:
        found = curves(folder / f"seed-{seed}")
        assert found["final/accuracy"][0][0] == 2
        assert sorted(name for name in found if not name.startswith("final/")) == [
            "eval/accuracy",
            "train/accuracy",
            "train/images_per_second",
            "train/loss",
            "train/lr",
        ]
        assert [step for step, _ in found["train/loss"]] == [1, 2]
        assert len(list((folder / f"seed-{seed}").iterdir())) == 1


def test_a_finished_run_is_written_with_what_it_came_to(workspace: Workspace) -> None:
    run_dir, result = verbs.train(workspace, data="raw", seeds=2, settings=SETTINGS, name="later")
    history = (run_dir / "metrics.jsonl").read_text().splitlines()
    for _ in range(2):  # a second time it replaces the first
        assert event_files.write_finished(run_dir) == run_dir / "tensorboard"
    for number, seed in enumerate(result.seeds):
        folder = run_dir / "tensorboard" / f"seed-{seed}"
        assert len(list(folder.iterdir())) == 1
        found = curves(folder)
        epochs = [json.loads(line) for line in history if json.loads(line)["seed"] == seed]
        assert found["eval/accuracy"] == [(each["epoch"], pytest.approx(each["eval_acc"])) for each in epochs]
        assert found["final/accuracy"] == [(2, pytest.approx(result.accuracy.values[number]))]
        assert found["final/calibration_error"] == [(2, pytest.approx(result.calibration_error.values[number]))]
        assert "final/accuracy_flip" not in found  # the settings have no flip


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, r"metrics\.jsonl is missing, so there is no curve to write"),
        ('{"seed": 0, "epoch": 1, "eval_acc": 0.5}', r"metrics\.jsonl is no history of this trainer"),
    ],
)
def test_a_run_without_its_history_is_named(workspace: Workspace, content: str | None, says: str) -> None:
    run_dir, _ = verbs.train(workspace, data="raw", seeds=1, settings=SETTINGS | {"epochs": 1})
    (run_dir / "metrics.jsonl").unlink()
    if content is not None:
        (run_dir / "metrics.jsonl").write_text(content)
    with pytest.raises(UserError, match=says):
        event_files.write_finished(run_dir)


def test_without_the_option_there_are_none(workspace: Workspace) -> None:
    run_dir, _ = verbs.train(workspace, data="raw", seeds=1, settings=SETTINGS | {"epochs": 1})
    assert not (run_dir / "tensorboard").exists()


def test_a_missing_package_is_said_before_anything_is_trained(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_files, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install tensorboard"):
        verbs.train(workspace, data="raw", seeds=1, settings=SETTINGS, tensorboard=True, name="none")
    assert not (workspace.root / "runs/none/config.json").exists()
