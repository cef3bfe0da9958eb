"""`curate review --fiftyone` as people use it: the App in Chromium, keys, and what lies in decisions.csv afterwards."""

import linecache
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

from curate import tables
from curate.review import dataset
from curate.workspace import DECISIONS, Workspace, read_table
from tests.review.small import workspace

CAT = [f"pets/train/cat/{number:02}.png" for number in range(8)]
NIGHT, TWIN = "pets/train/dog/00.png", "pets/train/cat/twin.png"
SECONDS = 60
"""Patience with a machine that has much else to do."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def said(ws: Workspace) -> dict[str, str]:
    if not ws.has(DECISIONS):
        return {}
    table = read_table(ws.path(DECISIONS))
    return dict(zip(table["image_id"], (table["action"] + " " + table["label"]).str.strip(), strict=True))


def until(what: Callable[[], object], *, seconds: float = SECONDS) -> object:
    """Wait until something is true, and give it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.02)
    code = what.__code__
    raise AssertionError(f"it did not happen: {linecache.getline(code.co_filename, code.co_firstlineno).strip()}")


def press(page: Any, key: str, what: Callable[[], object]) -> None:
    """Press a key, and once more where nothing came of it: the App, just drawn, may not listen yet."""
    page.keyboard.press(key)
    try:
        until(what, seconds=SECONDS / 3)
    except AssertionError:
        page.keyboard.press(key)
        until(what)


@pytest.fixture
def ws(tmp_path: Path, fiftyone: ModuleType) -> Workspace:
    return workspace(tmp_path)


@contextmanager
def reviewing(ws: Workspace) -> Iterator[tuple[subprocess.Popen, int]]:
    """The command, running, and its port."""
    port = free_port()
    command = [sys.executable, "-m", "curate", "review", str(ws.root), "--fiftyone", "--by", "ada", "--no-open"]
    process = subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Open http" in line:
            break
    else:
        pytest.fail("".join(lines))
    yield process, port
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)
    process.stdout.close()


@pytest.fixture
def review(ws: Workspace) -> Iterator[tuple[subprocess.Popen, int]]:
    with reviewing(ws) as running:
        yield running


@pytest.fixture(scope="module")
def unused(
    tmp_path_factory: pytest.TempPathFactory, fiftyone: ModuleType
) -> Iterator[tuple[Workspace, subprocess.Popen, int]]:
    """The command on a workspace in which nothing is decided; the last test that uses it kills it."""
    ws = workspace(tmp_path_factory.mktemp("unused"))
    with reviewing(ws) as (process, port):
        yield ws, process, port


