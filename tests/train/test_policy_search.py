"""Short trainings of a handful of augmentations, of which the better half goes on."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate.augment.pipeline import as_dict, read_pipeline
from curate.errors import UserError
from curate.results.interval import share_interval
from curate.workspace import MANIFEST, Workspace
from tests.command import run_json
from tests.pictures import Picture, evidence_of
from tests.train.digits import QUICK, digits
from train import policy_search, verbs
from train.config import TrainConfig
from train.data import ImageSet
from train.loop import Trained, train
from train.policy_search import RECIPE, SEEDS, TRAININGS, Candidate, Found, Tried, candidates, search, split
from train.rows import one_of_each

SIDE = 16
CONFIG = replace(QUICK, epochs=2, batch_size=32)
IMAGES, HELD_OUT = digits(120, side=SIDE), digits(60, start=120, side=SIDE)
PLAIN = ["recipe", "none", "cutout", "color", "mixup", "cutmix"]
MIRRORING = ["rand_augment", "trivial_augment"]


def names(tried: list[Candidate]) -> list[str]:
    return [each.name for each in tried]


def written(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


# Candidates


@pytest.mark.parametrize(("flip", "wanted"), [(False, PLAIN), (True, PLAIN + MIRRORING)])
def test_what_mirrors_is_tried_where_the_recipe_mirrors(flip: bool, wanted: list[str]) -> None:
    tried = candidates(replace(CONFIG, flip=flip), SIDE)
    assert names(tried) == wanted
    assert any("Flip" in json.dumps(each.augment) for each in tried) == flip


def test_own_pipelines_come_last(tmp_path: Path) -> None:
    mine = written(tmp_path, "mine.yaml", "[Transpose, {Rotate: {limit: 10}}]")
    tried = candidates(CONFIG, SIDE, [mine])
    assert names(tried) == [*PLAIN, "mine"]
    assert tried[-1].augment == as_dict(read_pipeline(mine))


def test_a_pipeline_of_the_settings_is_the_recipe() -> None:
    tried = candidates(replace(CONFIG, flip=True, augment=[{"Transpose": {"p": 0.25}}]), SIDE)
    assert "Transpose" in json.dumps(tried[0].augment)
    assert "Transpose" not in json.dumps(tried[1].augment)
    assert all("Transpose" in json.dumps(each.augment) for each in tried[2:])
    assert names(tried) == PLAIN  # it says nothing of mirroring


@pytest.mark.parametrize(
    "own",
    [
        [{"Sequential": {"transforms": [{"Transpose": {"p": 0.25}}, "Normalize"], "p": 1}}, "ToTensorV2"],
        ["Normalize", "HorizontalFlip"],
        [{"ToFloat": {"p": 1.0}}, {"Pad": {"padding": 2}}, {"RandomCrop": {"height": SIDE, "width": SIDE}}],
        ["RandAugment"],
        ["HorizontalFlip", "TrivialAugment"],
        ["ColorJitter"],
    ],
)
def test_what_a_training_takes_can_be_searched_from(own: list) -> None:
    tried = candidates(replace(CONFIG, augment=own), SIDE)
    assert {*PLAIN} <= {*names(tried)}
    written = json.dumps(tried[0].augment)
    for name in ("Transpose", "Normalize", "ToFloat", "RandAugment", "TrivialAugment", "ColorJitter"):
        assert (name in written) == (name in json.dumps(own))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a/x.yaml": "[Transpose]", "b/x.json": "[]"}, "two pipelines are called 'x'; rename one of the files"),
        ({"a/cutout.yaml": "[Transpose]"}, "two pipelines are called 'cutout'"),
        ({"a/x.yaml": "7"}, "x.yaml: no pipeline"),
        ({"a/x.yaml": "[Transpoze]"}, "x.yaml: no transform is called 'Transpoze'"),
        ({"a/x.yaml": "[RandomCrop: {height: 8, width: 8}]"}, "x: the pipeline makes 8 x 8 px of images of 16 x 16 px"),
        ({"a/x.yaml": "[RandomFog]"}, "x: there is no version of RandomFog for batches"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    paths = [written(tmp_path / name.split("/")[0], name.split("/")[1], text) for name, text in files.items()]
    with pytest.raises(UserError) as error:
        candidates(CONFIG, SIDE, paths)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_look_alikes_are_held_out_together() -> None:
    groups = np.arange(120) // 2
    trained, held_out = split(IMAGES, groups, np.ones(120, bool), seed=0)
    assert len(trained) + len(held_out) == 120
    assert 12 <= len(held_out) <= 36
    ids = {int(name.split("/")[1]) // 2 for name in held_out.image_ids}
    assert not ids & {int(name.split("/")[1]) // 2 for name in trained.image_ids}


def test_what_does_not_count_is_trained_on_alone() -> None:
    """Every second image was generated from the one before it."""
    counted = np.arange(120) % 2 == 0
    trained, held_out = split(IMAGES, np.arange(120) // 2, counted, seed=0)
    assert {int(name.split("/")[1]) % 2 for name in held_out.image_ids} == {0}
    assert len(trained) == 120 - 2 * len(held_out)


@pytest.mark.parametrize(
    ("parents", "counts"),
    [
        (["", "", ""], [True, True, True]),
        (["", "set/0", "set/0"], [True, False, False]),
        (["set/2", "set/2", ""], [False, False, True]),
        (["gone", "gone", ""], [True, False, True]),
        ([], []),
    ],
)
def test_one_of_each_family_counts(parents: list[str], counts: list[bool]) -> None:
    rows = pd.DataFrame({"image_id": [f"set/{at}" for at in range(len(parents))], "parent_id": parents}, dtype="str")
    assert one_of_each(rows.set_axis(np.arange(len(rows)) + 7)).tolist() == counts


@pytest.mark.parametrize(
    ("words", "held_out"),
    [
        (["7 val", "8 val"], {"7", "8"}),
        (["7 val", "0 val", "8 val"], {"7", "8"}),  # 0 is trained on
        (["0 val"], None),  # a part of what is trained on
        (["7 val", "7 val generated", "8 val"], {"7", "8"}),
    ],
    ids=["none of them", "some of them", "all of them", "with a generated one"],
)
def test_no_image_is_measured_on_that_is_trained_on(
    words: list[str], held_out: set[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every, pictures = [*(f"{number} train" for number in range(7)), *words, "9 test"], []
    for number, place, *generated in map(str.split, every):
        pixels = np.random.default_rng(int(number)).integers(0, 256, (16, 16, 3), np.uint8)
        parent = f"set/{len(pictures) - 1:04d}.png" if generated else ""
        pictures.append(Picture(pixels, "ab"[int(number) % 2], place, parent))
    evidence = evidence_of(tmp_path, pictures)
    with evidence.workspace.writing("add", {}) as transaction:
        transaction.write_table(MANIFEST, evidence.manifest)
    asked: list[ImageSet] = []
    monkeypatch.setattr(
        policy_search, "search", lambda _, images, measured, *__, **___: asked.extend([images, measured])
    )
    verbs.search_policies(evidence.workspace, data="raw", settings={"image_size": 16, "flip": False})
    trained, measured = ([Path(image_id).stem for image_id in images.image_ids] for images in asked)
    shows = {f"{at:04d}": word.split()[0] for at, word in enumerate(every)}
    assert not {shows[each] for each in trained} & {shows[each] for each in measured}
    assert len(measured) == len({shows[each] for each in measured})
    assert held_out is None or {shows[each] for each in measured} == held_out


# The search


def heard(folder: Path, tried: list[Candidate]) -> tuple[Found, list[Tried]]:
    said: list[Tried] = []
    return search(CONFIG, IMAGES, HELD_OUT, tried, folder, say=said.append), said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search")


@pytest.fixture(scope="module")
def searched(folder: Path) -> tuple[Found, list[Tried]]:
    return heard(folder, candidates(CONFIG, SIDE))


def test_the_better_half_goes_on(searched: tuple[Found, list[Tried]]) -> None:
    found, said = searched
    finalists = {place.candidate for place in found.places if place.round == 3}
    assert len(finalists) in (2, 3)
    first, second, last = said[:6], said[6:9], said[9:]
    assert [each.candidate for each in first] == PLAIN
    assert second == sorted(first, key=lambda training: -training.accuracy)[:3]  # of one epoch, too: not trained again
    assert {each.epochs for each in first + second} == {1}
    assert {each.epochs for each in last} == {2}
    assert Counter(each.candidate for each in last) == dict.fromkeys(finalists, SEEDS)
    assert {each.seed for each in last} == {0, 1, 2}


def test_every_candidate_has_a_place_and_an_interval(searched: tuple[Found, list[Tried]]) -> None:
    found, _ = searched
    assert sorted(place.candidate for place in found.places) == sorted(PLAIN)
    assert found.best == found.places[0].candidate
    assert [place.round for place in found.places] == sorted((place.round for place in found.places), reverse=True)
    for place in found.places:
        assert 0 <= place.accuracy <= 1
        assert place.half_width > 0 or place.n > 1
        assert place.n == (SEEDS if place.round == 3 else 1)
        assert (place.difference is None) == (place.candidate == RECIPE)
        assert (place.difference_half_width is None) == (place.candidate == RECIPE or place.n == 1)
    assert next(place.round for place in found.places if place.candidate == RECIPE) == 3
    assert found.held_out == 60


def test_what_is_written_can_be_trained_with(folder: Path, searched: tuple[Found, list[Tried]]) -> None:
    found, _ = searched
    best = next(each for each in candidates(CONFIG, SIDE) if each.name == found.best)
    assert as_dict(read_pipeline(folder / "best.json")) == best.augment
    told = json.loads((folder / "search.json").read_text())
    assert told["best"] == found.best
    assert len(told["places"]) == 6
    assert found.written == (str(folder / "best.json"), str(folder / "search.json"))


def test_a_search_goes_on(
    folder: Path, searched: tuple[Found, list[Tried]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (folder / TRAININGS).read_text().splitlines(keepends=True)
    written(tmp_path, TRAININGS, "".join(lines[:-1]))  # as if it had been stopped before the last one
    trained = []

    def counted(config: TrainConfig, images: ImageSet) -> Trained:
        trained.append((config.epochs, config.seed))
        return train(config, images)

    monkeypatch.setattr(policy_search, "train", counted)
    found, said = heard(tmp_path, candidates(CONFIG, SIDE))
    assert trained == [(2, 2)]
    assert [replace(each, seconds=0) for each in said] == [replace(each, seconds=0) for each in searched[1]]
    assert found.places == searched[0].places
    assert len((tmp_path / TRAININGS).read_text().splitlines()) == len(lines)


ACCURACY = {"recipe": 0.1, "none": 0.2, "cutout": 0.6, "color": 0.5, "mixup": 0.4, "cutmix": 0.3}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Tried]:
    """What would be trained, if it were: accuracies are given."""
    said: list[Tried] = []

    def trained(_: TrainConfig, __: ImageSet, ___: ImageSet, each: Candidate, epochs: int, seed: int, *____: object):
        right = np.arange(60) < ACCURACY[each.name] * 60
        said.append(Tried(each.name, epochs, seed, ACCURACY[each.name], np.packbits(right).tobytes().hex(), 1.0))
        return said[-1]

    monkeypatch.setattr(policy_search, "_trained", trained)
    return said


@pytest.mark.parametrize(("epochs", "at"), [(8, [2, 4, 8]), (2, [1, 1, 2]), (1, [1, 1, 1])])
def test_halving(tmp_path: Path, asked: list[Tried], epochs: int, at: list[int]) -> None:
    """The recipe, the worst here, is measured again at the end."""
    found = search(replace(CONFIG, epochs=epochs), IMAGES, HELD_OUT, candidates(CONFIG, SIDE), tmp_path)
    said = [(each.candidate, each.epochs, each.seed) for each in asked]
    assert said[:6] == [(name, at[0], 0) for name in PLAIN]
    assert said[6:9] == [(name, at[1], 0) for name in ("cutout", "color", "mixup")]
    assert said[9:] == [(name, at[2], seed) for seed in range(SEEDS) for name in ("cutout", "color", RECIPE)]
    order = [(place.candidate, place.round) for place in found.places]
    assert order == [("cutout", 3), ("color", 3), (RECIPE, 3), ("mixup", 2), ("cutmix", 1), ("none", 1)]
    assert found.best == "cutout"
    assert found.clear
    assert found.places[0].difference == pytest.approx(0.5)
    assert found.places[3].difference is None  # the recipe took no part in the second round
    low, high = share_interval(18, 60)
    assert found.places[4].half_width == pytest.approx(max(0.3 - low, high - 0.3))
    assert found.seconds == len({(each.candidate, each.epochs, each.seed) for each in asked})


def test_right_about_all_has_an_interval(tmp_path: Path, asked: list[Tried], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACCURACY, "mixup", 1.0)
    monkeypatch.setattr(policy_search, "SEEDS", 1)
    found = search(CONFIG, IMAGES, HELD_OUT, candidates(CONFIG, SIDE)[:5], tmp_path)
    assert found.places[0].accuracy == 1
    assert found.places[0].half_width == pytest.approx(1 - share_interval(60, 60)[0])


def test_of_equals_the_recipe_is_best(tmp_path: Path, asked: list[Tried], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACCURACY, "recipe", ACCURACY["cutout"])
    assert search(CONFIG, IMAGES, HELD_OUT, candidates(CONFIG, SIDE), tmp_path).best == RECIPE


def test_a_lead_of_an_image_in_each_training_is_not_clear(
    tmp_path: Path, asked: list[Tried], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three equal differences scatter by nothing, but a lead of one image may as well not have been."""
    monkeypatch.setitem(ACCURACY, "recipe", 35 / 60)
    found = search(CONFIG, IMAGES, HELD_OUT, candidates(CONFIG, SIDE), tmp_path)
    assert found.best == "cutout"
    assert found.places[0].difference == pytest.approx(1 / 60)
    assert not found.clear


