"""Keys and buttons of the sheet do what they say, and it is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.review.sheet.page import current, decided, press

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
    ("the test twin stays, all others go", ["j", "j", "End", "k"], {"d1": "drop", "d2": "drop", "d3": "drop"}, "o1"),
    ("what is to compare takes no answer", ["j", "j", "End", "d", "Home", "n"], {"d1": "keep"}, "d2"),
    ("keep this one is for groups", ["k", "n"], {"l3": "keep"}, "l1"),
    ("undo", ["a", "n", "u"], {"l3": "7"}, "l1"),
    ("undo of a whole cluster", ["d", "Shift+A", "u"], {"l3": "drop"}, "l1"),
    ("undo of a group", ["n", "j", "j", "k", "u"], {"l3": "keep"}, "d1"),
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
    page.get_by_role("button", name="Drop all in disputed").click()
    assert decided(page) == {
        "l3": "7", "l1": "keep", "l2": "a,b", "d1": "drop", "d2": "keep", "d3": "drop", "m1": "drop", "m2": "drop"
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
