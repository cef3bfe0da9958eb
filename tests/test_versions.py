"""Looking back and going back."""

import pytest

from curate import deciding, tables, verbs, versions
from curate.engine import Local
from curate.errors import UserError
from curate.ingest.add import add
from curate.versions import compare, is_current, policy_changed, restore
from curate.workspace import CURATED, DECISIONS, HISTORY, LEDGER, MANIFEST, RECIPE, VERSIONED, Workspace, read_table
from tests.command import invoke
from tests.conftest import write_digits
from tests.tables import decided


def decide_by_hand(workspace: Workspace, *rows: tuple[str, ...]) -> None:
    with workspace.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decided(*rows))


@pytest.fixture
def story(workspace: Workspace) -> Workspace:
    """Versions: 1 add, 2 decide, 3 apply, 4 decide otherwise, 5 apply."""
    first, second, third = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"][:3]
    decide_by_hand(workspace, (first, "drop", "", "policy", "dark"), (second, "relabel", "9", "ada", "label_error"))
    verbs.apply(workspace, include_test=False)
    decide_by_hand(workspace, (third, "drop", "", "policy", "blurry;dark"))
    verbs.apply(workspace, include_test=False)
    return workspace


def contents(workspace: Workspace) -> dict[str, bytes]:
    return {name: workspace.path(name).read_bytes() for name in VERSIONED if workspace.has(name)}


def test_every_version_comes_back_byte_for_byte_in_any_order(workspace: Workspace) -> None:
    ids = read_table(workspace.path(MANIFEST)).query("split == 'train'")["image_id"].to_list()
    snapshots = {1: contents(workspace)}
    decide_by_hand(workspace, (ids[0], "drop"))
    snapshots[2] = contents(workspace)
    verbs.apply(workspace, include_test=False)
    snapshots[3] = contents(workspace)
    decide_by_hand(workspace, (ids[1], "drop"))
    snapshots[4] = contents(workspace)
    for version in (1, 4, 2, 3, 3, 1):
        restore(workspace, version)
        assert contents(workspace) == snapshots[version]
    assert workspace.ledger()[-1].version == 10


@pytest.mark.parametrize(
    ("version", "changed"),
    [(1, [DECISIONS, CURATED]), (2, [DECISIONS, CURATED]), (3, [DECISIONS, CURATED]), (4, [CURATED]), (5, [])],
)
def test_restore_says_what_changed(story: Workspace, version: int, changed: list[str]) -> None:
    assert restore(story, version) == changed
    assert story.has(CURATED) == (version > 2)


def test_restoring_a_restore_goes_forward_again(story: Workspace) -> None:
    now = contents(story)
    restore(story, 1)
    restore(story, 5)
    assert contents(story) == now


def test_back_to_before_the_first_image_and_forward(
    workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = Workspace(workspace.root.parent / "other")
    with made.writing("recipe", {}):
        pass
    write_digits(workspace.root.parent / "few", 4)
    add(made, workspace.root.parent / "few")
    assert restore(made, 1) == [MANIFEST]
    opened = Workspace.open(made.root)  # else there would be no way forward
    with pytest.raises(UserError, match=r"manifest\.parquet is missing; 'curate add"):
        tables.read_manifest(opened)
    assert restore(opened, 2) == [MANIFEST]
    assert len(tables.read_manifest(opened)) == 4


@pytest.mark.parametrize("version", [0, -1, 6, 10**30])
def test_version_that_is_not_there(story: Workspace, version: int) -> None:
    for look in (
        lambda: restore(story, version),
        lambda: compare(story, version, None),
        lambda: compare(story, 1, version),
    ):
        with pytest.raises(UserError, match=r"has no version .*there are: 1 to 5"):
            look()


def test_no_versions_at_all(workspace: Workspace) -> None:
    workspace.path(LEDGER).unlink()
    with pytest.raises(UserError, match="there are: none yet"):
        compare(workspace, 1, None)


def test_missing_history_is_named_and_nothing_changes(story: Workspace) -> None:
    before = contents(story)
    for path in story.path(HISTORY).glob("*.csv"):
        path.unlink()
    with pytest.raises(UserError, match=r"\.csv is missing, so decisions\.csv of that version"):
        restore(story, 2)
    assert contents(story) == before


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (None, None, [("dropped", "blurry;dark")]),
        (1, None, [("dropped", "blurry;dark")]),
        (1, 5, [("dropped", "blurry;dark")]),
        (1, 3, [("dropped", "dark"), ("relabelled", "label_error")]),
        (None, 3, [("dropped", "dark"), ("relabelled", "label_error")]),
        (1, 2, []),
        (3, 5, [("dropped", "blurry;dark"), ("added", ""), ("relabelled", "")]),
        (5, 3, [("dropped", "dark"), ("added", ""), ("relabelled", "label_error")]),
        (5, 5, []),
    ],
)
def test_compare(story: Workspace, before: int | None, after: int | None, changes: list[tuple[str, str]]) -> None:
    table = compare(story, before, after)
    assert list(zip(table["change"], table["because"], strict=True)) == changes


