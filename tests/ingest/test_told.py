"""What `add` says: in words what it did, and what is doubtful about the images that came."""

from collections.abc import Callable
from pathlib import Path

import pytest

from curate.errors import UserError
from curate.ingest import classes, incoming
from curate.ingest.add import add
from curate.ingest.added import outdated
from curate.ingest.incoming import Request
from curate.workspace import DECISIONS, Workspace
from tests.conftest import png, write_tree
from tests.tables import decided

Tree = Callable[..., Path]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["train/cat/1.png"], "1 image added (train 1; 1 class; read as folder)"),
        (["train/cat/1.png", "test/dog/2.png"], "2 images added (test 1, train 1; 2 classes; read as folder)"),
        (["1.png"], "1 image added (pool 1; 0 classes; read as folder)"),
    ],
)
def test_what_was_added_in_words(ws: Workspace, tree: Tree, names: list[str], says: str) -> None:
    root = tree(*names)
    assert incoming.told(add(ws, root)) == says
    assert incoming.told(add(ws, root)) == f"0 images added; {len(names)} there already"


@pytest.mark.parametrize(
    ("count", "says"),
    [
        (1, ["1 augmented image was taken out: its original changed, or is not for training any more"]),
        (1200, ["1,200 augmented images were taken out: their originals changed, or are not for training any more"]),
    ],
)
def test_augmented_images_that_go_in_words(count: int, says: list[str]) -> None:
    assert outdated(0) == []
    assert [line.partition(";")[0] for line in outdated(count)] == says


DOUBTFUL = {
    "one class with folders in it": (
        ["pets/cat/1.png", "pets/dog/2.png", "pets/3.png", "pets/4.png"],
        ["one class, 'pets', though"],
    ),
    "one class": (["cat/1.png", "cat/2.png"], []),
    "classes in a folder": (["pets/cat/1.png", "pets/dog/2.png"], []),
    "splits": (["training_set/cat/1.png", "test_set/cat/2.png"], ["like splits: test_set, training_set; "]),
    "one that sounds like a split": (["swimming_pool/1.png", "bar/2.png", "zoo/3.png"], []),
    "case": (["train/Cat/1.png", "test/cat/2.png", "test/dog/2.png"], ["alone: 'Cat' and 'cat'; "]),
    "spaces": (["train/Truck /1.png", "val/Truck/2.png"], []),
    "accents": (["B\u00e4r/1.png", "Ba\u0308r/2.png"], ["accents"]),
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_classes_that_are_probably_none(ws: Workspace, tree: Tree, case: str) -> None:
    names, told = DOUBTFUL[case]
    warnings = add(ws, tree(*names)).warnings
    assert [some in line for some, line in zip(told, warnings, strict=True)] == [True] * len(told)


def test_a_class_that_an_earlier_version_left_with_spaces_is_told() -> None:
    assert "'cat' and 'cat '" in classes.alike({"cat ", "cat"}, {"cat"})[0]


def test_measured_images_without_a_label_are_told(ws: Workspace, tree: Tree) -> None:
    root = tree("train/cat/1.png", "train/2.png", "val/3.png", "val/cat/4.png")
    told = "1 image of val or test has no label: photos/val/3.png; nothing is measured on them until"
    assert [line.startswith(told) for line in add(ws, root).warnings] == [True]
    assert add(ws, root).warnings == []


def test_splits_without_an_image_of_a_class_are_told(ws: Workspace, tree: Tree) -> None:
    root = tree(*[f"{label}/{number}.png" for label in ("cat", "dog") for number in range(4)])
    table_of = {share: f"train={1 - share:g},test={share:g}" for share in (0.5, 1e-9)}
    (told,) = add(ws, root, split=table_of[1e-9]).warnings
    assert told.startswith("--split left test without an image of 'cat', 'dog'; each image is drawn by its content")
    assert add(Workspace(ws.root.parent / "other"), root, split=table_of[0.5]).warnings == []


def test_formats_that_are_not_read_are_told(ws: Workspace, tree: Tree) -> None:
    root = tree("cat/1.png", "cat/2.HEIC", "cat/3.svg", "cat/4", "cat/a.txt", "@eaDir/1.png/thumb.jpg")
    added = add(ws, root)
    assert added.added == 1
    assert added.left_out_names == {
        "image format that is not read": ["cat/2.HEIC", "cat/3.svg"],
        "name without a suffix": ["cat/4"],
        "not an image": ["cat/a.txt"],
    }
    assert added.left_out == {why: len(names) for why, names in added.left_out_names.items()}
    told = "2 images were left out, of formats that are not read (.heic, .svg): cat/2.HEIC, cat/3.svg; convert"
    assert [line.startswith(told) for line in added.warnings] == [True]
    (root / "cat/1.png").unlink()
    with pytest.raises(UserError, match=r"holds no images \(.*\(.heic, .svg\): .*; convert to JPEG or PNG"):
        add(Workspace(ws.root.parent / "other"), root)


def test_images_that_changed_after_people_decided_on_them_are_told(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "photos", ["train/cat/a.png", "train/cat/b.png", "train/dog/c.png"])
    workspace = Workspace(tmp_path / "ws")
    add(workspace, folder)
    ids = [f"photos/train/cat/{name}.png" for name in "ab"]
    with workspace.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decided((ids[0], "keep", "", "ada"), (ids[1], "drop", "", "policy", "dark")))
    assert add(workspace, folder).warnings == []
    for name in "ab":  # the policy decides anew, and need not be told
        (folder / f"train/cat/{name}.png").write_bytes(png(90))
    (told,) = add(workspace, folder).warnings
    assert told.startswith(f"1 image that people decided on has another file or label now: {ids[0]}; what was said of")
    assert add(workspace, folder).warnings == []


@pytest.mark.parametrize(
    ("recipe", "split", "told"),
    [
        ("name: mine\nsplit: train=0.5,test=0.5\nclasses: {a: b}\n", None, "says split, classes, which"),
        ("name: mine\nsplit: train=0.5,test=0.5\nclasses: {a: b}\n", "train", "says classes, which"),
        ("name: mine\nscan: {dark: {limit: 0.2}}\n", None, ""),
        ("name: digits\nsplit: train=0.5,test=0.5\n", None, ""),
    ],
)
def test_what_a_recipe_of_ones_own_says_and_does_not_count_is_told(
    tmp_path: Path, recipe: str, split: str | None, told: str
) -> None:
    write_tree(tmp_path / "photos", ["cat/1.png"])
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws" / "recipe.yaml").write_text(recipe)
    added = incoming.add_source(Workspace(tmp_path / "ws"), str(tmp_path / "photos"), Request(split=split))
    lines = [line for line in added.warnings if line.startswith("recipe.yaml of the workspace")]
    assert [told in line for line in lines] == ([True] if told else [])
