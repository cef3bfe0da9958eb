"""What a reviewer is asked, in which order, with which twins beside it; and what a key makes of it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import findings as finding
from curate.errors import UserError
from curate.review import asking
from curate.review.asking import COLUMNS, asked, lay_out
from curate.review.desk import Answer, Desk
from curate.review.twins import groups
from curate.review.verdicts import answers, proposals
from curate.workspace import DECISIONS, FINDINGS, MANIFEST, Workspace
from tests.tables import decided, images

NOON = "2026-01-01T12:00:00Z"
IMAGES = images(
    *[(f"cat{number:02}", "train", "cat") for number in range(20)],
    *[(f"dog{number:02}", "train", "dog") for number in range(20)],
    ("twin0", "train", "cat"),
    ("twin1", "train", "cat"),
    ("twin2", "test", "cat"),
    ("night", "train", "dog"),
)


def row(image_id: str, finder: str, score: float, **more: object) -> dict[str, object]:
    """A finding."""
    base = {"group": -1, "related_id": "", "suggested_label": "", "suggested_prob": 0.0, "detail": f"{finder} says"}
    return {"image_id": image_id, "finder": finder, "score": score, "flagged": score < 0.5, **base, **more}


def found(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(finding.COLUMNS)).astype(finding.COLUMNS)


LABELS = [
    row(f"cat{number:02}", "label_error", 0.4, suggested_label="dog", suggested_prob=0.55) for number in range(12)
]
TWINS = [
    row("twin0", "near_duplicate", 0.1, related_id="twin1", group=3),
    row("twin1", "split_leak", 0.0, related_id="twin2", group=5),
]
EVERY = found(
    *LABELS,
    row("dog00", "label_error", 0.3, suggested_label="cat", suggested_prob=0.5),
    row("dog01", "label_error", 0.2),
    *TWINS,
    row("night", "dark", 0.2),
)


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    ws = Workspace(tmp_path / "ws")
    with ws.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, IMAGES)
        transaction.write_table(FINDINGS, EVERY)
    (ws.root / "recipe.yaml").write_text(
        "policy:\n"
        + "".join(
            f"- {{finder: {name}, action: review}}\n"
            for name in ("split_leak", "label_error", "near_duplicate", "dark")
        )
    )
    return ws


def test_alike_ones_stand_together_with_their_twins(ws: Workspace) -> None:
    table = asked(ws, "ada").table
    assert table.dtypes.astype(str).to_dict() == {
        name: str(pd.Series(dtype=kind).dtype) for name, kind in COLUMNS.items()
    }
    assert table["title"].drop_duplicates().to_list() == ["cat → dog", "dog → cat", "dog → ?", "split_leak", "dark"]
    assert table["cluster"].to_list() == sorted(table["cluster"])
    twins = table[table["kind"] == "duplicates"]
    assert twins[["image_id", "asked"]].to_numpy().tolist() == [["twin1", True], ["twin0", True], ["twin2", False]]
    assert twins["cluster"].nunique() == 1
    assert table.set_index("image_id").loc["night", ["kind", "proposal", "detail"]].to_list() == [
        "other",
        "drop",
        "dark says",
    ]
    assert table["path"].str.startswith("/photos/").all()


def test_what_a_person_said_is_not_asked_again(ws: Workspace) -> None:
    before = asked(ws, "ada").table
    Desk(ws, "ada").take([Answer("cat03", "keep"), Answer("night", "drop")])
    for by in ("ada", "bob"):
        after = asked(ws, by)
        assert set(before["image_id"]) - set(after.table["image_id"]) == {"cat03", "night"}
    assert after.answered == 0
    assert asked(ws, "ada").answered == 2


def test_disputes_come_first_for_a_third_person(ws: Workspace) -> None:
    Desk(ws, "ada").take([Answer("night", "drop")])
    Desk(ws, "bob").take([Answer("night", "keep")])
    first = asked(ws, "eve").table.iloc[0]
    assert first[["image_id", "title", "detail"]].to_list() == ["night", "disputed", "ada: drop; bob: keep"]
    assert "night" not in asked(ws, "ada").table["image_id"].to_list()


def test_a_new_label_loses_no_photo(ws: Workspace) -> None:
    """Accepting a drop would, where the image that was to stay is dropped, too."""
    other = {"flagged": True, "related_id": "dog05", "group": 1}
    rows = [row("dog05", "dark", 0.1), row("dog06", "conflicting_labels", 0.3, suggested_label="cat", **other)]
    with ws.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found(*rows, row("dog07", "near_duplicate", 0.3, **other)))
    finders = ("conflicting_labels", "near_duplicate")
    review = "".join(f", {{finder: {finder}, action: review}}" for finder in finders)
    (ws.root / "recipe.yaml").write_text(f"policy: [{{finder: dark, action: drop}}{review}]\n")
    proposal = asked(ws, "ada").table.set_index("image_id")["proposal"]
    assert proposal[["dog06", "dog07"]].to_list() == ["relabel", ""]


def test_two_labels_of_one_photo_are_no_reason_to_drop_it(ws: Workspace) -> None:
    """Of a tie, accepting would drop every version."""
    group = {"flagged": True, "group": 1}
    rows = [
        row("dog05", "conflicting_labels", 0.49, related_id="dog06", **group),
        row("dog06", "conflicting_labels", 0.49, related_id="dog05", **group),
        row("dog05", "near_duplicate", 0.1, related_id="dog06", **group),
        row("dog06", "dark", 0.1, flagged=True),
    ]
    with ws.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, table := found(*rows))
    review = "{finder: conflicting_labels, action: review}, {finder: near_duplicate, action: review}"
    for policy, speaks in ((f"[{review}]", ""), ("[]", "drop")):
        (ws.root / "recipe.yaml").write_text(f"policy: {policy}\n")
        proposal = proposals(table, asked(ws, "ada"))["proposal"]
        assert proposal[["dog05", "dog06"]].to_list() == ["", speaks]


def test_a_second_look_is_drawn_from_what_others_decided(ws: Workspace) -> None:
    Desk(ws, "ada").take([Answer(f"cat{number:02}", "keep") for number in range(12)])
    table = asked(ws, "bob", second=4).table
    looks = table[table["title"] == "second look"]
    assert len(looks) == 4
    assert set(looks["image_id"]) < {f"cat{number:02}" for number in range(12)}
    assert table["title"].iloc[-1] == "second look"
    assert "keep" not in " ".join(looks["detail"])  # what the other said is not shown
    assert (asked(ws, "ada", second=4).table["title"] != "second look").all()


MERELY = row("dog05", "near_duplicate", 0.6, related_id="dog06")
"""Looks like another image, and is not flagged for it."""


def test_what_is_merely_similar_makes_no_group_of_duplicates(ws: Workspace) -> None:
    with ws.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, pd.concat([EVERY, found(MERELY)], ignore_index=True))
    others = ["dog05", *(f"cat{number:02}" for number in range(4))]
    Desk(ws, "bob").take([Answer(image_id, "keep") for image_id in [*others, "night"]])
    Desk(ws, "eve").take([Answer("dog05", "drop"), Answer("night", "drop")])
    table = asked(ws, "ada", second=4).table
    kinds = table.groupby("title", sort=False)["kind"].agg(lambda kinds: set(kinds)).to_dict()
    assert kinds["disputed"] == {"other"}
    assert kinds["second look"] == {"labels"}
    assert kinds["split_leak"] == {"duplicates"}
    assert set(table["image_id"][table["title"] == "disputed"]) == {"dog05", "night"}


def test_what_is_taken_for_a_twin_without_one_is_asked_about_its_label() -> None:
    both = found(MERELY | {"flagged": True, "score": 0.3, "related_id": "gone"}, {**LABELS[0], "image_id": "dog05"})
    rows = both.assign(because="near_duplicate;label_error", suggested_label="cat", gain=0.5).iloc[:1]
    (only,) = lay_out(rows.assign(detail="", title=""), both, IMAGES, None).to_dict("records")
    assert (only["kind"], only["title"]) == ("labels", "dog → cat")


def test_a_budget_takes_the_labels_that_matter_most(ws: Workspace) -> None:
    table = asked(ws, "ada", budget=3).table
    assert (table["kind"] == "labels").sum() == 3
    assert {"twin0", "night"} <= set(table["image_id"])


def test_large_groups_are_split_by_embedding() -> None:
    many = images(*[(f"{number:03}", "train", "cat") for number in range(64)])
    table = found(
        *[row(name, "label_error", 0.3, suggested_label="dog", suggested_prob=0.5) for name in many["image_id"]]
    )
    of = np.arange(64) % 4
    features = np.eye(8)[of] + np.random.default_rng(0).normal(0, 0.01, (64, 8))
    rows = table[["image_id", "suggested_label", "score"]].assign(because="label_error", gain=0.5)
    laid = lay_out(rows.assign(detail="", title=""), table, many, features)
    assert laid["cluster"].nunique() == 4
    parts = laid["image_id"].astype(int) % 4
    assert parts.groupby(laid["cluster"]).nunique().eq(1).all()


def test_nothing_to_ask_is_an_empty_table(ws: Workspace) -> None:
    with ws.writing("scan", {}) as transaction:
        transaction.write_table(FINDINGS, found())
    empty = asked(ws, "ada")
    assert len(empty.table) == 0
    assert empty.table.columns.to_list() == list(COLUMNS)
    assert empty.worth.labels == 0


def test_groups_hold_all_that_are_linked() -> None:
    name = groups(EVERY, IMAGES)
    assert set(name.index) == {"twin0", "twin1", "twin2"}
    assert name.nunique() == 1
    assert groups(found(), IMAGES).empty


def test_what_is_beside_says_whether_it_would_stay(ws: Workspace) -> None:
    """A twin that a finder would have go is not shown as the one that stays, also where nobody is asked about it."""
    twins = asked(ws, "ada").table.set_index("image_id").loc[["twin0", "twin1", "twin2"]]
    assert twins["asked"].to_list() == [True, True, False]
    assert twins.loc["twin2", ["score", "detail"]].to_list() == [1.0, ""]
    Desk(ws, "ada").take([Answer("twin0", "drop")])
    twins = asked(ws, "ada").table.set_index("image_id").loc[["twin0", "twin1", "twin2"]]
    assert twins["asked"].to_list() == [False, True, False]
    assert twins["score"].to_list() == pytest.approx([0.1, 0.0, 1.0])
    assert twins.loc["twin0", "detail"] == "near_duplicate says"


@pytest.mark.parametrize(
    ("rows", "because", "proposal"),
    [
        ([row("night", "dark", 0.2)], "dark", "drop"),
        ([row("night", "dark", 0.6)], "dark", ""),  # not flagged
        ([], "", ""),
        ([row("night", "label_error", 0.6)], "label_error", "drop"),  # wrong with 0.4: better left out
        ([row("night", "label_error", 0.7)], "label_error", ""),
        ([row("night", "label_error", 0.7), row("night", "dark", 0.2)], "label_error;dark", "drop"),
        ([row("night", "label_error", 0.7), row("night", "dark", 0.2)], "label_error", ""),
        ([row("night", "label_error", 0.7, suggested_label="cat")], "label_error", "relabel"),
        ([row("night", "label_error", 0.7, suggested_label="fox")], "label_error", ""),  # a class that has gone
    ],
)
def test_what_is_proposed(rows: list, because: str, proposal: str) -> None:
    asks = pd.DataFrame({"image_id": ["night"], "because": because, "score": 1.0, "gain": 0.0})
    suggested = rows[0]["suggested_label"] if rows else ""
    table = lay_out(asks.assign(suggested_label=suggested, detail="", title=""), found(*rows), IMAGES, None)
    assert table["proposal"].to_list() == [proposal]


def test_a_copy_whose_twin_is_gone_is_not_proposed_to_go(ws: Workspace) -> None:
    assert asked(ws, "ada").table.set_index("image_id").loc["twin0", "proposal"] == "drop"
    Desk(ws, "bob").take([Answer("twin1", "drop")])
    twins = asked(ws, "ada").table.set_index("image_id")
    assert twins.loc["twin0", "proposal"] == ""


SPLITS = IMAGES.set_index("image_id")["split"]


def test_a_twin_that_goes_says_nothing_of_its_label() -> None:
    proposed = pd.DataFrame({"because": "label_error;near_duplicate"}, index=["twin0", "twin1"])
    got = answers("keep_this", ["twin0"], proposed=proposed, group=groups(EVERY, IMAGES), splits=SPLITS)
    assert [answer.because for answer in got] == ["label_error;near_duplicate", "near_duplicate"]


def decide(ws: Workspace, verdict: str, chosen: list[str], **more: str) -> list[tuple[str, str, str, str]]:
    proposed = proposals(EVERY, asked(ws, "ada"))
    got = answers(verdict, chosen, proposed=proposed, group=groups(EVERY, IMAGES), splits=SPLITS, **more)  # type: ignore[arg-type]
    return [(answer.image_id, answer.action, answer.label, answer.because) for answer in got]


def test_accept_takes_what_a_finder_of_your_own_suggests(ws: Workspace) -> None:
    """Also where nobody is asked about it."""
    own = pd.concat([EVERY, found(row("dog19", "read_caption", 0.1, suggested_label="cat"))])
    proposed = proposals(own, asked(ws, "ada")).loc["dog19"]
    assert proposed.to_list() == ["relabel", "cat", "read_caption"]


@pytest.mark.parametrize(
    ("verdict", "chosen", "more", "wanted"),
    [
        ("accept", ["cat00", "night"], {}, [("cat00", "relabel", "dog", "label_error"), ("night", "drop", "", "dark")]),
        ("accept", ["dog01"], {}, [("dog01", "drop", "", "label_error")]),  # no class fits
        ("fine", ["cat00"], {}, [("cat00", "keep", "", "label_error")]),
        ("drop", ["dog19"], {}, [("dog19", "drop", "", "")]),  # nothing was found: the person's own idea
        ("relabel", ["dog19"], {"label": "cat"}, [("dog19", "relabel", "cat", "")]),
        (
            "keep_this",
            ["twin0"],
            {},
            [("twin0", "keep", "", "near_duplicate"), ("twin1", "drop", "", "split_leak")],  # a test image stays
        ),
    ],
)
def test_what_a_key_means(ws: Workspace, verdict: str, chosen: list, more: dict, wanted: list) -> None:
    assert decide(ws, verdict, chosen, **more) == wanted


@pytest.mark.parametrize(
    ("verdict", "chosen", "message"),
    [
        ("accept", ["cat00", "dog18", "dog19"], "nothing is proposed for dog18 and 1 more; drop, relabel or keep"),
        ("keep_this", ["cat00"], "cat00 has no twins to choose from"),
        ("drop", [], "no image is chosen; select some, or take the whole view"),
    ],
)
def test_keys_that_mean_nothing_say_so(ws: Workspace, verdict: str, chosen: list, message: str) -> None:
    with pytest.raises(UserError, match=message):
        decide(ws, verdict, chosen)


def test_titles_are_those_of_the_first_finder() -> None:
    assert asking.DISPUTED != asking.SECOND_LOOK
    both = found(row("night", "dark", 0.2), row("night", "label_error", 0.4, suggested_label="cat", suggested_prob=0.6))
    rows = pd.DataFrame(
        [("night", "dark;label_error", "cat", 0.4, 0.5)],
        columns=["image_id", "because", "suggested_label", "score", "gain"],
    )
    (only,) = lay_out(rows.assign(detail="", title=""), both, IMAGES, None).to_dict("records")
    assert (only["kind"], only["title"], only["proposal"], round(only["suggested_prob"], 3)) == (
        "labels",
        "dog → cat",
        "relabel",
        0.6,
    )


def test_decisions_of_the_policy_do_not_count_as_answers(ws: Workspace) -> None:
    with ws.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decided(("night", "drop", "", "policy", "dark", "", NOON)))
    assert "night" in asked(ws, "ada").table["image_id"].to_list()