@pytest.mark.parametrize(("count", "trainings"), [(1, 3), (2, 6), (3, 3 + 9), (4, 4 + 9), (5, 5 + 3 + 9)])
def test_few_candidates(tmp_path: Path, asked: list[Tried], count: int, trainings: int) -> None:
    found = search(CONFIG, IMAGES, HELD_OUT, candidates(CONFIG, SIDE)[:count], tmp_path)
    assert len(asked) == trainings
    assert len(found.places) == count


def test_other_images_or_settings_are_trained_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [(CONFIG, IMAGES), (CONFIG, HELD_OUT), (replace(CONFIG, lr=0.1), IMAGES), (replace(CONFIG, seed=1), IMAGES)]
    tried, trained = candidates(CONFIG, SIDE)[:1], []
    monkeypatch.setattr(policy_search, "train", lambda config, images: trained.append(config) or train(config, images))
    for config, images in given * 2:
        search(replace(config, epochs=1), images, HELD_OUT, tried, tmp_path)
    assert len(trained) == 3 + 3 + 3 + 1  # seeds 0, 1 and 2; then 3, as 1 and 2 are there


# The command line


def test_search_on_the_command_line(workspace: Workspace) -> None:
    settings = ("epochs=1", "batch_size=16", "flip=false", "image_size=16")
    found = run_json("augment", "search", workspace.root, *(f"--set={each}" for each in settings))
    assert {place["candidate"] for place in found["places"]} == set(PLAIN)
    assert all(0 <= place["accuracy"] <= 1 for place in found["places"])
    folder = workspace.root / "runs" / "augment-search"
    assert found["written"] == [str(folder / "best.json"), str(folder / "search.json")]
    assert workspace.ledger()[-1].command == "augment search"
