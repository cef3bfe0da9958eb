"""Settings of finders: what fits, and what is wrong with what does not."""

import sys

import pytest

from curate import findings
from curate.errors import UserError
from curate.findings import check_settings


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


def with_defaults(
    *, below: float = -1.0, nothing: str | None = None, range: tuple[float, float] = (0.1, 0.9), names: tuple = ("a",)
) -> None:
    """No finder, but its settings are such as one may have."""


@pytest.mark.parametrize(
    "values", [{"below": -2}, {"nothing": "text"}, {"nothing": None}, {"range": [0.2, 1]}, {"names": ["b", "c"]}]
)
def test_settings_of_other_kinds_that_fit(values: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings.registry, "functions", lambda package: {"with_defaults": with_defaults})
    check_settings({"with_defaults": values})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"below": float("nan")}, "with_defaults.below must be a number, not nan"),
        ({"range": 0.2}, r"range must be like its default \(0.1, 0.9\), not 0.2"),
        ({"range": [0.2, "b"]}, r"range must be like its default \(0.1, 0.9\), not 'b'"),
        ({"range": [-1, 1]}, "range must be a number from 0, not -1"),
    ],
)
def test_settings_of_other_kinds_that_do_not_fit(
    values: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings.registry, "functions", lambda package: {"with_defaults": with_defaults})
    with pytest.raises(UserError, match=message):
        check_settings({"with_defaults": values})


def test_a_finder_that_a_file_names_and_is_not_there_is_told_with_the_file() -> None:
    with pytest.raises(UserError, match=r"^ws/recipe.yaml: no finder is called 'outlyer'"):
        check_settings({"outlyer": {}}, "ws/recipe.yaml")
