"""A workspace in FiftyOne's own database: what is written, what a second opening writes, what is read back."""

import os
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from curate import deciding, journal, scans, tables
from curate.errors import UserError
from curate.review import app, dataset, samples, thumbnails, views
from curate.review.desk import Answer, Desk
from curate.workspace import DECISIONS, Workspace, read_table
from tests.review.small import workspace

CAT, NIGHT = "pets/train/cat/02.png", "pets/train/dog/00.png"


@pytest.fixture
def ws(tmp_path: Path, fiftyone: ModuleType) -> Workspace:
    return workspace(tmp_path)


def opened(ws: Workspace, by: str = "ada") -> app.Opened:
    return app.prepare(ws, by, budget=None, second=0)


def sample(data, image_id: str):
    return data.match({"image_id": image_id}).first()


def test_the_samples_hold_what_the_workspace_knows(ws: Workspace) -> None:
    deciding.decide(ws, None)
    found = opened(ws)
    assert (found.synced.images, found.synced.written, found.synced.removed) == (26, 26, 0)
    cat = sample(found.data, CAT)
    assert (cat.split, cat.ground_truth.label, cat.prediction.label, round(cat.prediction.confidence, 2)) == (
        "train",
        "cat",
        "cat",
        0.7,
    )
    assert (cat.suggestion.label, round(cat.suggestion.confidence, 2)) == ("dog", 0.55)
    assert (round(cat.label_error.score, 2), cat.label_error.flagged, cat.label_error.detail) == (
        0.4,
        True,
        "label_error says so",
    )
    assert (cat.queue.position, cat.queue.title, cat.queue.proposal) == (1, "cat → dog", "relabel")
    assert Path(cat.filepath).is_file()
    leak = sample(found.data, "pets/train/cat/01.png")
    assert (leak.decision.label, leak.decision.by, leak.queue) == ("policy: drop", "policy", None)
    assert leak.group == sample(found.data, "pets/test/cat/leak.png").group != None  # noqa: E711
    assert sample(found.data, "pets/train/dog/05.png").group is None


def test_documents_are_those_that_fiftyone_writes(ws: Workspace, fiftyone: ModuleType) -> None:
    data = opened(ws).data
    ours = data._sample_collection.find_one({"image_id": CAT})
    other = fiftyone.Dataset()
    other.add_sample(
        fiftyone.Sample(filepath=ours["filepath"], ground_truth=fiftyone.Classification(label="cat", confidence=0.5))
    )
    theirs = other._sample_collection.find_one()
    assert {name: type(theirs[name]) for name in theirs if name in ours} == {
        name: type(ours[name]) for name in theirs if name in ours
    }
    assert {name for name in theirs if name.startswith("_")} == {name for name in ours if name.startswith("_")}
    assert set(theirs["ground_truth"]) - {"confidence"} == set(ours["ground_truth"])
    other.delete()


def test_a_second_opening_writes_what_changed(ws: Workspace, fiftyone: ModuleType) -> None:
    first = opened(ws).data
    mine = sample(first, CAT)
    mine.tags.append("holiday")
    mine["mood"] = "sleepy"
    mine.save()
    Desk(ws, "bob").take([Answer(NIGHT, "keep")])
    again = opened(ws)
    assert again.synced.written == 1
    night = sample(again.data, NIGHT)
    assert (night.decision.label, night.decision.by, night.queue) == ("keep", "bob", None)
    assert again.data.load_saved_view("changed since last time").values("image_id") == [NIGHT]
    kept = sample(again.data, CAT)
    assert (kept.tags, kept.mood) == (["holiday"], "sleepy")
    (Path(kept.filepath).parent / "03.png").unlink()
    images = tables.read_manifest(ws)
    with ws.writing("add", {}) as transaction:
        transaction.write_table("manifest.parquet", images[images["image_id"] != "pets/train/cat/03.png"])
    third = opened(ws)
    assert (third.synced.images, third.synced.removed) == (25, 1)


def test_views(ws: Workspace) -> None:
    deciding.decide(ws, None)
    Desk(ws, "ada").take([Answer(NIGHT, "keep")])
    Desk(ws, "bob").take([Answer(NIGHT, "drop")])
    data = opened(ws, "eve").data
    counts = {name: len(data.load_saved_view(name)) for name in data.list_saved_views()}
    assert counts == {
        "needs a person": 6,
        "people disagree": 1,
        "twins side by side": 4,
        "twins as groups": 2,
        "leaks": 2,
        "dropped by policy": 1,
        "relabelled by policy": 0,
        "changed since last time": 0,
        "dark, worst first": 1,
        "label_error, worst first": 4,
        "near_duplicate, worst first": 1,
        "split_leak, worst first": 1,
    }
    assert data.load_saved_view("needs a person").first().image_id == NIGHT  # disputed ones come first
    positions = data.load_saved_view("needs a person").values("queue.position")
    assert positions == sorted(positions)


