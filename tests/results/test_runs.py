"""Runs are read and come in the order of the ledger; what `curate runs` makes of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from curate.errors import UserError
from curate.results import runs
from curate.workspace import Entry, Workspace
from tests.command import run, run_json
from tests.made_runs import by_letters, make_run
from train import verbs
from train.event_files import check_installed

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
    listed = run_json("runs", two.root, "--filter", "data=raw")
    assert [row["name"] for row in listed] == ["raw-a"]
    assert listed[0]["accuracy_by_seed"] == {"0": 1.0, "1": 0.5, "2": 0.5}
    assert listed[0]["config"]["lr"] == 0.8
    assert listed[0]["leak_free"] is None


def test_two_runs_are_compared(two: Workspace) -> None:
    text = " ".join(run("runs", two.root, "raw-a", "curated-a").split())
    for words in (
        "lr 0.8 0.1",
        "Single view 66.67 % 91.67 % +25.00",
        "unclear",
        "cat 50.0 % 83.3 % +33.3",
        "Of 4 test images 1 went from wrong to right and 0 from right to wrong",
        "set/1.png cat dog cat wrong in 2 of 3, right in 3 of 3",
        "Caution. The runs differ in more than the data: lr (0.8 → 0.1).",
    ):
        assert words in text
    compared = run_json("runs", two.root, "raw-a", "curated-a", "--top", "0")
    assert compared["settings"] == [{"name": "lr", "before": 0.8, "after": 0.1}]
    assert (compared["before"]["name"], compared["after"]["name"]) == ("raw-a", "curated-a")
    assert compared["flips"]["to_right"] == 1
    assert compared["flips"]["now_right"] == []


def test_a_workspace_without_runs(workspace: Workspace) -> None:
    assert "0 of 0 runs. Next: curate train" in run("runs", workspace.root)
    assert run_json("runs", workspace.root) == []


def test_a_curated_set_is_made_before_it_is_trained_on(workspace: Workspace) -> None:
    make_run(workspace.root, "raw-a", by_letters("ccdd"))
    assert f"Next: curate apply {workspace.root}" in run("runs", workspace.root)
    run("apply", workspace.root)
    assert f"Next: curate train {workspace.root} --data curated" in run("runs", workspace.root)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["raw-b", "raw-a"], "no finished run is called 'raw-b' (did you mean 'raw-a'?); there are: curated-a, raw-a"),
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
    compared = run_json("runs", workspace.root, "short", "long")
    gain = compared["differences"][0]["mean"]
    assert gain == pytest.approx(compared["after"]["accuracy"] - compared["before"]["accuracy"])
    asked = compared["flips"]
    flipped = asked["to_right"] + asked["to_wrong"]
    assert flipped + asked["both_right"] + asked["both_wrong"] + asked["undecided"] == asked["images"] == 10
    try:
        check_installed()
    except UserError:
        pytest.skip("tensorboard is not installed")
    written = run_json("runs", workspace.root, "--filter", "epochs=2", "--tensorboard")["written"]
    assert written == [str(workspace.root / "runs/long/tensorboard")]
    assert sorted(path.name for path in Path(written[0]).iterdir()) == ["seed-0", "seed-1"]
    assert workspace.ledger()[-1].arguments == {"tensorboard": ["long"]}