def test_nothing_to_compare_with(workspace: Workspace) -> None:
    with pytest.raises(UserError, match=r"no curated\.parquet to compare with; 'curate apply"):
        compare(workspace, None, None)
    decide_by_hand(workspace)
    assert len(compare(workspace, 1, None)) == 0


def test_curated_set_by_another_rule_for_reviewers_is_out_of_date(story: Workspace) -> None:
    """Where people disagree, the rule decides what is in it."""
    image_id = read_table(story.path(MANIFEST)).query("split == 'train'")["image_id"].iloc[0]
    rule = story.path("recipe.yaml")
    rule.write_text("reviewers: {rule: latest}")
    assert is_current(story)  # nobody disagreed
    days = ("2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z")
    decide_by_hand(
        story, (image_id, "keep", "", "ada", "", "", days[0]), (image_id, "drop", "", "bob", "", "", days[1])
    )
    for text, images in (("majority", 40), ("latest", 39)):
        rule.write_text(f"reviewers: {{rule: {text}}}")
        assert not is_current(story)
        with pytest.raises(UserError, match=r"curated\.parquet is not of the images .*'curate apply"):
            tables.read_images(story, "curated")
        assert verbs.apply(story, include_test=False).images == images
        assert is_current(story)
    version = story.ledger()[-1].version
    rule.write_text("reviewers: {rule: majority}")
    assert len(compare(story, version - 1, version)) == 1  # what was applied then is shown as it was


def test_a_class_that_was_renamed_is_in_no_version_that_apply_would_make(story: Workspace) -> None:
    images = read_table(story.path(MANIFEST))
    train = images["image_id"][images["split"] == "train"].iloc[0]
    decide_by_hand(story, (train, "relabel", "old", "policy", "label_error"))
    assert len(compare(story, 1, story.ledger()[-1].version)) == 0


def test_one_that_a_person_gave_follows_its_class(story: Workspace) -> None:
    images = read_table(story.path(MANIFEST))
    train = images["image_id"][images["split"] == "train"].iloc[0]
    with story.writing("add", {}) as transaction:  # as `add` leaves it after a source has renamed one of its classes
        transaction.write_table(MANIFEST, images.assign(label=images["label"].replace("0", "zero")))
    decide_by_hand(story, (train, "relabel", "0", "ada", ""))
    given = versions.curated(story).set_index("image_id")["label"]
    assert "0" not in set(given)
    assert given[train] == "zero"


