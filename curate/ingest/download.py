"""Downloads that go on where they were cut off, and are checked before anything reads them."""

import errno
import hashlib
import http.client
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import filelock

from curate import __version__
from curate.errors import UserError
from curate.files import flush
from curate.progress import progress
from curate.wording import pasted

TIMEOUT_SECONDS = 30
"""How long a server may say nothing."""
ATTEMPTS = 5
"""Tries in a row that bring nothing new before giving up; each goes on where the last one stopped."""
BLOCK_BYTES = 1 << 18
BY_HAND = "or download it by hand and name the file with --from PATH"


class _CutError(Exception):
    """The connection broke; what arrived is kept."""


def download(url: str, dest: Path, *, sha256: str | None, size: int | None) -> Path:
    """Download `url` to the file `dest` and return `dest`.

    `sha256` (hexadecimal) and `size` (bytes) are checked before the file gets its name. A file that is there and has
    them is not downloaded again. What arrived of a download that was cut off lies beside it as `NAME.part`; with a
    `sha256` the next call goes on from there, without one it starts again, since nothing would tell a mixture of two
    versions. Raises `UserError` for a server that cannot be reached, says no or sends something else, and for a full
    disk.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise UserError(
            f"{url}: only https:// and http:// addresses are downloaded; name a local file with --from PATH"
        )
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(dest.with_name(f".{dest.name}.lock")):  # two workspaces may want the same file
            if _is_there(dest, sha256, size):
                return dest
            part = dest.with_name(f"{dest.name}.part")
            if sha256 is None:
                part.unlink(missing_ok=True)
            with progress(f"download {dest.name}", size) as advance:
                _fetch(url, part, size, advance)
            _check(url, part, sha256, size)
            flush(part)
            part.replace(dest)
            flush(dest.parent)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _disk_full(url, dest, size) from None
        raise UserError(f"{url} cannot be saved as {pasted(dest)}: {error.strerror or error}") from None
    return dest


def _is_there(dest: Path, sha256: str | None, size: int | None) -> bool:
    """Whether `dest` is complete: by its checksum, or where none is known by its size, or by being there."""
    if not dest.is_file():
        return False
    if sha256:
        return _sha256(dest) == sha256.lower()
    return size is None or dest.stat().st_size == size


def _fetch(url: str, part: Path, size: int | None, advance: Callable[[int], None]) -> None:
    """Bring `part` to its full length, over as many connections as it takes while each brings something new."""
    fruitless, reason = 0, ""
    have = _length(part)
    advance(have)
    while fruitless < ATTEMPTS:
        try:
            _continue(url, part, size, advance)
            return
        except _CutError as cut:
            reason = str(cut)
        fruitless = 0 if _length(part) > have else fruitless + 1
        have = _length(part)
        if not have:  # the server was never reached: trying again at once would not help
            break
    kept = f"; {_megabytes(have)} are kept, and the same command goes on from there" if have else ""
    raise UserError(f"{url} cannot be downloaded ({reason}){kept}; see to the network and try again, {BY_HAND}")


def _continue(url: str, part: Path, size: int | None, advance: Callable[[int], None]) -> None:
    """One connection: ask for what is missing in `part`, and append it. Raises `_CutError` when it breaks."""
    have = _length(part)
    if size is not None and have > size:
        part.unlink()
        have = 0
    if have and have == size:
        return
    headers = {"User-Agent": f"curate/{__version__}"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with _open(urllib.request.Request(url, headers=headers)) as response:
            start, total = _offered(response)
            if start not in (0, have):
                raise UserError(f"{url}: asked for bytes from {have}, got them from {start}; {BY_HAND}")
            if size is not None and total is not None and total != size:
                raise UserError(
                    f"{url} has {total:,} bytes now, {size:,} expected: the file there has changed; {BY_HAND}"
                )
            if total is not None and shutil.disk_usage(part.parent).free < total - start:
                raise OSError(errno.ENOSPC, "no space left")
            with part.open("ab") as file:
                file.truncate(start)  # a server that ignores Range sends everything from the start
                _copy(response, file, size if size is not None else total, advance)
            if total is not None and _length(part) < total:
                raise _CutError(f"the connection was cut after {_megabytes(_length(part))} of {_megabytes(total)}")
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and size is None:  # nothing beyond what is there: the checksum says whether it is whole
            return
        if error.code == 416 or error.code >= 500 or error.code == 429:
            if error.code == 416:
                part.unlink(missing_ok=True)
            raise _CutError(f"the server answers {error.code} {error.reason}") from None
        way_out = "has it moved? Correct the recipe," if error.code in (404, 410) else "see to the address,"
        raise UserError(f"{url}: the server answers {error.code} {error.reason}; {way_out} {BY_HAND}") from None
    except urllib.error.URLError as error:
        raise _CutError(_reason(error.reason)) from None
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _CutError(_reason(error)) from None


def _copy(
    response: http.client.HTTPResponse, file: IO[bytes], limit: int | None, advance: Callable[[int], None]
) -> None:
    """Append the body; stops once the file is longer than `limit`, for it can only be wrong then."""
    while block := response.read(BLOCK_BYTES):
        file.write(block)
        advance(len(block))
        if limit is not None and file.tell() > limit:
            return


def _offered(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """From which byte on the body is, and how long the whole file is, where the server says so."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        if not match:
            raise _CutError("the server answered a part without saying which")
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


class _WebRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https alone: urllib would follow one to ftp as well."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            fp.close()
            raise UserError(f"{req.full_url} redirects to {newurl}, which is neither https:// nor http://; {BY_HAND}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]  # stub: HTTPMessage


def _open(request: urllib.request.Request) -> http.client.HTTPResponse:
    response: http.client.HTTPResponse = urllib.request.build_opener(_WebRedirects).open(
        request, timeout=TIMEOUT_SECONDS
    )
    return response


def _check(url: str, part: Path, sha256: str | None, size: int | None) -> None:
    """Refuse, and remove, a file that is not what was asked for."""
    length = _length(part)
    if size is not None and length != size:
        part.unlink()
        raise UserError(f"{url} gave {length:,} bytes, {size:,} expected; the file was removed; try again, {BY_HAND}")
    if sha256 is None:
        return
    found = _sha256(part)
    if found != sha256.lower():
        part.unlink()
        raise UserError(
            f"{url} has sha256 {found}, {sha256.lower()} expected; the file was removed; try again, {BY_HAND}"
        )


def _disk_full(url: str, dest: Path, size: int | None) -> UserError:
    free = shutil.disk_usage(dest.parent).free
    needs = f" and {_megabytes(size)} are needed in all" if size else ""
    return UserError(
        f"{url}: the disk of {dest.parent} is full ({_megabytes(free)} free{needs}); make room and try again"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_SECONDS} s"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
