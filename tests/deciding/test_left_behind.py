"""Decisions on images, classes and files that are not there any more."""

from pathlib import Path

import pytest

from curate import adding, deciding, verbs
from curate.augment.materialize import materialize
from curate.augment.wanted import Target
from curate.csv_text import read_csv
from curate.errors import UserError
from curate.gate.verb import gate
from curate.ingest.add import add
from curate.report import write
from curate.review import asking
from curate.workspace import DECISIONS, FINDINGS, MANIFEST, Workspace, read_table
from tests.command import run
from tests.conftest import write_digits
from tests.deciding.conftest import POLICY
from tests.tables import found, images


def every_verb(workspace: Workspace, policy: Path) -> None:
    """All verbs that read decisions."""
    verbs.apply(workspace, include_test=False)
    verbs.list_findings(workspace, finder=None, flagged_only=False)
    asking.asked(workspace, "ada")
    gate(workspace, changes={})
    write(workspace)
    adding.undo_pseudo(workspace)
    deciding.decide(workspace, policy)


def test_decisions_on_augmented_images_that_are_gone_stop_no_verb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original shows something else: what was made of it leaves, and its decisions with it, whoever took them."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    photos, workspace = tmp_path / "photos", Workspace(tmp_path / "ws")
    write_digits(photos, 8)
    add(workspace, photos)
    (tmp_path / "flips.yaml").write_text("- HorizontalFlip\n")
    materialize(workspace, tmp_path / "flips.yaml", Target(total=12))
    manifest = read_table(workspace.path(MANIFEST))
    copies = manifest[manifest["parent_id"] != ""]
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found(*((name, "outlier", 0.1) for name in copies["image_id"][:2])))
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    assert deciding.decide(workspace, policy).actions == {"drop": 2}
    (tmp_path / "mine.csv").write_text(f"image_id,action\n{copies['image_id'].iloc[1]},keep\n")
    deciding.import_decisions(workspace, tmp_path / "mine.csv", "ada")
    for path in manifest.set_index("image_id")["path"][copies["parent_id"][:2]]:
        Path(path).write_bytes((photos / "test").rglob("*.png").__next__().read_bytes())
    add(workspace, photos)
    assert not copies["image_id"][:2].isin(read_table(workspace.path(MANIFEST))["image_id"]).any()
    every_verb(workspace, policy)
    assert len(read_csv(workspace.path(DECISIONS))) == 0
    with workspace.path(DECISIONS).open("a") as file:
        file.write("elsewhere/1.png,keep,,ada,,,\n")
    with pytest.raises(UserError, match=r"line 2: image_id 'elsewhere/1\.png': not in this manifest"):
        verbs.apply(workspace, include_test=False)


def test_decisions_for_a_class_that_was_renamed_stop_no_verb(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    rows = [("a", "train", "dog"), ("b", "train", "cat"), ("c", "train", "cat")]
    with workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, images(*rows))
        transaction.write_table(FINDINGS, found(("a", "label_error", 0.1, "cat"), ("c", "outlier", 0.1)))
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.replace("action: review", "action: relabel"))
    assert deciding.decide(workspace, policy).actions == {"drop": 1, "relabel": 1}
    with workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, images(*((name, split, label.title()) for name, split, label in rows)))
    assert "no image has any more" not in str(deciding.decide(workspace, policy, dry_run=True).warnings)  # it is asked
    every_verb(workspace, policy)
    result = deciding.decide(workspace, policy)
    assert (result.actions, result.for_review) == ({"drop": 1}, 1)  # the findings are of before: somebody has to look
    assert verbs.apply(workspace, include_test=False).relabelled == 0


@pytest.mark.parametrize("parts", [1, 2])
def test_decisions_of_people_follow_the_class_that_its_source_renames(tmp_path: Path, parts: int) -> None:
    """One that falls into several stops no verb."""
    photos, workspace, policy = tmp_path / "photos", Workspace(tmp_path / "ws"), tmp_path / "policy.yaml"
    write_digits(photos, 20)
    add(workspace, photos, workers=1)
    policy.write_text("name: rules\npolicy: []\n")
    with workspace.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found())
    manifest = read_table(workspace.path(MANIFEST))
    image_id = manifest["image_id"][(manifest["label"] != "3") & (manifest["split"] == "train")].iloc[0]
    (tmp_path / "mine.csv").write_text(f"image_id,action,label\n{image_id},relabel,3\n")
    deciding.import_decisions(workspace, tmp_path / "mine.csv", "ada")
    for at, file in enumerate(sorted(photos.glob("*/3/*"))):
        folder = file.parent.with_name(["three", "drei"][at % parts])
        folder.mkdir(exist_ok=True)
        file.rename(folder / file.name)
    told = f"1 decision gives a label that no image has any more, and counts no longer: {image_id} 3; decide anew"
    if parts == 1:
        told = "1 decision follows the new names of their classes: '3' is 'three'"
    assert told in add(workspace, photos, workers=1).warnings
    assert told in deciding.decide(workspace, policy, dry_run=True).warnings
    at_first = read_csv(workspace.path(DECISIONS))
    every_verb(workspace, policy)
    after = read_csv(workspace.path(DECISIONS))
    assert after.equals(at_first.assign(label="three") if parts == 1 else at_first[:0])
    assert not any("class" in line for line in deciding.decide(workspace, policy).warnings)  # it is told once
    workspace.path(DECISIONS).write_text(f"image_id,action,label\n{image_id},relabel,tree\n")
    with pytest.raises(UserError, match=r"line 2: label 'tree': no such class; there are: .*; write one of these"):
        verbs.apply(workspace, include_test=False)


def test_a_duplicate_whose_twin_has_gone_is_told(tmp_path: Path) -> None:
    photos, workspace = tmp_path / "photos", Workspace(tmp_path / "ws")
    write_digits(photos, 8)
    kept = next(photos.glob("train/*/*.png"))
    copy = kept.with_name("zz.png")
    copy.write_bytes(kept.read_bytes())
    add(workspace, photos, workers=1)
    run("scan", workspace.root, "--only", "exact_duplicate", "--workers", "1")
    assert not any("of duplicates" in line for line in deciding.decide(workspace, None).warnings)
    kept.unlink()
    told = "of duplicates, what is to stay: images are not where they were: 1 of 1 file looked for, such as"
    warnings = [line for line in deciding.decide(workspace, None).warnings if line.startswith(told)]
    assert len(warnings) == 1
    assert "'curate add' their folder again" in warnings[0]
