"""The sheet of originals and draws, as picture and as page."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from curate.augment.materialize import materialize
from curate.augment.preview import SIDE, choose, preview
from curate.augment.wanted import Target
from curate.errors import UserError
from curate.images import decode, encode_png
from curate.ingest.add import add
from curate.manifest import locate
from curate.workspace import DECISIONS, MANIFEST, Workspace, read_table
from tests.command import run, run_json
from tests.conftest import picture, write_tree
from tests.tables import decided

FLIPS = "- HorizontalFlip\n- VerticalFlip\n"


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    """Four owls, a dog and a cat of other sizes, images to test on, and a broken file."""
    root = write_tree(tmp_path / "photos", ["train/cat/1.png", "train/dog/1.png", "test/cat/9.png"])
    for number, size in enumerate([(20, 31), (200, 150), (8, 9), (1, 1)]):
        path = root / f"train/owl/{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_png(picture(10 + number, *size)))
    (root / "train/owl/broken.png").write_bytes(b"no image")
    made = Workspace(tmp_path / "ws")
    add(made, root)
    return made


@pytest.fixture
def flips(tmp_path: Path) -> Path:
    path = tmp_path / "flips.yaml"
    path.write_text(FLIPS)
    return path


def test_classes_take_turns_and_the_seed_decides(ws: Workspace) -> None:
    table = read_table(ws.path(MANIFEST))
    first = choose(table, 0)
    assert sorted(first["label"].head(3)) == ["cat", "dog", "owl"]
    assert first["label"].tail(3).to_list() == ["owl"] * 3
    assert len(first) == 6
    assert choose(table, 0)["image_id"].to_list() == first["image_id"].to_list()
    assert len({tuple(choose(table, seed)["image_id"]) for seed in range(5)}) > 1
    fewer = table[table["image_id"] != first["image_id"].iloc[-1]]
    assert choose(fewer, 0)["image_id"].to_list() == first["image_id"].to_list()[:-1]


def test_sheet_and_page(ws: Workspace, flips: Path) -> None:
    result = preview(ws, flips, images=6, draws=3)
    assert (result.images, result.draws, result.left_out, result.skipped) == (6, 3, [], [])
    assert (result.page, result.sheet) == (str(ws.root / "augment-preview.html"), str(ws.root / "augment-preview.png"))
    sheet = decode(Path(result.sheet).read_bytes())
    assert sheet.shape[0] > 6 * SIDE
    assert sheet.shape[1] > 4 * SIDE
    page = Path(result.page).read_text()
    pictures = re.findall(r'src="data:image/png;base64,', page)
    assert len(pictures) == 6 * 4
    assert page.count("HorizontalFlip(p=0.5)") == 1
    assert "prefers-color-scheme: dark" in page
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert 'class="enlarge"' in page
    assert not list(ws.root.rglob(".partial-*"))


def test_an_image_stands_under_the_label_that_was_decided(ws: Workspace, flips: Path) -> None:
    cat, dog = "photos/train/cat/1.png", "photos/train/dog/1.png"
    assert not re.findall("given as|dropped by", Path(preview(ws, flips).page).read_text())
    decisions = decided((dog, "relabel", "cat", "ada"), (cat, "drop", "", "ada"))
    with ws.writing("decide", {}) as transaction:
        transaction.write_table(DECISIONS, decisions)
    page = Path(preview(ws, flips).page).read_text()
    captions = dict(re.findall(r'<th scope="row" title="([^"]+)">(.*?)</th>', page, re.S))
    texts = {name: " ".join(re.sub("<[^>]+>", " ", caption).split()) for name, caption in captions.items()}
    assert texts[dog] == f"cat given as dog {dog}"
    assert texts[cat] == f"cat dropped by a decision {cat}"
    assert all(text.startswith("owl photos") for name, text in texts.items() if "owl" in name)


def test_draws_wrap_and_keep_their_numbers(ws: Workspace, flips: Path) -> None:
    page = Path(preview(ws, flips, images=2, draws=9).page).read_text()
    assert 'class="scroll"' not in page  # what lies beside the window is not seen
    assert re.search(r"\.sheet ol \{[^}]*flex-wrap: wrap", page)
    assert re.findall(r'<span aria-hidden="true">(\d)</span>', page) == [*"012345678"] * 2


def test_draws_are_those_that_add_keeps(ws: Workspace, flips: Path) -> None:
    materialize(ws, flips, Target(total=6 + 12))
    table = read_table(ws.path(MANIFEST))
    preview(ws, flips, images=1, draws=2, seed=0)
    first = choose(table, 0).iloc[0]
    kept = table[(table["parent_id"] == first["image_id"]).to_numpy()].sort_values("image_id")
    sheet = decode((ws.root / "augment-preview.png").read_bytes())
    times = SIDE // max(first["height"], first["width"])
    for number, path in enumerate(locate(kept, ws.root)):
        image = decode(Path(path).read_bytes()).repeat(times, 0).repeat(times, 1)
        found = cv2.matchTemplate(sheet[:, (1 + number) * SIDE :], image, cv2.TM_SQDIFF)
        assert found.min() < 1


def test_same_inputs_same_files(ws: Workspace, flips: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        preview(ws, flips, out=tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize("name", ["sheet", "sheet.html", "sheet.png", "v1.2"])
def test_out(ws: Workspace, flips: Path, tmp_path: Path, name: str) -> None:
    result = preview(ws, flips, images=1, draws=1, out=tmp_path / "new" / name)
    base = {"v1.2": "v1.2"}.get(name, "sheet")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [f"{base}.html", f"{base}.png"]
    assert Path(result.page).name == f"{base}.html"


@pytest.mark.parametrize("name", [".", "..", "new"])
def test_out_may_be_a_folder(
    ws: Workspace, flips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "here/new").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    result = preview(ws, flips, images=1, draws=1, out=Path(name))
    folder = (tmp_path / "here" / name).resolve()
    assert [Path(path).resolve() for path in (result.page, result.sheet)] == [
        folder / "augment-preview.html",
        folder / "augment-preview.png",
    ]
    assert sorted(path.name for path in folder.glob("augment-preview*")) == [
        "augment-preview.html",
        "augment-preview.png",
    ]


@pytest.mark.parametrize("name", ["report.html", "review", "images/photos/1.png"])
def test_other_files_of_the_workspace_are_not_written_over(ws: Workspace, flips: Path, name: str) -> None:
    (ws.root / "report.html").write_text("kept")
    with pytest.raises(UserError, match=r"lies in the workspace, where only augment-preview\.png may be; name a file"):
        preview(ws, flips, images=1, draws=1, out=ws.root / name)
    assert (ws.root / "report.html").read_text() == "kept"
    for own in ("augment-preview.html", "."):
        assert preview(ws, flips, images=1, draws=1, out=ws.root / own).page == str(ws.root / "augment-preview.html")


def test_what_makes_floats_is_left_out_and_told(ws: Workspace, flips: Path) -> None:
    plain = preview(ws, flips)
    sheet = Path(plain.sheet).read_bytes()
    flips.write_text(f"{FLIPS}- Normalize\n- ToTensorV2\n")
    result = preview(ws, flips)
    assert result.left_out == ["Normalize", "ToTensorV2"]
    assert Path(result.sheet).read_bytes() == sheet
    assert "Without Normalize, ToTensorV2" in Path(result.page).read_text()


def test_images_are_mixed_where_the_pipeline_mixes(ws: Workspace, flips: Path) -> None:
    flips.write_text("- Resize: {height: 16, width: 16}\n- MixUp\n")
    assert preview(ws, flips, draws=2).images == 6


def test_names_are_escaped(tmp_path: Path, flips: Path) -> None:
    evil = "<img src=x onerror=alert(1)>&"
    made = Workspace(tmp_path / "<b>")
    add(made, write_tree(tmp_path / "photos", [f"train/{evil}/1.png", "train/dog/2.png"]))
    strange = flips.rename(tmp_path / "<i>flips.yaml")
    page = Path(preview(made, strange).page).read_text()
    assert "<img src=x" not in page
    assert "<i>flips" not in page
    assert "<b>" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;" in page


def test_an_image_that_is_gone_is_told_and_another_is_shown(ws: Workspace, flips: Path) -> None:
    first = choose(read_table(ws.path(MANIFEST)), 0).iloc[0]
    Path(first["path"]).unlink()
    result = preview(ws, flips, images=5)
    assert result.images == 5
    assert result.skipped == [f"{first['image_id']}: No such file or directory"]


def test_test_images_only_where_there_are_no_others(tmp_path: Path, flips: Path) -> None:
    made = Workspace(tmp_path / "ws")
    add(made, write_tree(tmp_path / "photos", ["test/cat/1.png", "unlabelled/2.png"]))
    assert preview(made, flips).images == 2


@pytest.mark.parametrize(
    ("pipeline", "says"),
    [
        (None, "flips.yaml: No such file"),
        ("- RandomCrop: {height: 99, width: 9}", "RandomCrop cuts"),
        ("- D4", "D4 would turn some images of"),
        ("- RandomFog", "--fallback cpu"),
        ("{", "is neither JSON nor YAML"),
    ],
)
def test_what_it_does_not_take(ws: Workspace, flips: Path, pipeline: str | None, says: str) -> None:
    if pipeline is None:
        flips.unlink()
    else:
        flips.write_text(pipeline)
    with pytest.raises(UserError, match=re.escape(says)):
        preview(ws, flips)
    assert not (ws.root / "augment-preview.png").exists()


def test_nothing_that_can_be_decoded(tmp_path: Path, flips: Path) -> None:
    root = tmp_path / "photos/train/cat"
    root.mkdir(parents=True)
    (root / "1.png").write_bytes(b"no image")
    made = Workspace(tmp_path / "ws")
    add(made, tmp_path / "photos")
    with pytest.raises(UserError, match="has no image that can be decoded"):
        preview(made, flips)


# The command line


def test_preview_on_the_command_line(ws: Workspace, flips: Path) -> None:
    text = run("augment", "preview", ws.root, "--pipeline", flips, "--draws", "1", "--images", "2")
    assert f"Wrote {ws.root}/augment-preview.html and {ws.root}/augment-preview.png" in text
    assert run_json("augment", "preview", ws.root, "--pipeline", flips)["draws"] == 8


@pytest.mark.parametrize(
    ("pipeline", "options", "following"),
    [
        ("- HorizontalFlip", [], ["train WS --augment FILE", "augment add WS --pipeline FILE --balance"]),
        (
            "- HorizontalFlip",
            ["--seed", "3"],
            ["train WS --augment FILE", "augment add WS --pipeline FILE --balance --seed 3"],
        ),
        ("- RandomFog", ["--fallback", "cpu"], ["augment add WS --pipeline FILE --balance --fallback cpu"]),
        ("- MixUp", ["--images", "1"], ["train WS --augment FILE"]),
        ("- Normalize", [], ["train WS --augment FILE"]),
        ("[]", [], ["train WS --augment FILE"]),
    ],
)
def test_what_follows_a_preview_takes_the_pipeline(
    ws: Workspace, tmp_path: Path, pipeline: str, options: list[str], following: list[str]
) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(pipeline)
    text = run("augment", "preview", ws.root, "--pipeline", file, *options)
    commands = text.rstrip().rpartition("Next: ")[2].replace(str(ws.root), "WS").replace(str(file), "FILE")
    assert commands.split(", or ") == [f"curate {each}" for each in following]


def test_add_on_the_command_line(ws: Workspace, flips: Path) -> None:
    text = run("augment", "add", ws.root, "--pipeline", flips, "--balance")
    assert "6 images added (cat 3, dog 3); 0 were there already. Training images now: 12." in text
    assert "1 original was left out: cannot be decoded." in text
    assert f"Next: curate train {ws.root}" in text
    assert "Nothing to add: 6 augmented images are there already." in run(
        "augment", "add", ws.root, "--pipeline", flips, "--balance"
    )
    assert run_json("augment", "add", ws.root, "--pipeline", flips, "--total", "13")["added"] == 1


@pytest.mark.parametrize("how", [[], ["--balance", "--total", "9"], ["--per-class", "9", "--total", "9"]])
def test_one_target_has_to_be_said(ws: Workspace, flips: Path, how: list[str]) -> None:
    with pytest.raises(UserError, match="say one of --balance, --per-class N and --total N"):
        run("augment", "add", ws.root, "--pipeline", flips, *how)


def test_fallback_has_to_be_cpu(ws: Workspace, flips: Path) -> None:
    with pytest.raises(UserError, match="--fallback 'gpu' must be cpu"):
        run("augment", "preview", ws.root, "--pipeline", flips, "--fallback", "gpu")


def test_transforms_are_listed() -> None:
    listed = run_json("transforms")
    by_name = {row["name"]: row for row in listed}
    assert list(by_name) == sorted(by_name)
    assert by_name["HorizontalFlip"] == {
        "name": "HorizontalFlip",
        "summary": "Mirrored left and right.",
        "runs": "batch",
    }
    assert by_name["RandomFog"]["runs"] == "fallback"
    assert by_name["RandAugment"]["runs"] == by_name["NoOp"]["runs"] == "batch"
    assert {row["runs"] for row in listed} == {"batch", "fallback"}
    assert not {"Compose", "OneOf", "MaskDropout", "Pad3D", "Lambda", "ToTensor3D", "TextImage"} & set(by_name)
    assert all(row["summary"] for row in listed)


def test_a_sheet_of_one_pixel(tmp_path: Path, flips: Path) -> None:
    path = tmp_path / "photos/train/a/1.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(encode_png(np.full((1, 1, 3), 9, np.uint8)))
    made = Workspace(tmp_path / "ws")
    add(made, tmp_path / "photos")
    assert preview(made, flips, draws=1).images == 1
