"""Recipes in YAML, with their policies and gates."""

from pathlib import Path

from curate import recipe
from tests.fuzz.contract import answered, file

FOLDER = Path(__file__).parents[3] / "datasets"


def seeds() -> list[bytes]:
    """The recipes that come with curate, without comments, and one with every key."""
    whole = b"""name: all
summary: "every key"
layout: csv
columns: {path: file, label: ""}
split: train=0.8,val=0.2
download:
- {url: "https://x.org/a.tar", sha256: null, size: 5, filename: a.tar}
classes: {"0": cat}
train: {epochs: 2, lr: 5e-4, model_options: {depth: 20}}
scan: {dark: {limit: 0.1}}
policy:
- {finder: dark, below: 0.5, action: drop, splits: [train, val]}
- {finder: label_error, sure: 0.9, action: relabel}
reviewers: {rule: unanimous, arbiter: ada}
gate: {findings: {dark: 0.1}, leaks: 0, accuracy_loss: 0.01, required: [leaks]}
"""
    own = [path.read_bytes() for path in sorted(FOLDER.glob("*.yaml"))]
    return [whole, b"{}", *(b"\n".join(line for line in text.splitlines() if line[:1] != b"#") for text in own)]


def one(data: bytes) -> None:
    """A recipe that is read can be written, and reads as the same."""
    path = file("x.yaml", data)
    with answered():
        found = recipe._read(path)  # without the default, which takes three times as long to read
        again = recipe._read(file("again.yaml", recipe.dump(found).encode()))
        assert again.model_dump() == found.model_dump()
