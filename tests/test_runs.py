"""Runs side by side: read, listed, compared; which test images flipped; and what `curate runs` makes of it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from curate import flips, interval, paired, proof, run_table, runs, side_by_side
from curate.errors import UserError
from curate.workspace import Entry, Workspace
from tests.test_cli import fails, run
from train import verbs
from train.event_files import check_installed

__all__ = ["fails"]

LABELS = ["cat", "cat", "dog", "dog"]
Said = dict[int, list[str]]


def make_run(
    root: Path,
    name: str,
    said: Said,
    *,
    labels: list[str] = LABELS,
    image_ids: list[str] | None = None,
    config: dict[str, object] | None = None,
    kept: bool = True,
    **changes: object,
) -> runs.Run:
    """A run as the trainer leaves it: `said` is what each seed said of the test images."""
    folder = root / "runs" / name
    folder.mkdir(parents=True)
    classes = sorted({*labels, *(each for several in said.values() for each in several)})
    confusion = np.zeros((len(classes), len(classes)), int)
    for several in said.values():
        for true, each in zip(labels, several, strict=True):
            confusion[classes.index(true), classes.index(each)] += 1
    values = [float(np.mean([a == b for a, b in zip(labels, several, strict=True)])) for several in said.values()]
    score = {"values": values, "mean": float(np.mean(values)), "half_width": 0.1 if len(values) > 1 else None}
    totals = confusion.sum(1)
    settings = {"model": "resnet20", "epochs": 3, "lr": 0.8, "seed": min(said)} | (config or {})
    result = {
        "config": settings,
        "classes": classes,
        "data_hash": name,
        "seeds": list(said),
        "hardware": "CPU",
        "seconds": 1.5,
        "epochs_done": [float(settings["epochs"])] * len(said),  # type: ignore[arg-type]
        "train_images": 90,
        "eval_images": len(labels),
        "accuracy": score,
        "accuracy_flip": None,
        "accuracy_multi_crop": None,
        "accuracy_leak_free": None,
        "leak_free_images": None,
        "calibration_error": score,
        "per_class": [
            row[k] / total if total else None for k, (row, total) in enumerate(zip(confusion, totals, strict=True))
        ],
        "confusion": confusion.tolist(),
    }
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "result.json").write_text(json.dumps(result | changes))
    if kept:
        ids = image_ids or [f"set/{number}.png" for number in range(len(labels))]
        table = pd.DataFrame({"image_id": ids, "label": labels} | {f"seed-{seed}": it for seed, it in said.items()})
        table.to_parquet(folder / "predicted.parquet")
    return runs.read_run(folder)


def by_letters(*seeds: str, first: int = 0) -> Said:
    """`by_letters("cd")`: the one seed says cat, then dog."""
    names = {"c": "cat", "d": "dog", "e": "eel"}
    return {first + number: [names[letter] for letter in seed] for number, seed in enumerate(seeds)}


# Read


@pytest.mark.parametrize(
    ("command", "arguments", "kinds"),
    [
        ("train", {"data": "curated", "name": "mine"}, {"mine": "curated"}),
        ("train", {"data": "strange", "name": "mine"}, {"mine": "other"}),
        (
            "prove",
            {"runs": {"prove-raw": "raw", "prove-without-dark": "other"}, "seeds": 3},
            {"prove-raw": "raw", "prove-without-dark": "other"},
        ),
        ("prove", {"seeds": 3}, {}),
        ("scan", {"data": "raw", "name": "mine"}, {}),
    ],
)
def test_what_the_ledger_says_of_runs(command: str, arguments: dict[str, object], kinds: dict[str, str]) -> None:
    assert runs.trained(Entry(1, "now", command, arguments)) == kinds


def test_runs_come_in_the_order_of_the_ledger(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for name in ("raw-z", "b", "a", "prove-curated", "prove-without-curated"):
        make_run(tmp_path, name, by_letters("ccdd"))
    (tmp_path / "runs" / "begun").mkdir()
    (tmp_path / "runs" / "begun" / "config.json").write_text("{}")
    (tmp_path / "runs" / "augment-search").mkdir()
    with workspace.writing("prove", {"runs": {"b": "raw", "a": "other"}}):
        pass
    found = runs.read(workspace)
    assert [(each.name, each.data, bool(each.at)) for each in found.finished] == [
        ("prove-curated", "curated", False),  # its name says it, since the ledger does not know it
        ("prove-without-curated", "other", False),
        ("raw-z", "raw", False),
        ("b", "raw", True),
        ("a", "other", True),
    ]
    assert found.unfinished == ["begun"]


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("result.json", "{}", r"result\.json is no result of this trainer"),
        ("result.json", '{"classes": ["a"', r"result\.json is no result of this trainer"),
        ("metrics.jsonl", '{"seed": 0}\n', r"metrics\.jsonl holds no learning curve"),
        ("metrics.jsonl", "nothing", r"metrics\.jsonl holds no learning curve"),
    ],
)
def test_damaged_runs_are_named(tmp_path: Path, file: str, content: str, says: str) -> None:
    made = make_run(tmp_path, "mine", by_letters("ccdd"))
    (made.folder / file).write_text(content)
    with pytest.raises(UserError, match=says):
        runs.read(Workspace(tmp_path))


# Listed


@pytest.fixture
def several(tmp_path: Path) -> list[runs.Run]:
    none = {"values": [float("nan")], "mean": float("nan"), "half_width": None}
    return [
        replace(make_run(tmp_path, "a", by_letters("ccdd", "cddd"), config={"lr": 0.8}), data="raw"),
        replace(make_run(tmp_path, "b", by_letters("cddd"), config={"lr": 0.1, "flip": True}), data="curated"),
        replace(make_run(tmp_path, "c", by_letters("cccc"), config={"lr": None}, accuracy=none), data="curated"),
    ]


@pytest.mark.parametrize(
    ("conditions", "sort", "names"),
    [
        ([], None, "abc"),
        (["data=curated"], None, "bc"),
        (["data=curated", "seeds=1", "lr<0.5"], None, "b"),
        (["data!=curated"], None, "a"),
        (["accuracy>80%"], None, "a"),
        (["accuracy > 0.8"], None, "a"),
        (["accuracy>=0.75"], None, "ab"),
        (["accuracy=none"], None, "c"),
        (["accuracy!=none"], None, "ab"),
        (["lr!=0.8"], None, "bc"),
        (["lr=none"], None, "c"),
        (["flip=TRUE"], None, "b"),
        (["seeds>=2"], None, "a"),
        (["name=nobody"], None, ""),
        ([], "accuracy", "bac"),
        ([], "-accuracy", "abc"),
        ([], "lr", "bac"),
        ([], "-name", "cba"),
        ([], "-seeds", "abc"),
    ],
)
def test_runs_filtered_and_sorted(several: list[runs.Run], conditions: list[str], sort: str | None, names: str) -> None:
    assert "".join(row.name for row in run_table.rows(several, conditions=conditions, sort=sort)) == names


@pytest.mark.parametrize(
    ("conditions", "sort", "says"),
    [
        (["acc=1"], None, "no column or setting is called 'acc'; there are: "),
        ([], "-acc", "no column or setting is called 'acc'; there are: "),
        (["data"], None, "--filter 'data' must be NAME=VALUE"),
        (["lr>fast"], None, "lr is a number, and 'fast' is none"),
        (["accuracy>96"], None, "accuracy lies between 0 and 1; write 0.96 or 96%"),
    ],
)
def test_slips_in_filters(several: list[runs.Run], conditions: list[str], sort: str | None, says: str) -> None:
    with pytest.raises(UserError, match=says.replace("(", r"\(")):
        run_table.rows(several, conditions=conditions, sort=sort)


def test_settings_that_differ_are_listed(several: list[runs.Run]) -> None:
    listed = run_table.for_people(run_table.rows(several))
    assert [row["settings"] for row in listed] == ["flip=None, lr=0.8", "flip=True, lr=0.1", "flip=None, lr=None"]
    assert [row["accuracy"] for row in listed] == ["87.50 ± 10.00 %", "75.00 %", "–"]
    assert "settings" not in run_table.for_people(run_table.rows(several[:1]))[0]


# Compared


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"kept": False}, ""),
        ({"labels": LABELS[:3], "said": by_letters("ccd", "ccd")}, "4 and 3 images"),
        ({"labels": ["cat", "dog", "dog", "dog"]}, "2 and 1 images of class 'cat'"),
        ({"labels": ["cat", "cat", "dog", "eel"]}, "2 and 1 images of class 'dog'"),
        ({"labels": ["dog", "dog", "cat", "cat"]}, "4 have another label, such as 'set/0.png'"),
        ({"image_ids": [f"set/{number}.png" for number in (3, 1, 0, 9)]}, "1 are others, such as 'set/2.png'"),
    ],
)
def test_runs_of_other_test_images_are_refused(tmp_path: Path, changes: dict, says: str) -> None:
    before = make_run(tmp_path, "before", by_letters("ccdd", "ccdd"))
    after = make_run(tmp_path, "after", **{"said": by_letters("cdde", "ccdd"), **changes})
    assert side_by_side.other_tests(before, after) == says
    if not says:
        side_by_side.compare(before, after, first=0)
        return
    with pytest.raises(UserError, match="before and after were not measured on the same test images: "):
        side_by_side.compare(before, after, first=0)


IMAGES = 1000


def scored(root: Path, name: str, values: list[float], *, first: int = 0, kept: bool = False) -> runs.Run:
    """A run with these accuracies on 1,000 images: of each seed, the first so many are right."""
    right = [round(value * IMAGES) for value in values]
    said = {first + seed: ["cat"] * count + ["dog"] * (IMAGES - count) for seed, count in enumerate(right)}
    return make_run(root, name, said, labels=["cat"] * IMAGES, kept=kept)


@pytest.mark.parametrize(
    ("after", "first", "is_paired", "verdict"),
    [
        ([0.90, 0.91, 0.93], 0, True, "better"),
        ([0.70, 0.71, 0.73], 0, True, "worse"),
        ([0.78, 0.84, 0.81], 0, True, "unclear"),
        ([0.80, 0.82, 0.85], 0, True, "unclear"),
        ([0.90, 0.91, 0.93], 7, False, "better"),
        ([0.90, 0.91], 0, False, "better"),
        ([0.90], 0, False, "one seed"),
    ],
)
def test_differences_are_those_of_scipy(
    tmp_path: Path, after: list[float], first: int, is_paired: bool, verdict: str
) -> None:
    before = [0.80, 0.82, 0.85]
    compared = side_by_side.compare(scored(tmp_path, "a", before), scored(tmp_path, "b", after, first=first), first=0)
    found = compared.differences[0]
    assert (found.paired, found.verdict) == (is_paired, verdict)
    assert found.mean == pytest.approx(np.mean(after) - np.mean(before))
    if verdict == "one seed":
        assert found.half_width is None
    elif np.ptp(np.array(after) - before[: len(after)]):
        test = stats.ttest_rel(after, before) if is_paired else stats.ttest_ind(after, before, equal_var=False)
        interval = test.confidence_interval()
        assert found.half_width is not None
        assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx(interval)


@pytest.mark.parametrize("first", [0, 7])
@pytest.mark.parametrize(
    ("kept", "least"),
    [(False, np.sqrt(1 / 12) / IMAGES), (True, np.sqrt(100) / IMAGES)],  # rounding; 100 images of which one is right
)
def test_seeds_that_agree_by_chance_are_not_certain(tmp_path: Path, first: int, kept: bool, least: float) -> None:
    before, after = (
        scored(tmp_path, name, [it] * 3, first=at, kept=kept) for name, it, at in [("a", 0.8, 0), ("b", 0.9, first)]
    )
    found = side_by_side.compare(before, after, first=0).differences[0]
    assert found.half_width == pytest.approx(stats.t.ppf(0.975, 2) * least / np.sqrt(3))


def test_what_differs_is_told(tmp_path: Path) -> None:
    before = make_run(tmp_path, "a", by_letters("ccdd"), config={"lr": 0.8, "device": "cpu"}, data_hash="x")
    after = make_run(tmp_path, "b", by_letters("ccde"), config={"lr": 0.1, "device": "cuda"}, leak_free_images=3)
    compared = side_by_side.compare(before, after, first=0)
    assert [(each.name, each.before, each.after) for each in compared.settings] == [
        ("device", "cpu", "cuda"),
        ("lr", 0.8, 0.1),
    ]
    assert compared.cautions == [
        "The runs differ in more than the data: lr (0.8 → 0.1).",
        "Their leak-free test images differ: findings changed between the two. Train both again.",
    ]
    assert [(each.label, each.change) for each in compared.class_changes] == [("dog", -0.5), ("cat", 0.0)]
    again = replace(before, folder=tmp_path / "again")
    assert side_by_side.compare(before, again, first=0).cautions == [
        "Both were trained on the same images and labels with the same settings."
    ]


def test_classes_that_changed_most() -> None:
    changes = [side_by_side.ClassChange(name, 0.5, 0.5 + by, by) for name, by in [("a", -0.1), ("b", 0), ("c", 0.3)]]
    assert [item.label for item in side_by_side.greatest(changes, 2)] == ["a", "c"]
    assert side_by_side.greatest(changes, 9) == changes
    assert side_by_side.greatest([], 2) == []


@pytest.mark.parametrize("at_all_times", [False, True])
def test_runs_of_a_proof_have_its_interval(tmp_path: Path, at_all_times: bool) -> None:
    values = ([0.8, 0.82, 0.85], [0.9, 0.93, 0.92])
    before, after = (
        scored(tmp_path, f"prove-{it}", each, kept=True) for it, each in zip(("raw", "curated"), values, strict=True)
    )
    right = [np.arange(IMAGES) < np.round(IMAGES * np.array(each))[:, None] for each in values]
    change = right[1].astype(np.int8) - right[0].astype(np.int8)
    found = proven(paired.difference(change, at_all_times=at_all_times))
    theirs = side_by_side.compare(before, after, first=0, proof=found).differences[0]
    assert theirs.half_width == pytest.approx(found.main.accuracy.half_width)
    assert theirs.verdict == found.main.accuracy.verdict
    mine = replace(before, folder=before.folder.rename(tmp_path / "mine"))
    student = side_by_side.compare(mine, after, first=0, proof=found).differences[0].half_width
    assert student == pytest.approx(paired.difference(change, at_all_times=False).half_width)


def proven(found: paired.Difference) -> proof.Proof:
    """A proof that came to this difference."""
    both = interval.score([0.8, 0.9])
    arms = [proof.ArmScore(it, f"prove-{it}", it, 9, None, (0, 1), both, None, 1.0, 9) for it in ("raw", "curated")]
    main = proof.Compared("curated", "curated minus raw", "raw", "curated", 1, found, None)
    return proof.Proof({}, "CPU", tuple(arms), (main,), None, None, 9, None, "seeds", None, None, ())


# Flips


def predicted(said: Said, labels: list[str]) -> pd.DataFrame:
    ids = pd.Index([f"set/{number}.png" for number in range(len(labels))], name="image_id")
    return pd.DataFrame({"label": labels} | {f"seed-{seed}": it for seed, it in said.items()}, index=ids)


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        # right in both, to right, to wrong, wrong in both, undecided; all images are cats
        (by_letters("c"), by_letters("c"), (1, 0, 0, 0, 0)),
        (by_letters("d"), by_letters("c"), (0, 1, 0, 0, 0)),
        (by_letters("c"), by_letters("d"), (0, 0, 1, 0, 0)),
        (by_letters("d"), by_letters("e"), (0, 0, 0, 1, 0)),
        (by_letters("ccdd"), by_letters("cdcd"), (1, 1, 1, 1, 0)),
        (by_letters("c", "d"), by_letters("c", "c"), (0, 0, 0, 0, 1)),  # half of the seeds is no majority
        (by_letters("c", "c"), by_letters("d", "c"), (0, 0, 0, 0, 1)),
        (by_letters("c", "c", "d"), by_letters("d", "d", "c"), (0, 0, 1, 0, 0)),
        (by_letters("c", "d", "d"), by_letters("c"), (1, 0, 0, 0, 0)),  # only seed 0 is of both
        (by_letters("d", "d", "c"), by_letters("c", "c", first=7), (0, 1, 0, 0, 0)),  # none is, so all count
        (by_letters(""), by_letters(""), (0, 0, 0, 0, 0)),
    ],
)
def test_flips_by_the_majority_of_the_seeds(before: Said, after: Said, counts: tuple[int, ...]) -> None:
    labels = ["cat"] * len(before[0])
    found = flips.flips(predicted(before, labels), predicted(after, labels), first=9)
    assert (found.both_right, found.to_right, found.to_wrong, found.both_wrong, found.undecided) == counts
    assert (len(found.now_right), len(found.now_wrong)) == counts[1:3]


def test_those_come_first_that_most_seeds_agree_on() -> None:
    labels = ["cat"] * 4
    before = predicted(by_letters("dddc", "cdec", "deec"), labels)
    after = predicted(by_letters("cccd", "cccd", "dccc"), labels)
    found = flips.flips(before, after.iloc[::-1], first=2)  # whatever the order of the images
    assert [flip.image_id for flip in found.now_right] == ["set/1.png", "set/2.png"]
    assert found.to_right == 3
    assert found.now_right[1] == flips.Flip("set/2.png", "cat", "eel", "cat", 3, 3)
    assert found.now_wrong == [flips.Flip("set/3.png", "cat", "cat", "dog", 3, 2)]
    assert flips.flips(before, after, first=0).now_right == []


@pytest.mark.parametrize(("gained", "lost", "p_value"), [(0, 0, 1.0), (3, 0, 0.25), (5, 5, 1.0), (10, 0, 2 / 2**10)])
def test_chance_of_an_uneven_split(gained: int, lost: int, p_value: float) -> None:
    labels = ["cat"] * 30
    before = "d" * gained + "c" * (30 - gained)
    after = "c" * (30 - lost) + "d" * lost
    found = flips.flips(predicted(by_letters(before), labels), predicted(by_letters(after), labels), first=1)
    assert (found.to_right, found.to_wrong) == (gained, lost)
    assert found.p_value == pytest.approx(p_value)


def test_runs_that_kept_nothing_have_no_flips(tmp_path: Path) -> None:
    before, after = (make_run(tmp_path, name, by_letters("ccdd"), kept=name == "b") for name in "ab")
    assert flips.predicted(before.folder, before.seeds) is None
    assert side_by_side.compare(before, after, first=1).flips is None


OTHER_SEEDS = pd.DataFrame({"image_id": ["a"], "label": ["cat"], "seed-7": ["cat"]}).to_parquet()


@pytest.mark.parametrize("content", [b"", b"no table", pd.DataFrame({"a": [1]}).to_parquet(), b"PAR1PAR1", OTHER_SEEDS])
def test_a_file_that_holds_no_predictions_is_named(tmp_path: Path, content: bytes) -> None:
    made = make_run(tmp_path, "a", by_letters("ccdd"))
    (made.folder / "predicted.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"predicted\.parquet does not hold what its run predicted; remove it"):
        flips.predicted(made.folder, made.seeds)


# The verb


@pytest.fixture
def two(workspace: Workspace) -> Workspace:
    """The digits with two runs, made by hand, and one that was begun."""
    make_run(workspace.root, "raw-a", by_letters("ccdd", "cdde", "dddd"))
    make_run(workspace.root, "curated-a", by_letters("ccdd", "ccdd", "dcdd"), config={"lr": 0.1})
    (workspace.root / "runs" / "later").mkdir()
    (workspace.root / "runs" / "later" / "config.json").write_text("{}")
    return workspace


def test_runs_are_listed(two: Workspace) -> None:
    text = run("runs", two.root, "--sort", "-accuracy")
    assert text.index("curated-a") < text.index("raw-a")
    for words in ("91.67 ± 10.00 %", "lr=0.1", "Without a result: later.", "2 of 2 runs. Next: curate runs"):
        assert words in text
    listed = json.loads(run("runs", two.root, "--filter", "data=raw", "--json"))
    assert [row["name"] for row in listed] == ["raw-a"]
    assert listed[0]["accuracy_by_seed"] == {"0": 1.0, "1": 0.5, "2": 0.5}
    assert listed[0]["config"]["lr"] == 0.8
    assert listed[0]["leak_free"] is None


def test_two_runs_are_compared(two: Workspace) -> None:
    text = " ".join(run("runs", two.root, "raw-a", "curated-a").split())
    for words in (
        "lr 0.8 0.1",
        "Single view 66.67 % 91.67 % +25.00",
        "3, paired unclear",
        "cat 50.0 % 83.3 % +33.3",
        "Of 4 test images 1 went from wrong to right and 0 from right to wrong",
        "set/1.png cat dog cat wrong in 2 of 3, right in 3 of 3",
        "Caution. The runs differ in more than the data: lr (0.8 → 0.1).",
    ):
        assert words in text
    compared = json.loads(run("runs", two.root, "raw-a", "curated-a", "--json", "--top", "0"))
    assert compared["settings"] == [{"name": "lr", "before": 0.8, "after": 0.1}]
    assert (compared["before"]["name"], compared["after"]["name"]) == ("raw-a", "curated-a")
    assert compared["flips"]["to_right"] == 1
    assert compared["flips"]["now_right"] == []


def test_a_workspace_without_runs(workspace: Workspace) -> None:
    assert "0 of 0 runs. Next: curate train" in run("runs", workspace.root)
    assert json.loads(run("runs", workspace.root, "--json")) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["raw-b", "raw-a"], "no finished run is called 'raw-b'; there are: curated-a, raw-a"),
        (["raw-a", "later"], "no finished run is called 'later'; there are: curated-a, raw-a"),
        (["raw-a"], "to compare 'raw-a' with another run, name that too; there are: curated-a"),
        (["raw-a", "curated-a", "--sort", "name"], "--sort, --filter and --tensorboard go with the list"),
        (["--filter", "wanted=1"], "no column or setting is called 'wanted'; there are: "),
        (["--sort", "-wanted"], "no column or setting is called 'wanted'; there are: "),
    ],
)
def test_slips(two: Workspace, fails: Callable[..., str], arguments: list[str], says: str) -> None:
    assert says in fails("runs", two.root, *arguments)


def test_trained_runs_are_compared_and_written_for_tensorboard(workspace: Workspace) -> None:
    settings = {"image_size": 16, "device": "cpu", "flip": False}
    for name, epochs in (("short", 1), ("long", 2)):
        verbs.train(workspace, data="raw", seeds=2, settings=settings | {"epochs": epochs}, name=name)
    compared = json.loads(run("runs", workspace.root, "short", "long", "--json"))
    gain = compared["differences"][0]["mean"]
    assert gain == pytest.approx(compared["after"]["accuracy"] - compared["before"]["accuracy"])
    asked = compared["flips"]
    flipped = asked["to_right"] + asked["to_wrong"]
    assert flipped + asked["both_right"] + asked["both_wrong"] + asked["undecided"] == asked["images"] == 10
    try:
        check_installed()
    except UserError:
        pytest.skip("tensorboard is not installed")
    written = json.loads(run("runs", workspace.root, "--filter", "epochs=2", "--tensorboard", "--json"))["written"]
    assert written == [str(workspace.root / "runs/long/tensorboard")]
    assert sorted(path.name for path in Path(written[0]).iterdir()) == ["seed-0", "seed-1"]
    assert workspace.ledger()[-1].arguments == {"tensorboard": ["long"]}