@pytest.fixture
def page(browser: Any, ws: Workspace, review: tuple[subprocess.Popen, int]) -> Iterator[Any]:
    """The App, open at the view of what needs a person. Requests to other hosts are noted in `page.elsewhere`."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(SECONDS * 1000)
    page = context.new_page()
    page.elsewhere = []
    page.on("requestfinished", lambda request: _elsewhere(request.url) and page.elsewhere.append(request.url))
    name = dataset.name_of(ws, "ada")
    page.goto(f"http://127.0.0.1:{review[1]}/datasets/{name}?view=needs-a-person")
    page.wait_for_selector("[data-cy=looker]", timeout=SECONDS * 1000)
    page.get_by_text("Dismiss").click(timeout=SECONDS * 1000)  # FiftyOne's advertisement
    page.get_by_text("Dismiss").wait_for(state="detached", timeout=SECONDS * 1000)
    yield page
    context.close()


def _elsewhere(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1", "data:", "blob:"))


def select(page: Any, place: int) -> None:
    """Tick the box of the picture at that place of the grid."""
    checked = page.locator("[data-cy=looker] input:checked")

    def ticked() -> bool:
        box = page.locator("[data-cy=looker]").nth(place).bounding_box()
        page.mouse.click(box["x"] + 12, box["y"] + 12)
        page.wait_for_timeout(1000)
        return bool(checked.count())

    until(lambda: checked.count() or ticked())


def test_the_app_from_the_first_key_to_the_last(ws: Workspace, page: Any, review: tuple[subprocess.Popen, int]) -> None:
    titles = page.locator("[data-cy=looker]").first.locator("[data-cy^=tag-]")
    assert titles.all_inner_texts() == ["cat", "dog"]  # the given label and the suggested one
    select(page, 0)
    press(page, "a", lambda: said(ws) == {CAT[2]: "relabel dog"})
    page.get_by_text("1 image accepted (dog)").wait_for()
    until(lambda: page.locator("[data-cy=looker]").count() == 5)
    press(page, "u", lambda: said(ws) == {})
    until(lambda: page.locator("[data-cy=looker]").count() == 6)

    # a picture opened: one key decides, and the next one is shown
    page.locator("[data-cy=looker]").first.click()
    page.wait_for_selector("[data-cy=modal-looker-container]")
    page.get_by_text(CAT[2], exact=True).wait_for()
    press(page, "d", lambda: said(ws) == {CAT[2]: "drop"})
    page.get_by_text(CAT[3], exact=True).wait_for()
    page.keyboard.press("r")
    field = page.get_by_placeholder("Type or select a value")
    field.wait_for()
    until(lambda: page.evaluate("document.activeElement.tagName") == "INPUT")
    page.keyboard.type("dog")

    def entered() -> bool:
        """The value is taken over a moment after it was typed: until then nothing comes of the second key."""
        if field.count():
            page.keyboard.press("Enter")
            page.keyboard.press("Control+Enter")
        for _ in range(50):
            if said(ws) == {CAT[2]: "drop", CAT[3]: "relabel dog"}:
                return True
            page.wait_for_timeout(200)
        return False

    until(entered)
    field.wait_for(state="detached")
    opened = page.locator("[data-cy=modal-looker-container]")
    until(lambda: page.keyboard.press("Escape") or page.wait_for_timeout(500) or opened.count() == 0)

    # the panel
    page.locator("[data-cy=new-panel-btn]").click()
    page.get_by_text("Review", exact=True).last.click()
    page.get_by_text("4 left for ada").wait_for()
    page.get_by_text("Undo [U]").click()
    until(lambda: said(ws) == {CAT[2]: "drop"})
    page.get_by_text("5 left for ada").wait_for()

    # the whole view, after a question
    press(page, "Shift+N", page.get_by_text("all 5 images of this view?").count)
    execute = page.get_by_role("button", name="Execute")

    def executed() -> bool:
        """The form is drawn anew once it is checked: a click before that is lost, and the question stays."""
        if execute.count() and execute.is_enabled():
            execute.click()
        page.wait_for_timeout(2000)
        return len(said(ws)) == 6

    until(executed)
    assert page.elsewhere == []

    process = review[0]
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    assert [entry.command for entry in ws.ledger()][-1] == "review"


def decided(ws: Workspace) -> list[str]:
    return [image_id for image_id in CAT if image_id in said(ws)]


def test_the_grid_shows_what_was_decided(ws: Workspace, page: Any) -> None:
    """FiftyOne's own `reload_samples` draws it from what was read before."""
    grid = page.locator("[data-cy=looker]")
    tags = grid.first.locator("[data-cy^=tag-]")
    assert grid.count() == 6
    select(page, 0)
    press(page, "d", lambda: grid.count() == 5)  # what was answered waits no longer
    press(page, "u", lambda: grid.count() == 6)
    page.goto(page.url.replace("needs-a-person", "label-error-worst-first"), timeout=SECONDS * 1000)
    until(lambda: grid.count() == 4 and tags.all_inner_texts() == ["cat", "dog"])
    select(page, 0)
    press(page, "n", lambda: "keep" in tags.all_inner_texts())


def test_the_next_image_is_shown_where_one_was_decided_and_none_is_passed_over(ws: Workspace, page: Any) -> None:
    page.locator("[data-cy=looker]").first.click()
    page.get_by_text(CAT[2], exact=True).wait_for()
    page.keyboard.press("k")
    page.get_by_text(f"{CAT[2]} has no twins to choose from").first.wait_for()
    page.wait_for_timeout(1000)
    assert page.get_by_text(CAT[2], exact=True).count() == 1  # nothing was written, and the image stays
    assert said(ws) == {}
    for _ in range(3):
        page.keyboard.press("n", delay=5)
    until(lambda: decided(ws))
    page.wait_for_timeout(2000)
    first = decided(ws)
    assert first == CAT[2 : 2 + len(first)]
    page.get_by_text(CAT[2 + len(first)], exact=True).wait_for()  # the one after the last that was decided


def test_only_this_machine_and_only_pictures(unused: tuple[Workspace, subprocess.Popen, int], tmp_path: Path) -> None:
    ws, _, port = unused
    listening = [
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    ]
    assert listening == ["127.0.0.1"]
    others = {
        address.address
        for each in psutil.net_if_addrs().values()
        for address in each
        if address.family == socket.AF_INET
    }
    for other in others - {"127.0.0.1"}:
        with pytest.raises(OSError, match=r"refused|timed out"):
            socket.create_connection((other, port), timeout=2)
    secret = ws.root.parent / "secret.txt"
    secret.write_text("secret")
    hidden = ws.root.parent / "elsewhere.png"
    picture = tables.read_manifest(ws)["path"].iloc[0]
    hidden.write_bytes(Path(picture).read_bytes())
    (ws.root / "images").mkdir(exist_ok=True)
    (ws.root / "images" / "link.png").symlink_to(secret)

    def status(path: str, host: str = "") -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/media?filepath={path}")
        if host:
            request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    assert status(picture) == 200
    assert status(picture, host="evil.example") == 403
    for refused in (
        secret,
        hidden,
        "/etc/passwd",
        f"{Path(picture).parent}/../../../secret.txt",
        ws.root / "images" / "link.png",
        "",
    ):
        assert status(str(refused)) == 403


def test_the_server_ends_with_the_command(unused: tuple[Workspace, subprocess.Popen, int]) -> None:
    _, process, port = unused
    process.kill()
    process.wait()

    def gone() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    until(gone)
