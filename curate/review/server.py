"""The App's server, as a process of its own: FiftyOne's, with what it would give away kept in.

`python -m curate.review.server PORT DATASET SEEN` listens on 127.0.0.1 alone, and ends when its standard input does:
with the command that started it, however that ends. FiftyOne's route `/media` serves any file that the process may
read; here it serves images, and those only that the file `SEEN` names, or the folder that they lie in. A request that
names another host is refused (a page of another site could else reach this server under its own name: DNS rebinding),
and so is one that a page of another site sends: FiftyOne reads what it is sent whatever it is called, so that browsers
would not ask first. The pages may load nothing from elsewhere: FiftyOne's ask two fonts of Google.
"""

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from curate.errors import UserError
from curate.images import IMAGE_SUFFIXES

HOST = "127.0.0.1"
LOOK_SECONDS = 0.5
NAMES = (HOST, "localhost")
POLICY = "; ".join(
    (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:",
        "connect-src 'self' blob: data:",
        "object-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)
"""What pages may load: nothing from other hosts. FiftyOne's own code needs the unsafe ones."""

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Callable[[], Awaitable[Any]], Send], Awaitable[None]]


def guarded(app: App, seen: set[str], port: int) -> App:
    """The app, answering only to its own name, with no files but images of `seen`: folders, and files by themselves."""
    real = {os.path.realpath(path) for path in seen}
    hosts = {f"{name}:{port}".encode() for name in NAMES}
    pages = {b"http://" + host for host in hosts}

    async def answer(scope: Scope, receive: Callable[[], Awaitable[Any]], send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if headers.get(b"host", b"") not in hosts:
            await _refuse(scope, send, f"open http://{HOST}:{port}, not another name of it")
        elif headers.get(b"origin", b"") not in {b"", *pages} or _is_from_elsewhere(headers):
            await _refuse(scope, send, "sent by a page of another site")
        elif scope["path"].rstrip("/") == "/media" and not may_be_seen(scope["query_string"], real):
            await _refuse(scope, send, "not an image of this workspace")
        else:
            await app(scope, receive, _with_policy(send))

    return answer


def _is_from_elsewhere(headers: dict[bytes, bytes]) -> bool:
    """Whether a browser says that another site asks, and not because somebody followed a link."""
    site, mode = (headers.get(f"sec-fetch-{name}".encode(), b"") for name in ("site", "mode"))
    return site in (b"cross-site", b"same-site") and mode != b"navigate"


def may_be_seen(query: bytes, seen: set[str]) -> bool:
    """Whether the file that a request for media names is an image, and it or its folder is of `seen`, links resolved.

    What lies in a folder below is not seen for that.
    """
    named = parse_qs(query.decode("latin-1"), keep_blank_values=True, encoding="utf-8").get("filepath", [])
    if len(named) != 1 or "\0" in named[0]:
        return False
    path = os.path.realpath(named[0])
    return Path(path).suffix.lower() in IMAGE_SUFFIXES and (path in seen or os.path.dirname(path) in seen)  # noqa: PTH120


def packed(seen: set[str]) -> bytes:
    """Paths as the content of a file: a million folders are too many for a command line."""
    return b"\0".join(map(os.fsencode, sorted(seen)))


def unpacked(path: Path) -> set[str]:
    """The paths that were `packed` into a file."""
    return set(map(os.fsdecode, path.read_bytes().split(b"\0")))


def _with_policy(send: Send) -> Send:
    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
        await send(message)

    return sent


async def _refuse(scope: Scope, send: Send, why: str) -> None:
    if scope["type"] == "websocket":  # closed before it is accepted: the browser gets a 403
        await send({"type": "websocket.close", "code": 1008, "reason": why})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": f"refused: {why}\n".encode()})


def main(port: int, name: str, seen: set[str]) -> None:
    """Serve until the process is ended. The dataset that will be looked at is made ready, so that no key waits."""
    os.environ["FIFTYONE_SERVER"] = "1"
    from curate.mongo.database import fiftyone

    fiftyone()
    threading.Thread(target=_make_ready, args=(name,), daemon=True).start()
    threading.Thread(target=_end_with_input, daemon=True).start()
    from fiftyone.server.app import app
    from fiftyone.server.events import set_port
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"{HOST}:{port}"]
    config.accesslog = config.errorlog = None
    set_port(port)
    asyncio.run(serve(guarded(app, seen, port), config))  # type: ignore[arg-type]


def _make_ready(name: str) -> None:
    """Begin the review of a dataset as soon as the command that started this has made it."""
    import fiftyone as fo

    from curate.review import acting

    while name not in fo.list_datasets():
        time.sleep(LOOK_SECONDS)
    with contextlib.suppress(UserError):  # the first key says it
        acting.session(fo.load_dataset(name))


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], unpacked(Path(sys.argv[3])))
