"""Which scans the findings are from."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from curate import finders, predictions, registry, scans, verbs
from curate.engine import Local
from curate.errors import UserError
from curate.ingest.add import add
from curate.signals import tones
from curate.workspace import FINDINGS, MANIFEST, Entry, Workspace, read_table
from tests.conftest import write_digits


def entry(version: int, command: str, wrote: str = "", only: list[str] | None = None, **more: object) -> Entry:
    return Entry(version, "", command, {"only": only, **more}, {}, {FINDINGS: wrote} if wrote else {})


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
        ([entry(1, "scan", "a", ran={"dark": ""})], "a", {"dark": 1}),  # split_leak came with a later version of curate
        (
            [entry(1, "scan", "a", ran={"dark": ""}), entry(2, "scan", "b", ["split_leak"], ran={"split_leak": ""})],
            "b",
            {"dark": 1, "split_leak": 2},
        ),
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
    assert scans.warnings(workspace) == []
    write_digits(tmp_path / "more", 8, first=50)
    add(workspace, tmp_path / "more")
    assert "images were added or changed since the last scan: 'curate scan" in scans.warnings(workspace)[0]
    verbs.scan(workspace, only=["dark"], settings={}, engine=Local())
    warned = scans.warnings(workspace)
    assert len(warned) == 1
    assert "exact_duplicate" in warned[0]
    assert "dark" not in warned[0]


def test_damaged_predictions_are_told_before_anything_is_published(workspace: Workspace) -> None:
    path = workspace.root / predictions.FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(b"junk")
    with pytest.raises(UserError, match="run 'curate predict' again"):
        verbs.scan(workspace, only=["dark"], settings={}, engine=Local())
    assert [entry.command for entry in workspace.ledger()] == ["add"]
    with pytest.raises(UserError, match="run 'curate predict' again"):
        scans.unsure(
            workspace, "ws", ["label_error"], {"label_error": entry(1, "scan")}, read_table(workspace.path(MANIFEST))
        )


def test_a_finder_that_came_since_the_scan_has_not_run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        found = registry.functions(finders)
        del found["blurry"]
        earlier.setattr(registry, "functions", registered(finders, found))
        verbs.scan(workspace, only=None, settings={}, engine=Local())
    assert list(scans.not_run(workspace, "ws", ["dark", "blurry"], scans.of(workspace))) == ["blurry"]


def test_findings_of_a_finder_that_is_gone_stop_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    verbs.scan(workspace, only=None, settings={}, engine=Local())
    found = registry.functions(finders)
    del found["blurry"]
    monkeypatch.setattr(registry, "functions", registered(finders, found))
    assert scans.warnings(workspace) == []


@pytest.mark.parametrize(
    ("recipe", "at_once", "named"),
    [
        ("scan: {dark: {limit: 0.2}}", {}, ["dark"]),
        ("scan: {dark: {limit: 0.2}, split_leak: {probability: 0.9}}", {}, ["dark", "split_leak"]),
        ("summary: the same settings", {}, []),
        ("summary: the same settings", {"dark": {"limit": 0.2}}, []),  # `--set` is for once
    ],
)
def test_other_settings_in_the_recipe_make_findings_old(
    workspace: Workspace, recipe: str, at_once: dict[str, dict[str, object]], named: list[str]
) -> None:
    verbs.scan(workspace, only=None, settings=at_once, engine=Local())
    workspace.path("recipe.yaml").write_text(f"name: ours\n{recipe}\n")
    warned = scans.warnings(workspace)
    told = f"the recipe's settings, or curate, have changed since {', '.join(named)} ran"
    assert [told in line for line in warned] == [True] * bool(named)
    verbs.scan(workspace, only=None, settings={}, engine=Local())
    assert scans.warnings(workspace) == []


def test_another_version_of_a_signal_makes_findings_old(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    verbs.scan(workspace, only=None, settings={}, engine=Local())
    monkeypatch.setattr(tones, "VERSION", tones.VERSION + 1)
    (warned,) = scans.warnings(workspace)
    assert "have changed since dark" in warned
    assert "exact_duplicate" not in warned


def registered(package: ModuleType, functions: dict[str, Callable]) -> Callable[[ModuleType], dict[str, Callable]]:
    """`registry.functions` with others for one package."""
    usual = registry.functions
    return lambda asked: dict(functions) if asked is package else usual(asked)
