"""Which scans the findings are from."""

import pytest

from curate import scans
from curate.workspace import FINDINGS, Entry


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
