"""How finders fill the findings: results as tables, what they are given, and the store that makes scans pay once."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from curate import findings, measure, verbs
from curate.engine import Local
from curate.errors import UserError
from curate.evidence import Evidence
from curate.findings import scan, select
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
        (pd.DataFrame({"row": [0, 1], "score": [0.2, 0.1], "flagged": [None, False]}), [("b", 0.1, 0), ("a", 0.2, 1)]),
        (pd.DataFrame({"row": [1], "score": [0.2], "group": [None], "suggested_label": [None]}), [("b", 0.2, True)]),
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


FINE = {"row": [0, 1], "score": [0.1, 0.2]}


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.zeros(2), r"finder 'check' gave scores of shape \(2,\) for 3 images"),
        (None, r"gave scores of shape \(\) for 3 images"),
        (
            ["bad", "fine", "fine"],
            "gave .'bad', 'fine', 'fine'. as scores; a score is one number, from 1 for fine to 0",
        ),
        ([0, 55, 0], "gave the score 55; a score is"),
        ([-5, 0, 0], "gave the score -5; a score is"),
        ([0, -np.inf, 0], "gave the score -inf; a score is"),
        (pd.DataFrame({"score": [0.1]}), "gave a table without the column 'row'"),
        (pd.DataFrame({"row": [0]}), "gave a table without the column 'score'"),
        (pd.DataFrame(FINE | {"sugested_label": "a"}), "no column is called 'sugested_label' .did you mean 'sugg"),
        (pd.DataFrame(FINE | {"score": [0.1, 55]}), "gave the score 55"),
        (pd.DataFrame(FINE | {"row": [0, -1]}), "gave the row -1; there are 0 to 2"),
        (pd.DataFrame(FINE | {"row": [0, 500]}), "gave the row 500; there are 0 to 2"),
        (pd.DataFrame(FINE | {"row": [0, 0.5]}), "gave the row 0.5; there are"),
        (pd.DataFrame(FINE | {"row": [1, 1]}), "gave row 1 twice"),
        (pd.DataFrame(FINE | {"flagged": ["no", True]}), "gave 'no' as flagged; it has to be true or false"),
        (pd.DataFrame(FINE | {"group": [0.5, 1]}), "gave 0.5 as group; it has to be a whole number"),
        (pd.DataFrame(FINE | {"suggested_label": [None, 3]}), "gave 3.0 as suggested_label; it has to be a text"),
        (pd.DataFrame(FINE | {"suggested_prob": [2, 0]}), "gave 2 as suggested_prob; it has to be from 0 to 1"),
    ],
)
def test_what_no_finder_may_give_is_named(result: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(result)


def test_what_a_finder_does_to_its_arguments_the_next_does_not_see() -> None:
    def first(manifest: pd.DataFrame, classes: list[str]) -> np.ndarray:
        manifest["label"] = "x"
        classes.append("x")
        return np.ones(len(manifest))

    def second(manifest: pd.DataFrame, classes: list[str]) -> np.ndarray:
        assert manifest["label"].to_list() == ["cat", "dog", "cat"]
        assert classes == ["cat", "dog"]
        return np.ones(len(manifest))

    def third(labels: np.ndarray) -> np.ndarray:
        labels[:] = 0
        return np.ones(len(labels))

    evidence = Evidence(Workspace(Path("unused")), IMAGES)
    scan(evidence, {"first": first, "second": second}, {})
    with pytest.raises(ValueError, match="read-only"):
        scan(evidence, {"third": third}, {})


@pytest.mark.parametrize("others", ["side", "labels, classes"])
def test_an_image_beside_other_parameters_is_told(others: str) -> None:
    function = eval(f"lambda image, {others}: 1.0")
    with pytest.raises(UserError, match=rf"asks for pixels beside other things \({others}\); settings come after a"):
        scan(Evidence(Workspace(Path("unused")), IMAGES), {"f": function}, {})


def test_no_finders() -> None:
    table = scan(Evidence(Workspace(Path("unused")), IMAGES), {}, {})
    assert table.dtypes.equals(findings.empty().dtypes)


# Which finders run, and with what


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


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0.1, 0.2], "finder 'odd' gave .0.1, 0.2. of an image; a score is one number"),
        (None, "finder 'odd' gave None of an image"),
        ("bad", "finder 'odd' gave 'bad' of an image"),
        (55.0, "finder 'odd' gave 55.0 of an image"),
    ],
)
def test_a_score_that_is_none_is_not_kept(workspace: Workspace, table: pd.DataFrame, value: Any, message: str) -> None:
    def odd(gray: np.ndarray) -> object:
        return value

    with pytest.raises(UserError, match=message):
        scan(Evidence(workspace, table, Local(1)), {"odd": odd}, {})
    assert parts(workspace) == []


def test_finders_and_signals_are_measured_in_one_pass(
    workspace: Workspace, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    usual = measure.decode
    monkeypatch.setattr(measure, "decode", lambda data: decoded.append(1) or usual(data))
    chosen = {"mean_gray": mean_gray, "by_tones": lambda tones: np.ones(len(tones))}
    scan(Evidence(workspace, table, Local(1)), chosen, {})
    assert len(decoded) == 40


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
