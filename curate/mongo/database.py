"""FiftyOne with its database: imported late and quietly, connected, and in one line what keeps it from that."""

import contextlib
import json
import os
import re
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from curate.errors import UserError
from curate.mongo import mongod

SECONDS = 5
"""How long a database may take to answer. FiftyOne alone would wait for 30."""
NOT_ALLOWED = (13, 18)
"""MongoDB's error codes for what a user may not do, and for a user or password that is wrong."""

_serving: list[mongod.Serving] = []
"""The mongod of this process, if it needs one: kept, because FiftyOne's process around mongod ends when it goes."""


def fiftyone() -> ModuleType:
    """FiftyOne, connected to its database. Takes four seconds for the first time, then none.

    The database is the one that FIFTYONE_DATABASE_URI names, or a mongod for FIFTYONE_DATABASE_DIR (FiftyOne's own
    folder unless set) that listens on this machine alone and ends with the last process that uses it. Nothing is sent
    to FiftyOne's makers, and nothing is printed to stdout.

    Raises `UserError` where there is no database, it does not answer, or is not one for this FiftyOne.
    """
    fo = _imported()
    from fiftyone.core.odm import database

    if _serving or not database._is_client_closed(database._client):
        return fo
    uri = fo.config.database_uri
    if "serverselectiontimeoutms" not in (uri or "").lower():
        database._connection_kwargs["serverSelectionTimeoutMS"] = SECONDS * 1000
    try:
        if uri:
            if why := silence(uri, SECONDS):
                raise UserError(
                    f"{named(uri)} {why}; mend FIFTYONE_DATABASE_URI, or unset it for a database of your own"
                )
        elif "FIFTYONE_PRIVATE_DATABASE_PORT" not in os.environ:  # set: FiftyOne's App runs us, and has one
            _serving.append(mongod.serve(fo.config.database_dir))
            os.environ["FIFTYONE_PRIVATE_DATABASE_PORT"] = str(_serving[0].port)  # FiftyOne's way to tell its App
        _connect(fo, uri)
    except BaseException:
        leave()
        raise
    return fo


def leave() -> None:
    """Let go of the database before this process ends. Its mongod ends, too, if nobody else uses it."""
    if "fiftyone" in sys.modules:
        import pymongo
        from fiftyone.core.odm import database

        with pymongo.timeout(0.1 if gone() else None):  # one that has gone would be waited for, to end sessions there
            database._disconnect()
    while _serving:
        os.environ.pop("FIFTYONE_PRIVATE_DATABASE_PORT", None)
        _serving.pop().leave()


def gone() -> bool:
    """Whether the mongod of this machine that this process uses has ended: nothing listens on its port any more."""
    port = os.environ.get("FIFTYONE_PRIVATE_DATABASE_PORT")
    if not port or address():
        return False
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) != 0


@contextlib.contextmanager
def reachable() -> Iterator[None]:
    """A block that uses the database. Raises `UserError` where that has gone meanwhile, or forbids what is done."""
    from pymongo.errors import ConnectionFailure, OperationFailure

    if gone():  # told at once: FiftyOne would look for it for seconds, at each read
        raise _gone_error()
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if isinstance(error, ConnectionFailure) or gone():  # one that shuts down fails in other ways, too
            raise _gone_error() from None
        if isinstance(error, OperationFailure) and error.code in NOT_ALLOWED:
            raise UserError(f"FiftyOne's database does not allow this: {_told(error)}; ask for more rights") from None
        raise


def address() -> str:
    """What FIFTYONE_DATABASE_URI or FiftyOne's config file says where the database is; "" for one on this machine.

    FiftyOne is not imported for this.
    """
    if given := os.environ.get("FIFTYONE_DATABASE_URI"):
        return given
    config = Path(os.environ.get("FIFTYONE_CONFIG_PATH") or Path.home() / ".fiftyone" / "config.json")
    try:
        return str(json.loads(config.read_text(encoding="utf-8")).get("database_uri") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def named(uri: str) -> str:
    """A database in an error: by its hosts, never by the name and password that may be in its URI."""
    host = r"(?:\[[^@\]]+\]|[^@/?:,\[\]]+)(?::\d+)?"
    hosts = re.fullmatch(rf"mongodb(?:\+srv)?://(?:[^@/?]*@)?({host}(?:,{host})*)(?:[/?][^@]*)?", uri)
    return f"the database at {hosts[1]}" if hosts else "the database that FIFTYONE_DATABASE_URI names"


def silence(uri: str, seconds: float) -> str:
    """Why the database does not answer within `seconds`; "" if it does."""
    import pymongo
    from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

    wait = int(seconds * 1000)
    limits: dict[str, Any] = {f"{what}TimeoutMS": wait for what in ("serverSelection", "connect", "socket")}
    try:
        with _quietly(), pymongo.MongoClient[dict[str, Any]](uri, **limits) as client:
            client.admin.command("ping")
    except ConnectionFailure:
        return f"does not answer within {seconds:g} s"
    except OperationFailure as error:
        return "refuses the name or password" if error.code in NOT_ALLOWED else f"refuses: {_told(error)}"
    except (PyMongoError, ValueError, TypeError):  # a URI that is none, or a host that the DNS does not know
        return "cannot be looked for: that is no URI of a database, or its host is unknown"
    return ""


def _imported() -> ModuleType:
    """FiftyOne, told before its first import what it shall do here."""
    os.environ["FIFTYONE_DO_NOT_TRACK"] = "true"
    os.environ.setdefault("FIFTYONE_DATABASE_VALIDATION", "false")
    os.environ.setdefault("FIFTYONE_SHOW_PROGRESS_BARS", "false")
    os.environ.setdefault("FIFTYONE_LOGGING_DESTINATION", "stderr")  # no handler of its own: warnings go to stderr
    with _quietly():
        import fiftyone as fo
        import fiftyone.core.odm
    fo.config.do_not_track = True  # where somebody has imported it before
    return fo


def _connect(fo: ModuleType, uri: str | None) -> None:
    from fiftyone.core.odm import database
    from pymongo.errors import OperationFailure, PyMongoError

    where = named(uri) if uri else f"FiftyOne's database in {fo.config.database_dir}"
    try:
        with _quietly():
            database._connect()
    except OperationFailure as error:
        raise UserError(f"{where} does not allow this: {_told(error)}; ask for more rights") from None
    except (ConnectionError, RuntimeError, PyMongoError) as error:
        raise UserError(
            f"{where} cannot be used: {_told(error)}; set FIFTYONE_DATABASE_DIR to another folder"
        ) from None
    except OSError as error:  # what fiftyone.migrations raises
        raise UserError(f"{where} is one of another FiftyOne: {_told(error)}") from None


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what FiftyOne prints to stdout, and without warnings: of strawberry and mongoengine about how FiftyOne
    calls them, of pymongo about options in a URI that it does not know."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield


def _told(error: Exception) -> str:
    """The first sentence of what an error says, as one line."""
    return re.split(r"(?<=[^.\d])\.\s|\n|, full error:", str(error).strip())[0].rstrip(".")


def _gone_error() -> UserError:
    why = _serving[0].why_gone() if _serving else "it does not answer any more"
    return UserError(f"FiftyOne's database is gone: {why}; run the command again")
