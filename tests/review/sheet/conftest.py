"""A small sheet to open."""

from pathlib import Path

import pytest

from tests.review.sheet.asked import questions, write


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sheet of twelve images; eleven are asked about."""
    folder = tmp_path_factory.mktemp("sheet")
    write(questions(folder), folder / "sheet.html")
    return folder / "sheet.html"
