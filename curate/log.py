"""Lines of the ledger as people read them: for `curate log`, and for the report."""

from dataclasses import dataclass

from curate.predictions import FOLDER
from curate.results.runs import trained
from curate.workspace import Entry


@dataclass(frozen=True)
class Version:
    """A line of the ledger, as people read it."""

    number: int
    at: str
    command: str
    arguments: str
    wrote: str


def version(entry: Entry) -> Version:
    """A line of the ledger: all that was said and written."""
    runs = trained(entry)
    told = {name: value for name, value in entry.given.items() if value and not (name == "runs" and runs)}
    arguments = ", ".join(f"{name} {value}" for name, value in told.items())
    wrote = [name if digest else f"{name} (removed)" for name, digest in entry.writes.items()]
    wrote += [f"runs/{name}" for name in runs]
    if entry.command == "predict":
        wrote.append(str(FOLDER))
    return Version(entry.version, entry.at, entry.command, arguments, ", ".join(wrote))
