"""Keys and buttons of the sheet do what they say, and it is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from curate import deciding, tables
from curate.csv_text import write_csv
from curate.review import asking, verb, verdicts
from curate.review.twins import groups
from tests.review.sheet.asked import question, write
from tests.review.sheet.page import current, decided, press, saved
from tests.review.small import workspace

pytest_plugins = ["tests.review.browser"]
KEYS = [
    ("accept takes the suggestion", ["a"], {"l3": "7"}, "l1"),
    ("not a problem", ["n"], {"l3": "keep"}, "l1"),
    ("drop", ["d", "d"], {"l3": "drop", "l1": "drop"}, "l2"),
    ("capitals without shift", ["n", "CapsLock", "A"], {"l3": "keep", "l1": "7"}, "l2"),
    ("arrows", ["ArrowRight", "n", "ArrowLeft", "d"], {"l1": "drop"}, "l2"),
    ("down and up", ["ArrowDown", "n", "ArrowUp", "a"], {"m1": "keep", "l1": "7"}, "l2"),
    ("to the next cluster and back", ["j", "n", "Shift+J", "d"], {"m1": "keep", "l3": "drop"}, "l1"),
    ("ends of a cluster", ["End", "Home", "n", "End", "d"], {"l3": "keep", "l4": "drop"}, "m1"),
    ("the whole, but the odd one", ["Shift+A"], {"l1": "7", "l2": "7", "l4": "7"}, "m1"),
    ("the whole, the odd one before", ["d", "Shift+N"], {"l3": "drop", "l1": "keep", "l2": "keep", "l4": "keep"}, "m1"),
    ("the whole of what is left", ["j", "ArrowRight", "n", "Shift+J", "Shift+D"], {"m1": "drop", "m2": "keep"}, "d1"),
    ("what has no suggestion stays", ["j", "Shift+A"], {"m2": "bird"}, "d1"),
    ("nothing is suggested", ["j", "a", "n"], {"m1": "keep"}, "m2"),
    ("this one of the group", ["j", "j", "ArrowRight", "k"], {"d1": "drop", "d2": "keep", "d3": "drop"}, "o1"),
    ("the test twin stays, all others go", ["j", "j", "End", "k"],
     {"d1": "drop", "d2": "drop", "d3": "drop", "twin": "keep"}, "o1"),
    ("what is to compare takes no answer", ["j", "j", "End", "d", "Home", "n"], {"d1": "keep"}, "d2"),
    ("keep this one is for groups", ["k", "n"], {"l3": "keep"}, "l1"),
    ("undo", ["a", "n", "u"], {"l3": "7"}, "l1"),
    ("undo of a whole cluster", ["d", "Shift+A", "u"], {"l3": "drop"}, "l1"),
    ("undo of a group", ["n", "j", "j", "k", "u"], {"l3": "keep"}, "d1"),
    ("what was kept can be answered anew", ["j", "j", "End", "k", "Shift+J", "End", "d"],
     {"d1": "drop", "d2": "drop", "d3": "drop", "twin": "drop"}, "o1"),
    ("another answer, and back", ["n", "ArrowLeft", "d", "u"], {"l3": "keep"}, "l3"),
    ("undo without end", [*"nnnn", "Shift+D", *"uuuuuuu", "d"], {"l3": "drop"}, "l1"),
    ("undo of a note", ["n", "ArrowLeft", "o", "'x'", "Enter", "u", "u", "d"], {"l3": "drop"}, "l1"),
    ("relabel", ["r", "'bi'", "Enter"], {"l3": "bird"}, "l1"),
    ("relabel, the second", ["r", "'bi'", "ArrowDown", "Enter"], {"l3": "big bird"}, "l1"),
    ("relabel by another word", ["r", "'g b'", "Enter"], {"l3": "big bird"}, "l1"),
    ("relabel, suggested first", ["r", "Enter"], {"l3": "7"}, "l1"),
    ("relabel to what it is", ["r", "'1'", "Enter"], {"l3": "keep"}, "l1"),
    ("no relabel", ["r", "'bi'", "Escape", "n"], {"l3": "keep"}, "l1"),
    ("no class is called so", ["r", "'xyz'", "Enter", "Escape", "n"], {"l3": "keep"}, "l1"),
    ("letters in a note are no keys", ["n", "ArrowLeft", "Enter", "'add'", "Enter"], {"l3": "keep"}, "l3"),
    ("help and out", ["?", "d", "Escape", "n"], {"l3": "keep"}, "l1"),
    ("with control it is the browser's", ["Control+a", "n"], {"l3": "keep"}, "l1"),
    ("to the end and on with what is left", ["j", "j", "j", "d", "d"], {"o1": "drop", "o2": "drop"}, "l3"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "expected", "then"), [case[1:] for case in KEYS], ids=[case[0] for case in KEYS])
def test_keys(small: Path, open_page: Callable[..., Any], keys: list[str], expected: dict[str, str], then: str) -> None:
    page = open_page(small)
    press(page, *keys)
    assert current(page) == then
    assert page.evaluate("document.activeElement.dataset.row") == page.locator(
        '[aria-selected="true"].shot'
    ).get_attribute("data-row")
    assert decided(page) == expected


def test_buttons_do_what_keys_do(small: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(small, has_touch=True)
    page.wait_for_selector("html[data-ready]")
    answer = page.get_by_role("group", name="Your answer")
    answer.get_by_role("button", name="Accept: 7").tap()
    answer.get_by_role("button", name="Not a problem").click()
    answer.get_by_role("button", name="Drop").click()
    answer.get_by_role("button", name="Undo").click()
    answer.get_by_role("button", name="Relabel to…").click()
    page.get_by_role("option", name="a,b", exact=True).click()
    page.locator(".shot").nth(7).click()
    answer.get_by_role("button", name="Keep this one").click()
    page.get_by_role("button", name="Drop all in 1 → 7").click()
    assert decided(page) == {
        "l3": "7", "l1": "keep", "l2": "a,b", "d1": "drop", "d2": "keep", "d3": "drop", "l4": "drop"
    }  # fmt: skip
    page.get_by_role("button", name="Help and keys").click()
    page.get_by_role("button", name="Close").last.click()
    assert not page.locator("dialog[open]").count()


def test_what_is_said(small: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(small)
    live = page.locator("#said[aria-live=polite]")
    press(page, "Shift+A")
    assert live.inner_text() == "3 accepted, 1 odd one left"
    press(page, "u")
    assert live.inner_text() == "undone: 3 answers taken back"
    press(page, "r", "'bird'", "Enter")
    assert live.inner_text() == "relabelled to bird"
    press(page, "j", "Shift+A")
    assert live.inner_text() == "1 accepted, 1 without a suggestion left"
    press(page, "ArrowRight", "k")
    assert live.inner_text() == "this one kept, 2 others dropped"


GROUP = [
    ("of two, the other is only shown", ["k"], {"a": "keep", "b": "drop"}),
    ("the one that is only shown is kept", ["End", "ArrowLeft", "k"], {"a": "drop", "b": "keep"}),
    ("test images stay", ["ArrowRight", "k"], {"a": "drop", "asked of test": "keep", "b": "drop"}),
    ("the other one after all", ["k", "Shift+J", "End", "ArrowLeft", "k"], {"a": "drop", "b": "keep"}),
    ("nothing of it", ["k", "u"], {}),
]


@pytest.mark.parametrize(("keys", "expected"), [case[1:] for case in GROUP], ids=[case[0] for case in GROUP])
def test_one_of_a_group_is_kept_as_in_the_app(
    tmp_path: Path, open_page: Callable[..., Any], keys: list[str], expected: dict[str, str]
) -> None:
    """All others go, also those that are shown for comparison alone, but none of the test split."""
    rows = [
        question("d", "a", kind="duplicates"),
        question("d", "asked of test", kind="duplicates", split="test"),
        question("d", "b", kind="duplicates", asked=False),
        question("d", "of test", kind="duplicates", asked=False, split="test"),
        question("z", "z"),
    ]
    write(pd.DataFrame(rows), tmp_path / "sheet.html")
    page = open_page(tmp_path / "sheet.html")
    press(page, *keys)
    decided_on = {"a", "asked of test"} & expected.keys()
    assert page.locator("#done").inner_text() == str(len(decided_on))
    assert page.locator(".shot[data-action]").count() == len(expected)
    names = page.locator(".shot").nth(2).get_attribute("aria-label")
    assert {"drop": "dropped", "keep": "kept", None: "no answer wanted"}[expected.get("b")] in names
    assert (decided(page) if expected else {}) == expected


def test_a_twin_that_goes_says_nothing_of_its_label(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    twin = {"kind": "duplicates", "because": "label_error;near_duplicate"}
    write(pd.DataFrame([question("d", name, **twin) for name in ("a", "b")]), tmp_path / "sheet.html")
    page = open_page(tmp_path / "sheet.html")
    press(page, "k")
    assert saved(page)["because"].to_list() == ["label_error;near_duplicate", "near_duplicate"]


def test_what_keeping_one_says_is_taken_over(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    """From the workspace to the page and back: the same decisions as those of the App."""
    ws = workspace(tmp_path)
    twin, other = "pets/train/cat/twin.png", "pets/train/cat/00.png"
    made = verb.write(ws, "ada", None, job=None, budget=None, second=0)
    page = open_page(Path(made.written))
    page.wait_for_selector("html[data-ready]")
    page.evaluate("(name) => goTo(rows.findIndex((row) => row.image_id === name))", twin)
    press(page, "k")
    write_csv(tmp_path / "decisions.csv", saved(page))
    deciding.import_decisions(ws, tmp_path / "decisions.csv", "ada")
    columns = ["image_id", "action", "label", "because"]
    taken = tables.read_answers(ws, tables.read_manifest(ws))[columns].to_numpy().tolist()
    found, images = tables.read_findings(ws), tables.read_manifest(ws)
    in_app = verdicts.answers(
        "keep_this",
        [twin],
        proposed=verdicts.proposals(found, asking.asked(ws, "bob")),
        group=groups(found, images),
        splits=images.set_index("image_id")["split"],
    )
    assert sorted(taken) == sorted([each.image_id, each.action, each.label, each.because] for each in in_app)
    assert sorted(taken) == [[other, "drop", "", "near_duplicate"], [twin, "keep", "", "near_duplicate"]]


def test_choice_of_what_is_shown(small: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(small)
    press(page, "n", "Shift+A")
    shown = page.locator(".shot:visible")
    page.get_by_role("radio", name="undecided", exact=True).check(force=True)
    assert shown.count() == 12 - 4
    press(page, "d")
    assert (shown.count(), current(page)) == (7, "m2")
    page.get_by_role("radio", name="decided", exact=True).check(force=True)
    assert shown.count() == 5
    press(page, *"uuu")
    assert shown.count() == 0
    assert page.get_by_text("No image is left under this choice.").is_visible()
    press(page, "u", "a", "ArrowRight", "Enter", "k")  # nothing is current: nothing happens
    page.get_by_role("radio", name="all", exact=True).check(force=True)
    press(page, "n")
    assert decided(page) == {"l3": "keep"}


def test_letters_can_be_turned_off_and_work_in_other_scripts(small: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(small)
    page.wait_for_selector("html[data-ready]")
    cyrillic = "new KeyboardEvent('keydown', { key: 'в', code: 'KeyD', bubbles: true })"
    page.evaluate(f"void document.activeElement.dispatchEvent({cyrillic})")
    press(page, "?")
    page.get_by_label("Letters act as keys").uncheck()
    press(page, "Escape", "n", "ArrowRight")
    assert (current(page), decided(page)) == ("l2", {"l3": "drop"})
