"""Training learns, repeats itself, and goes on after an interruption as if there had been none."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.errors import UserError
from tests.train.digits import QUICK, digits
from train import models
from train.checkpoint import Epoch
from train.config import TrainConfig
from train.data import ImageSet
from train.evaluate import evaluate, predict
from train.loop import Trained, sample_accuracy, train
from train.schedule import schedule, steps_an_epoch

SHORT = replace(QUICK, epochs=3)


class Stop(Exception):
    pass


def stop_after(number: int) -> "object":
    def on_epoch(epoch: Epoch) -> None:
        if epoch.epoch == number:
            raise Stop

    return on_epoch


def same_weights(first: Trained, second: Trained) -> bool:
    one, two = first.model.state_dict(), second.model.state_dict()
    return all(torch.equal(one[key], two[key]) for key in one)


@pytest.fixture(scope="module")
def uninterrupted() -> Trained:
    return train(SHORT, digits(120))


def test_it_learns_digits() -> None:
    test = digits(297, start=1500)
    trained = train(QUICK, digits(900), eval_set=test)
    evaluation = evaluate(predict(trained.model, test.images), test)
    assert evaluation.accuracy > 0.9
    assert trained.history[-1].eval_acc == pytest.approx(evaluation.accuracy)
    assert trained.history[-1].train_loss < trained.history[0].train_loss


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_it_learns_from_mixed_images(kind: str) -> None:
    config, test = replace(QUICK, epochs=4, **{kind: 0.5}), digits(297, start=1500)  # type: ignore[arg-type]
    trained = train(config, digits(900))
    assert evaluate(predict(trained.model, test.images), test).accuracy > 0.8


def test_the_same_seed_gives_the_same_weights(uninterrupted: Trained) -> None:
    state = torch.get_rng_state()
    threads = torch.get_num_threads()
    assert same_weights(train(SHORT, digits(120)), uninterrupted)
    assert not same_weights(train(replace(SHORT, seed=1), digits(120)), uninterrupted)
    assert torch.equal(torch.get_rng_state(), state)  # the caller's random numbers are not touched
    assert torch.get_num_threads() == threads


def test_dropout_and_auxiliary_heads_repeat_and_resume(tmp_path: Path) -> None:
    options = {"auxiliary": True, "dropout": 0.5}
    config = replace(SHORT, model="googlenet", model_options=options, epochs=2, batch_size=16)
    image_set = digits(32)
    small = replace(image_set, images=image_set.images[:, :, ::2, ::2].contiguous())
    with pytest.raises(Stop):
        train(config, small, run_dir=tmp_path, on_epoch=stop_after(1))
    torch.manual_seed(5)
    assert same_weights(train(config, small, run_dir=tmp_path), whole := train(config, small))
    started = models.build("googlenet", num_classes=10, image_size=8, options=options).state_dict()
    assert whole.model.state_dict()["heads.4a.6.weight"].abs().sum() > started["heads.4a.6.weight"].abs().sum() == 0


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_an_interrupted_run_ends_at_the_same_weights(tmp_path: Path, uninterrupted: Trained, epoch: int) -> None:
    with pytest.raises(Stop):
        train(SHORT, digits(120), run_dir=tmp_path, on_epoch=stop_after(epoch))
    resumed = train(SHORT, digits(120), run_dir=tmp_path)
    assert same_weights(resumed, uninterrupted)
    assert [line.train_loss for line in resumed.history] == [line.train_loss for line in uninterrupted.history]


@pytest.mark.parametrize("skip_easy", [0.0, 0.5])
def test_an_interrupted_run_has_the_same_margins(tmp_path: Path, skip_easy: float) -> None:
    config = replace(SHORT, skip_easy=skip_easy)
    whole = train(config, digits(120), keep_margins=True).margins
    with pytest.raises(Stop):
        train(config, digits(120), run_dir=tmp_path, on_epoch=stop_after(2), keep_margins=True)
    resumed = train(config, digits(120), run_dir=tmp_path, keep_margins=True).margins
    finished = train(config, digits(120), run_dir=tmp_path, keep_margins=True).margins
    assert whole is not None
    assert whole.shape == (3, 120)
    assert whole.dtype == np.float16
    for other in (resumed, finished):
        assert other is not None
        assert other.tobytes() == whole.tobytes()
    assert np.isfinite(whole[0]).all()
    assert np.isnan(whole[1:]).any() == (skip_easy > 0)
    assert np.nanmean(whole[2].astype(float)) > np.nanmean(whole[0].astype(float))


def test_margins_are_of_the_labels_it_is_told(uninterrupted: Trained) -> None:
    """They change nothing, and those of wrong labels are lower."""
    noted = train(SHORT, digits(120), keep_margins=True)
    assert uninterrupted.margins is None
    assert same_weights(noted, uninterrupted)
    image_set = digits(600)
    labels = image_set.labels.clone()
    labels[::10] = (labels[::10] + 1) % 10
    found = train(SHORT, replace(image_set, labels=labels), keep_margins=True).margins
    assert found is not None
    wrong = np.arange(600) % 10 == 0
    assert found[:, wrong].mean(dtype=float) < found[:, ~wrong].mean(dtype=float) - 1


def test_a_killed_run_ends_at_the_same_weights(tmp_path: Path, uninterrupted: Trained) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; "
        "from tests.train.digits import digits; from tests.train.test_loop import SHORT; from train.loop import train;"
        "train(SHORT, digits(120), run_dir=Path(sys.argv[1]),"
        " on_epoch=lambda epoch: os.kill(os.getpid(), signal.SIGKILL) if epoch.epoch == 2 else None)"
    )
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=root, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    assert same_weights(train(SHORT, digits(120), run_dir=tmp_path), uninterrupted)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"lr": 0.001}, "lr"), ({"model": "resnet20"}, "model"), ({"seed": 5}, "seed"), ({"epochs": 9}, "epochs")],
)
def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    config = replace(SHORT, epochs=1)
    train(config, digits(40), run_dir=tmp_path)
    with pytest.raises(UserError, match=f"another run: {says} = "):
        train(TrainConfig.from_mapping(config.as_dict() | change), digits(40), run_dir=tmp_path)


def test_a_checkpoint_of_other_data_is_refused(tmp_path: Path) -> None:
    config = replace(SHORT, epochs=1)
    train(config, digits(40), run_dir=tmp_path)
    with pytest.raises(UserError, match="data"):
        train(config, digits(41), run_dir=tmp_path)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"\x80\x04pickle" * 10])
def test_a_damaged_checkpoint_is_an_error_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="delete it"):
        train(SHORT, digits(40), run_dir=tmp_path)


def test_a_loss_that_is_no_number_is_noticed() -> None:
    with pytest.raises(UserError, match="lr 1e\\+06 is too high"):
        train(replace(SHORT, lr=1e6, batch_size=16, warmup=0.0), digits(100))


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_images_are_an_error(count: int) -> None:
    with pytest.raises(UserError, match=f"{count} labelled images"):
        train(SHORT, digits(100).subset(torch.arange(count)))


def test_images_of_another_size_than_is_asked_for_are_refused() -> None:
    with pytest.raises(UserError, match="image_size = 32 for training images of 16 px"):
        train(replace(SHORT, image_size=32), digits(20))


def test_two_images_of_one_class_train() -> None:
    image_set = digits(100).subset((digits(100).labels == 3).nonzero()[:2, 0])
    assert len(train(replace(SHORT, epochs=1), replace(image_set)).history) == 1


def test_unlabelled_images_are_left_out(uninterrupted: Trained) -> None:
    image_set = digits(130)
    labels = image_set.labels.clone()
    labels[120:] = -1
    assert same_weights(train(SHORT, replace(image_set, labels=labels)), uninterrupted)


@pytest.mark.parametrize("kind", ["cosine", "triangular"])
def test_the_learning_rate_rises_then_falls_to_zero(kind: str) -> None:
    config = TrainConfig.from_mapping({"schedule": kind, "warmup": 0.2})
    shares = [schedule(config, step / 100) for step in range(101)]
    assert max(shares) == shares[20] == 1
    assert shares[:21] == sorted(shares[:21])
    assert shares[20:] == sorted(shares[20:], reverse=True)
    assert shares[100] == pytest.approx(0, abs=1e-9)
    assert schedule(replace(config, warmup=0.0), 0) == 1


@pytest.mark.parametrize(("progress", "share"), [(0.0, 1), (0.49, 1), (0.5, 0.1), (0.74, 0.1), (0.75, 0.01), (1, 0.01)])
def test_the_learning_rate_of_the_resnet_papers_falls_in_steps(progress: float, share: float) -> None:
    assert schedule(TrainConfig(schedule="step", warmup=0.0), progress) == share


@pytest.mark.parametrize(("count", "steps"), [(2, 1), (16, 1), (100, 6), (512, 32), (4096, 32), (50_000, 391)])
def test_steps_an_epoch(count: int, steps: int) -> None:
    assert steps_an_epoch(TrainConfig(batch_size=128), count) == steps


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_it_trains_on_cuda() -> None:
    trained = train(replace(QUICK, device="cuda", epochs=4), digits(1500))
    test = digits(297, start=1500)
    assert evaluate(predict(trained.model, test.images), test).accuracy > 0.9


@pytest.mark.parametrize(("wanted", "looked_at"), [(10, 500), (550, 550), (100_000, 2000)])
def test_an_epoch_is_not_looked_at_for_longer_than_it_took(wanted: int, looked_at: int) -> None:
    """The labels of as many images as are looked at are right, and those of all others wrong: 1 says that none is one
    of the others."""
    config, count = replace(QUICK, model="resnet20"), 3000
    model = models.build("resnet20", num_classes=10, image_size=8)
    images = torch.zeros(count, 3, 8, 8, dtype=torch.uint8)
    answer = int(predict(model, images[:1]).probs.argmax())
    labels = torch.full((count,), (answer + 1) % 10)
    labels[torch.linspace(0, count - 1, looked_at).round().long()] = answer
    eval_set = ImageSet(images, labels, tuple(map(str, range(count))), tuple("0123456789"))
    assert sample_accuracy(model, eval_set, config, wanted) == 1
    assert float((labels == answer).float().mean()) == pytest.approx(looked_at / count)
