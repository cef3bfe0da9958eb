"""Rates: every contender runs the same images the same number of times, and who cannot says why."""

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from curate.augment import bench as benching
from curate.augment import in_kornia
from curate.augment.bench import bench, default, measure
from curate.augment.upstream import albumentations
from curate.errors import UserError
from curate.workspace import Workspace
from tests.command import run, run_json

A = albumentations()
NAMES = ["curate, exact", "curate, fused", "Albumentations, 1 process", "Kornia"]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benching, "BATCHES", 2)


@pytest.fixture
def flips(tmp_path: Path) -> Path:
    path = tmp_path / "flips.yaml"
    path.write_text("- HorizontalFlip\n")
    return path


def test_rounds_alternate_after_one_that_does_not_count() -> None:
    calls: list[tuple[str, int]] = []
    contenders = {name: lambda number, name=name: calls.append((name, number)) for name in "abc"}
    seconds = measure(contenders, 3)
    assert "".join(name for name, _ in calls) == "abcabccbaabc"
    assert [number for _, number in calls] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert {name: len(each) for name, each in seconds.items()} == {"a": 3, "b": 3, "c": 3}


@pytest.mark.parametrize("size", [8, 32])
def test_default_pipeline(size: int) -> None:
    result = bench(None, None, size=size, batch_size=4, device="cpu", rounds=2, workers=1)
    assert [rate.name for rate in result.rates] == NAMES
    for rate in result.rates[:3]:
        assert 0 < rate.lowest <= rate.images_per_second <= rate.highest
    assert (result.images, result.rounds, result.device) == (8, 2, "cpu")
    assert default(size)(image=np.zeros((size, size, 3), np.uint8))["image"].shape == (size, size, 3)


def test_images_of_a_workspace(workspace: Workspace, flips: Path) -> None:
    Path(workspace.root / "gone").touch()
    result = bench(workspace, flips, size=16, batch_size=24, device="cpu", rounds=1, workers=1)
    assert result.images == 48  # some of the 40 twice
    assert result.pipeline == "flips.yaml"


@pytest.mark.parametrize(
    ("written", "who", "says"),
    [
        ("- MixUp", 2, "has no MixUp"),
        ("- OneOf: {transforms: [HorizontalFlip, {Cutout: {size: 4, p: 0.1}}], p: 1.0}", 2, "has no Cutout"),
        ("- HorizontalFlip", 3, "not installed"),
    ],
)
def test_who_cannot_says_why(flips: Path, written: str, who: int, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    flips.write_text(written)
    rate = bench(None, flips, size=8, batch_size=4, device="cpu", rounds=1, workers=1).rates[who]
    assert rate.images_per_second is None
    assert says in rate.note


@pytest.mark.parametrize(
    ("written", "device", "says"),
    [
        ("- RandomCrop: {height: 64, width: 64}", "cpu", "RandomCrop cuts 64 x 64 px"),
        ("- RandomFog", "cpu", "--fallback cpu"),
        ("- HorizontalFlip", "tpu", "--device 'tpu' must be auto, cpu or cuda"),
    ],
)
def test_what_it_does_not_take(flips: Path, written: str, device: str, says: str) -> None:
    flips.write_text(written)
    with pytest.raises(UserError, match=says.replace("(", r"\(")):
        bench(None, flips, size=32, batch_size=4, device=device, rounds=1, workers=1)


def test_no_gpu(flips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="torch sees no CUDA device here"):
        bench(None, flips, device="cuda")


def test_command_line(flips: Path) -> None:
    arguments = ["augment", "bench", "--pipeline", flips, "--size", "8", "--batch-size", "4", "--rounds", "1"]
    text = run(*arguments, "--workers", "1")
    assert all(name in text for name in NAMES)
    assert "Median of 1 rounds of 8 images of 8 px in batches of 4; flips.yaml." in text
    said = run_json(*arguments)
    assert said["rates"][0]["name"] == "curate, exact"
    assert {"size", "batch_size", "images", "rounds", "device", "hardware", "versions"} <= set(said)


# Kornia


class Recorder(ModuleType):
    """Stands in for `kornia.augmentation`: notes what is asked for."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **settings: SimpleNamespace(name=name, args=args, **settings)


def in_words(*transforms: Any) -> str:
    made, lacking = in_kornia.modules(Recorder("augmentation"), transforms, 32)
    return f"lacks {lacking}" if lacking else " ".join(module.name for module in made)


@pytest.mark.parametrize(
    ("transforms", "says"),
    [
        (default(32).transforms, "RandomCrop RandomHorizontalFlip RandomErasing Normalize"),
        ([A.VerticalFlip()], "RandomVerticalFlip"),
        ([A.Pad(4)], "lacks Pad"),
        ([A.Pad(4), A.HorizontalFlip()], "lacks Pad"),
        ([A.Pad((1, 2, 3, 4)), A.RandomCrop(8, 8)], "lacks Pad"),
        ([A.RandomCrop(8, 8, p=0.5)], "lacks RandomCrop"),
        ([A.OneOf([A.HorizontalFlip()])], "lacks OneOf"),
        ([A.CoarseDropout(num_holes_range=(1, 3))], "lacks CoarseDropout"),
        ([A.CoarseDropout(num_holes_range=(1, 1), hole_height_range=(0.1, 0.1), hole_width_range=(0.1, 0.1))], "lacks"),
        ([A.Normalize(normalization="image")], "lacks Normalize"),
        ([A.HorizontalFlip(), A.D4()], "lacks D4"),
        ([], ""),
    ],
)
def test_kornia_has_the_same_or_nothing(transforms: list[Any], says: str) -> None:
    found = in_words(*transforms)
    assert found == says or (says == "lacks" and found.startswith(says))


def test_kornia_pads_within_its_crop() -> None:
    (crop,), _ = in_kornia.modules(Recorder("augmentation"), [A.Pad(4, border_mode=4), A.RandomCrop(32, 32)], 32)
    assert (crop.args, crop.padding, crop.padding_mode) == (((32, 32),), 4, "reflect")
