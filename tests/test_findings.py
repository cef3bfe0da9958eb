"""How finders fill the findings: their results as tables, settings, and the store that makes scans pay once."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import findings, measure, verbs
from curate.engine import Local
from curate.errors import UserError
from curate.evidence import Evidence
from curate.findings import check_settings, scan, select
from curate.measure import Measure
from curate.workspace import FINDINGS, MANIFEST, Workspace, read_table
from tests.tables import found, images

IMAGES = images(("a", "train", "cat"), ("b", "train", "dog"), ("c", "test", "cat"))
calls: list[float] = []


def mean_gray(gray: np.ndarray, *, scale: float = 255.0) -> float:
    """Brightness."""
    calls.append(scale)
    return float(min(1, gray.mean() / scale))


def corner(image: np.ndarray) -> np.ndarray:
    """The first pixel."""
    return image[0, 0].astype(np.float32)


def never(gray: np.ndarray) -> float:
    """Nothing to say."""
    return float("nan")


def run(result: object) -> pd.DataFrame:
    """What a whole-set finder that returns `result` makes of three images."""
    return scan(Evidence(Workspace(Path("unused")), IMAGES), {"check": lambda manifest: result}, {})


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([1, 1, 1], []),
        ([np.nan, np.nan, np.nan], []),
        ([0.9, np.nan, 1], [("a", 0.9, False)]),
        ([0.5, 0.2, 0], [("c", 0, True), ("b", 0.2, True), ("a", 0.5, False)]),
        ([0.3, 0.3, 0.3], [("a", 0.3, True), ("b", 0.3, True), ("c", 0.3, True)]),
        ([0, 1, 1], [("a", 0, True)]),
        (pd.DataFrame({"row": [2], "score": [0.9], "flagged": [True]}), [("c", 0.9, True)]),
        (pd.DataFrame({"row": [2, 0], "score": [0.1, np.nan]}), [("c", 0.1, True)]),
        (pd.DataFrame({"row": [], "score": []}), []),
        (pd.DataFrame({"row": [1, 1], "score": [0.2, 0.1]}), [("b", 0.1, True), ("b", 0.2, True)]),
    ],
)
def test_results_of_finders(scores: object, expected: list[tuple[str, float, bool]]) -> None:
    table = run(np.asarray(scores) if isinstance(scores, list) else scores)
    assert table.columns.to_list() == list(findings.COLUMNS)
    assert table.dtypes.astype(str).to_dict() == findings.empty().dtypes.astype(str).to_dict()
    rows = list(zip(table["image_id"], table["score"].round(6).to_list(), table["flagged"], strict=True))
    assert rows == [(image_id, pytest.approx(score, abs=1e-6), flagged) for image_id, score, flagged in expected]
    assert (table["finder"] == "check").all()
    assert table.index.to_list() == list(range(len(table)))
    assert (table["group"] == -1).all()
    assert (table[["related_id", "suggested_label", "detail"]] == "").all(axis=None)


def test_a_result_of_another_length_is_our_bug() -> None:
    with pytest.raises(AssertionError, match=r"check gave \(2,\) scores for 3 images"):
        run(np.zeros(2))


def test_no_finders() -> None:
    table = scan(Evidence(Workspace(Path("unused")), IMAGES), {}, {})
    assert table.dtypes.equals(findings.empty().dtypes)


# Settings


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"outlier": {}},
        {"outlier": {"neighbours": 3}},
        {"outlier": {"fence": 2}},
        {"outlier": {"neighbours": 0}},
        {"outlier": {"fence": sys.float_info.max}},
        {"label_error": {"filter_by": "both"}},
    ],
)
def test_settings_that_fit(settings: dict[str, dict[str, object]]) -> None:
    check_settings(settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"outlyer": {}}, "no finder is called 'outlyer' .did you mean 'outlier'..; there are: .*outlier"),
        (
            {"outlier": {"neighbors": 3}},
            "no setting of outlier is called 'neighbors' .did you mean 'neighbours'..; there are: fence, neighbours",
        ),
        ({"outlier": {"": 3}}, "no setting of outlier is called ''"),
        ({"outlier": {"neighbours": 3.5}}, "outlier.neighbours must be like its default 10, not 3.5"),
        ({"outlier": {"neighbours": True}}, "must be like its default 10, not True"),
        ({"outlier": {"neighbours": "3"}}, "must be like its default 10, not '3'"),
        ({"outlier": {"neighbours": None}}, "must be like its default 10, not None"),
        ({"outlier": {"fence": [1]}}, r"must be like its default 3.0, not \[1\]"),
        ({"label_error": {"filter_by": 1}}, "must be like its default"),
        ({"outlier": {"neighbours": -1}}, "outlier.neighbours must be a number from 0, not -1"),
        ({"outlier": {"fence": float("nan")}}, "outlier.fence must be a number from 0, not nan"),
        ({"dark": {"limit": float("inf")}}, "dark.limit must be a number from 0, not inf"),
    ],
)
def test_settings_that_do_not_fit_are_named(settings: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_settings(settings)


@pytest.mark.parametrize("only", [["outlyer"], ["outlier", "outlyer"], [""]])
def test_finder_that_does_not_exist_is_named(only: list[str]) -> None:
    with pytest.raises(UserError, match="no finder is called"):
        select(only, have_predictions=True)


def by_setting(manifest: pd.DataFrame, *, value: float = 0.5) -> np.ndarray:
    """A finder of the whole set."""
    return np.full(len(manifest), value)


def test_a_scan_gives_finders_their_settings(workspace: Workspace) -> None:
    rows = read_table(workspace.path(MANIFEST))
    evidence = Evidence(workspace, rows, Local(1))
    chosen = {"mean_gray": mean_gray, "by_setting": by_setting}
    plain = scan(evidence, chosen, {})
    assert plain.index.to_list() == list(range(80))
    assert plain["finder"].to_list() == ["mean_gray"] * 40 + ["by_setting"] * 40
    measured = measure.measure(workspace, rows, [Measure(mean_gray)], engine=Local(1))["mean_gray"]
    np.testing.assert_allclose(plain["score"][:40], np.sort(measured.astype(np.float32)))
    assert plain["score"].dtype == np.float32


def test_settings_reach_a_finder(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "check_settings", lambda settings: None)
    evidence = Evidence(workspace, read_table(workspace.path(MANIFEST)), Local(1))
    calls.clear()
    chosen = {"mean_gray": mean_gray, "by_setting": by_setting}
    table = scan(evidence, chosen, {"mean_gray": {"scale": 300.0}, "by_setting": {"value": 0.25}})
    assert set(calls) == {300.0}
    assert set(table["score"][table["finder"] == "by_setting"]) == {0.25}


FOUND = pd.concat([found(("a", "dark", 0.1), ("b", "outlier", 0.2)), found(("c", "pseudo_label", 0.3))])


@pytest.mark.parametrize(
    ("chosen", "only", "expected"),
    [
        (["dark"], True, ["b", "c"]),
        (["dark"], False, ["c"]),  # what runs unasked and did not run is of an earlier scan
        (["dark", "outlier"], False, ["c"]),
        (["pseudo_label"], True, ["a", "b"]),
        ([], True, ["a", "b", "c"]),
    ],
)
def test_which_earlier_findings_stay(chosen: list[str], only: bool, expected: list[str]) -> None:
    new = found(("a", "dark", 0.2))
    merged = findings.merged(FOUND, new, chosen, IMAGES, only=only)
    assert merged["image_id"].to_list() == [*expected, "a"]
    assert merged["score"].iloc[-1] == np.float32(0.2)


def test_findings_of_images_that_are_gone_do_not_stay() -> None:
    assert findings.merged(FOUND, findings.empty(), [], IMAGES.iloc[1:], only=True)["image_id"].to_list() == ["b", "c"]


def test_finders_that_need_predictions_wait_for_them() -> None:
    assert "dark" in select(None, have_predictions=False)
    assert not {"outlier", "label_error"} & set(select(None, have_predictions=False))
    assert {"outlier", "label_error"} <= set(select(None, have_predictions=True))
    assert list(select(["outlier", "outlier"], have_predictions=False)) == ["outlier"]


def test_asking_for_predictions_that_are_not_there_names_the_verb(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="has no predictions; 'curate predict"):
        verbs.scan(workspace, only=["outlier"], settings={}, engine=Local(1))
    assert not workspace.has(FINDINGS)


# The store


@pytest.fixture
def table(workspace: Workspace) -> pd.DataFrame:
    calls.clear()
    return read_table(workspace.path(MANIFEST))


def parts(workspace: Workspace) -> list[str]:
    return sorted(str(path.relative_to(workspace.root / "signals")) for path in workspace.root.glob("signals/*/*/*"))


def test_each_image_is_measured_once_per_setting(workspace: Workspace, table: pd.DataFrame) -> None:
    plain, dimmer = Measure(mean_gray), Measure(mean_gray, (("scale", 100.0),))
    first = measure.measure(workspace, table, [plain], engine=Local(1))["mean_gray"]
    assert first.shape == (40,)
    assert len(calls) == 40
    assert np.array_equal(measure.measure(workspace, table[::-1], [plain], engine=Local(1))["mean_gray"], first[::-1])
    assert len(calls) == 40
    other = measure.measure(workspace, table, [dimmer], engine=Local(1))["mean_gray"]
    assert calls[40:] == [100.0] * 40
    assert (other > first).all()
    assert np.array_equal(measure.measure(workspace, table, [plain], engine=Local(1))["mean_gray"], first)
    assert len(calls) == 80
    assert plain.version != dimmer.version != Measure(mean_gray, (("scale", 101.0),)).version


def test_only_new_images_are_measured(workspace: Workspace, table: pd.DataFrame) -> None:
    measure.measure(workspace, table[:30], [Measure(mean_gray)], engine=Local(1))
    assert len(calls) == 30
    values = measure.measure(workspace, table, [Measure(mean_gray), Measure(corner)], engine=Local(1))
    assert values["corner"].shape == (40, 3)
    assert not np.isnan(values["mean_gray"]).any()
    assert len(parts(workspace)) == 3


def test_a_version_in_the_module_makes_values_anew(
    workspace: Workspace, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure.measure(workspace, table, [Measure(mean_gray)], engine=Local(1))
    monkeypatch.setattr(f"{__name__}.VERSION", 2, raising=False)
    measure.measure(workspace, table, [Measure(mean_gray)], engine=Local(1))
    assert len(calls) == 80
    assert [part.split("/")[1] for part in parts(workspace)] == ["v1", "v2"]


def test_images_without_a_value(workspace: Workspace, table: pd.DataFrame) -> None:
    table.loc[0, "error"] = "truncated PNG"
    table.loc[1, "content_hash"] = "of another file"
    table.loc[2, "path"] = str(workspace.root / "missing.png")
    values = measure.measure(workspace, table, [Measure(mean_gray), Measure(never)], engine=Local(1))
    assert np.isnan(values["mean_gray"]).tolist() == [True] * 3 + [False] * 37
    assert np.isnan(values["never"]).all()


def test_nothing_to_measure(workspace: Workspace, table: pd.DataFrame) -> None:
    assert measure.measure(workspace, table[:0], [Measure(mean_gray)], engine=Local(1))["mean_gray"].shape == (0,)
    assert measure.measure(workspace, table, [], engine=Local(1)) == {}


def test_temporary_and_removed_parts(workspace: Workspace, table: pd.DataFrame) -> None:
    for end in (10, 20, 30):
        measure.measure(workspace, table[:end], [Measure(mean_gray)], engine=Local(1))
    folder = workspace.root / "signals" / "mean_gray" / "v1"
    (folder / ".partial-x.parquet").write_bytes(b"half a part")
    (folder / "part-00001.parquet").unlink()
    last = (folder / "part-00003.parquet").read_bytes()
    measure.measure(workspace, table, [Measure(mean_gray)], engine=Local(1))
    assert (folder / "part-00003.parquet").read_bytes() == last
    assert len(calls) == 30 + 20


def test_whole_numbers_in_one_part_and_fractions_in_the_next(workspace: Workspace, table: pd.DataFrame) -> None:
    item = Measure(mean_gray)
    measure._write_part(workspace.root, item, ["x"], [1])
    measure._write_part(workspace.root, item, ["y"], [0.5])
    values = measure._align(workspace.root, item, pd.Series(["y", "x", "z"]))
    np.testing.assert_array_equal(values, [0.5, 1.0, np.nan])


def test_damaged_part_is_named(workspace: Workspace, table: pd.DataFrame) -> None:
    measure.measure(workspace, table, [Measure(mean_gray)], engine=Local(1))
    (workspace.root / "signals" / "mean_gray" / "v1" / "part-00001.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(UserError, match=r"part-00001\.parquet is damaged; delete it"):
        measure.measure(workspace, table, [Measure(mean_gray)], engine=Local(1))


def test_whoever_asks_for_predictions_through_a_signal_waits_for_them() -> None:
    def learned_late(training_margin: np.ndarray, *, limit: float = 0.1) -> np.ndarray:
        return np.where(training_margin < limit, 0.1, 1.0)

    def small(thumbnail: np.ndarray) -> np.ndarray:
        return np.ones(len(thumbnail))

    assert findings.needs_predictions(learned_late)
    assert not findings.needs_predictions(small)
