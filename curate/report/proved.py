"""The proof: what curating was worth, as `curate prove` found it, and whether it is of the set as it is now."""

from dataclasses import dataclass

from curate.results import proof
from curate.results.proof import Proof
from curate.workspace import CURATED, MANIFEST, Workspace


@dataclass(frozen=True)
class Proved:
    """A proof, and whether images or decisions have changed since."""

    proof: Proof
    outdated: bool


def proved(workspace: Workspace) -> Proved | None:
    """Read `proof.json`; None where nothing was proven. Raises `UserError` for one that cannot be read."""
    found = proof.read(workspace)
    if found is None:
        return None
    ledger = workspace.ledger()
    last = max((entry.version for entry in ledger if entry.command == "prove"), default=0)
    later = [entry for entry in ledger if entry.version > last]
    return Proved(found, bool(last) and any(name in entry.writes for entry in later for name in (MANIFEST, CURATED)))
