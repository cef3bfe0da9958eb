"""Augmented images as files: how many of whom, the same each time, and true to what becomes of their originals."""

import re
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate import apply, decisions, manifest, tables
from curate.augment.materialize import materialize
from curate.augment.wanted import Target, deal
from curate.errors import UserError
from curate.export import export
from curate.files import TEMPORARY_PREFIX
from curate.images import content_hash, pixel_hash, read_image
from curate.ingest.add import add
from curate.likeness import duplicates
from curate.policy import apply_rules
from curate.recipe import Rule
from curate.workspace import DECISIONS, MANIFEST, Workspace, read_table
from tests.conftest import write_tree
from tests.tables import decided, found
from tests.workspace.processes import FINDERS, PROCESSES, run_and_die, start
from train.crossval import assign_folds

PROCESSES.set_forkserver_preload(["tests.augment.test_materialize", "pyarrow.dataset", "faiss", *FINDERS])
CROPS = "- RandomCrop: {height: 6, width: 6}\n- HorizontalFlip\n"
NAMES = [
    *(f"train/cat/{number}.png" for number in range(5)),
    *(f"train/dog/{number}.png" for number in range(2)),
    *("val/dog/v.png", "test/dog/t.png", "test/cow/t.png", "unlabelled/u.png"),
]
BALANCE = Target()


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Five cats and two dogs to train on, and images in every other split."""
    monkeypatch.setattr("os.sync", lambda: None)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    made = Workspace(tmp_path / "ws")
    add(made, write_tree(tmp_path / "photos", NAMES))
    return made


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    path = tmp_path / "crops.yaml"
    path.write_text(CROPS)
    return path


def rows(ws: Workspace) -> pd.DataFrame:
    return manifest.check(read_table(ws.path(MANIFEST)), "manifest")


def children(ws: Workspace) -> pd.DataFrame:
    table = rows(ws)
    return table[table["parent_id"] != ""].reset_index(drop=True)


def files(ws: Workspace) -> dict[str, bytes]:
    table = children(ws)
    return {
        name: Path(path).read_bytes()
        for name, path in zip(table["image_id"], manifest.locate(table, ws.root), strict=True)
    }


def decide(ws: Workspace, *given: tuple[str, ...]) -> None:
    with ws.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decided(*given))


def curated(ws: Workspace) -> pd.DataFrame:
    images = rows(ws)
    return apply.apply(images, tables.read_decisions(ws, images)).table


def sizes(table: pd.DataFrame) -> dict[str, int]:
    return table["label"][table["split"] == "train"].value_counts().sort_index().to_dict()


# What is added


def test_classes_are_balanced_with_rows_like_those_of_their_originals(ws: Workspace, crops: Path) -> None:
    before = rows(ws)
    result = materialize(ws, crops, BALANCE)
    assert (result.added, result.there, result.by_class, result.training_images) == (3, 0, {"dog": 3}, 10)
    pd.testing.assert_frame_equal(rows(ws).head(len(before)), before)
    table = children(ws)
    assert sizes(rows(ws)) == {"cat": 5, "dog": 5}
    assert set(table["parent_id"]) == {"photos/train/dog/0.png", "photos/train/dog/1.png"}
    assert set(table["split"]) == {"train"}
    assert set(table["source"]) == {"augmented"}
    assert table[["width", "height"]].to_numpy().tolist() == [[6, 6]] * 3
    for row, path in zip(table.itertuples(), manifest.locate(table, ws.root), strict=True):
        assert Path(path).is_relative_to(ws.root / "images" / "augmented")
        assert content_hash(Path(path).read_bytes()) == row.content_hash
        assert pixel_hash(read_image(path)) == row.pixel_hash


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target(), {"cat": 5, "dog": 5}),
        (Target(per_class=7), {"cat": 7, "dog": 7}),
        (Target(per_class=4), {"cat": 5, "dog": 4}),
        (Target(per_class=2), {"cat": 5, "dog": 2}),
        (Target(total=7), {"cat": 5, "dog": 2}),
        (Target(total=14), {"cat": 10, "dog": 4}),  # each original once more
    ],
)
def test_targets(ws: Workspace, crops: Path, target: Target, expected: dict[str, int]) -> None:
    first = materialize(ws, crops, target)
    assert sizes(rows(ws)) == expected
    before = ws.path(MANIFEST).read_bytes()
    again = materialize(ws, crops, target)
    assert (again.added, again.there) == (0, first.added)
    assert ws.path(MANIFEST).read_bytes() == before


def test_a_larger_target_adds_the_rest_and_gives_what_it_gives_at_once(
    ws: Workspace, crops: Path, tmp_path: Path
) -> None:
    other = Workspace(tmp_path / "other")
    add(other, tmp_path / "photos")
    for count in (6, 11):
        materialize(ws, crops, Target(per_class=count))
    materialize(other, crops, Target(per_class=11))
    assert files(ws) == files(other)
    assert len(files(ws)) == 15


def test_originals_take_turns(ws: Workspace, crops: Path) -> None:
    materialize(ws, crops, Target(total=7 + 16))
    counts = children(ws)["parent_id"].value_counts()
    assert sorted(counts) == [2, 2, 2, 2, 2, 3, 3]


def test_seed_and_pipeline_name_the_files(ws: Workspace, crops: Path, tmp_path: Path) -> None:
    flips = tmp_path / "flips.yaml"
    flips.write_text("- HorizontalFlip: {p: 1}\n- VerticalFlip")
    materialize(ws, crops, Target(total=14))
    materialize(ws, crops, Target(total=21), seed=1)
    materialize(ws, flips, Target(total=28))
    table = children(ws)
    folders = table["image_id"].str.split("/").str[1]
    assert folders.nunique() == 3
    assert {name.rpartition("-")[2] for name in folders} == {"0", "1"}
    assert table["parent_id"].value_counts().to_list() == [3] * 7


def test_one_name_for_a_pipeline_in_two_formats(ws: Workspace, crops: Path, tmp_path: Path) -> None:
    other = tmp_path / "crops.json"
    other.write_text('[{"RandomCrop": {"height": 6, "width": 6}}, {"HorizontalFlip": {"p": 0.5}}]')
    materialize(ws, crops, Target(total=14))
    materialize(ws, other, Target(total=21))
    assert children(ws)["image_id"].str.split("/").str[1].nunique() == 1


def test_copies_are_told(ws: Workspace, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.yaml"
    nothing.write_text("- HorizontalFlip: {p: 0}\n")
    assert materialize(ws, nothing, BALANCE).copies == 3


def test_a_pipeline_without_transforms(ws: Workspace, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.yaml"
    nothing.write_text("- NoOp\n")
    with pytest.raises(UserError, match=r"nothing\.yaml has no transforms: what it adds would be copies"):
        materialize(ws, nothing, BALANCE)


def test_grey_results_and_fallback(ws: Workspace, tmp_path: Path) -> None:
    grey = tmp_path / "grey.yaml"
    grey.write_text("- ToGray: {num_output_channels: 1, p: 1}\n- RandomFog: {p: 1}\n")
    with pytest.raises(UserError, match="--fallback cpu"):
        materialize(ws, grey, BALANCE)
    grey.write_text("- RandomFog: {p: 1}\n- ToGray: {num_output_channels: 1, p: 1}\n")
    materialize(ws, grey, BALANCE, fallback="cpu")
    image = read_image(manifest.locate(children(ws), ws.root)[0])
    assert (image == image[:, :, :1]).all()
    assert pixel_hash(image) == children(ws)["pixel_hash"].iloc[0]


def test_ids_stay_below_the_folder(ws: Workspace, crops: Path) -> None:
    table = rows(ws)
    strange = table["image_id"].replace("photos/train/dog/0.png", "../../../dog")
    with ws.writing("edit", {}) as transaction:
        transaction.write_table(MANIFEST, table.assign(image_id=strange))
    materialize(ws, crops, BALANCE)
    assert children(ws)["path"].str.startswith("images/augmented/").all()
    assert not children(ws)["path"].str.contains("..", regex=False).any()


# What cannot be used


def test_broken_and_missing_originals_are_left_out_and_counted(ws: Workspace, crops: Path, tmp_path: Path) -> None:
    (tmp_path / "photos/train/dog/broken.png").write_bytes(b"no image")
    add(ws, tmp_path / "photos")
    (tmp_path / "photos/train/dog/0.png").unlink()
    (tmp_path / "photos/train/cat/0.png").write_bytes((tmp_path / "photos/train/cat/1.png").read_bytes())
    result = materialize(ws, crops, Target(per_class=9))
    assert result.skipped == {"cannot be decoded": 1, "missing or changed since 'curate add'": 2}
    table = children(ws)
    assert len(table) == result.added == 4 + 7
    assert set(table["parent_id"][table["label"] == "dog"]) == {"photos/train/dog/1.png"}
    assert "photos/train/cat/0.png" not in set(table["parent_id"])


@pytest.mark.parametrize(
    ("pipeline", "target", "says"),
    [
        (None, BALANCE, "No such file"),
        ("- Zzz", BALANCE, "no transform is called 'Zzz'"),
        ("- RandomCrop: {height: 64, width: 64}", BALANCE, "RandomCrop cuts 64 x 64 px out of images of"),
        (f"{CROPS}- Normalize", BALANCE, "Normalize makes no levels from 0 to 255, which files hold"),
        ("- MixUp", BALANCE, "mixes images and their labels"),
        (CROPS, Target(per_class=1), "even the smallest class, 'dog', has 2 training images already"),
        (CROPS, Target(total=6), "there are 7 training images already"),
    ],
)
def test_what_it_does_not_take(ws: Workspace, crops: Path, pipeline: str | None, target: Target, says: str) -> None:
    if pipeline is None:
        crops.unlink()
    else:
        crops.write_text(pipeline)
    before, entries = ws.path(MANIFEST).read_bytes(), ws.ledger()
    with pytest.raises(UserError) as error:
        materialize(ws, crops, target)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert ws.path(MANIFEST).read_bytes() == before
    assert ws.ledger() == entries
    assert not (ws.root / "images").exists()


def test_no_labelled_training_images(tmp_path: Path, crops: Path) -> None:
    ws = Workspace(tmp_path / "empty")
    add(ws, write_tree(tmp_path / "others", ["test/cat/1.png", "unlabelled/2.png"]))
    with pytest.raises(UserError, match="has no labelled training images to augment; 'curate add"):
        materialize(ws, crops, BALANCE)


@pytest.mark.parametrize("loss", ["broken", "gone"])
def test_a_class_without_an_original(ws: Workspace, crops: Path, tmp_path: Path, loss: str) -> None:
    if loss == "gone":
        for number in (0, 1):
            (tmp_path / f"photos/train/dog/{number}.png").unlink()
    else:
        (tmp_path / "photos/train/owl").mkdir()
        (tmp_path / "photos/train/owl/1.png").write_bytes(b"no image")
        add(ws, tmp_path / "photos")
    name = {"gone": "dog", "broken": "owl"}[loss]
    with pytest.raises(UserError, match=f"no original of class '{name}' can be decoded and augmented"):
        materialize(ws, crops, BALANCE)
    assert not len(children(ws))
    assert not (ws.root / "images").exists()


# Decisions


def test_a_dropped_original_gives_none_and_takes_its_own_along(ws: Workspace, crops: Path) -> None:
    materialize(ws, crops, BALANCE)
    decide(ws, ("photos/train/dog/0.png", "drop"), ("photos/train/cat/0.png", "drop"))
    assert set(curated(ws)["parent_id"]) <= {"", "photos/train/dog/1.png"}
    first = children(ws)
    materialize(ws, crops, BALANCE)
    added = children(ws)[~children(ws)["image_id"].isin(first["image_id"])]
    assert set(added["parent_id"]) == {"photos/train/dog/1.png"}
    assert sizes(curated(ws)) == {"cat": 4, "dog": 4}
    assert materialize(ws, crops, BALANCE).added == 0


def test_a_relabelled_original_counts_for_its_new_class(ws: Workspace, crops: Path) -> None:
    decide(ws, ("photos/train/cat/0.png", "relabel", "dog"), ("photos/train/cat/1.png", "relabel", "dog"))
    result = materialize(ws, crops, Target(per_class=8))
    assert result.by_class == {"cat": 5, "dog": 4}
    assert sizes(curated(ws)) == {"cat": 8, "dog": 8}
    table = children(ws)
    assert set(table["label"][table["parent_id"] == "photos/train/cat/0.png"]) == {"cat"}  # until decisions are applied
    decide(ws)
    assert sizes(curated(ws)) == sizes(rows(ws))


def test_an_augmented_image_that_was_dropped_does_not_come_back(ws: Workspace, crops: Path) -> None:
    materialize(ws, crops, BALANCE)
    gone = children(ws)["image_id"].iloc[0]
    decide(ws, (gone, "drop"))
    assert materialize(ws, crops, BALANCE).added == 1
    assert sizes(curated(ws)) == {"cat": 5, "dog": 5}
    assert gone not in set(curated(ws)["image_id"])


def test_differences_say_why_an_augmented_image_went(ws: Workspace, crops: Path) -> None:
    materialize(ws, crops, BALANCE)
    decide(ws, ("photos/train/dog/0.png", "drop", "", "policy", "blurry"))
    table = apply.diff(rows(ws), curated(ws), read_table(ws.path(DECISIONS)))
    assert set(table["because"]) == {"blurry"}
    assert len(table) > 1


def test_rules_drop_augmented_images_at_most(ws: Workspace, crops: Path) -> None:
    materialize(ws, crops, BALANCE)
    original, generated = "photos/train/dog/0.png", children(ws)["image_id"].iloc[0]

    def taken(finder: str, action: str, suggested: str = "") -> list[str]:
        findings = found(*[(name, finder, 0.1, suggested) for name in (original, generated)])
        rules = [Rule.model_validate({"finder": finder, "action": action})]
        result = apply_rules(findings, rows(ws), rules, decisions.empty(), at="")
        return sorted([*result.decisions["image_id"], *result.review["image_id"]])

    assert taken("dark", "drop") == sorted([original, generated])
    assert taken("dark", "review") == [original]
    assert taken("label_error", "drop", "cat") == [original]  # the label is the original's
    assert taken("label_error", "relabel", "cat") == taken("label_error", "review", "cat") == [original]


# Sources that change, folds, exports


def test_an_original_with_another_label_relabels_its_own(ws: Workspace, crops: Path, tmp_path: Path) -> None:
    materialize(ws, crops, BALANCE)
    add(ws, tmp_path / "photos", label="animal")
    assert set(children(ws)["label"]) == {"animal"}
    assert len(children(ws)) == 3


@pytest.mark.parametrize("change", ["split", "content"])
def test_an_original_in_another_split_or_of_other_content_loses_its_own(
    ws: Workspace, crops: Path, tmp_path: Path, change: str
) -> None:
    materialize(ws, crops, Target(total=14))
    if change == "split":
        told = add(ws, tmp_path / "photos", split="test")
        left = 0
    else:
        (tmp_path / "photos/train/dog/0.png").write_bytes((tmp_path / "photos/test/dog/t.png").read_bytes())
        told = add(ws, tmp_path / "photos")
        left = 6
    assert len(children(ws)) == left
    assert re.search(rf"^{7 - left} augmented images? (was|were) taken out", "\n".join(told.warnings), re.MULTILINE)


def test_adding_again_changes_no_augmented_image(ws: Workspace, crops: Path, tmp_path: Path) -> None:
    materialize(ws, crops, BALANCE)
    before = rows(ws)
    assert add(ws, tmp_path / "photos").warnings == []
    pd.testing.assert_frame_equal(rows(ws), before)


def test_families_stay_in_one_fold(ws: Workspace, crops: Path) -> None:
    materialize(ws, crops, Target(total=30))
    table = rows(ws)
    table = table[(table["image_id"] != "photos/train/dog/0.png") & (table["split"] == "train").to_numpy()]
    table = table.reset_index(drop=True)  # an original that is not there does not scatter what it gave
    nothing = duplicates.find_pairs(table.iloc[:0], np.zeros((0, 1024), np.uint8))
    groups = duplicates.groups(table, nothing)
    family = table["parent_id"].where(table["parent_id"] != "", table["image_id"])
    assert pd.Series(groups).nunique() == family.nunique() == 7
    fold = assign_folds(manifest.label_codes(table, ["cat", "dog"]), groups, folds=2, seed=0)
    assert pd.Series(fold).groupby(family).nunique().max() == 1


@pytest.mark.parametrize("layout", ["folder", "csv"])
def test_export_of_the_curated_set(ws: Workspace, crops: Path, tmp_path: Path, layout: str) -> None:
    materialize(ws, crops, Target(total=14))
    decide(ws, ("photos/train/dog/0.png", "drop"), ("photos/train/cat/0.png", "relabel", "dog"))
    export(curated(ws), ws.root, tmp_path / "out", layout)
    back = Workspace(tmp_path / "back")
    add(back, tmp_path / "out")
    assert sizes(rows(back)) == sizes(curated(ws)) == {"cat": 8, "dog": 4}
    assert rows(back)["split"].value_counts().to_dict() == curated(ws)["split"].value_counts().to_dict()


# Killed


def augment_killed(root: Path) -> None:
    """Another process runs it."""
    materialize(Workspace(root), root.parent / "crops.yaml", BALANCE)


@pytest.mark.parametrize(
    ("at", "published"),
    [(7, False), (8, False), (9, False), (10, False), (11, True)],
    ids=["images", "history", "pending", "table", "ledger"],
)
def test_kill_before_a_change_of_a_name_loses_nothing(ws: Workspace, crops: Path, at: int, published: bool) -> None:
    before = rows(ws)
    process = start(run_and_die, augment_killed, ws.root, at)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    now = rows(ws)
    assert len(now) == len(before) + 3 * published
    for path, digest in zip(manifest.locate(now, ws.root), now["content_hash"], strict=True):
        assert content_hash(Path(path).read_bytes()) == digest
    assert materialize(ws, crops, BALANCE).training_images == 10
    assert list(ws.root.rglob(f"{TEMPORARY_PREFIX}*")) == []
    assert len(list((ws.root / "images").rglob("*.png"))) == 3


# Dealing


@pytest.mark.parametrize(
    ("taken", "count", "expected"),
    [
        ([0], 3, [3]),
        ([0, 0, 0], 0, [0, 0, 0]),
        ([0, 0, 0], 2, [1, 1, 0]),
        ([0, 0, 0], 5, [2, 2, 1]),
        ([3, 0, 1], 3, [0, 2, 1]),
        ([3, 0, 1], 4, [0, 3, 1]),
        ([3, 0, 1], 9, [2, 4, 3]),
        ([7, 7], 1, [1, 0]),
        ([5, 2], 2, [0, 2]),
    ],
)
def test_deal(taken: list[int], count: int, expected: list[int]) -> None:
    assert deal(np.array(taken), count).tolist() == expected


def test_deal_is_the_same_in_parts() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        taken = random.integers(0, 6, random.integers(1, 9))
        first, second = random.integers(0, 20, 2)
        one = deal(taken, int(first))
        assert (one + deal(taken + one, int(second)) == deal(taken, int(first + second))).all()


def test_deal_of_many_is_quick() -> None:
    begin = time.perf_counter()
    assert deal(np.arange(100_000) % 7, 10_000_000).sum() == 10_000_000
    assert time.perf_counter() - begin < 2
