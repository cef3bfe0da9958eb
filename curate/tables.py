"""The tables of a workspace, read and checked: one that is missing is told with the verb that writes it."""

from pathlib import Path

import pandas as pd

from curate import decisions, findings, manifest, recipe, reviewers, versions
from curate.errors import UserError
from curate.remote import is_url
from curate.wording import pasted, plural
from curate.workspace import CURATED, DECISIONS, FINDINGS, MANIFEST, Workspace, read_table

LOOKED_AT = 2_000
"""Files that are looked for, at most about so many: a second, also on a slow disk."""


def read_manifest(workspace: Workspace) -> pd.DataFrame:
    """The manifest, checked."""
    written_by = f"curate add {pasted(workspace.root)} SOURCE"
    return manifest.check(workspace.read_table(MANIFEST, written_by=written_by), MANIFEST)


def read_images(workspace: Workspace, data: str) -> pd.DataFrame:
    """The images of the "raw" or the "curated" set."""
    if data == "raw":
        return read_manifest(workspace)
    if data != "curated":
        raise UserError(f"--data {data!r} must be raw or curated")
    table = workspace.read_table(CURATED, written_by=f"curate apply {pasted(workspace.root)}")
    if not versions.is_current(workspace):
        way_out = f"'curate apply {pasted(workspace.root)}' renews it"
        raise UserError(
            f"{pasted(workspace.path(CURATED))} is not of the images and decisions as they are now; {way_out}"
        )
    return manifest.check(table, CURATED)


def read_answers(workspace: Workspace, images: pd.DataFrame) -> pd.DataFrame:
    """The decisions file, checked against the manifest: a row per image and person; none where there is no file. Rows
    that `add` left behind are left out, see `decisions.outdated` and `versions.renamed`: they must not lock out the
    verb that replaces them. Labels are those that sources call them by now.
    """
    return checked(versions.renamed(workspace, decisions_file(workspace), images), workspace, images)


def decisions_file(workspace: Workspace) -> pd.DataFrame:
    """The decisions file as it is, the index its lines; without rows where there is none."""
    return read_table(workspace.path(DECISIONS)) if workspace.has(DECISIONS) else decisions.empty()


def checked(said: versions.Renamed, workspace: Workspace, images: pd.DataFrame) -> pd.DataFrame:
    """`read_answers` of a decisions file that was read."""
    left_behind = decisions.outdated(said.table, images) | said.gone
    return decisions.check(said.table[~left_behind], images, str(workspace.path(DECISIONS)))


def read_decisions(workspace: Workspace, images: pd.DataFrame) -> pd.DataFrame:
    """The decisions that count, one per image: where people disagree, what the recipe's rule makes of it."""
    return reviewers.settle(read_answers(workspace, images), images, recipe.in_workspace(workspace).reviewers)


def read_findings(workspace: Workspace) -> pd.DataFrame:
    """The findings, also those that an earlier version of curate wrote."""
    return findings.complete(workspace.read_table(FINDINGS, written_by=f"curate scan {pasted(workspace.root)}"))


def files_gone(workspace: Workspace, images: pd.DataFrame, *, needed: bool = False) -> list[str]:
    """A line where files are not where a table says; of many images some are looked at, from all over it.

    images: with the column `path`. needed: raise `UserError` where none of them is there.
    """
    some_of_them = images.iloc[:: len(images) // LOOKED_AT + 1]
    paths = [path for path in manifest.locate(some_of_them, workspace.root) if not is_url(path)]
    gone = [path for path in paths if not Path(path).exists()]
    if not gone:
        return []
    way_out = "put them back, or 'curate add' their folder again"
    told = f"{len(gone):,} of {plural(len(paths), 'file', 'files')} looked for, such as {pasted(gone[0])}: {way_out}"
    if needed and len(gone) == len(paths):
        raise UserError(f"no image is where it was: {told}")
    return [f"images are not where they were: {told}"]
