"""A workspace in which every verb has something to do."""

import shutil

import pytest

from curate.csv_text import write_csv
from curate.workspace import DECISIONS, FINDINGS, MANIFEST, Workspace, read_table
from tests.conftest import write_digits
from tests.tables import decided, found
from tests.workspace.processes import apply, decide

POLICY = """
name: rules
policy:
  - {finder: outlier, below: 0.2, action: drop}
  - {finder: label_error, action: relabel}
"""


@pytest.fixture
def full(workspace: Workspace) -> Workspace:
    """A workspace with every table, findings that a policy acts on, and sources that are not added yet."""
    root = workspace.root
    (root / "policy.yaml").write_text(POLICY)
    images = read_table(root / MANIFEST)
    train, labels = images[images["split"] == "train"], sorted(set(images["label"]))
    ids = train["image_id"].to_list()
    wrong = {
        image_id: labels[0] if label != labels[0] else labels[1]
        for image_id, label in zip(ids, train["label"], strict=True)
    }
    with workspace.writing("scan", {}) as transaction:
        rows = [
            (ids[0], "outlier", 0.1, ""),
            (ids[1], "label_error", 0.2, wrong[ids[1]]),
            (ids[2], "label_error", 0.3, ""),
        ]
        transaction.write_table(FINDINGS, found(*rows))
    decide(root)
    apply(root)
    with workspace.writing("scan", {}) as transaction:
        rows += [(ids[3], "outlier", 0.15, ""), (ids[4], "label_error", 0.25, "")]
        transaction.write_table(FINDINGS, found(*rows))
    with (root / DECISIONS).open("a") as file:  # by hand, so that there is something for every verb to do
        file.write(f"{ids[5]},drop,,bob,,,\n")
    write_csv(root / "answers.csv", decided((ids[2], "drop"), (ids[0], "keep"), (ids[1], "relabel", labels[2])))
    write_digits(root.parent / "more", 4, first=40)
    (root / "more.txt").write_text(str(root.parent / "more"))
    write_digits(root.parent / "to pack", 4, first=44)
    shutil.make_archive(str(root.parent / "packed"), "tar", root.parent / "to pack")
    return workspace
