"""Decisions: a person's word beats the policy's, the test split stays, going back is removing rows, twice is once."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from curate import decisions, journal, reviewers
from curate.apply import apply, diff
from curate.decisions import POLICY, in_order, merge
from curate.journal import Act
from curate.manifest import SPLITS
from curate.policy import apply_rules
from curate.recipe import Reviewers, Rule
from curate.results.steps import PEOPLE as BY_PEOPLE
from curate.results.steps import alone, is_supplement, lost, randomly_dropped, steps, without
from tests.properties.drawn import FINDERS, PEOPLE, decisions_on, findings_on, manifests

ANYBODY = PEOPLE | st.just(POLICY)
NOON, LATER = "2026-01-01T12:00:00Z", "2026-02-02T12:00:00Z"
RULES = st.lists(
    st.builds(
        Rule,
        finder=FINDERS,
        below=st.none() | st.sampled_from([0.1, 0.3, 1.0]),
        action=st.sampled_from(["drop", "relabel", "review", "keep"]),
        splits=st.sampled_from([["train"], ["val", "pool"], list(SPLITS)]),
    ),
    min_size=1,
    max_size=3,
)
AGREE = st.builds(
    Reviewers, rule=st.sampled_from(["majority", "unanimous", "latest"]), arbiter=st.sampled_from(["", "ada"])
)


# apply


@given(manifests())
def test_applying_nothing_changes_nothing(manifest: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(apply(manifest, decisions.empty()).table, manifest)


@given(st.data(), st.booleans())
def test_what_is_applied_beside_a_plain_loop(data: st.DataObject, include_test: bool) -> None:
    manifest = data.draw(manifests())
    said = data.draw(decisions_on(manifest, st.just("ada")))
    by_image = {row.image_id: row for row in said.itertuples()}
    expected = []
    for row in manifest.itertuples():
        own, original = by_image.get(row.image_id), by_image.get(row.parent_id)
        takes_its_label = own and original and own.action == "keep" and original.action == "relabel"
        decision = original if takes_its_label else own or original
        action = decision.action if decision and (row.split != "test" or include_test) else "keep"
        if action == "relabel":
            expected.append((row.image_id, "train" if row.split == "pool" else row.split, decision.label))
        elif action == "keep":
            expected.append((row.image_id, row.split, row.label))
    table = apply(manifest, said, include_test=include_test).table
    assert list(table[["image_id", "split", "label"]].itertuples(index=False, name=None)) == expected


@given(st.data(), st.booleans())
def test_applying_twice_is_applying_once(data: st.DataObject, include_test: bool) -> None:
    manifest = data.draw(manifests())
    before = manifest.copy()
    said = data.draw(decisions_on(manifest, ANYBODY))
    once = apply(manifest, said, include_test=include_test)
    pd.testing.assert_frame_equal(manifest, before)
    again = apply(once.table, said, include_test=include_test)
    pd.testing.assert_frame_equal(again.table, once.table)
    assert (again.dropped, again.relabelled, again.labelled) == (0, 0, 0)
    assert once.dropped == len(manifest) - len(once.table)
    assert once.table["image_id"].is_monotonic_increasing  # i0, i1, …: in the order of the manifest


@given(st.data())
def test_the_test_split_stays_as_it_is(data: st.DataObject) -> None:
    manifest = data.draw(manifests())
    table = apply(manifest, data.draw(decisions_on(manifest, ANYBODY))).table
    for given_, kept in ((manifest, table), (table, manifest)):
        of_test = given_[given_["split"] == "test"]
        same = kept[kept["split"] == "test"]
        pd.testing.assert_frame_equal(of_test.reset_index(drop=True), same.reset_index(drop=True))


@given(st.data())
def test_the_difference_names_each_change_once(data: st.DataObject) -> None:
    manifest = data.draw(manifests())
    said = data.draw(decisions_on(manifest, st.just("ada")))
    applied = apply(manifest, said)
    counts = diff(manifest, applied.table, said)["change"].value_counts()
    there = {name: int(counts.get(name, 0)) for name in ("added", "dropped", "labelled", "moved", "changed")}
    assert there == {"added": 0, "dropped": applied.dropped, "labelled": applied.labelled, "moved": 0, "changed": 0}
    assert counts.get("relabelled", 0) >= applied.relabelled
    assert diff(manifest, manifest, said).empty


# Policies and people


@given(st.data())
def test_people_beat_the_policy_and_are_not_asked_again(data: st.DataObject) -> None:
    manifest = data.draw(manifests())
    found, rules = data.draw(findings_on(manifest)), data.draw(RULES)
    earlier = data.draw(decisions_on(manifest, ANYBODY))
    result = apply_rules(found, manifest, rules, earlier, at=LATER)
    people, theirs = earlier[earlier["by"] != POLICY], result.decisions[result.decisions["by"] != POLICY]
    pd.testing.assert_frame_equal(in_order(people, manifest), theirs.reset_index(drop=True))
    of_policy = result.decisions[result.decisions["by"] == POLICY]
    assert not of_policy["image_id"].duplicated().any()
    assert not set(people["image_id"]) & (set(of_policy["image_id"]) | set(result.review["image_id"]))
    splits = manifest.set_index("image_id")["split"]
    allowed = {split for rule in rules for split in rule.splits}
    assert set(splits[of_policy["image_id"]]) <= allowed


@given(st.data())
def test_deciding_again_gives_the_same_file_and_taking_back_gives_the_one_before(data: st.DataObject) -> None:
    manifest = data.draw(manifests())
    found, rules = data.draw(findings_on(manifest)), data.draw(RULES)
    first = apply_rules(found, manifest, rules, decisions.empty(), at=NOON).decisions
    again = apply_rules(found, manifest, rules, first, at=LATER).decisions
    pd.testing.assert_frame_equal(again, first)
    said = merge(first, data.draw(decisions_on(manifest, PEOPLE)), by="ada", at=NOON)
    taken_back = said[said["by"] == POLICY]
    after = apply_rules(found, manifest, rules, taken_back, at=NOON).decisions
    pd.testing.assert_frame_equal(after, first)


@given(st.data())
def test_answers_taken_over_twice_are_taken_once(data: st.DataObject) -> None:
    manifest = data.draw(manifests())
    earlier = data.draw(decisions_on(manifest, ANYBODY))
    imported = data.draw(decisions_on(manifest, st.just("") | ANYBODY)).drop_duplicates("image_id")
    once = merge(earlier, imported, by="zoe", at=LATER)
    pd.testing.assert_frame_equal(
        in_order(merge(once, imported, by="zoe", at=NOON), manifest), in_order(once, manifest)
    )
    assert not once.duplicated(["image_id", "by"]).any()
    assert not (once["by"] == "").any()
    assert set(once["image_id"][once["by"] == POLICY]) <= set(earlier["image_id"][earlier["by"] == POLICY])
    said = set(zip(imported["image_id"], imported["action"], imported["label"], strict=True))
    assert said <= set(zip(once["image_id"], once["action"], once["label"], strict=True))
    others = earlier[~earlier["image_id"].isin(imported["image_id"])]
    kept = once[~once["image_id"].isin(imported["image_id"])]
    pd.testing.assert_frame_equal(kept.reset_index(drop=True), others.reset_index(drop=True))


@given(st.data(), AGREE)
def test_one_decision_an_image_and_the_policys_only_where_nobody_spoke(data: st.DataObject, rule: Reviewers) -> None:
    manifest = data.draw(manifests())
    said = data.draw(decisions_on(manifest, ANYBODY))
    settled, open_ = reviewers.settle(said, manifest, rule), reviewers.disputed(said, manifest, rule)
    assert not settled["image_id"].duplicated().any()
    assert set(settled["image_id"]) | set(open_.index) == set(said["image_id"])
    assert not set(settled["image_id"]) & set(open_.index)
    people = set(said["image_id"][said["by"] != POLICY])
    assert set(settled["image_id"][settled["by"] == POLICY]) == set(said["image_id"]) - people
    if rule.rule == "latest":
        assert open_.empty


@given(st.lists(st.tuples(PEOPLE, st.booleans()), max_size=8))
def test_undoing_goes_back_act_by_act(taken: list[tuple[str, bool]]) -> None:
    """Beside a plain list of acts for each person."""
    acts: list[Act] = []
    standing: dict[str, list[int]] = {"ada": [], "eve": []}
    for who, takes_back in taken:
        last = journal.last_standing(acts, who)
        assert last == (standing[who][-1] if standing[who] else None)
        if not takes_back:
            standing[who].append(len(acts))
            acts.append(Act(NOON, who, [], [], ""))
        elif last is not None:
            standing[who].pop()
            acts.append(Act(NOON, who, [], [], "", undoes=last))


# Steps


@given(st.data())
def test_steps_part_what_was_done(data: st.DataObject) -> None:
    manifest = data.draw(manifests(8))
    said = data.draw(decisions_on(manifest, st.just(POLICY)))
    found = steps(manifest, said)
    of_decisions = [step for step in found if not is_supplement(step)]
    assert len({step.name for step in found}) == len(found)
    taken = [image_id for step in of_decisions for image_id in step.image_ids]
    assert len(taken) == len(set(taken))
    assert BY_PEOPLE not in {step.name.split("-")[1] for step in of_decisions}  # each has a finder behind it
    for step in of_decisions:
        mine = said["image_id"].isin(step.image_ids)
        pd.testing.assert_frame_equal(alone(manifest, said, step), apply(manifest, said[mine]).table)
        pd.testing.assert_frame_equal(without(manifest, said, step), apply(manifest, said[~mine]).table)
    for step in found:
        if is_supplement(step):
            left = without(manifest, said, step)
            assert not set(left["image_id"]) & step.image_ids


@given(st.data(), st.integers(0, 5))
def test_randomly_dropped_loses_as_many(data: st.DataObject, seed: int) -> None:
    manifest = data.draw(manifests(8))
    after = apply(manifest, data.draw(decisions_on(manifest, st.just(POLICY)))).table
    table = randomly_dropped(manifest, lost(manifest, after), seed=seed)
    train = manifest["image_id"][(manifest["split"] == "train") & (manifest["label"] != "")]
    gone = set(manifest["image_id"]) - set(table["image_id"])
    assert gone <= set(train)
    assert len(gone) == (~train.isin(after["image_id"])).sum()
