"""What a person does in an open sheet, and what it saves."""

import time
from pathlib import Path
from typing import Any

import pandas as pd

from curate.csv_text import read_csv


def settled(page: Any) -> Any:
    """The page, once its last answer is kept."""
    page.wait_for_selector("html[data-ready]")
    deadline = time.monotonic() + 10
    while page.evaluate("(({ act, kept }) => act !== kept)(document.documentElement.dataset)"):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return page


def press(page: Any, *keys: str) -> None:
    page.wait_for_selector("html[data-ready]")
    for key in keys:
        if len(key) > 1 and key.startswith("'"):
            page.keyboard.type(key.strip("'"))
        else:
            page.keyboard.press(key)
    settled(page)


def saved(page: Any) -> pd.DataFrame:
    """What the page saves now, as `curate decide --import` reads it."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "answers.csv"
    return read_csv(Path(download.value.path()))


def decided(page: Any) -> dict[str, str]:
    """Per image its answer, as `keep`, `drop` or the label."""
    table = saved(page)
    return {
        row.image_id.removeprefix("set/").removesuffix(".png"): row.label or row.action for row in table.itertuples()
    }


def current(page: Any) -> str:
    """The image that is looked at."""
    assert page.locator('.shot[aria-selected="true"]').count() == 1
    return page.locator("#image").inner_text().removeprefix("set/").removesuffix(".png")
