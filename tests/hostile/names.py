"""Names of classes and files that do harm where they are shown unescaped, or written as they are."""

import os
import random
from pathlib import Path

from tests.hostile.pictures import drawn, encoded

MARK = "hostile()"
"""What the scripts in the names would call."""
NAMES = (
    f"<img src=x onerror={MARK}>",
    f"<script>{MARK}<|script>",  # stands for a slash, which no name of a file can have
    f'"><svg onload={MARK}>',
    f"' onmouseover='{MARK}",
    f"{{{{ {MARK} }}}}",
    f"${{{MARK}}}`{MARK}`",
    f"javascript:{MARK}",
    "&lt;b&gt;&#x3C;",
    "<!--",
    "]]><![CDATA[",
    '=HYPERLINK("http:||x";"y")',
    "=cmd|' |C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "a\nb",
    "a\r\nb",
    "a\tb",
    "\x1b[31mred\x1b]0;title\x07",
    "\x01\x02\x7f",
    "\u202egnp.exe",
    "\u2066a\u2069\u200f\u200b\ufeff",
    "[red]x[|red][link=http:||x]y",
    "%s%n{0}$(touch ran);`touch ran`",
    "a;b,c\"d'e\\f",
    "con",
    "nul.png",
    " leading and trailing ",
    "..a..",
    "...",
    "-rf",
    "~",
    "\u0000".replace("\0", "\u2400") + "\U0001f4a9" * 20,
    "x" * 200,
)
"""None of them holds a slash or a NUL, so that each can be a folder's and a file's name here."""


def with_slashes(name: str) -> str:
    """As a label in a table, where a slash may be."""
    return name.replace("|", "/")


def named(folder: Path, rng: random.Random) -> int:
    """Class folders and files of these names, and of bytes that are no text; the count of files."""
    count = 0
    for name in NAMES:
        for at in range(2):
            place = folder / name / f"{name[:120]}{at}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(encoded(".png", drawn(rng)) if at or count % 4 else b"broken")
            count += 1
    for name in (b"caf\xe9", b"\xff\xfe", b"\xed\xa0\x80"):
        (folder / "latin").mkdir(exist_ok=True)
        (folder / "latin" / os.fsdecode(name + b".png")).write_bytes(encoded(".png", drawn(rng)))
        count += 1
    return count


def on_disk(folder: Path, canary: Path, rng: random.Random) -> int:
    """What a folder may hold beside files: links to nothing, out, and in circles, pipes, names that differ by case."""
    (folder / "cat").mkdir(parents=True)
    image = encoded(".png", drawn(rng))
    for name in ("1.png", "1.PNG", "2.jpg"):
        (folder / "cat" / name).write_bytes(image)
    for name, target in {
        "nothing.png": "/nowhere/at/all.png",
        "passwords.png": "/etc/passwd",
        "itself.png": "itself.png",
        "zero.png": "/dev/zero",
        "canary.png": str(canary),
        "up": "../..",
        "loop": ".",
        "device": "/dev",
    }.items():
        (folder / "cat" / name).symlink_to(target)
    os.mkfifo(folder / "cat" / "pipe.png")
    os.mkfifo(folder / "cat" / "labels.csv")
    with (folder / "cat" / "sparse.png").open("wb") as file:
        file.truncate(2**40)
    return len(list((folder / "cat").iterdir()))
