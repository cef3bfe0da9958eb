"""Downloads against a web server on this machine that cuts, forgets, lies and redirects."""

import errno
import hashlib
import threading
from collections import namedtuple
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from curate.errors import UserError
from curate.ingest import download as downloads
from curate.ingest.download import download

BODY = bytes(range(256)) * 4096  # 1 MiB
SHA = hashlib.sha256(BODY).hexdigest()
HALF = len(BODY) // 2


class Server(ThreadingHTTPServer):
    """What it is asked for is kept in `asked`, as (path, Range header)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One path, one behaviour."""

    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        asked_range = self.headers.get("Range")
        self.server.asked.append((self.path, asked_range))
        start = int(asked_range.removeprefix("bytes=").removesuffix("-")) if asked_range else 0
        if self.path == "/missing":
            self.send_error(404)
        elif self.path == "/busy" and len(self.server.asked) == 2:
            self.send_error(503)
        elif self.path == "/moved":
            self._head(302, Location="/good")
        elif self.path == "/elsewhere":
            self._head(302, Location="ftp://127.0.0.1/good")
        elif self.path == "/local":
            self._head(302, Location="file:///etc/hostname")
        elif self.path == "/no-range":
            self._send(BODY, len(BODY) if asked_range or len(self.server.asked) > 1 else HALF)
        elif self.path == "/wrong-range":
            self._head(206, **{"Content-Range": f"bytes 7-{len(BODY) - 1}/{len(BODY)}"})
        elif self.path == "/endless":
            self._head(200)
            self.wfile.write(BODY + BODY)
        elif self.path == "/empty":
            self._send(b"", 0)
        elif start >= len(BODY):
            self.send_error(416)
        else:
            step = {"/cut": HALF, "/busy": HALF, "/cut-often": len(BODY) // 4}.get(self.path, len(BODY))
            once = self.path != "/cut-often" and start > 0
            self._send(BODY, len(BODY) if once else min(len(BODY), start + step), start)

    def _send(self, body: bytes, end: int, start: int = 0) -> None:
        """The headers promise everything from `start`; what comes ends at `end`."""
        headers = {"Content-Length": str(len(body) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self._head(206 if start else 200, **headers)
        self.wfile.write(body[start:end])

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_full_download(server: Server, tmp_path: Path) -> None:
    dest = tmp_path / "new" / "a.tar"
    assert download(f"{server.url}/good", dest, sha256=SHA.upper(), size=len(BODY)) == dest
    assert dest.read_bytes() == BODY
    assert left(dest.parent) == ["a.tar"]
    assert server.asked == [("/good", None)]


@pytest.mark.parametrize(("sha256", "size"), [(SHA, len(BODY)), (SHA, None), (None, len(BODY)), (None, None)])
def test_complete_file_is_not_downloaded_again(
    server: Server, tmp_path: Path, sha256: str | None, size: int | None
) -> None:
    for _ in range(2):
        download(f"{server.url}/good", tmp_path / "a", sha256=sha256, size=size)
    assert len(server.asked) == 1


@pytest.mark.parametrize(("sha256", "size"), [(SHA, len(BODY)), (None, len(BODY))])
def test_file_that_is_not_the_right_one_is_replaced(
    server: Server, tmp_path: Path, sha256: str | None, size: int | None
) -> None:
    (tmp_path / "a").write_bytes(b"something else")
    assert download(f"{server.url}/good", tmp_path / "a", sha256=sha256, size=size).read_bytes() == BODY


@pytest.mark.parametrize("size", [len(BODY), None])
def test_goes_on_after_a_cut(server: Server, tmp_path: Path, size: int | None) -> None:
    assert download(f"{server.url}/cut", tmp_path / "a", sha256=SHA, size=size).read_bytes() == BODY
    assert server.asked == [("/cut", None), ("/cut", f"bytes={HALF}-")]


def test_goes_on_as_long_as_each_connection_brings_something(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "ATTEMPTS", 1)
    assert download(f"{server.url}/cut-often", tmp_path / "a", sha256=SHA, size=len(BODY)).read_bytes() == BODY
    assert len(server.asked) == 4


def test_goes_on_after_an_error_of_the_server(server: Server, tmp_path: Path) -> None:
    assert download(f"{server.url}/busy", tmp_path / "a", sha256=SHA, size=None).read_bytes() == BODY
    assert [asked for _, asked in server.asked] == [None, f"bytes={HALF}-", f"bytes={HALF}-"]


def test_next_call_goes_on_where_a_killed_one_stopped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(BODY[:1000])
    assert download(f"{server.url}/good", tmp_path / "a", sha256=SHA, size=len(BODY)).read_bytes() == BODY
    assert server.asked == [("/good", "bytes=1000-")]


@pytest.mark.parametrize(
    ("part", "size", "requests"),
    [
        (BODY, len(BODY), 0),  # killed between the last byte and the rename
        (BODY, None, 1),  # likewise; the server says that there is no more
        (BODY + b"x", len(BODY), 1),  # too long: starts again
    ],
)
def test_finished_parts(server: Server, tmp_path: Path, part: bytes, size: int | None, requests: int) -> None:
    (tmp_path / "a.part").write_bytes(part)
    assert download(f"{server.url}/good", tmp_path / "a", sha256=SHA, size=size).read_bytes() == BODY
    assert len(server.asked) == requests


def test_without_checksum_a_part_is_not_trusted(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"of another version")
    assert download(f"{server.url}/good", tmp_path / "a", sha256=None, size=None).read_bytes() == BODY
    assert server.asked == [("/good", None)]


def test_server_that_ignores_range_starts_again(server: Server, tmp_path: Path) -> None:
    assert download(f"{server.url}/no-range", tmp_path / "a", sha256=SHA, size=len(BODY)).read_bytes() == BODY
    assert server.asked == [("/no-range", None), ("/no-range", f"bytes={HALF}-")]


def test_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    assert download(f"{server.url}/moved", tmp_path / "a", sha256=SHA, size=None).read_bytes() == BODY


def test_wrong_checksum_shows_both_and_removes_the_file(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{SHA}, {'0' * 64} expected; the file was removed") as caught:
        download(f"{server.url}/good", tmp_path / "a", sha256="0" * 64, size=None)
    assert "--from PATH" in str(caught.value)
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "sha256", "size", "message"),
    [
        ("/missing", SHA, None, "answers 404 Not Found; has it moved.*--from PATH"),
        ("/good", SHA, 5, "has 1,048,576 bytes now, 5 expected: the file there has changed"),
        ("/endless", None, 5, "gave .* bytes, 5 expected; the file was removed"),
        ("/empty", None, 5, "has 0 bytes now, 5 expected"),
        ("/wrong-range", SHA, None, "asked for bytes from 0, got them from 7"),
        ("/elsewhere", SHA, None, "redirects to ftp://127.0.0.1/good, which is neither"),
        ("/local", SHA, None, "answers 302"),
    ],
)
def test_refused(server: Server, tmp_path: Path, path: str, sha256: str | None, size: int | None, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        download(f"{server.url}{path}", tmp_path / "a", sha256=sha256, size=size)
    assert server.url in str(caught.value)
    assert "\n" not in str(caught.value)
    assert left(tmp_path) == []


def test_no_server_names_the_way_out_and_keeps_what_is_there(server: Server, tmp_path: Path) -> None:
    url = f"{server.url}/good"
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match=r"cannot be downloaded \(Connection refused\); .*--from PATH"):
        download(url, tmp_path / "a", sha256=SHA, size=None)
    (tmp_path / "a.part").write_bytes(BODY[:200_000])
    with pytest.raises(UserError, match=r"0\.2 MB are kept, and the same command goes on"):
        download(url, tmp_path / "a", sha256=SHA, size=None)
    assert left(tmp_path) == ["a.part"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x.org/a", "/etc/passwd", "data:,x"])
def test_other_schemes_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match="only https:// and http://"):
        download(url, tmp_path / "a", sha256=None, size=None)


def test_disk_too_full_is_said_before_anything_is_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")(10, 9, 1000)
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"is full \(0\.0 MB free and 1\.0 MB are needed in all\); make room"):
        download(f"{server.url}/good", tmp_path / "a", sha256=SHA, size=len(BODY))
    assert left(tmp_path) == []


def test_disk_that_fills_up_keeps_what_arrived(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a.part").write_bytes(BODY[:1000])
    monkeypatch.setattr(downloads, "_copy", full)
    with pytest.raises(UserError, match="is full"):
        download(f"{server.url}/good", tmp_path / "a", sha256=SHA, size=None)
    assert left(tmp_path) == ["a.part"]


def test_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot be saved as .*: (File exists|Not a directory)"):
        download(f"{server.url}/good", tmp_path / "file" / "a", sha256=SHA, size=None)
