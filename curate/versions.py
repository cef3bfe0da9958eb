"""Versions of a workspace: what changed between two of them, and going back to one."""

import pandas as pd

from curate import apply, decisions
from curate.errors import UserError
from curate.workspace import CURATED, DECISIONS, MANIFEST, VERSIONED, Workspace, read_table


def compare(workspace: Workspace, before: int | None, after: int | None) -> pd.DataFrame:
    """Changes between two versions, as `apply.diff` gives them.

    Without `before` it is the manifest as it is now, without `after` the curated set as it is now. A version stands for
    its curated set, or for its manifest where nothing was applied by then.
    """
    if before is None and after is None and not workspace.has(CURATED):
        raise UserError(f"{workspace.root} has no {CURATED} to compare with; 'curate apply {workspace.root}' writes it")
    first = workspace.read_table(MANIFEST, written_by="curate add") if before is None else _images(workspace, before)
    if after is None:
        second = read_table(workspace.path(CURATED if workspace.has(CURATED) else MANIFEST))
    else:
        second = _images(workspace, after)
    return apply.diff(first, second, _decisions(workspace, after))


def restore(workspace: Workspace, version: int) -> list[str]:
    """Bring the tables back to how they were at `version`, as a new version. Returns the names of what changed."""
    with workspace.writing("restore", {"version": version}) as transaction:
        state, now = workspace.state(version), workspace.hashes()
        changed = [name for name in VERSIONED if state.get(name) != now.get(name)]
        for name in changed:
            if name in state:
                transaction.copy(name, workspace.version_file(name, state[name]))
            else:
                transaction.remove(name)
    return changed


def is_current(workspace: Workspace) -> bool:
    """Whether the curated set is what `apply` made of the manifest and the decisions as they are now."""
    state: dict[str, str] = {}
    applied = []
    for entry in workspace.ledger():
        state = state | entry.writes
        if entry.command == "apply":
            applied.append([state.get(name, "") for name in (MANIFEST, DECISIONS, CURATED)])
    now = workspace.hashes()
    return [now.get(name, "") for name in (MANIFEST, DECISIONS, CURATED)] in applied


def _images(workspace: Workspace, version: int) -> pd.DataFrame:
    state = workspace.state(version)
    name = CURATED if CURATED in state else MANIFEST
    if name not in state:
        raise UserError(f"version {version} of {workspace.root} holds no images")
    return read_table(workspace.version_file(name, state[name]))


def _decisions(workspace: Workspace, version: int | None) -> pd.DataFrame:
    if version is None:
        return read_table(workspace.path(DECISIONS)) if workspace.has(DECISIONS) else decisions.empty()
    digest = workspace.state(version).get(DECISIONS)
    return read_table(workspace.version_file(DECISIONS, digest)) if digest else decisions.empty()
