"""Runs as a table: filtered, sorted, and with the settings in which they differ."""

from dataclasses import replace
from pathlib import Path

import pytest

from curate.errors import UserError
from curate.results import run_table, runs
from tests.made_runs import by_letters, make_run


@pytest.fixture
def several(tmp_path: Path) -> list[runs.Run]:
    none = {"values": [float("nan")], "mean": float("nan"), "half_width": None}
    return [
        replace(
            make_run(tmp_path, "a", by_letters("ccdd", "cddd"), config={"lr": 0.8}, leak_free_images=60), data="raw"
        ),
        replace(make_run(tmp_path, "b", by_letters("cddd"), config={"lr": 0.1, "flip": True}), data="curated"),
        replace(make_run(tmp_path, "c", by_letters("cccc"), config={"lr": None}, accuracy=none), data="curated"),
    ]


@pytest.mark.parametrize(
    ("conditions", "sort", "names"),
    [
        ([], None, "abc"),
        (["data=curated"], None, "bc"),
        (["data=curated", "seeds=1", "lr<0.5"], None, "b"),
        (["data!=curated"], None, "a"),
        (["accuracy>80%"], None, "a"),
        (["accuracy > 0.8"], None, "a"),
        (["accuracy>=0.75"], None, "ab"),
        (["accuracy=none"], None, "c"),
        (["accuracy!=none"], None, "ab"),
        (["lr!=0.8"], None, "bc"),
        (["lr=none"], None, "c"),
        (["flip=TRUE"], None, "b"),
        (["seeds>=2"], None, "a"),
        (["leak_free_images>=50"], None, "a"),
        (["leak_free_images>60"], None, ""),
        (["leak_free>=0.5"], None, ""),
        (["name=nobody"], None, ""),
        ([], "accuracy", "bac"),
        ([], "-accuracy", "abc"),
        ([], "lr", "bac"),
        ([], "-name", "cba"),
        ([], "-seeds", "abc"),
    ],
)
def test_runs_filtered_and_sorted(several: list[runs.Run], conditions: list[str], sort: str | None, names: str) -> None:
    assert "".join(row.name for row in run_table.rows(several, conditions=conditions, sort=sort)) == names


@pytest.mark.parametrize(
    ("conditions", "sort", "says"),
    [
        (["acc=1"], None, "no column or setting is called 'acc'; there are: "),
        ([], "-acc", "no column or setting is called 'acc'; there are: "),
        (["data"], None, "--filter 'data' must be NAME=VALUE"),
        (["lr>fast"], None, "lr is a number, and 'fast' is none"),
        (["accuracy>96"], None, "accuracy lies between 0 and 1; write 0.96 or 96%"),
        (["accuracy_half_width<2"], None, "accuracy_half_width lies between 0 and 1; write 0.02 or 2%"),
        (["calibration_error<5"], None, "calibration_error lies between 0 and 1; write 0.05 or 5%"),
    ],
)
def test_slips_in_filters(several: list[runs.Run], conditions: list[str], sort: str | None, says: str) -> None:
    with pytest.raises(UserError, match=says.replace("(", r"\(")):
        run_table.rows(several, conditions=conditions, sort=sort)


def test_settings_that_differ_are_listed(several: list[runs.Run]) -> None:
    listed = run_table.for_people(run_table.rows(several))
    assert [row["settings"] for row in listed] == ["flip=None, lr=0.8", "flip=True, lr=0.1", "flip=None, lr=None"]
    assert [row["accuracy"] for row in listed] == ["87.50 ± 10.00 %", "75.00 %", ""]
    assert "settings" not in run_table.for_people(run_table.rows(several[:1]))[0]