def test_curated_set_that_is_out_of_date_is_not_used(story: Workspace) -> None:
    assert is_current(story)
    assert len(tables.read_images(story, "curated")) == 39
    decide_by_hand(story)
    assert not is_current(story)
    with pytest.raises(UserError, match=r"curated\.parquet is not of the images .*'curate apply"):
        tables.read_images(story, "curated")
    restore(story, 3)
    assert is_current(story)
    versions.restore(story, 4)
    assert not is_current(story)
    verbs.apply(story, include_test=False)
    assert is_current(story)
    with story.path(DECISIONS).open("a") as file:
        file.write("\n")
    assert not is_current(story)
    write_digits(story.root.parent / "more", 2, first=60)
    verbs.apply(story, include_test=False)
    add(story, story.root.parent / "more")
    assert not is_current(story)


def test_a_policy_that_has_changed_since_it_decided(workspace: Workspace) -> None:
    def decided_by(rules: str, policy: str | None = None) -> int:
        workspace.path(RECIPE).write_text(f"name: ws\npolicy: {rules}\n")
        deciding.decide(workspace, policy)
        return workspace.ledger()[-1].version

    verbs.scan(workspace, only=["dark"], settings={}, engine=Local())
    first = decided_by("[{finder: dark, action: drop}]")
    assert verbs.apply(workspace, include_test=False).warnings == []
    workspace.path(RECIPE).write_text("name: ws\npolicy: [{finder: dark, action: review}]\n")
    assert policy_changed(workspace)
    assert "the recipe's policy has changed" in verbs.apply(workspace, include_test=False).warnings[0]
    path = workspace.path(DECISIONS)
    written = path.read_text()
    path.write_text(f"{written}\n")
    assert policy_changed(workspace)  # also before the ledger knows of the edit
    path.write_text(written)
    image_id = read_table(workspace.path(MANIFEST))["image_id"][0]
    said = workspace.root / "said.csv"
    said.write_text(f"image_id,action\n{image_id},keep\n")
    deciding.import_decisions(workspace, said, "ada")
    assert policy_changed(workspace)  # her word is hers, the rest is still the old policy's
    decided_by("[{finder: dark, below: 0.9, action: drop}]")
    assert not policy_changed(workspace)
    restore(workspace, first)
    assert policy_changed(workspace)
    decided_by("[]", policy="default")
    assert not policy_changed(workspace)


def test_what_people_alone_decided_is_no_policys(workspace: Workspace) -> None:
    image_id = read_table(workspace.path(MANIFEST))["image_id"][0]
    said = workspace.root / "said.csv"
    said.write_text(f"image_id,action\n{image_id},keep\n")
    deciding.import_decisions(workspace, said, "ada")
    assert policy_changed(workspace) is None
    verbs.scan(workspace, only=["dark"], settings={}, engine=Local(1))
    deciding.decide(workspace, None)
    assert policy_changed(workspace) is False


def test_a_curated_set_that_is_out_of_date_is_compared_as_it_would_be(story: Workspace) -> None:
    first = read_table(story.path(MANIFEST)).query("split == 'train'")["image_id"].iloc[0]
    assert "out of date" not in invoke("diff", story.root).stderr
    story.path(DECISIONS).write_text(f"image_id,action,because\n{first},drop,dark\n")  # by hand, and not applied
    for before in (None, 1):
        table = compare(story, before, None)
        assert table[["image_id", "change", "because"]].to_numpy().tolist() == [[first, "dropped", "dark"]]
    assert f"curated.parquet is out of date: this is the set that 'curate apply {story.root}'" in (
        invoke("diff", story.root, "1").stderr.replace("\n", " ")
    )
    assert len(compare(story, 1, 5)) == 1  # versions stay as they were


def test_apply_tells_of_findings_that_are_older_than_the_images(workspace: Workspace) -> None:
    verbs.scan(workspace, only=["dark"], settings={}, engine=Local())
    deciding.decide(workspace, None)
    assert verbs.apply(workspace, include_test=False).warnings == []
    write_digits(workspace.root.parent / "more", 1, first=40)
    add(workspace, workspace.root.parent / "more")
    assert "images were added or changed since dark ran" in verbs.apply(workspace, include_test=False).warnings[0]
