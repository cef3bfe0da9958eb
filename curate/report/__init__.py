"""`report.html`: what a workspace holds and what curating it was worth, for people, in one file.

`overview`, `proved`, `runs`, `flipped`, `gallery`, `deciding`, `labels`, `trust` and `making` each gather a section
from the workspace's files, `charts` draws, `thumbnails` makes the pictures, `page` lays out. The file loads nothing
from elsewhere, and the same workspace gives the same report.
"""

from pathlib import Path

from curate.report.page import gather, render
from curate.workspace import Workspace

REPORT = "report.html"


def write(workspace: Workspace) -> Path:
    """Write `report.html` of the workspace and return its path. Sections without data are left out, and said to be."""
    with workspace.writing("report", {}) as transaction:
        transaction.write_text(REPORT, render(gather(workspace)))
    return workspace.path(REPORT)
