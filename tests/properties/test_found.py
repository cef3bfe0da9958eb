"""What fuzzing found, each as it was mended: the inputs to the targets, and what is said now."""

import importlib
from pathlib import Path

import pytest

from curate import findings
from curate.augment.pipeline import from_dict, read_pipeline, steps
from curate.augment.upstream import albumentations
from curate.cli import options
from curate.decisions import check, empty, merge
from curate.errors import UserError
from curate.ingest import split_rule
from curate.labels import threshold
from tests.tables import decided, images

BOMB = "\n".join(
    ["- &a0 [HorizontalFlip, HorizontalFlip]"]
    + [f"- &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 9)]
)
"""Nine lines that come to 43 million transforms."""


@pytest.mark.parametrize(
    ("target", "data"),
    [
        ("decision_tables", b'image_id,action,"\r"\na,keep,\n'),  # a column named by a carriage return was lost
        ("decision_tables", b'image_id,"act\nion"\na,keep\n'),  # stood over two lines in the error
    ],
    ids=ascii,
)
def test_an_input_that_broke_a_readers_word(target: str, data: bytes) -> None:
    importlib.import_module(f"tests.fuzz.targets.{target}").one(data)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2026-13-45", "2026-13-45"),  # these were errors without a line of ours, or tracebacks
        ("!!bool x", "!!bool x"),
        ("!!timestamp x", "!!timestamp x"),
        ("!!int ''", "!!int ''"),
        ("0x_", "0x_"),
        ("9:" * 400 + "9.0", "9:" * 400 + "9.0"),
        ("1" * 5000, "1" * 5000),
        ("0x" + "f" * 5000, "0x" + "f" * 5000),
        ("[" * 2000, "[" * 2000),
        ("0x" + "f" * 8, 2**32 - 1),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_setting_that_yaml_falls_over_is_text(value: str, read: object) -> None:
    assert options.parse_settings([f"a={value}"]) == {"a": read}


@pytest.mark.parametrize("value", [10**400, float("inf"), float("nan"), -1], ids=["huge", "inf", "nan", "negative"])
def test_a_setting_that_is_no_number_from_0(value: float) -> None:
    with pytest.raises(UserError, match=r"dark\.limit must be a number from 0"):
        findings.check_settings({"dark": {"limit": value}})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("train=nan", "the shares of 'train=nan' add up to nan"),
        ("train=1,val=nan", "add up to nan"),
        ("train=inf,val=-inf", "add up to nan"),
        ("train=0.5,train=1", "names 'train' twice; add its shares up"),
        ("train=1.5,val=-0.5", "has a share below 0"),
    ],
)
def test_shares_that_are_none(text: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        split_rule.parse(text)


def test_a_budget_without_end() -> None:
    with pytest.raises(UserError, match="a whole number of images"):
        threshold.parse("budget=1" + "0" * 400)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("bomb.yaml", BOMB, "bomb.yaml: it comes to [0-9,]+ values, a pipeline at most to 100,000"),
        ("tag.yaml", "- Blur: {p: !!bool x}", "tag.yaml is neither JSON nor YAML: 'x'"),
        ("date.yaml", "- Blur: {p: 2026-13-45}", "date.yaml is neither JSON nor YAML: month"),
        ("name.yaml", '- Blur: {"a\\nb": 1}', r"Blur has no setting 'a\\nb'; it has p, blur_limit"),
        ("name.yaml", '- "a\\nb": 1', r"'a\\nb': 1; its settings have to be like"),
        ("large.json", "[" + " " * 1_000_000 + "]", "large.json has 1,000,002 bytes, a pipeline at most 1,000,000"),
    ],
    ids=["values", "tag", "date", "setting", "transform", "bytes"],
)
def test_a_pipeline_that_is_none(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=says) as error:
        steps(read_pipeline(tmp_path / name))
    assert "\n" not in str(error.value)


def test_a_pipeline_of_nothing_that_draws_without_end() -> None:
    a = albumentations()
    with pytest.raises(UserError, match="draws more than 65,536 times"):
        steps(a.Compose([a.Sequential([a.NoOp()] * 300)] * 300))
    assert steps(from_dict(["NoOp"] * 100)) == []


def test_what_an_error_about_decisions_shows_is_short_and_on_one_line() -> None:
    there = images(("a", "train", "c\nat"), ("b", "train", "dog"))
    with pytest.raises(UserError, match=r"there are: 'c\\nat', dog; write one of these, or take the row out$"):
        check(decided(("a", "relabel", "x")), there, "decisions.csv")
    with pytest.raises(UserError, match="not in this manifest") as error:
        check(decided(("x" * 100_000, "drop")), there, "decisions.csv")
    assert len(str(error.value)) < 400
    assert len(merge(empty(), check(decided(("a", "keep")), there, ""), by="ada", at="")) == 1