def test_embeddings_of_our_own(ws: Workspace) -> None:
    data = opened(ws).data
    assert {views.SIMILARITY, views.PCA} <= set(data.list_brain_runs())
    like = data.sort_by_similarity(sample(data, NIGHT).id, k=10, brain_key=views.SIMILARITY)
    assert set(like.values("ground_truth.label")) == {"dog"}
    points = data.load_brain_results(views.PCA).points
    assert points.shape == (26, 2)
    assert np.isfinite(points).all()
    assert opened(ws).data.list_brain_runs() == data.list_brain_runs()
    before, after = data.info["curate"], opened(ws).data.info["curate"]
    assert before["embedded"] == after["embedded"]  # the same predictions: not made again


def test_a_dataset_of_somebody_else_is_left_alone(ws: Workspace, fiftyone: ModuleType) -> None:
    theirs = fiftyone.Dataset(dataset.name_of(ws, "ada"), persistent=True)
    theirs.add_sample(fiftyone.Sample(filepath="/nowhere.png"))
    with pytest.raises(
        UserError, match=r"FiftyOne has a dataset called 'curate-ws-ada-\w+' that is not of .* and ada; rename it"
    ):
        opened(ws)
    assert len(theirs) == 1
    theirs.delete()


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("curate:drop", ("drop", "")),
        ("curate:keep", ("keep", "")),
        ("curate:relabel:dog", ("relabel", "dog")),
        ("curate:relabel:dig", "tag 'curate:relabel:dig' names no class of this workspace"),
        ("curate:burn", "tag 'curate:burn' must be curate:keep, curate:drop or curate:relabel:CLASS"),
        ("curate:drop:it", "tag 'curate:drop:it' must be"),
    ],
)
def test_tags_set_by_hand(ws: Workspace, tag: str, said: tuple | str) -> None:
    data = opened(ws).data
    mine = sample(data, CAT)
    mine.tags.extend([tag, "other"])
    mine.save()
    refused = app.take_by_hand(Desk(ws, "ada"), data)
    table = read_table(ws.path(DECISIONS)) if ws.has(DECISIONS) else None
    if isinstance(said, str):
        assert table is None
        assert refused[0].startswith(f"{CAT}: {said}")
        assert tag in sample(data.reload() or data, CAT).tags  # until it is mended
    else:
        assert refused == []
        assert table.iloc[0][["image_id", "action", "label", "by", "note"]].to_list() == [
            CAT,
            *said,
            "ada",
            "tagged in FiftyOne",
        ]
        data.reload()
        assert data._sample_collection.find_one({"image_id": CAT})["tags"] == ["other"]
        assert app.take_by_hand(Desk(ws, "ada"), data) == []


def test_labels_edited_by_hand(ws: Workspace) -> None:
    data = opened(ws).data
    for image_id, label in ((CAT, "dog"), (NIGHT, "dgo")):
        mine = sample(data, image_id)
        mine.ground_truth.label = label
        mine.save()
    again = opened(ws)  # as if the App had been left open, and the command killed
    assert again.warnings == [f"{NIGHT}: label 'dgo', edited in FiftyOne, is no class of this workspace"]
    row = read_table(ws.path(DECISIONS)).iloc[0]
    assert row[["image_id", "action", "label", "note"]].to_list() == [CAT, "relabel", "dog", "label edited in FiftyOne"]
    assert (sample(again.data, CAT).ground_truth.label, sample(again.data, CAT).decision.label) == (
        "cat",
        "relabel to dog",
    )


def relabel_in_manifest(ws: Workspace, **labels: str) -> None:
    """As `curate add` of a source whose labels were corrected leaves it. labels: image_id -> label."""
    images = tables.read_manifest(ws)
    images["label"] = images["image_id"].map(labels).fillna(images["label"])
    with ws.writing("add", {}) as transaction:
        transaction.write_table("manifest.parquet", images)


def test_a_label_that_was_corrected_and_added_again_is_no_edit(ws: Workspace) -> None:
    relabel_in_manifest(ws, **{NIGHT: ""})
    data = opened(ws).data
    relabel_in_manifest(ws, **{CAT: "dog", NIGHT: "cat", "pets/train/cat/07.png": ""})
    assert app.take_by_hand(Desk(ws, "ada"), data) == []  # an App that is still open
    again = opened(ws)
    assert again.warnings == scans.warnings(ws)
    assert not ws.has(DECISIONS)
    assert [sample(again.data, image_id).ground_truth.label for image_id in (CAT, NIGHT)] == ["dog", "cat"]
    assert sample(again.data, "pets/train/cat/07.png").ground_truth is None
    assert app.take_by_hand(Desk(ws, "ada"), again.data) == []


