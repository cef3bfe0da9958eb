"""What is given on the command line: `--at`, `--set`, `--split`, times, filters of runs, thresholds of a gate."""

from collections.abc import Callable

from curate import findings, recipe
from curate.cli import options
from curate.ingest import split_rule
from curate.labels import threshold
from curate.layouts.archives import safe_name
from curate.results import run_table
from curate.reviewers import checked_name
from tests.fuzz.contract import answered, file
from train.budget import parse_seconds

COLUMNS = ["name", "accuracy", "epochs", "lr"]


def filtered(text: str) -> None:
    """A filter of `curate runs`, with a number and a text to hold against it."""
    name, sign, wanted = run_table._parse(text, COLUMNS)
    for value in (0.5, 3, "resnet20", True, None):
        run_table._holds(value, sign, wanted, name, text)


def threshold_of(text: str) -> None:
    """A threshold of `curate gate --set`."""
    recipe.change_gate(recipe.Gate(), options.parse_settings([text]))


def finder_setting(text: str) -> None:
    """A setting of `curate scan --set`."""
    findings.check_settings(options.parse_finder_settings([text]))


def shares(text: str) -> None:
    """A rule for splits; shares are from 0 to 1 and add up."""
    found = split_rule.parse(text)
    if isinstance(found, dict):
        assert all(0 <= share <= 1 + 1e-6 for share in found.values()), found
        assert abs(sum(found.values()) - 1) < 1e-5, found


def seconds(text: str) -> None:
    """A time; never below 0."""
    assert parse_seconds(text) >= 0


PARSERS: tuple[tuple[Callable[[str], object], tuple[str, ...]], ...] = (
    (threshold.parse, ("f1", "precision=0.9", "budget=500", "recall=.8")),
    (shares, ("val", "train=0.8,val=0.1,test=0.1")),
    (seconds, ("90s", "1.5h", "16m", "7")),
    (filtered, ("epochs>=5", "accuracy>95%", "name!=none", "lr=0.1")),
    (threshold_of, ("leaks=2", "findings.dark=0.1", "required=[leaks]", "accuracy_loss=5e-2")),
    (finder_setting, ("dark.limit=0.1", "near_duplicate.probability=1", "label_error.method=fused")),
    (lambda text: options.parse_settings([text]), ("epochs=5", "at=2026-01-01", "x=0x1f", "x=1:30", "x=!!int 3")),
    (lambda text: options.parse_columns([text]), ("path=file", "label=")),
    (lambda text: safe_name(file("x.tar", b""), text), ("cat/1.png", "./a//b.png", "C:\\a", "..")),
    (lambda text: checked_name(text, "--by"), ("ada", "policy")),
)


def seeds() -> list[bytes]:
    """Examples for each."""
    return [bytes([at]) + example.encode() for at, (_, examples) in enumerate(PARSERS) for example in examples]


def one(data: bytes) -> None:
    """The text as the command line would have it: what is no UTF-8 comes as lone surrogates."""
    parse, _ = PARSERS[data[0] % len(PARSERS)] if data else PARSERS[0]
    with answered():
        parse(data[1:].decode("utf-8", "surrogateescape"))
