"""Pages in Chromium, for tests: `open_page` opens files, `own_browser` is a Chromium that can be killed.

A test module asks for them by `pytest_plugins = ["tests.review.browser"]`; they are skipped where there is no Chromium.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.review.conftest import CHROMIUM, OFFLINE


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """`open_page(file)` shows a file in a window of its own, with nothing kept from before; errors in it fail the test.

    Further arguments are those of `browser.new_context`, such as `color_scheme="dark"`.
    """
    contexts: list[Any] = []
    errors: list[str] = []

    def show(file: Path, **settings: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **settings}))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.goto(file.as_uri())
        return page

    yield show
    for context in contexts:
        context.close()
    assert not errors


@dataclass(frozen=True)
class Own:
    """A Chromium that keeps in the folder `profile` what it keeps, and may be killed."""

    kind: Any
    """Playwright's `BrowserType`."""
    profile: Path

    def open(self, file: Path) -> Any:
        """Start it, with the file in a window."""
        found = next(filter(None, map(shutil.which, CHROMIUM)), self.kind.executable_path)
        context = self.kind.launch_persistent_context(str(self.profile), executable_path=found, args=OFFLINE)
        context.pages[0].goto(file.as_uri())
        return context.pages[0]

    def kill(self) -> None:
        """SIGKILL for all its processes."""
        psutil = pytest.importorskip("psutil")
        argument = f"--user-data-dir={self.profile}"
        mine = [process for process in psutil.process_iter(["cmdline"]) if argument in (process.info["cmdline"] or [])]
        family = {*mine, *(child for process in mine for child in process.children(recursive=True))}
        assert family
        for process in family:
            with suppress(psutil.NoSuchProcess):  # it ended with its parent
                process.kill()
        psutil.wait_procs(family, timeout=10)


@pytest.fixture
def own_browser(browser: Any, tmp_path: Path) -> Own:
    """A Chromium to kill, not started yet."""
    return Own(browser.browser_type, tmp_path / "profile")
