"""The App's server: its port, which files may be seen, and whose requests are answered."""

import socket
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from curate import tables
from curate.errors import UserError
from curate.images import encode_png
from curate.review import serving
from curate.review.server import guarded, may_be_seen, packed, unpacked
from curate.review.thumbnails import THUMBNAILS
from curate.workspace import MANIFEST, Workspace
from tests.pictures import digits
from tests.tables import images


def test_a_port_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PORT_SECONDS", 0.2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} is taken, perhaps by another App; take another: --port \d+"):
            serving.refuse_taken(port)


def test_a_port_that_is_just_let_go_is_waited_for() -> None:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    timer = threading.Timer(0.3, taken.close)
    timer.start()
    serving.refuse_taken(taken.getsockname()[1])
    assert taken.fileno() == -1
    timer.join()


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/photos/a.png", True),
        ("/photos/a.JPG", True),
        ("/photos/deep/a.png", False),  # another folder, in which no image of the workspace lies
        ("/annex/1f/a.png", True),  # that file alone
        ("/annex/1f/b.png", False),
        ("/photos", False),
        ("/photos/a.txt", False),
        ("/photos2/a.png", False),
        ("/photos/../etc/a.png", False),
        ("", False),
        ("/photos/a.png%00.txt", False),
        ("/photos/a.png&filepath=/etc/passwd", False),
    ],
)
def test_what_may_be_seen(path: str, seen: bool) -> None:
    assert may_be_seen(f"filepath={path}".encode(), {"/photos", "/annex/1f/a.png"}) is seen


def test_images_beside_those_of_the_workspace_are_not_seen(tmp_path: Path) -> None:
    """Of one source with files in two folders, what lies in neither, though in a folder that both lie in."""
    home = tmp_path / "ho\nme é"  # a folder's name may hold all but a zero
    folders = [home / "data" / "cats", home / "work" / "dogs", home / "Pictures", home / "data" / "cats" / "other"]
    cat, dog, own, deeper = (folder / "1.png" for folder in folders)
    for number, path in enumerate((cat, dog, own, deeper)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(digits()[number]))
    linked, beside = home / "annex" / "3.png", home / "annex" / "4.png"
    linked.parent.mkdir()
    for path in (linked, beside):
        path.write_bytes(encode_png(digits()[5]))
    (dog.parent / "3.png").symlink_to(linked)
    ws = Workspace(tmp_path / "ws")
    paths = [cat, dog, dog.parent / "3.png"]
    with ws.writing("add", {}) as transaction:
        table = images(*[(str(number), "train", "cat") for number in range(3)])
        transaction.write_table(MANIFEST, table.assign(path=[str(path) for path in paths]))
    (tmp_path / "seen").write_bytes(packed(serving._visible(tables.read_manifest(ws), ws)))
    seen = unpacked(tmp_path / "seen")

    def status(path: Path) -> bool:
        return may_be_seen(f"filepath={quote(str(path))}".encode(), seen)

    assert [status(path) for path in paths] == [True] * 3
    assert [status(path) for path in (own, deeper, beside, home / "1.png", tmp_path / "1.png")] == [False] * 5
    assert status(ws.root / THUMBNAILS / "0f.jpg")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "evil.example"}, 403),
        ({"origin": "http://127.0.0.1:5151"}, 200),
        ({"origin": "http://localhost:5151", "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "https://evil.example", "content-type": "text/plain"}, 403),
        ({"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-site"}, 403),  # another program of this machine
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),  # an image in a page: no origin is sent
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),  # a link that somebody follows
        ({"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, 200),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_no_page_of_another_site_is_answered(headers: dict[str, str], status: int, kind: str) -> None:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {}

    given = {"host": "127.0.0.1:5151"} | headers
    scope = {
        "type": kind,
        "path": "/operators/execute",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    with pytest.raises(StopIteration):  # it waits for nothing
        guarded(app, set(), 5151)(scope, receive, send).send(None)  # type: ignore[attr-defined]
    assert sent[0].get("status", 403) == status
    assert sent[0]["type"] == ("websocket.close" if kind == "websocket" and status == 403 else "http.response.start")
