"""Images with hostile names and classes to ask about."""

from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import png
from tests.jobs.exports import CLASSES, question


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests need not wait until everything on the machine is on its disk."""
    monkeypatch.setattr("os.sync", lambda: None)


@pytest.fixture
def asked(tmp_path: Path) -> pd.DataFrame:
    """An image of each class, the next class suggested; names as hostile as the classes."""
    rows = []
    for number, label in enumerate(CLASSES):
        path = tmp_path / f"{number}.png"
        path.write_bytes(png(number))
        rows.append(question(path, f"set/{label}/{number} ü'\"&<.png", label, CLASSES[number - 1]))
    return pd.DataFrame(rows)
