"""A workspace that was decided on, and answers to what waits for people."""

from pathlib import Path

import pytest

from curate import deciding
from curate.csv_text import read_csv, write_csv
from curate.workspace import FINDINGS, MANIFEST, Workspace, read_table
from tests.tables import found

POLICY = "name: rules\npolicy:\n  - {finder: outlier, action: drop}\n  - {finder: label_error, action: review}\n"


@pytest.fixture
def reviewed(workspace: Workspace) -> Workspace:
    """A workspace with a finding to drop, and two to review."""
    ids = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()
    with workspace.writing("scan", {}) as transaction:
        rows = [(ids[0], "outlier", 0.1), (ids[1], "label_error", 0.2), (ids[2], "label_error", 0.3)]
        transaction.write_table(FINDINGS, found(*rows))
    workspace.path("policy.yaml").write_text(POLICY)
    deciding.decide(workspace, workspace.path("policy.yaml"))
    return workspace


def answer(workspace: Workspace, *answers: str) -> Path:
    path = workspace.path(deciding.REVIEW)
    review = read_csv(path)
    review["action"] = [*answers, *[""] * (len(review) - len(answers))]
    write_csv(path, review)
    return path
