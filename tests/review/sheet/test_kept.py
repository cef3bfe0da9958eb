"""No answer is lost: saved, kept by the browser, seen by other sheets and windows, and there after a kill."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curate import decisions
from curate.csv_text import read_csv, write_csv
from tests.review.sheet.asked import COMMAND, EVIL, questions, write
from tests.review.sheet.page import decided, press, saved, settled
from tests.tables import images

pytest_plugins = ["tests.review.browser"]
TRIALS = 3


# Saved


def test_the_way_out(small: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(small)
    press(page, "s")
    assert page.locator("#said").inner_text() == "nothing is answered yet"
    press(page, "n", "ArrowLeft", "Enter", "'say \"a,b\"; é'", "Enter", "j", "Shift+D", "r", "'onerror'", "Enter")
    for name, why in (
        ("", "write your name first"),
        ("Policy", "the policy's own name"),
        ("Ada; Bob", "no semicolons"),
    ):
        page.get_by_label("Your name").fill(name)
        page.get_by_role("button", name="Save").click()
        assert why in page.locator("#said").inner_text()
        assert page.evaluate("document.activeElement.id") == "by"
    page.get_by_label("Your name").fill("Ada L.")
    table = saved(page)
    assert page.locator("#saved").inner_text().splitlines()[0] == (
        f"answers.csv with 4 answers was saved. Take the answers over with: {COMMAND}"
    )
    assert list(table.columns) == list(decisions.COLUMNS)
    assert table["image_id"].to_list() == ["set/l3.png", "set/m1.png", "set/m2.png", "set/d1.png"]
    assert table["label"].to_list() == ["", "", "", EVIL]
    assert set(table["by"]) == {"Ada L."}
    assert table["because"].to_list() == [*["label_error;outlier"] * 3, "near_duplicate"]
    assert table["note"].to_list() == ['say "a,b"; é', "", "", ""]
    assert table["at"].str.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").all()
    manifest = images(*((image_id, "train", EVIL) for image_id in table["image_id"]))
    assert len(decisions.check(table, manifest, "decisions.csv")) == 4


def test_leaving_with_unsaved_answers_is_asked_about(small: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(small)
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    press(page, "n")
    saved(page)
    page.reload()
    assert asked == []
    press(page, "d")
    page.reload()
    assert asked == ["beforeunload"]
    assert decided(settled(page)) == {"l3": "keep", "l1": "drop"}


def test_a_note_alone_is_saved_and_told(small: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(small)
    press(page, "n", "o", "'what is it?'", "Enter")
    table = saved(page)
    assert table[["action", "note"]].to_numpy().tolist() == [["keep", ""], ["", "what is it?"]]
    told = "answers.csv with 1 answer and 1 note without an answer (not taken over) was saved."
    assert page.locator("#saved-what").inner_text() == told


@pytest.mark.parametrize(("note", "written"), [("=1+1", "'=1+1"), ("'@a", "''@a"), ("-0.5", "-0.5"), ("a=1", "a=1")])
def test_no_spreadsheet_computes_a_note(
    small: Path, open_page: Callable[..., Any], tmp_path: Path, note: str, written: str
) -> None:
    """As `write_csv` writes it, which both are read by."""
    page = open_page(small)
    press(page, "o")
    page.keyboard.type(note)
    press(page, "Enter", "n")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    path = Path(download.value.path())
    with path.open(encoding="utf-8", newline="") as file:
        assert {row["note"] for row in csv.DictReader(file)} == {written}
    assert read_csv(path)["note"].to_list() == [note]
    write_csv(tmp_path / "own.csv", read_csv(path))
    assert (tmp_path / "own.csv").read_bytes() == path.read_bytes()


# Kept


def test_a_browser_that_keeps_nothing_says_so(small: Path, browser: Any) -> None:
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(window, 'indexedDB', { get() { throw new Error('not allowed') } })")
    page = context.new_page()
    page.goto(small.as_uri())
    page.wait_for_selector("html[data-ready]")
    assert "keeps no answers (not allowed)" in page.get_by_role("alert").inner_text()
    page.keyboard.press("n")
    assert decided(page) == {"l3": "keep"}
    context.close()


def test_a_newer_sheet_of_the_workspace_has_the_answers(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    table = questions(tmp_path)
    write(table, tmp_path / "old.html")
    write(table[2:], tmp_path / "new.html")
    write(table[2:], tmp_path / "other.html", workspace_id="w2")
    write(table[2:], tmp_path / "bob.html", by="bob")
    page = open_page(tmp_path / "old.html")
    page.on("dialog", lambda dialog: dialog.accept())
    press(page, "a", "n", "d")
    for name, came_back in (("new", "1 answer of before came back"), ("other", ""), ("bob", "")):
        page.goto((tmp_path / f"{name}.html").as_uri())
        assert settled(page).locator("#said").inner_text() == came_back
    page.goto((tmp_path / "new.html").as_uri())
    press(page, "u", "u")
    assert decided(page) == {"l3": "7"}
    press(page, "n")
    assert decided(page) == {"l3": "7", "l4": "keep"}


def test_unsaved_answers_of_an_earlier_sheet_are_saved_once(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    table = questions(tmp_path)
    write(table, tmp_path / "old.html")
    write(table[2:], tmp_path / "new.html")
    page = open_page(tmp_path / "old.html")
    page.on("dialog", lambda dialog: dialog.accept())
    press(page, "a", "n")  # l3, which is still there, and l1, which is not
    page.goto((tmp_path / "new.html").as_uri())
    settled(page)
    assert decided(page) == {"l3": "7", "l1": "keep"}
    assert "1 of them about images of an earlier sheet" in page.locator("#saved-what").inner_text()
    assert decided(page) == {"l3": "7"}


def test_two_windows_see_each_other(small: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(small)
    press(page, "n")
    other = page.context.new_page()
    other.goto(small.as_uri())
    press(other, "d")
    page.bring_to_front()
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    page.wait_for_selector('.shot[data-row="1"][data-action="drop"]')
    press(page, "d")
    assert decided(page) == {"l3": "keep", "l1": "drop"}


@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_killed_browser_loses_no_answer(small: Path, own_browser: Any, trial: int) -> None:
    page = own_browser.open(small)
    keys = [*"nad", "Shift+D", *"nd"][: 3 + trial + (trial > 0)]
    press(page, *keys, "o", "'kept'", "Enter")
    before = page.locator(".shot").evaluate_all("(tiles) => tiles.map((tile) => tile.getAttribute('aria-label'))")
    own_browser.kill()
    again = settled(own_browser.open(small))
    after = again.locator(".shot").evaluate_all("(tiles) => tiles.map((tile) => tile.getAttribute('aria-label'))")
    assert after == before
    assert sum("undecided" not in name and "no answer" not in name for name in after) >= 3
    press(again, *"u" * 20)
    assert again.locator(".shot[data-action]").count() == 0
    again.context.close()