def test_a_label_that_was_edited_and_corrected_meanwhile(ws: Workspace) -> None:
    data = opened(ws).data
    mine = sample(data, CAT)
    mine.ground_truth.label = "dog"
    mine.save()
    relabel_in_manifest(ws, **{CAT: "bird"})
    for _ in range(2):  # what was taken over is not taken again
        assert app.take_by_hand(Desk(ws, "ada"), data) == []
    again = opened(ws)
    assert len(journal.read(ws)) == 1
    assert read_table(ws.path(DECISIONS))[["image_id", "label"]].to_numpy().tolist() == [[CAT, "dog"]]
    assert sample(again.data, CAT).ground_truth.label == "bird"


def test_a_label_that_cannot_be_taken_over_stays_as_it_was_edited(ws: Workspace) -> None:
    mine = sample(opened(ws).data, CAT)
    mine.ground_truth.label = "siamese"
    mine.save()
    Desk(ws, "bob").take([Answer(CAT, "keep")])
    for _ in range(2):
        again = opened(ws)
        assert any("label 'siamese', edited in FiftyOne, is no class" in line for line in again.warnings)
        assert sample(again.data, CAT).ground_truth.label == "siamese"
        assert sample(again.data, CAT).decision.label == "keep"
    relabel_in_manifest(ws, **{CAT: "bird"})
    mine = sample(opened(ws).data, CAT)
    assert (mine.ground_truth.label, mine.given_label) == ("siamese", "cat")
    mine.ground_truth.label = "cat"  # the edit is taken back
    mine.save()
    assert sample(opened(ws).data, CAT).ground_truth.label == "bird"


def test_a_dataset_that_does_not_say_which_label_it_showed(ws: Workspace) -> None:
    """As versions of before wrote it: who changed a label cannot be told, so that nobody has."""
    data = opened(ws).data
    data._sample_collection.update_many({}, {"$unset": {"given_label": ""}})
    relabel_in_manifest(ws, **{CAT: "dog"})
    mine = sample(data, NIGHT)
    mine.tags = ["curate:drop"]
    mine.save()
    again = opened(ws)
    assert (again.warnings, sample(again.data, CAT).ground_truth.label) == (scans.warnings(ws), "dog")
    assert read_table(ws.path(DECISIONS))["image_id"].to_list() == [NIGHT]
    assert sample(again.data, NIGHT).ground_truth.label == "dog"


def test_tags_that_contradict_each_other(ws: Workspace) -> None:
    data = opened(ws).data
    mine = sample(data, CAT)
    mine.tags = ["curate:keep", "curate:drop"]
    mine.save()
    told = f"{CAT}: tags 'curate:keep' and 'curate:drop' say different things; leave one of them"
    assert app.take_by_hand(Desk(ws, "ada"), data) == [told]
    assert not ws.has(DECISIONS)


def test_an_image_without_a_label_is_given_one(ws: Workspace) -> None:
    images = tables.read_manifest(ws)
    images.loc[images["image_id"] == CAT, ["label", "split"]] = ["", "pool"]
    with ws.writing("add", {}) as transaction:
        transaction.write_table("manifest.parquet", images)
    data = opened(ws).data
    mine = sample(data, CAT)
    assert mine.ground_truth is None
    mine["ground_truth"] = sample(data, NIGHT).ground_truth.copy()
    mine.save()
    for _ in range(2):  # what was taken over is not taken again
        assert app.take_by_hand(Desk(ws, "ada"), data) == []
        (row,) = read_table(ws.path(DECISIONS)).itertuples()
        assert (row.image_id, row.action, row.label) == (CAT, "relabel", "dog")
    assert len(journal.read(ws)) == 1
    assert data._sample_collection.find_one({"image_id": CAT})["ground_truth"] is None


def test_a_label_that_was_taken_away(ws: Workspace) -> None:
    data = opened(ws).data
    mine = sample(data, CAT)
    mine.ground_truth = None
    mine.save()
    told = f"{CAT}: its label was taken away in FiftyOne; to leave the image out, tag it curate:drop"
    assert app.take_by_hand(Desk(ws, "ada"), data) == [told]
    mine.tags = ["curate:drop"]
    mine.save()
    assert app.take_by_hand(Desk(ws, "ada"), data) == []
    assert read_table(ws.path(DECISIONS))["action"].to_list() == ["drop"]
    data.reload()
    assert sample(data, CAT).ground_truth.label == "cat"


