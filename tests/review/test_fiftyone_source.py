"""Datasets of FiftyOne: read as a source, and written by an export, with the real database."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from curate import manifest, sources
from curate.errors import UserError
from curate.export import export
from curate.ingest import incoming
from curate.ingest.add import add
from curate.layouts import Options, Sample
from curate.sources import Named
from curate.workspace import MANIFEST, Workspace
from tests.conftest import png, write_tree


@pytest.fixture(autouse=True)
def empty(fiftyone: ModuleType) -> Iterator[None]:
    """Every test leaves the database as it was."""
    yield
    fiftyone.delete_datasets("*")


@pytest.fixture
def pets(fiftyone: ModuleType, tmp_path: Path) -> Any:
    """Four images in folders that say nothing, with labels in two fields, and splits as tags."""
    root = write_tree(tmp_path / "photos", ["a/1.png", "a/2.png", "b/c/3.png", "4.png"])
    dataset = fiftyone.Dataset("pets")
    rows = [("a/1.png", "cat", ["train", "blurry"]), ("a/2.png", "dog", ["Validation"])]
    rows += [("b/c/3.png", None, []), ("4.png", "cat", ["test"])]
    for name, label, tags in rows:
        given = fiftyone.Classification(label=label) if label else None
        guess = fiftyone.Classification(label="guess")
        dataset.add_sample(fiftyone.Sample(str(root / name), tags=tags, ground_truth=given, guess=guess, breed="b"))
    return dataset


def read(name: str, **options: object) -> list[Sample]:
    return list(sources.pick("fiftyone").read(name, Options(**options)))  # type: ignore[arg-type]


def places(samples: list[Sample]) -> list[tuple[str, str | None, str]]:
    return [(sample.name, sample.label, sample.split) for sample in samples]


def table_of(workspace: Workspace) -> pd.DataFrame:
    return workspace.read_table(MANIFEST, written_by="curate add")


def test_labels_and_splits(pets: Any, tmp_path: Path) -> None:
    samples = read("pets")
    assert places(samples) == [
        ("a/1.png", "cat", "train"),
        ("a/2.png", "dog", "val"),
        ("b/c/3.png", "", ""),
        ("4.png", "cat", "test"),
    ]
    assert [sample.path for sample in samples] == [str(tmp_path / "photos" / sample.name) for sample in samples]


def test_added_to_a_workspace(pets: Any, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    added = incoming.add_source(workspace, "fiftyone:pets", incoming.Request())
    assert (added.source, added.layout, added.added) == ("pets", "fiftyone", 4)
    table = table_of(workspace)
    assert table["image_id"].tolist() == ["pets/a/1.png", "pets/a/2.png", "pets/b/c/3.png", "pets/4.png"]
    assert table["split"].tolist() == ["train", "val", "pool", "test"]
    assert workspace.ledger()[-1].arguments["source"] == "fiftyone:pets"
    again = incoming.add_source(workspace, "fiftyone:pets", incoming.Request())
    assert (again.source, again.added, again.skipped) == ("pets", 0, 4)


def test_fields_by_name(pets: Any) -> None:
    assert {sample.label for sample in read("pets", columns={"label": "guess"})} == {"guess"}
    assert {sample.label for sample in read("pets", columns={"label": "breed"})} == {"b"}
    assert {sample.label for sample in read("pets", columns={"label": ""})} == {""}
    pets.set_values("fold", ["test", "", "pool", "Training"])
    splits = [sample.split for sample in read("pets", columns={"split": "fold"})]
    assert splits == ["test", "val", "pool", "train"]  # where the field says nothing, the tag does


def test_the_field_called_split(pets: Any) -> None:
    pets.set_values("split", ["test", "test", "train", None])
    assert [sample.split for sample in read("pets")] == ["test", "test", "train", "test"]


def test_the_only_field_of_classes_will_do(pets: Any) -> None:
    pets.delete_sample_field("ground_truth")
    assert {sample.label for sample in read("pets")} == {"guess"}


def test_root(pets: Any, tmp_path: Path) -> None:
    assert read("pets", root=tmp_path)[0].name == "photos/a/1.png"
    with pytest.raises(UserError, match=r"fiftyone:pets, sample 3: path .*--root"):
        read("pets", root=tmp_path / "photos/a")


def test_saved_views(pets: Any) -> None:
    pets.save_view("cats/only", pets.match_tags("test"))
    pets.save_view("mine", pets.match_tags("blurry"))
    assert places(read("pets/mine")) == [("1.png", "cat", "train")]
    with pytest.raises(UserError, match="no saved view of pets is called 'yours'; there are: cats/only, mine"):
        read("pets/yours")


def test_a_dataset_with_a_slash(fiftyone: ModuleType, pets: Any, tmp_path: Path) -> None:
    pets.name = "my/pets v1.0"
    workspace = Workspace(tmp_path / "ws")
    assert add(workspace, Named("fiftyone", "my/pets v1.0")).source == "my-pets v1.0"


def test_one_image_none_and_a_file_that_has_gone(fiftyone: ModuleType, tmp_path: Path) -> None:
    dataset = fiftyone.Dataset("small")
    dataset.add_sample_field("ground_truth", fiftyone.EmbeddedDocumentField, embedded_doc_type=fiftyone.Classification)
    with pytest.raises(UserError, match="fiftyone:small holds no images"):
        add(Workspace(tmp_path / "ws"), Named("fiftyone", "small"))
    dataset.add_sample(fiftyone.Sample(str(tmp_path / "gone.png")))
    added = add(Workspace(tmp_path / "ws"), Named("fiftyone", "small"))
    assert (added.added, added.undecodable, added.by_split) == (1, 1, {"pool": 1})


def two_splits(fo: ModuleType, dataset: Any) -> None:
    sample = dataset.first()
    sample.tags.append("test")
    sample.save()


def two_classes(fo: ModuleType, dataset: Any) -> None:
    dataset.rename_sample_field("ground_truth", "one")


def no_classes(fo: ModuleType, dataset: Any) -> None:
    dataset.delete_sample_fields(["ground_truth", "guess"])


def strange_split(fo: ModuleType, dataset: Any) -> None:
    dataset.set_values("split", ["train", "dev", "train", "test"])


def videos(fo: ModuleType, dataset: Any) -> None:
    dataset.clear()
    dataset.media_type = "video"


def groups(fo: ModuleType, dataset: Any) -> None:
    files = dataset.values("filepath")
    dataset.clear()
    dataset.add_group_field("group", default="left")
    group = fo.Group()
    dataset.add_samples([fo.Sample(files[0], group=group.element("left"))])


REFUSED = {
    "two splits": (two_splits, "pets", "sample 1 is tagged test and train"),
    "two fields of classes": (two_classes, "pets", r"no Classification field 'ground_truth'; there are: '\w+', '\w+'"),
    "no field of classes": (no_classes, "pets", "there are: none"),
    "a split that is none": (strange_split, "pets", "sample 2: no split is called 'dev'"),
    "videos": (videos, "pets", "media of the type 'video'"),
    "groups": (groups, "pets", "save one slice of it as a view"),
    "missing": (lambda fo, dataset: None, "dogs", "no dataset of FiftyOne is called 'dogs'; there are: pets"),
    "a field that is missing": (lambda fo, dataset: None, "pets", "no Classification or text field 'x'; there are: "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_one_line(fiftyone: ModuleType, pets: Any, case: str) -> None:
    change, name, message = REFUSED[case]
    change(fiftyone, pets)
    with pytest.raises(UserError, match=message) as error:
        read(name, columns={"label": "x"} if "missing" in case else {})
    assert "\n" not in str(error.value)


def test_a_slice_of_groups_as_a_view(fiftyone: ModuleType, pets: Any) -> None:
    groups(fiftyone, pets)
    pets.save_view("left", pets.select_group_slices("left"))
    assert [sample.name for sample in read("pets/left", columns={"label": "breed"})] == ["1.png"]


def test_patches_are_refused(fiftyone: ModuleType, pets: Any) -> None:
    sample = pets.first()
    sample["boxes"] = fiftyone.Detections(detections=[fiftyone.Detection(label="cat", bounding_box=[0, 0, 1, 1])])
    sample.save()
    pets.save_view("boxes", pets.to_patches("boxes"))
    with pytest.raises(UserError, match="shows parts of images"):
        read("pets/boxes")


@pytest.fixture
def full(tmp_path: Path) -> Workspace:
    """A workspace with every split, odd names and labels, copies, a broken image and an unlabelled one."""
    names = ["train/cat/1.png", "train/d og/more/1.png", "val/cat/ü\n'\".png", "test/猫/1.png", "unlabelled/1.png"]
    root = write_tree(tmp_path / "photos", [*names, "train/cat/A.png", "train/cat/a.png"])
    (root / "train/cat/copy.png").write_bytes((root / "train/cat/1.png").read_bytes())
    (root / "train/cat/broken.JPG").write_bytes(b"no image")
    ws = Workspace(tmp_path / "ws")
    add(ws, root)
    return ws


def contents(table: pd.DataFrame) -> Counter:
    columns = ["split", "label", "content_hash", "pixel_hash", "width", "height", "error"]
    return Counter(table[columns].itertuples(index=False, name=None))


def test_round_trip(fiftyone: ModuleType, full: Workspace, tmp_path: Path) -> None:
    exported = export(table_of(full), full.root, "out", "fiftyone")
    assert (exported.dest, exported.images, exported.left_out) == ("fiftyone:out", 9, 0)
    again = Workspace(tmp_path / "again")
    incoming.add_source(again, exported.dest, incoming.Request())
    assert contents(table_of(again)) == contents(table_of(full))


def test_what_an_export_writes(fiftyone: ModuleType, full: Workspace) -> None:
    table = table_of(full)
    export(table, full.root, "fiftyone:out", "fiftyone")
    dataset = fiftyone.load_dataset("out")
    assert dataset.persistent
    assert dataset.values("filepath") == manifest.locate(table, full.root)
    assert dataset.values("image_id") == table["image_id"].tolist()
    assert dataset.values("split") == table["split"].tolist()
    assert dataset.values("tags") == [[split] for split in table["split"]]
    assert [label or "" for label in dataset.values("ground_truth.label")] == table["label"].tolist()


def test_images_in_the_workspace_have_absolute_paths(
    fiftyone: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        archive.writestr("cat/1.png", png(1))
        archive.writestr("dog/2.png", png(2))
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(Path("ws"))
    add(workspace, Path("pets.zip"))
    export(table_of(workspace), workspace.root, "out", "fiftyone")
    files = fiftyone.load_dataset("out").values("filepath")
    assert files == [str(tmp_path / "ws/images/pets/cat/1.png"), str(tmp_path / "ws/images/pets/dog/2.png")]
    assert all(map(os.path.isfile, files))


def test_many_batches(fiftyone: ModuleType, full: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources.pick("fiftyone"), "AT_ONCE", 3)
    export(table_of(full), full.root, "out", "fiftyone")
    assert fiftyone.load_dataset("out").values("image_id") == table_of(full)["image_id"].tolist()


def test_a_dataset_that_is_there_is_left_alone(fiftyone: ModuleType, full: Workspace, pets: Any) -> None:
    for name, message in (("pets", "'pets' already, and it is left alone"), ("Pets!", "too much like .*'pets'")):
        with pytest.raises(UserError, match=message):
            export(table_of(full), full.root, name, "fiftyone")
    assert fiftyone.list_datasets() == ["pets"]
    assert len(pets) == 4


def test_a_name_that_is_taken_meanwhile(fiftyone: ModuleType, full: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources.pick("fiftyone"), "_refuse_taken", lambda fo, name: fo.Dataset(name))
    with pytest.raises(UserError, match="export under another name"):
        export(table_of(full), full.root, "out", "fiftyone")
    assert fiftyone.list_datasets() == ["out"]
    assert len(fiftyone.load_dataset("out")) == 0


@pytest.mark.parametrize("name", ["", "!!", "猫"])
def test_names_that_fiftyone_does_not_take(fiftyone: ModuleType, full: Workspace, name: str) -> None:
    with pytest.raises(UserError, match="use Latin letters and digits"):
        export(table_of(full), full.root, name, "fiftyone")


def test_a_file_that_has_gone_leaves_nothing(fiftyone: ModuleType, full: Workspace, tmp_path: Path) -> None:
    (tmp_path / "photos/train/cat/a.png").unlink()
    with pytest.raises(UserError, match="cannot be read any more"):
        export(table_of(full), full.root, "out", "fiftyone")
    assert fiftyone.list_datasets() == []


def test_images_in_an_object_store_are_refused(fiftyone: ModuleType, full: Workspace) -> None:
    table = table_of(full)
    table.loc[0, "path"] = "s3://bucket/1.png"
    with pytest.raises(UserError, match=r"s3://bucket/1\.png is not on this machine"):
        export(table, full.root, "out", "fiftyone")


def test_the_command_line(fiftyone: ModuleType, full: Workspace, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "curate", *arguments], capture_output=True, text=True, timeout=100)

    done = run("export", str(full.root), "out", "--as", "fiftyone", "--data", "raw", "--json")
    told = {"dest": "fiftyone:out", "layout": "fiftyone", "images": 9, "left_out": 0, "generated": 0, "warnings": []}
    assert json.loads(done.stdout) == told
    assert done.stderr == ""
    done = run("add", str(tmp_path / "again"), "fiftyone:out")
    assert done.stdout.startswith("fiftyone:out: 9 images added")
    assert run("export", str(full.root), "out", "--as", "fiftyone").returncode == 1


def test_listing_and_recognising_import_no_fiftyone() -> None:
    code = """
import sys
from pathlib import Path
from curate import sources
assert "fiftyone" in [item.name for item in sources.describe() if item.can_write]
sources.named("fiftyone:pets")
print(sources.recognise(Path(".")), "fiftyone" in sys.modules, "pymongo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parent)
    assert done.stdout == "folder False False\n", done.stderr
