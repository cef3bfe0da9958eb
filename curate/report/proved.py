"""The proof: what curating was worth, as `curate prove` found it, and whether it is of the set as it is now."""

from dataclasses import dataclass

from curate import versions
from curate.results import proof
from curate.results.proof import Proof
from curate.workspace import CURATED, MANIFEST, Workspace


@dataclass(frozen=True)
class Proved:
    """A proof, and whether images or decisions have changed since its sets were read."""

    proof: Proof
    outdated: bool


def proved(workspace: Workspace) -> Proved | None:
    """Read `proof.json`; None where nothing was proven. Raises `UserError` for one that cannot be read."""
    found = proof.read(workspace)
    if found is None:
        return None
    lines = [entry for entry in workspace.ledger() if entry.command == "prove"][-1:]
    changed = any(line.reads.get(name, "") != workspace.hash(name) for line in lines for name in (MANIFEST, CURATED))
    return Proved(found, changed or (bool(lines) and workspace.has(CURATED) and not versions.is_current(workspace)))