def test_samples_of_the_users_own_are_left_alone(ws: Workspace, fiftyone: ModuleType) -> None:
    data = opened(ws).data
    own = [fiftyone.Sample(filepath=f"/own/{number}.png", tags=["curate:drop"]) for number in range(2)]
    data.add_samples(own, progress=False)
    assert app.take_by_hand(Desk(ws, "ada"), data) == []
    assert not ws.has(DECISIONS)
    assert len(opened(ws).data) == 28


def test_what_cannot_be_written_now_waits(ws: Workspace) -> None:
    found = app.prepare(Workspace(ws.root, 0.2), "ada", budget=None, second=0)
    mine = sample(found.data, CAT)
    mine.tags = ["curate:drop"]
    mine.save()
    with ws.locked():
        (told,) = app._by_hand(found)
    assert told.startswith("what was tagged or edited by hand in FiftyOne is not taken over yet: another curate is")
    assert not ws.has(DECISIONS)
    assert app._by_hand(found) == []
    assert read_table(ws.path(DECISIONS))["image_id"].to_list() == [CAT]


def test_a_dataset_that_was_deleted_meanwhile(ws: Workspace, fiftyone: ModuleType) -> None:
    found = opened(ws)
    fiftyone.core.odm.get_db_conn().datasets.delete_one({"name": found.data.name})  # as another process does
    with pytest.raises(UserError, match=r"was deleted in FiftyOne; no decision is lost, run the command again"):
        app._by_hand(found)
    assert opened(ws).synced.written == 26


def test_a_second_look_is_not_led_by_what_others_said(ws: Workspace) -> None:
    Desk(ws, "ada").take([Answer(CAT, "drop"), Answer(NIGHT, "keep")])
    bob = app.prepare(ws, "bob", budget=None, second=2)
    waiting = bob.data.load_saved_view("needs a person")
    assert {CAT, NIGHT} <= set(waiting.values("image_id"))
    assert waiting.values("decision.label") == [None] * len(waiting)
    assert sample(opened(ws, "cleo").data, CAT).decision.label == "drop"  # who is not asked sees it


def test_each_reviewer_has_a_dataset(ws: Workspace) -> None:
    ada, bob = opened(ws, "ada"), opened(ws, "bob")
    assert ada.data.name != bob.data.name
    mine = sample(ada.data, CAT)
    mine.tags = ["curate:drop"]
    mine.save()
    assert app.take_by_hand(Desk(ws, "bob"), bob.data) == []
    assert not ws.has(DECISIONS)
    assert app.take_by_hand(Desk(ws, "ada"), ada.data) == []
    assert read_table(ws.path(DECISIONS))["by"].to_list() == ["ada"]


def test_images_that_have_moved_are_named(ws: Workspace) -> None:
    Path(tables.read_manifest(ws)["path"].iloc[0]).unlink()
    (warning,) = opened(ws).warnings
    assert warning.startswith("images are not where they were: 1 of ")


def test_large_images_get_a_smaller_copy(tmp_path: Path, fiftyone: ModuleType) -> None:
    ws = workspace(tmp_path)
    images = tables.read_manifest(ws)
    images["width"] = samples.LARGE + 1
    with ws.writing("add", {}) as transaction:
        transaction.write_table("manifest.parquet", images)
    data = opened(ws).data
    cat, plain = sample(data, CAT), sample(data, "pets/train/dog/05.png")
    assert Path(cat.thumbnail).is_file()
    assert Path(cat.thumbnail).is_relative_to((ws.root / thumbnails.THUMBNAILS).resolve())
    assert plain.thumbnail == plain.filepath  # nothing is said of it
    assert data.app_config.grid_media_field == "thumbnail"


def test_names_tell_folders_and_reviewers_apart(tmp_path: Path) -> None:
    names = {
        dataset.name_of(Workspace(tmp_path / path), by)
        for path in ("a/ws", "b/ws", "b/my set (2)")
        for by in ("ada", "Ada", "ünï; <b>")
    }
    assert len(names) == 9
    assert all(re.fullmatch(r"curate-[A-Za-z0-9_-]+", name) for name in names)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_workspace_that_cannot_be_written_to(ws: Workspace) -> None:
    ws.root.chmod(0o555)
    try:
        with pytest.raises(UserError, match=r"cannot be written to, so nothing can be decided"):
            opened(ws)
    finally:
        ws.root.chmod(0o755)
