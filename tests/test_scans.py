"""Which scans the findings are from."""

from pathlib import Path

import pytest

from curate import scans, verbs
from curate.engine import Local
from curate.ingest.add import add
from curate.workspace import FINDINGS, Entry, Workspace
from tests.conftest import write_digits


def entry(version: int, command: str, wrote: str = "", only: list[str] | None = None) -> Entry:
    return Entry(version, "", command, {"only": only}, {}, {FINDINGS: wrote} if wrote else {})


@pytest.mark.parametrize(
    ("entries", "digest", "ran"),
    [
        ([], "", {}),
        ([entry(1, "add")], "", {}),
        ([entry(1, "scan", "a")], "a", {"dark": 1, "split_leak": 1}),
        ([entry(1, "scan", "a")], "b", {}),  # changed since, and not by a verb
        ([entry(1, "scan", "a", ["dark"])], "a", {"dark": 1}),
        ([entry(1, "scan", "a"), entry(2, "scan", "b", ["dark"])], "b", {"dark": 2, "split_leak": 1}),
        ([entry(1, "scan", "a"), entry(2, "scan")], "a", {"dark": 2, "split_leak": 2}),  # found the same
        ([entry(1, "scan", "a", ["label_error"]), entry(2, "scan", "b")], "b", {"dark": 2, "split_leak": 2}),
        ([entry(1, "predict"), entry(2, "scan", "a")], "a", {"dark": 2, "label_error": 2, "split_leak": 2}),
        ([entry(1, "scan", "a"), entry(2, "predict")], "a", {"dark": 1, "split_leak": 1}),
        ([entry(1, "scan", "a"), entry(2, "select", "b")], "b", {"dark": 1, "split_leak": 1}),
        ([entry(1, "scan", "a"), entry(2, "edit", "b")], "b", {}),
        (
            [entry(1, "scan", "a"), entry(2, "scan", "b", ["dark"]), entry(3, "restore", "a")],
            "a",
            {"dark": 1, "split_leak": 1},
        ),
    ],
)
def test_the_scans_behind_the_findings(entries: list[Entry], digest: str, ran: dict[str, int]) -> None:
    behind = scans.behind(entries, digest)
    some = ("dark", "split_leak", "label_error")
    assert {name: behind[name].version for name in some if name in behind} == ran


def test_findings_older_than_the_images_are_told_finder_by_finder(workspace: Workspace, tmp_path: Path) -> None:
    """A later scan of one finder alone makes only that one's findings new."""
    verbs.scan(workspace, only=None, settings={}, engine=Local())
    assert verbs.stale(workspace) == []
    write_digits(tmp_path / "more", 8, first=50)
    add(workspace, tmp_path / "more")
    assert "images were added or changed since the last scan: 'curate scan" in verbs.stale(workspace)[0]
    verbs.scan(workspace, only=["dark"], settings={}, engine=Local())
    warned = verbs.stale(workspace)
    assert len(warned) == 1
    assert "exact_duplicate" in warned[0]
    assert "dark" not in warned[0]
