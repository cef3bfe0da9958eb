"""Two verbs started at the same moment: both end well, one after the other, or one says that the other writes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from curate.workspace import DECISIONS, LEDGER, VERSIONED, Workspace, read_table
from tests.crash import checks
from tests.crash.cases import SOURCES, TINY, put_back
from tests.crash.checks import WS, Found, Snapshot
from tests.crash.server import Command, Ended
from tests.crash.trials import Bench

WAITS = "another curate is writing to "
TAKEN = "is not empty"


@dataclass(frozen=True)
class Pair:
    """Two commands in a state of `cases`."""

    state: str
    one: tuple[str, ...]
    other: tuple[str, ...]
    refused: tuple[str, ...] = (WAITS,)
    """What one of them may say instead of being done."""

    @property
    def name(self) -> str:
        """Both commands, without settings."""
        return " + ".join(" ".join(_words(command)) for command in (self.one, self.other))


def _words(command: tuple[str, ...]) -> list[str]:
    return [word.rpartition("/")[2] for word in command if word not in ("ws", *TINY)]


ADA = ("decide", "ws", "--import", f"{SOURCES}/ada.csv", "--by", "ada")
BOB = ("decide", "ws", "--import", f"{SOURCES}/bob.csv", "--by", "bob")
SCAN, DECIDE, APPLY = ("scan", "ws"), ("decide", "ws"), ("apply", "ws")
MORE, PACKED = ("add", "ws", f"{SOURCES}/more"), ("add", "ws", f"{SOURCES}/packed.tar")
FLIPS = ("augment", "add", "ws", "--pipeline", f"{SOURCES}/flips.yaml", "--total", "50")
EXPORT = ("export", "ws", "out")
TRAIN = ("train", "ws", "--name", "other", *TINY)
PREDICT = ("predict", "ws", "--profile", "plain", "--folds", "2", *TINY)
PAIRS = (
    Pair("predicted", ADA, BOB),
    Pair("predicted", MORE, PACKED),
    Pair("predicted", MORE, MORE),
    Pair("predicted", SCAN, ADA),
    Pair("applied", DECIDE, BOB),
    Pair("applied", APPLY, BOB),
    Pair("applied", APPLY, ("restore", "ws", "2")),
    Pair("applied", FLIPS, FLIPS),
    Pair("applied", ("review", "ws", "--sheet"), DECIDE),
    Pair("applied", ("report", "ws"), BOB),
    Pair("applied", EXPORT, EXPORT, (WAITS, TAKEN)),
    Pair("applied", TRAIN, BOB),
    Pair("applied", TRAIN, TRAIN),
    Pair("predicted", PREDICT, BOB),
    Pair("predicted", PREDICT, PREDICT),
)


@dataclass
class Together:
    """What came of a pair."""

    trials: int = 0
    refused: int = 0
    """One of the two said that the other writes."""
    bad_ends: int = 0
    lost: int = 0
    """The tables are those of neither order, or an entry is missing in the ledger."""
    corrupt: int = 0
    leftovers: int = 0
    wrong: list[str] = field(default_factory=list)


def run(bench: Bench, count: int, *, pairs: Sequence[Pair] = PAIRS) -> Iterator[tuple[str, Together]]:
    """Every pair so often; whoever is started first takes turns."""
    for pair in pairs:
        orders = [_in_order(bench, pair, first, second) for first, second in _both(pair)]
        alone = [_in_order(bench, pair, each) for each in dict.fromkeys((pair.one, pair.other))]
        together = Together()
        for number in range(count):
            put_back(bench.state(pair.state), bench.place)
            first, second = _both(pair)[number % 2]
            ended = bench.server.together(Command(first), Command(second))
            done = all(each.status == 0 for each in ended)
            note(together, pair, ended, found(bench, orders if done else [*orders, *alone]))
        yield pair.name, together


def _both(pair: Pair) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(pair.one, pair.other), (pair.other, pair.one)]


def _in_order(bench: Bench, pair: Pair, *commands: tuple[str, ...]) -> Snapshot:
    """What the commands come to one after the other."""
    put_back(bench.state(pair.state), bench.place)
    for command in commands:
        ended = bench.server.run(*command)
        assert ended.status == 0 or any(said in ended.stderr for said in pair.refused), ended.stderr
    return checks.snapshot(bench.place)


def found(bench: Bench, orders: Sequence[Snapshot]) -> Found:
    """What is wrong after two commands at the same time, each of `orders` being right."""
    now, result = checks.snapshot(bench.place), Found()
    checks.check_workspace(Workspace(bench.place / WS), result)
    for path in now:
        if not checks.is_temporary(path) and (why := checks.damage(bench.place / path)):
            result.corrupt.append(f"{path}: {why}")
    tables = [{name: order.get(f"{WS}/{name}") for name in VERSIONED} for order in orders]
    if {name: now.get(f"{WS}/{name}") for name in VERSIONED} not in tables:
        said = read_table(bench.place / WS / DECISIONS)["by"].value_counts() if f"{WS}/{DECISIONS}" in now else "none"
        result.lost.append(f"the tables are those of neither order; decisions by {dict(said)}")
    known = {path for order in orders for path in order if path != f"{WS}/{LEDGER}"}
    result.leftovers += [path for path in now if checks.is_temporary(path) and path not in known]
    return result


def note(together: Together, pair: Pair, ended: Sequence[Ended], what: Found) -> None:
    """Count a trial."""
    together.trials += 1
    refused = [each for each in ended if each.status != 0]
    together.refused += len(refused) == 1
    for each in refused:
        lines = [line for line in each.stderr.splitlines() if line.startswith("curate: ")]
        if (
            len(refused) > 1
            or each.status != 1
            or len(lines) != 1
            or not any(said in lines[0] for said in pair.refused)
        ):
            together.bad_ends += 1
            together.wrong.append(f"{each.status}, {each.stderr[-500:]!r}")
    for name in ("lost", "corrupt", "leftovers"):
        setattr(together, name, getattr(together, name) + bool(getattr(what, name)))
    together.wrong += what.lines()


def totals(found: dict[str, Together]) -> dict[str, int]:
    """Sums over the pairs."""
    counted = ("trials", "refused", "bad_ends", "lost", "corrupt", "leftovers")
    return {name: sum(getattr(each, name) for each in found.values()) for name in counted}
