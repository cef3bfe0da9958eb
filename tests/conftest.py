"""Small real images and the folders they lie in, made by the tests themselves; the whole command as it ends; one thread
for each process; and which files begin first."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy and torch start theirs: the tests run beside others

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from curate.cli import TRACEBACK, main
from curate.images import encode_png
from curate.ingest.add import add
from curate.workspace import Workspace

LONGEST = (
    "test_docs.py",
    "test_gpu_checks.py",
    "review/test_database.py",
    "review/test_app.py",
    "train/test_parallel.py",
    "test_ray_engine.py",
    "train/test_distributed.py",
    "test_cli_prove.py",
    "train/test_experiments.py",
    "train/test_killed.py",
    "train/test_skipping.py",
    "train/test_loop.py",
    "train/test_compiling.py",
)
"""Files that take a minute or more. They begin first, so that at the end no core is idle while one of them runs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; of the others, each stays where it is."""
    place = {Path(__file__).parent / name: at for at, name in enumerate(LONGEST)}
    assert all(map(Path.is_file, place)), "a file of LONGEST has another name now"
    items.sort(key=lambda item: place.get(item.path, len(LONGEST)))


def pytest_configure() -> None:
    """What runs in the background (`nohup make test &`) ignores Ctrl-C, and so would commands that tests end by it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def picture(seed: int, height: int = 8, width: int = 9) -> np.ndarray:
    """A smooth picture with a little noise, different for every seed: shape (height, width, 3), uint8, RGB."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, width)[None, :, None] * rng.integers(40, 200, 3)
    return (ramp + rng.integers(0, 40, (height, width, 3))).astype(np.uint8)


def png(seed: int) -> bytes:
    """`picture` as PNG."""
    return encode_png(picture(seed))


def write_tree(root: Path, names: list[str]) -> Path:
    """A different small PNG under each name (whatever its suffix says)."""
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(seed))
    return root


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """`tree("a/1.png", …)` makes a folder with these images."""

    def make(*names: str, root: str = "photos") -> Path:
        return write_tree(tmp_path / root, list(names))

    return make


def write_digits(folder: Path, count: int, *, first: int = 0) -> None:
    """Real handwritten digits, 24 x 24, as `folder/<split>/<class>/<number>.png`; every fourth is a test image."""
    digits = load_digits()
    for at in range(first, first + count):
        path = folder / ("test" if at % 4 == 3 else "train") / str(digits.target[at]) / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png((digits.images[at] * 15.9).astype(np.uint8).repeat(3, 0).repeat(3, 1)))


@pytest.fixture(scope="session")
def digits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 digits in train/ and test/."""
    folder = tmp_path_factory.mktemp("sources") / "digits"
    write_digits(folder, 40)
    return folder


@pytest.fixture
def workspace(tmp_path: Path, digits_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with the digits, version 1; times stand still, so that same inputs give the same bytes."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    made = Workspace(tmp_path / "ws")
    add(made, digits_folder)
    return made


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`ends("scan", "nowhere")`: exit status, stdout and stderr of the whole command, in this process."""
    monkeypatch.setenv(TRACEBACK, "")  # so that what `--verbose` sets is gone after the test
    monkeypatch.delenv(TRACEBACK)

    def end(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["curate", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        printed = capsys.readouterr()
        assert isinstance(caught.value.code, int), printed
        return caught.value.code, printed.out, printed.err

    return end


@pytest.fixture
def fails(ends: Callable[..., tuple[int, str, str]]) -> Callable[..., str]:
    """`fails("scan", "nowhere")`: the one line on stderr of a verb that ends with status 1."""

    def fail(*arguments: object) -> str:
        status, out, err = ends(*arguments)
        assert status == 1, (out, err)
        assert out == ""
        assert err.startswith("curate: ")
        assert err.count("\n") == 1
        assert err[:-1].isprintable()
        return err

    return fail
