"""A sample of the trials: verbs that take no torch. All of them, many more times: `python -m tests.crash`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import checks, disk, order, trials, writers
from tests.crash.__main__ import bench, traced
from tests.crash.cases import SOURCES, Case, put_back
from tests.crash.trials import Bench

EXPORT = Case("export", "plain", ("export", "ws", "out"), refused="is not empty")
IMPORT = Case("decide --import", "plain", ("decide", "ws", "--import", f"{SOURCES}/bob.csv", "--by", "bob"))
RESTORE = Case("restore", "plain", ("restore", "ws", "1"))
PACKED = Case("add, an archive", "plain", ("add", "ws", f"{SOURCES}/packed.tar"))
SAMPLE = (IMPORT, RESTORE, PACKED, EXPORT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crash")


@pytest.fixture(scope="module")
def one(folder: Path) -> Iterator[Bench]:
    """One place for all tests, traced where there is strace."""
    with bench(folder / "bench", log=folder / "calls.txt", trains=False) as made:
        yield made


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.name)
def test_killed(one: Bench, case: Case) -> None:
    ((_, found),) = trials.run(one, 4, cases=[case])
    assert found.wrong == []
    assert found.killed >= 3  # but for one whose moment came after the end


@pytest.mark.parametrize("case", SAMPLE[:2], ids=lambda case: case.name)
def test_a_limit_on_the_size_of_files(one: Bench, case: Case) -> None:
    ((_, full),) = disk.run(one, 2, mounted=False, cases=[case])
    assert full.wrong == []
    assert full.refused


@pytest.mark.parametrize(
    "pair",
    [
        writers.Pair("plain", writers.ADA, writers.BOB),
        writers.Pair("plain", writers.EXPORT, writers.EXPORT, (writers.WAITS, writers.TAKEN)),
    ],
    ids=lambda pair: pair.name,
)
def test_two_at_once(one: Bench, pair: writers.Pair) -> None:
    ((_, together),) = writers.run(one, 1, pairs=[pair])
    assert together.wrong == []


@pytest.mark.parametrize("case", SAMPLE[:3], ids=lambda case: case.name)
def test_order_of_calls(one: Bench, folder: Path, case: Case) -> None:
    if not order.trace(folder):
        pytest.skip("strace is not here: apt-get install strace")
    wrong, named = traced(one, folder / "calls.txt", case)
    assert wrong == []
    assert named >= 3  # tables, their versions, the ledger


# That what is wrong is seen

CALLS = """
7 openat(AT_FDCWD</w>, "/w/.partial-a", O_WRONLY|O_CREAT, 0600) = 3</w/.partial-a>
7 write(3</w/.partial-a>, ""..., 10) = 10
7 fsync(3</w/.partial-a>) = 0
7 mkdir("/w/history", 0777) = 0
7 fsync(4</w>) = 0
7 rename("/w/.partial-a", "/w/manifest.parquet") = 0
7 fsync(4</w>) = 0
7 rename("/w/.partial-b", "/w/ledger.jsonl") = 0
7 fsync(4</w>) = 0
"""


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("", []),
        (r"7 fsync\(3.*\n", ["before its content is on the disk"]),
        (r"7 fsync\(4</w>\) = 0\n(?=7 rename\(\"/w/.partial-b)", ["before that is in its place for sure"]),
        (r"7 fsync\(4</w>\) = 0\n(?=$)", ["the name", "is not on the disk"]),
    ],
)
def test_a_wrong_order_is_seen(tmp_path: Path, left_out: str, said: list[str]) -> None:
    for name in ("manifest.parquet", "ledger.jsonl"):
        (tmp_path / name).touch()
    calls = re.sub(left_out, "", CALLS, count=1) if left_out else CALLS
    wrong, named = order.violations(calls.replace("/w", str(tmp_path)), tmp_path)
    assert named == 2
    assert bool(wrong) == bool(said)
    assert all(part in wrong[0] for part in said)


def test_losses_are_seen(one: Bench) -> None:
    reference = one.reference(IMPORT)
    put_back(one.state(IMPORT.state), one.place)
    ws = one.place / "ws"
    (ws / "notes.txt").unlink()
    (ws / "manifest.parquet").write_bytes(b"PAR1")
    (ws / "recipe.yaml").write_text("other")
    ledger = (ws / "ledger.jsonl").read_bytes()
    (ws / "ledger.jsonl").write_bytes(ledger[: len(ledger) // 2])
    found = checks.after_kill(reference, one.place, checks.snapshot(one.place))
    assert {line.split()[0] for line in found.lost} >= {"ws/notes.txt", "ws/manifest.parquet", "ws/recipe.yaml"}
    assert "ws/ledger.jsonl no longer begins as it did" in found.lost
    assert any("manifest.parquet" in line for line in found.corrupt)
