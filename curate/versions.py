"""Versions of a workspace: what changed between two of them, and going back to one."""

from dataclasses import dataclass

import pandas as pd

from curate import apply, decisions, recipe, reviewers
from curate.errors import UserError
from curate.manifest import called_now
from curate.wording import pasted
from curate.workspace import CURATED, DECIDED_BY, DECISIONS, FINDINGS, MANIFEST, VERSIONED, Entry, Workspace, read_table

RULE = "reviewers"
"""The argument under which the ledger has the recipe's rule for several people on one image, with an `apply` by it."""


def compare(workspace: Workspace, before: int | None, after: int | None) -> pd.DataFrame:
    """Changes between two versions, as `apply.diff` gives them.

    Without `before` it is the manifest as it is now, without `after` the curated set as it is now, see `curated`. A
    version stands for its curated set, or for its manifest where nothing was applied by then. Where images or decisions
    changed after they were applied, it stands for what `apply` would make of them.
    """
    root = pasted(workspace.root)
    if before is None and after is None and not workspace.has(CURATED):
        raise UserError(f"{root} has no {CURATED} to compare with; 'curate apply {root}' writes it")
    first = workspace.read_table(MANIFEST, written_by="curate add") if before is None else images_at(workspace, before)
    if after is None:
        second = curated(workspace) if workspace.has(CURATED) else read_table(workspace.path(MANIFEST))
    else:
        second = images_at(workspace, after)
    return apply.diff(first, second, _decisions(workspace, after, first))


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
    """Whether the curated set is what `apply` made of the manifest and the decisions as they are now, and by the rule
    that the recipe has now where several people decided on one image: `apply` notes the rule there, and only there."""
    rule = recipe.in_workspace(workspace).reviewers.model_dump()
    return any(entry.arguments.get(RULE, rule) == rule for entry in _applied(workspace, workspace.hashes()))


def curated(workspace: Workspace) -> pd.DataFrame:
    """The curated set of images and decisions as they are now: what `apply` would make of them where it has not yet."""
    if is_current(workspace):
        return read_table(workspace.path(CURATED))
    images = workspace.read_table(MANIFEST, written_by="curate add")
    return apply.apply(images, _decisions(workspace, None, images)).table


def policy_changed(workspace: Workspace) -> bool | None:
    """Whether the recipe's policy says something else than it did when it made the decisions that are there.

    Not where they are of another policy (`decide --policy`). None where no policy made them, as far as the ledger
    tells: they may all be people's.
    """
    now, made, digest = recipe.rules_hash(recipe.in_workspace(workspace).policy), dict[str, Entry](), ""
    for entry in workspace.ledger():
        before, digest = digest, entry.writes.get(DECISIONS, digest)
        if entry.command == "decide" and DECIDED_BY in entry.arguments:
            made[digest] = entry
        elif digest and digest != before and before in made and entry.command != "restore":
            made.setdefault(digest, made[before])  # people's word came in
    last = made.get(workspace.hash(DECISIONS)) or made.get(digest)  # the ledger may not know of people's word yet
    if last is None:
        return None
    return last.arguments.get("policy") is None and last.arguments[DECIDED_BY] != now


def just_decided(workspace: Workspace) -> bool:
    """Whether nothing has come to images, findings and decisions since a policy decided."""
    decided, digest = False, ""
    for entry in workspace.ledger():
        decided = DECIDED_BY in entry.arguments or (
            decided and not entry.writes.keys() & {MANIFEST, FINDINGS, DECISIONS}
        )
        digest = entry.writes.get(DECISIONS, digest)
    return decided and digest == workspace.hash(DECISIONS)


@dataclass(frozen=True)
class Renamed:
    """Decisions after sources have renamed classes."""

    table: pd.DataFrame
    """With the labels as they are called now."""
    gone: pd.Series
    """Which rows give a label that no image has any more, and whose images have no other one in common."""
    told: list[str]


def renamed(workspace: Workspace, table: pd.DataFrame, images: pd.DataFrame) -> Renamed:
    """People's decisions for labels that no image has any more and one had in an earlier manifest, as far as the
    history has these: the class was renamed at its source. Another unknown label is a slip of the pen."""
    rows = decisions.complete(table, images)
    rows = rows[(rows["by"] != decisions.POLICY) & (rows["action"] == "relabel")]
    rows = rows[~rows["label"].isin(images["label"].unique())]
    wanted, names = set(rows["label"]) - {""}, dict[str, str]()
    written = [entry.writes[MANIFEST] for entry in workspace.ledger() if entry.writes.get(MANIFEST)] if wanted else []
    for digest in dict.fromkeys(reversed(written)):
        if not wanted:
            break
        if workspace.keeps(MANIFEST, digest):
            before = read_table(workspace.version_file(MANIFEST, digest), columns=["image_id", "label"])
            names |= called_now(before, images, wanted)
            wanted -= names.keys()
    rows = rows[rows["label"].isin(names)]
    now = rows["label"].map(names).astype("str")
    if (now != "").any():
        table = table.assign(label=now[now != ""].reindex(table.index).fillna(table["label"]).astype("str"))
    gone = (now == "").reindex(table.index, fill_value=False)
    return Renamed(table, gone, decisions.of_renamed_classes(rows, names))


def _applied(workspace: Workspace, hashes: dict[str, str]) -> list[Entry]:
    """Every `apply` that left these contents of manifest, decisions and curated set."""
    state: dict[str, str] = {}
    wanted, applied = [hashes.get(name, "") for name in (MANIFEST, DECISIONS, CURATED)], []
    for entry in workspace.ledger():
        state = state | entry.writes
        if entry.command == "apply" and [state.get(name, "") for name in (MANIFEST, DECISIONS, CURATED)] == wanted:
            applied.append(entry)
    return applied


def images_at(workspace: Workspace, version: int) -> pd.DataFrame:
    """The set as it was: the curated one, or the manifest where nothing was applied by then."""
    state = workspace.state(version)
    name = CURATED if CURATED in state and _applied(workspace, state) else MANIFEST
    if name not in state:
        which = f"'curate log {pasted(workspace.root)}' lists those that do"
        raise UserError(f"version {version} of {pasted(workspace.root)} holds no images; {which}")
    images = read_table(workspace.version_file(name, state[name]))
    if name == MANIFEST and CURATED in state:
        return apply.apply(images, _decisions(workspace, version, images), include_test=False).table
    return images


def _decisions(workspace: Workspace, version: int | None, images: pd.DataFrame) -> pd.DataFrame:
    """The decisions that counted for these images, by the rule that the recipe has now."""
    if version is None:
        path = workspace.path(DECISIONS) if workspace.has(DECISIONS) else None
    else:
        digest = workspace.state(version).get(DECISIONS)
        path = workspace.version_file(DECISIONS, digest) if digest else None
    said = renamed(workspace, read_table(path) if path else decisions.empty(), images)
    table = decisions.complete(said.table, images)
    table = table[(table["action"] != "") & ~decisions.outdated(table, images) & ~said.gone]
    return reviewers.settle(table, images, recipe.in_workspace(workspace).reviewers)
