"""What `decide --import` takes over, whose it is, and what it leaves alone."""

from pathlib import Path

import pytest

from curate import REVIEWER, authorship, deciding, verbs
from curate.csv_text import read_csv, write_csv
from curate.errors import UserError
from curate.policy import REVIEW_COLUMNS
from curate.workspace import DECISIONS, FINDINGS, MANIFEST, Workspace, read_table
from tests.command import run
from tests.deciding.conftest import POLICY, answer
from tests.tables import decided, found


def test_importing_twice_gives_the_same_bytes(reviewed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = reviewed.path("copy.csv")
    copy.write_bytes(answer(reviewed, "keep", "drop").read_bytes())
    deciding.import_decisions(reviewed, copy, "ada")
    before = reviewed.path(DECISIONS).read_bytes(), reviewed.path(deciding.REVIEW).read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    deciding.import_decisions(reviewed, copy, "ada")
    assert (reviewed.path(DECISIONS).read_bytes(), reviewed.path(deciding.REVIEW).read_bytes()) == before


def test_an_import_keeps_what_was_edited_by_hand(reviewed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of the policy that somebody changed is theirs, also where an import of other answers comes between."""
    path = reviewed.path(DECISIONS)
    dropped = read_csv(path)["image_id"].iloc[0]
    path.write_text(path.read_text().replace(",drop,", ",keep,"))
    monkeypatch.setenv(REVIEWER, "bob")
    deciding.import_decisions(reviewed, answer(reviewed, "keep"), "ada")
    deciding.decide(reviewed, reviewed.path("policy.yaml"))
    table = read_csv(path).set_index("image_id")
    assert table.loc[dropped, ["action", "by"]].tolist() == ["keep", "ada"]  # who imports vouches for the file


def test_an_account_without_a_name_is_told_what_to_do(reviewed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    path = reviewed.path(DECISIONS)
    path.write_text(path.read_text().replace(",drop,", ",keep,"))
    monkeypatch.delenv(REVIEWER, raising=False)
    monkeypatch.setattr(authorship.getpass, "getuser", lambda: {}["uid"])
    with pytest.raises(UserError, match="this account has no name; give yours in the variable CURATE_REVIEWER"):
        deciding.decide(reviewed, reviewed.path("policy.yaml"))


def test_an_import_leaves_the_answers_that_others_have_typed(reviewed: Workspace) -> None:
    answer(reviewed, "drop")  # typed by bob into review.csv
    image_id = read_csv(reviewed.path(deciding.REVIEW))["image_id"].iloc[0]
    mine = reviewed.path("mine.csv")
    mine.write_text(f"image_id,action\n{image_id},keep\n")
    assert deciding.import_decisions(reviewed, mine, "ada").for_review == 2
    deciding.import_decisions(reviewed, reviewed.path(deciding.REVIEW), "bob")
    table = read_csv(reviewed.path(DECISIONS))
    said = table[table["image_id"] == image_id]
    assert dict(zip(said["by"], said["action"], strict=True)) == {"ada": "keep", "bob": "drop"}
    first = read_csv(reviewed.path(deciding.REVIEW)).iloc[0]  # asked again, as they disagree
    assert first[["image_id", "action", "detail"]].tolist() == [image_id, "", "ada: keep; bob: drop"]


def test_what_people_disagree_about_is_asked_first_until_it_is_settled(reviewed: Workspace) -> None:
    path, rules = reviewed.path(deciding.REVIEW), reviewed.path("policy.yaml")
    first, second = read_csv(path)["image_id"]
    for by, action in (("ada", "keep"), ("bob", "drop")):
        reviewed.path("mine.csv").write_text(f"image_id,action\n{second},{action}\n")
        waiting = deciding.import_decisions(reviewed, reviewed.path("mine.csv"), by).for_review
    assert waiting == 2
    assert read_csv(path).columns.tolist() == list(REVIEW_COLUMNS)
    assert deciding.decide(reviewed, rules, dry_run=True).for_review == 2
    assert deciding.decide(reviewed, rules).for_review == 2
    asked = read_csv(path).iloc[0]
    assert asked[["image_id", "because", "detail"]].tolist() == [second, "label_error", "ada: keep; bob: drop"]
    reviewed.path("mine.csv").write_text(f"image_id,action\n{first},keep\n")
    assert deciding.import_decisions(reviewed, reviewed.path("mine.csv"), "eve").for_review == 1
    assert deciding.import_decisions(reviewed, answer(reviewed, "drop"), "eve").for_review == 0
    assert deciding.decide(reviewed, rules).for_review == 0


@pytest.mark.parametrize("time", ["2023-11-14T22:13:20Z", "14.11.23 22:13", ""])
def test_an_older_copy_of_the_decisions_brings_no_decision_of_the_policy_back(
    reviewed: Workspace, monkeypatch: pytest.MonkeyPatch, time: str
) -> None:
    """Nobody took these, and people's decisions would beat every policy from then on. A spreadsheet may have written
    the times in its own way."""
    ids = read_table(reviewed.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()
    rules = reviewed.path("policy.yaml")
    for number, score in enumerate((0.1, 0.2)):  # two scans: what they measured differs
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(1700000000 + number))
        with reviewed.writing("scan", {}) as transaction:
            table = found(*((image_id, "outlier", score) for image_id in ids[:6]))
            transaction.write_table(FINDINGS, table.assign(detail=f"far, {score}"))
        assert deciding.decide(reviewed, rules).actions == {"drop": 6}
        if not number:
            copy = reviewed.path("copy.csv")
            text = reviewed.path(DECISIONS).read_text()
            assert text.count("2023-11-14T22:13:20Z") == 6
            copy.write_text(text.replace(f"{ids[3]},drop", f"{ids[3]},keep").replace("2023-11-14T22:13:20Z", time))
    result = deciding.import_decisions(reviewed, copy, "ada")
    assert (result.actions, result.by_people) == ({"drop": 5, "keep": 1}, 1)
    rules.write_text("name: rules\npolicy: []\n")
    result = deciding.decide(reviewed, rules)
    assert (result.actions, result.by_people) == ({"keep": 1}, 1)
    result = deciding.import_decisions(reviewed, copy, "ada")
    assert (result.actions, result.by_people) == ({"keep": 1}, 1)


def test_rows_of_another_workspaces_policy_are_left_out(reviewed: Workspace, tmp_path: Path) -> None:
    """They are nobody's word there, either; but for one that somebody has put a name to."""
    other, ids = Workspace(tmp_path / "other"), read_table(reviewed.path(MANIFEST))["image_id"]
    with other.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, read_table(reviewed.path(MANIFEST)))
    copy = tmp_path / "copy.csv"
    copy.write_text(reviewed.path(DECISIONS).read_text() + f"{ids[9]},keep,,eve,,,\n")
    for workspace in (other, reviewed):
        result = deciding.import_decisions(workspace, copy, "bob")
        told = f"{copy}: 1 row of another workspace's policy was left out; put a name under 'by' where a person"
        assert any(line.startswith(told) for line in result.warnings) == (workspace is other)
        assert result.by_people == 1
    assert read_csv(other.path(DECISIONS))["by"].to_list() == ["eve"]
    copy.write_text(copy.read_text().replace(",policy,", ",mia,"))
    assert deciding.import_decisions(other, copy, "bob").by_people == 2


def test_a_row_that_was_edited_into_what_the_policy_once_said_is_the_persons(
    reviewed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = reviewed.path("policy.yaml")
    for number, action in enumerate(("keep", "drop")):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(1700000000 + number))
        rules.write_text(POLICY.replace("drop", action))
        assert deciding.decide(reviewed, rules).actions == {action: 1}
    copy = reviewed.path("copy.csv")
    copy.write_text(reviewed.path(DECISIONS).read_text().replace(",drop,", ",keep,"))
    assert deciding.import_decisions(reviewed, copy, "ada").by_people == 1
    assert deciding.decide(reviewed, rules).actions == {"keep": 1}


def test_an_export_does_not_bring_back_what_its_person_has_changed(reviewed: Workspace) -> None:
    image_id = read_table(reviewed.path(MANIFEST))["image_id"].iloc[5]
    export = reviewed.path("export.csv")
    for action, at in (("keep", "2026-01-02T12:00:00Z"), ("drop", "2026-01-01T12:00:00Z")):
        export.write_text(f"image_id,action,by,at\n{image_id},{action},ada,{at}\n")
        result = deciding.import_decisions(reviewed, export, "bob")
    assert read_csv(reviewed.path(DECISIONS)).set_index("image_id").loc[image_id, "action"] == "keep"
    assert any("1 answer is older than what its reviewer has said since, which stays" in w for w in result.warnings)


def test_an_export_without_names_is_of_who_imports_it(reviewed: Workspace) -> None:
    image_id = read_table(reviewed.path(MANIFEST))["image_id"].iloc[5]
    export = reviewed.path("export.csv")
    for action, at in (("drop", "2026-01-02T12:00:00Z"), ("keep", "2026-01-01T12:00:00Z")):
        export.write_text(f"image_id,action,by,at\n{image_id},{action},{'ada' * (action == 'drop')},{at}\n")
        deciding.import_decisions(reviewed, export, "ada")
    assert read_csv(reviewed.path(DECISIONS)).set_index("image_id").loc[image_id, "action"] == "drop"


def test_a_row_added_to_one_that_was_edited_takes_its_place(reviewed: Workspace) -> None:
    lines = reviewed.path(DECISIONS).read_text().splitlines()
    at = next(at for at, line in enumerate(lines) if ",drop," in line and ",policy," in line)
    image_id = lines[at].split(",")[0]
    lines[at] = lines[at].replace(",drop,", ",keep,")
    reviewed.path(DECISIONS).write_text("\n".join([*lines, f"{image_id},drop,,,,,"]) + "\n")
    deciding.decide(reviewed, None, by="ada")
    said = read_csv(reviewed.path(DECISIONS)).set_index("image_id").loc[image_id]
    assert (said["action"], said["by"]) == ("drop", "ada")
    verbs.apply(reviewed, include_test=False)


def test_an_export_does_not_bring_back_what_was_edited_since(
    reviewed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id, path = read_table(reviewed.path(MANIFEST))["image_id"].iloc[5], reviewed.path(DECISIONS)
    export = reviewed.path("export.csv")
    export.write_text(f"image_id,action,by,at\n{image_id},drop,ada,2026-01-02T12:00:00Z\n")
    deciding.import_decisions(reviewed, export, "bob")
    path.write_text(path.read_text().replace(f"{image_id},drop", f"{image_id},keep"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1770000000")  # in February
    verbs.apply(reviewed, include_test=False)  # the edit is noted
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1780000000")
    export.write_text(f"image_id,action,by,at\n{image_id},drop,ada,2026-01-02T13:00:00Z\n")
    result = deciding.import_decisions(reviewed, export, "bob")
    assert any("1 answer is older than what its reviewer has said since" in line for line in result.warnings)
    row = read_csv(path).set_index("image_id").loc[image_id]
    assert row[["action", "by", "at"]].to_list() == ["keep", "ada", "2026-02-02T02:40:00Z"]


def test_another_reason_is_taken_over(reviewed: Workspace) -> None:
    image_id = read_table(reviewed.path(MANIFEST))["image_id"].iloc[5]
    mine = reviewed.path("mine.csv")
    for because, stands in (("", ""), ("split_leak", "split_leak"), ("", "split_leak")):
        mine.write_text(f"image_id,action,because\n{image_id},keep,{because}\n")
        deciding.import_decisions(reviewed, mine, "ada")
        assert read_csv(reviewed.path(DECISIONS)).set_index("image_id").loc[image_id, "because"] == stands


def test_a_copy_of_edits_by_hand_is_an_edit(reviewed: Workspace) -> None:
    path, copy = reviewed.path(DECISIONS), reviewed.path("copy.csv")
    written = path.read_bytes()
    path.write_bytes(written.replace(b",drop,", b",keep,"))
    copy.write_bytes(path.read_bytes())
    verbs.apply(reviewed, include_test=False)  # the edit has a version of its own now
    path.write_bytes(written)
    assert deciding.import_decisions(reviewed, copy, "ada").actions == {"keep": 1}


def test_a_copy_where_there_is_no_history(reviewed: Workspace) -> None:
    """As in a repository, which holds the ledger and no versions."""
    for path in reviewed.path("history").glob("*.csv"):
        path.unlink()
    copy = reviewed.path("copy.csv")
    copy.write_text(reviewed.path(DECISIONS).read_text().replace(",drop,", ",keep,"))
    assert deciding.import_decisions(reviewed, copy, "ada").actions == {"keep": 1}


def test_rows_of_the_policy_on_images_that_are_gone_may_stand_in_a_copy(reviewed: Workspace) -> None:
    copy = reviewed.path("copy.csv")
    copy.write_bytes(reviewed.path(DECISIONS).read_bytes())
    gone = read_csv(copy)["image_id"].iloc[0]
    table = read_table(reviewed.path(MANIFEST))
    with reviewed.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, table[table["image_id"] != gone].reset_index(drop=True))
    assert deciding.import_decisions(reviewed, copy, "ada").actions == {}
    copy.write_text(copy.read_text().replace(",policy,", ",bob,"))
    with pytest.raises(UserError, match="not in this manifest"):
        deciding.import_decisions(reviewed, copy, "ada")


def test_a_policy_by_name_and_one_for_an_import(reviewed: Workspace) -> None:
    run("decide", reviewed.root, "--policy", "cifar10")
    with pytest.raises(UserError, match="--policy is for decisions by policy, not for --import"):
        run("decide", reviewed.root, "--policy", "cifar10", "--import", reviewed.path(deciding.REVIEW))


def test_import_without_findings(workspace: Workspace, tmp_path: Path) -> None:
    image_id = read_table(workspace.path(MANIFEST))["image_id"][0]
    (tmp_path / "mine.csv").write_text(f"image_id,action\n{image_id},keep\n")
    result = deciding.import_decisions(workspace, tmp_path / "mine.csv", "ada")
    assert (result.answers.count, result.by_people) == (0, 1)


@pytest.mark.parametrize("action", ["", "keep"])
def test_what_somebody_noted_outlives_another_ones_decision(reviewed: Workspace, action: str) -> None:
    path = answer(reviewed)
    write_csv(path, read_csv(path).assign(action=[action, ""], note=["two digits?", ""]))  # by bob
    image_id = read_csv(path)["image_id"].iloc[0]
    reviewed.path("mine.csv").write_text(f"image_id,action\n{image_id},keep\n")
    assert deciding.import_decisions(reviewed, reviewed.path("mine.csv"), "ada").for_review == 2
    assert read_csv(path)["note"].to_list() == ["two digits?", ""]


@pytest.mark.parametrize("action", ["keep", "drop"])
def test_a_label_that_an_answer_would_not_give_is_refused(reviewed: Workspace, action: str) -> None:
    path = answer(reviewed)
    write_csv(path, read_csv(path).assign(action=["", action], label=["", "3"]))
    before = reviewed.path(DECISIONS).read_bytes(), path.read_bytes()
    with pytest.raises(UserError, match=rf"review\.csv, line 3: label '3': '{action}' gives no label; write 'relabel'"):
        deciding.import_decisions(reviewed, path, "ada")
    assert (reviewed.path(DECISIONS).read_bytes(), path.read_bytes()) == before


def test_labels_that_an_earlier_version_took_over_beside_keep_stay_readable(reviewed: Workspace) -> None:
    image_id = read_table(reviewed.path(MANIFEST))["image_id"].iloc[5]
    with reviewed.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decided((image_id, "keep", "3", "ada")))
    verbs.apply(reviewed, include_test=False)
    assert deciding.decide(reviewed, reviewed.path("policy.yaml")).by_people == 1


def test_refused_import_changes_nothing(reviewed: Workspace) -> None:
    before = reviewed.path(DECISIONS).read_bytes()
    path = answer(reviewed, "keep", "perhaps")
    with pytest.raises(UserError, match=r"review\.csv, line 3: action 'perhaps'"):
        deciding.import_decisions(reviewed, path, "ada")
    assert reviewed.path(DECISIONS).read_bytes() == before


@pytest.mark.parametrize(
    ("path", "by", "message"),
    [("missing.csv", "ada", "is no file"), (".", "ada", "is no file"), ("review.csv", "policy", "policy's own name")],
)
def test_import_of_nothing_and_by_nobody(reviewed: Workspace, path: str, by: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        deciding.import_decisions(reviewed, reviewed.root / path, by)


def test_import_of_another_kind_of_file_says_what_it_must_be(reviewed: Workspace, digits_folder: Path) -> None:
    picture = next(digits_folder.rglob("*.png"))
    with pytest.raises(UserError, match=r"\.png is not a text.*save it as CSV"):
        deciding.import_decisions(reviewed, picture, "ada")
