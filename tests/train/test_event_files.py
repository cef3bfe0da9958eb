"""TensorBoard reads the curves of every seed, each epoch once, whatever interrupted the run."""

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
        assert sorted(found) == [
            "eval/accuracy",
            "train/accuracy",
            "train/images_per_second",
            "train/loss",
            "train/lr",
        ]
        assert [step for step, _ in found["train/loss"]] == [1, 2]
        assert len(list((folder / f"seed-{seed}").iterdir())) == 1


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
