"""Nothing goes out unless it is asked for: the whole loop runs where no socket reaches beyond this machine's files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BLOCKED = '''
import os
import socket

def note(what):
    with open(os.environ["NOTED"], "a") as file:
        file.write(f"{os.getpid()} {what}\\n")
    raise PermissionError(f"no network here: {what}")

class Blocked(socket.socket):
    """Unix sockets work, which processes of one machine use; all others are noted and refused."""

for name in ("connect", "connect_ex", "bind", "sendto"):
    def refuse(self, *arguments, name=name):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            note(f"{name} {arguments}")
        return getattr(socket.SocketType, name)(self, *arguments)
    setattr(Blocked, name, refuse)

socket.socket = Blocked
def getaddrinfo(*arguments, **options):
    note(f"getaddrinfo {arguments}")

socket.getaddrinfo = getaddrinfo
if "STARTED" in os.environ:
    with open(os.environ["STARTED"], "a") as file:
        file.write(f"{os.getpid()}\\n")
'''
"""A `sitecustomize`: every Python process that is started with it imports it first, workers, too."""
LOOP = """
import sys
from curate.cli import app

if __name__ == "__main__":
    ws, photos, out = sys.argv[1:]
    tiny = "--set epochs=1 --set image_size=8 --set flip=false".split()
    for verb in (
        ["add", ws, photos, "--workers", "2"],
        ["predict", ws, "--profile", "plain", "--folds", "2", *tiny],
        ["scan", ws],
        ["findings", ws],
        ["decide", ws],
        ["review", ws, "--sheet", "--by", "ada"],
        ["apply", ws],
        ["train", ws, *tiny],
        ["runs", ws],
        ["report", ws],
        ["export", ws, out],
        ["log", ws],
        ["doctor", ws, "--bundle", "--out", f"{out}.zip"],
    ):
        app(verb, standalone_mode=False)
        print("done:", verb[0], flush=True)
    loaded = [name for name in ("fiftyone", "ray", "huggingface_hub", "fsspec", "wandb") if name in sys.modules]
    print("loaded:", *loaded)
"""


@pytest.fixture
def blocked(tmp_path: Path) -> dict[str, str]:
    """The environment of processes without a network, which note what they try, and that they were started."""
    folder = tmp_path / "blocked"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(BLOCKED)
    for name in ("noted", "started"):
        (tmp_path / name).touch()
    root = str(Path(__file__).parents[1])
    own = {"PYTHONPATH": f"{folder}{os.pathsep}{root}", "MPLBACKEND": "agg"}
    return os.environ | own | {"NOTED": str(tmp_path / "noted"), "STARTED": str(tmp_path / "started")}


@pytest.mark.parametrize(
    "code",
    [
        "import urllib.request as r; r.urlopen('http://127.0.0.1:9/')",
        "import socket; socket.create_connection(('::1', 9))",
        "import socket; socket.socket().bind(('127.0.0.1', 0))",
        "import multiprocessing as m, urllib.request as r; m.get_context('spawn').Pool(1).apply(r.urlopen, ['http://a'])",
    ],
)
def test_the_block_holds(tmp_path: Path, blocked: dict[str, str], code: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"if __name__ == '__main__':\n    {code}\n")
    done = subprocess.run([sys.executable, script], env=blocked, capture_output=True, text=True)
    assert done.returncode
    assert "no network here" in done.stderr
    assert (tmp_path / "noted").read_text()


def test_the_loop_needs_no_network(tmp_path: Path, blocked: dict[str, str], digits_folder: Path) -> None:
    script = tmp_path / "loop.py"
    script.write_text(LOOP)
    places = [str(tmp_path / "ws"), str(digits_folder), str(tmp_path / "out")]
    done = subprocess.run([sys.executable, script, *places], env=blocked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded:"
    assert done.stdout.count("done: ") == 13
    assert (tmp_path / "noted").read_text() == ""
    assert len((tmp_path / "started").read_text().split()) > 2  # the loop and the workers of `add`
