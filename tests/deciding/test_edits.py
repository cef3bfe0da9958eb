"""What was edited in `decisions.csv` by hand: whose word it is, and what it outlives."""

import shutil
from pathlib import Path

import pytest

from curate import REVIEWER, authorship, deciding, verbs, versions
from curate.csv_text import read_csv
from curate.errors import UserError
from curate.review import asking
from curate.workspace import DECISIONS, MANIFEST, Workspace, read_table
from tests.command import run


def test_edits_by_hand_are_signed_as_the_environment_says(reviewed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    path = reviewed.path(DECISIONS)
    path.write_text(path.read_text().replace(",drop,", ",keep,"))
    monkeypatch.setenv(REVIEWER, "bob")
    monkeypatch.setattr(authorship.getpass, "getuser", lambda: 1 / 0)
    deciding.decide(reviewed, reviewed.path("policy.yaml"))
    assert read_csv(path)["by"].tolist() == ["bob"]


def test_edits_by_hand_count_before_a_verb_has_noted_them(reviewed: Workspace) -> None:
    """In a dry run and in what is asked; also when `restore` brought an edit back. A row without a name is signed."""
    path, rules = reviewed.path(DECISIONS), reviewed.path("policy.yaml")
    image_id = read_csv(reviewed.path(deciding.REVIEW))["image_id"].iloc[0]
    path.write_text(path.read_text().replace(",drop,", ",keep,") + f"{image_id},keep,,,,,\n")
    assert deciding.decide(reviewed, rules, by="ada", dry_run=True).by_people == 2
    reviewed.path("recipe.yaml").write_bytes(rules.read_bytes())
    assert image_id not in asking.asked(reviewed, "ada").table["image_id"].to_list()
    verbs.apply(reviewed, include_test=False)
    edited = reviewed.ledger()[-1].version
    deciding.decide(reviewed, rules, by="ada")
    versions.restore(reviewed, edited)
    assert deciding.decide(reviewed, rules, by="bob").actions == {"keep": 2}
    assert read_csv(path)["by"].to_list() == ["bob", "bob"]


def test_a_row_of_the_policy_that_was_taken_out_stays_undone(
    reviewed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the person's own row is taken out, too."""
    path, rules = reviewed.path(DECISIONS), reviewed.path("policy.yaml")
    header, row = path.read_text().splitlines()
    image_id = row.split(",")[0]
    path.write_text(header + "\n")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    told = f"1 row of the policy was taken out, and is 'keep' by ada now: {image_id}; take it out again for the policy"
    for dry_run in (True, False):
        result = deciding.decide(reviewed, rules, by="ada", dry_run=dry_run)
        assert (result.actions, result.by_people) == ({"keep": 1}, 1)
        assert any(line.startswith(told) for line in result.warnings)
    assert path.read_text() == f"{header}\n{image_id},keep,,ada,outlier,,2027-01-15T08:00:00Z\n"
    result = deciding.decide(reviewed, rules, by="bob")
    assert (result.actions, result.by_people) == ({"keep": 1}, 1)
    assert not any("taken out" in line for line in result.warnings)
    path.write_text(header + "\n")
    assert deciding.decide(reviewed, rules, by="ada").actions == {"drop": 1}


def test_what_the_policy_or_add_took_out_is_nobodys_word(reviewed: Workspace) -> None:
    path, rules, other = reviewed.path(DECISIONS), reviewed.path("policy.yaml"), reviewed.path("other.yaml")
    header, row = path.read_text().splitlines()
    other.write_text("name: other\npolicy: []\n")
    assert deciding.decide(reviewed, other).actions == {}  # the policy itself has withdrawn it
    path.write_text(f"{header}\n{read_table(reviewed.path(MANIFEST))['image_id'].iloc[9]},keep,,ada,,,\n")
    assert deciding.decide(reviewed, rules).actions == {"drop": 1, "keep": 1}
    table = read_table(reviewed.path(MANIFEST))
    path.write_text(header + "\n")
    with reviewed.writing("add", {}) as transaction:  # the image has left
        transaction.write_table(MANIFEST, table[table["image_id"] != row.split(",")[0]].reset_index(drop=True))
    assert deciding.decide(reviewed, rules).actions == {}
    path.unlink()  # all is to be decided anew
    assert deciding.decide(reviewed, rules).by_people == 0


def test_another_workspaces_decisions_in_the_place_of_these(reviewed: Workspace) -> None:
    """Nothing was taken out of these, and nobody stands for those."""
    path, ids = reviewed.path(DECISIONS), read_table(reviewed.path(MANIFEST))["image_id"]
    header = path.read_text().splitlines()[0]
    path.write_text(f"{header}\n{ids[9]},drop,,policy,dark,,2020-01-01T00:00:00Z\n{ids[8]},drop,,eve,,,\n")
    images = read_table(reviewed.path(MANIFEST))
    assert authorship.signed(reviewed, images, "ada").table["by"].to_list() == ["eve"]  # whoever writes them next
    result = deciding.decide(reviewed, reviewed.path("policy.yaml"), by="ada")
    assert (result.actions, result.by_people) == ({"drop": 2}, 1)
    assert any(line.startswith("1 row of another workspace's policy was left out") for line in result.warnings)


def test_edits_where_the_version_before_is_not_at_hand(reviewed: Workspace) -> None:
    """As in a clone: decisions that carry a name hold, and a line says that others cannot be told."""
    path, ids = reviewed.path(DECISIONS), read_table(reviewed.path(MANIFEST))["image_id"]
    shutil.rmtree(reviewed.path("history"))
    path.write_text(path.read_text().replace(",drop,", ",keep,") + f"{ids[9]},drop,,ada,,,\n{ids[8]},drop,,,,,\n")
    edited = path.read_bytes()
    result = deciding.decide(reviewed, reviewed.path("policy.yaml"), by="bob")
    assert (result.actions, result.by_people) == ({"drop": 3}, 2)
    told = f"decisions.csv was edited, and the version before is not in {reviewed.path('history')}: rows of the policy"
    assert any(line.startswith(told) for line in result.warnings)
    versions.restore(reviewed, reviewed.ledger()[-1].version - 1)
    assert path.read_bytes() == edited
    answers = reviewed.path("answers.csv")
    answers.write_text(f"image_id,action\n{ids[7]},keep\n")
    assert deciding.import_decisions(reviewed, answers, "bob").by_people == 3


def test_edits_by_hand_are_signed_as_the_command_line_says(
    reviewed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = reviewed.path(DECISIONS)
    path.write_text(path.read_text().replace(",drop,", ",keep,"))
    monkeypatch.setenv(REVIEWER, "bob")
    run("decide", reviewed.root, "--policy", reviewed.path("policy.yaml"), "--by", "carl")
    assert read_csv(path)["by"].tolist() == ["carl"]


def test_review_list_that_was_spoilt_by_hand_is_named(reviewed: Workspace, tmp_path: Path) -> None:
    reviewed.path(deciding.REVIEW).write_text("spoilt,by,hand\n1,2,3\n")
    ids = read_table(reviewed.path(MANIFEST))["image_id"]
    (tmp_path / "mine.csv").write_text(f"image_id,action\n{ids[0]},keep\n")
    with pytest.raises(UserError, match=r"review\.csv lacks the columns"):
        deciding.import_decisions(reviewed, tmp_path / "mine.csv", "ada")
