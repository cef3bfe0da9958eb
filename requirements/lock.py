"""Write the lock files: every package that an installation takes, its version and the hash of the file it comes in.

    python requirements/lock.py        # with Python 3.11 on Linux, x86-64; writes the two .txt beside it

pip chooses, from what pyproject.toml asks for, and installs nothing. `check.py` says when a lock does not fit
pyproject.toml any more.
"""

import json
import platform
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
TORCH = "torch==2.13.0"
"""Named alone and exactly, as in the Makefile and the README: where a CPU build is at hand, pip takes that."""
SOURCE = "  # source"
MADE = "# Made by requirements/lock.py; see requirements/README.md.\n"
RUN = "# What curate needs on Linux, x86-64, Python 3.11, on a CPU: all of it, pinned by version and hash.\n" + MADE
BUILD = "# What building the wheel needs, on any machine: all of it, pinned by version and hash.\n" + MADE


def chosen(requirements: list[str]) -> list[dict]:
    """What pip would install into an empty environment: the entries of its installation report."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        subprocess.run([*pip, "--report", report, *requirements], check=True)
        return list(json.loads(report.read_text(encoding="utf-8"))["install"])


def line(entry: dict) -> str:
    """`name==version --hash=sha256:…` of one entry; nothing of where it came from, since the hash says what it is.

    Of what comes as source code, `SOURCE` is added: installing it runs code, and what that does no hash covers.
    """
    name = re.sub(r"[-_.]+", "-", entry["metadata"]["name"]).lower()
    digest = entry["download_info"]["archive_info"]["hashes"]["sha256"]
    source = "" if entry["download_info"]["url"].partition("#")[0].endswith(".whl") else SOURCE
    return f"{name}=={entry['metadata']['version']} --hash=sha256:{digest}{source}"


def write(path: Path, header: str, requirements: list[str]) -> None:
    """Write one lock file, whole or not at all."""
    lines = sorted(line(entry) for entry in chosen(requirements))
    path.write_text(header + "".join(f"{one}\n" for one in lines), encoding="utf-8")
    print(f"{path}: {len(lines)} packages")


def main() -> None:
    here = (platform.system(), platform.machine(), sys.version_info[:2])
    if here != ("Linux", "x86_64", (3, 11)):
        sys.exit(f"lock: the lock is for Linux, x86-64, Python 3.11; this is {here}; run it there")
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    write(HERE / "build.txt", BUILD, project["build-system"]["requires"])
    write(HERE / "linux-py311.txt", RUN, [TORCH, *project["project"]["dependencies"]])


if __name__ == "__main__":
    main()
