"""The plugin's operators, run by FiftyOne as the App would, without a browser."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from curate import REVIEWER, tables
from curate.review import acting, app, serving
from curate.review.verdicts import KEYS, LABELS, VERDICTS
from curate.workspace import DECISIONS, Workspace, read_table
from tests.review.small import workspace

CAT = [f"pets/train/cat/{number:02}.png" for number in range(8)]
NIGHT, TWIN, LEAK = "pets/train/dog/00.png", "pets/train/cat/twin.png", "pets/test/cat/leak.png"
Run = Callable[..., dict]


@pytest.fixture
def ws(tmp_path: Path, fiftyone: ModuleType) -> Workspace:
    return workspace(tmp_path)


@pytest.fixture
def data(ws: Workspace):  # type: ignore[no-untyped-def]
    return app.prepare(ws, "ada", budget=None, second=0).data


@pytest.fixture
def run(data, tmp_path: Path, fiftyone: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:  # type: ignore[no-untyped-def]
    """`run("drop", [image_id, …], label=…)` executes an operator on samples, and gives what it returned."""
    import fiftyone.operators as foo

    plugins = tmp_path / "plugins"
    plugins.mkdir()
    serving._link_plugins(plugins)
    monkeypatch.setattr(fiftyone.config, "plugins_dir", str(plugins))
    monkeypatch.setenv(REVIEWER, "ada")

    def execute(operator: str, chosen: list[str] = (), view=None, on=None, current: str = "", **params) -> dict:  # type: ignore
        ids = dict(zip(*(on or data).values(["image_id", "id"]), strict=True)) if chosen else {}
        context = {
            "dataset": on or data,
            "view": view if view is not None else (on or data).view(),
            "selected": [ids[image_id] for image_id in chosen],
            "current_sample": ids[current] if current else None,
            "params": params,
        }
        # in a thread of its own: Playwright's loop may run in this one, and FiftyOne would give a task instead
        with ThreadPoolExecutor(1) as thread:
            return dict(thread.submit(foo.execute_operator, f"@curate/review/{operator}", context).result().result)

    yield execute
    acting._sessions.clear()


def said(ws: Workspace) -> list[tuple[str, ...]]:
    table = read_table(ws.path(DECISIONS))
    return list(table[["image_id", "action", "label", "by"]].itertuples(index=False, name=None))


def test_every_verdict_has_an_operator_with_a_key() -> None:
    assert set(LABELS) == set(KEYS) == {*VERDICTS, "undo"}
    assert len(set(KEYS.values())) == len(KEYS)
    plugin = yaml.safe_load((serving.PLUGIN / "fiftyone.yml").read_text())
    keys = (serving.PLUGIN / "keys.js").read_text()
    assert set(plugin["operators"]) == set(KEYS)
    bound = re.findall(r"(\w): \"(\w+)\"", re.search(r"OPERATORS = {(.*?)}", keys)[1])
    assert {name: key.upper() for key, name in bound} == KEYS


@pytest.mark.parametrize(
    ("operator", "chosen", "params", "wanted", "message"),
    [
        ("accept", [CAT[2]], {}, [(CAT[2], "relabel", "dog", "ada")], "1 image accepted (dog)"),
        ("drop", [CAT[2], CAT[7]], {}, [(CAT[2], "drop", "", "ada"), (CAT[7], "drop", "", "ada")], "2 images dropped"),
        ("fine", [NIGHT], {}, [(NIGHT, "keep", "", "ada")], "1 image kept"),
        ("relabel", [CAT[7]], {"label": "dog"}, [(CAT[7], "relabel", "dog", "ada")], "1 image relabelled (dog)"),
        (
            "keep_this",
            [TWIN],
            {},
            [(CAT[0], "drop", "", "ada"), (TWIN, "keep", "", "ada")],
            "2 images decided: 1 kept, 1 dropped",
        ),
    ],
)
def test_operators(ws: Workspace, data, run: Run, operator, chosen, params, wanted, message) -> None:  # type: ignore
    assert run(operator, chosen, **params) == {"message": message, "done": True}
    assert said(ws) == wanted
    shown = {row.image_id: row.decision.label for row in data.match({"decision.by": "ada"})}
    assert shown == {row[0]: f"relabel to {row[2]}" if row[2] else row[1] for row in wanted}
    assert all(data.match({"image_id": row[0]}).first().queue is None for row in wanted)
    assert run("undo") == {"message": f"{len(wanted)} image{'s' * (len(wanted) > 1)} undone", "done": True}
    assert said(ws) == []
    data.reload()
    assert data.match({"image_id": chosen[0]}).first().decision is None


def test_the_whole_view(ws: Workspace, data, run: Run) -> None:  # type: ignore[no-untyped-def]
    view = data.load_saved_view("label_error, worst first")
    assert run("accept", view=view, whole_view=True)["message"] == "4 images accepted (dog)"
    assert [row[0] for row in said(ws)] == CAT[2:6]
    run("undo")
    waiting = data.load_saved_view("needs a person")
    assert len(waiting) == 6  # what was undone waits again, where it stood


@pytest.mark.parametrize(
    ("operator", "chosen", "params", "message"),
    [
        ("relabel", [CAT[7]], {"label": "dig"}, "no class is called 'dig' (did you mean 'dog'?); there are: cat, dog"),
        ("accept", [CAT[7]], {}, f"nothing is proposed for {CAT[7]}; drop, relabel or keep instead"),
        ("keep_this", [CAT[7]], {}, f"{CAT[7]} has no twins to choose from; 'not a problem' keeps it as it is"),
        ("drop", [], {}, "no image is chosen; select some, or take the whole view"),
        ("undo", [], {}, "there is nothing that ada could undo; what others decided is theirs to undo"),
    ],
)
def test_what_cannot_be_done_is_said(ws: Workspace, run: Run, operator, chosen, params, message) -> None:  # type: ignore
    assert run(operator, chosen, **params) == {"message": message, "done": False}
    assert not ws.has(DECISIONS)


def test_another_dataset_is_no_workspace(run: Run, fiftyone: ModuleType) -> None:
    other = fiftyone.Dataset()
    other.add_sample(fiftyone.Sample(filepath="/x.png", image_id="x"))
    told = run("drop", ["x"], on=other)
    assert told["message"].endswith("is not of a workspace of curate; open one with 'curate review WS --fiftyone'")
    other.delete()


def test_a_workspace_that_changes_under_an_open_app(ws: Workspace, data, run: Run) -> None:  # type: ignore
    run("fine", [CAT[2]])
    images = tables.read_manifest(ws)
    with ws.writing("add", {}) as transaction:
        transaction.write_table("manifest.parquet", images[images["image_id"] != CAT[3]])
    told = run("drop", [CAT[3], CAT[4]])
    assert told == {"message": f"1 image dropped; 1 image is no longer in the workspace: {CAT[3]}", "done": True}
    assert acting.standing(acting.session(data)).advice.endswith(acting.CHANGED)
    assert [row[0] for row in said(ws)] == [CAT[2], CAT[4]]


def test_a_twin_that_has_gone(ws: Workspace, data, run: Run) -> None:  # type: ignore[no-untyped-def]
    run("fine", [CAT[2]])
    images = tables.read_manifest(ws)
    with ws.writing("add", {}) as transaction:
        transaction.write_table("manifest.parquet", images[images["image_id"] != CAT[0]])
    told = run("keep_this", [TWIN])
    assert told["done"]
    assert told["message"].endswith(f"1 image is no longer in the workspace: {CAT[0]}")
    assert (TWIN, "keep", "", "ada") in said(ws)


def test_images_of_the_test_split_are_told(ws: Workspace, run: Run) -> None:
    told = run("drop", [LEAK, CAT[2]])["message"]
    assert told == "2 images dropped; 1 of the test split, which 'curate apply' leaves alone without --include-test"
    assert run("fine", [LEAK])["message"] == "1 image kept"


def test_the_open_image_is_meant_not_the_selected_ones(ws: Workspace, data, run: Run) -> None:  # type: ignore
    run("drop", [CAT[2], CAT[3]], current=CAT[4])
    assert said(ws) == [(CAT[4], "drop", "", "ada")]


def test_a_lock_that_is_held_loses_nothing(ws: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("fine", [CAT[2]])
    monkeypatch.setattr(acting._sessions[str(ws.root.resolve()), "ada"].desk, "workspace", Workspace(ws.root, 0.2))
    with Workspace(ws.root).locked():
        told = run("drop", [CAT[3]])
    assert told["message"].startswith("another curate is writing to")
    assert not told["done"]
    assert run("drop", [CAT[3]])["done"]
    assert len(said(ws)) == 2


def test_disagreement_is_shown(ws: Workspace, data, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore
    run("drop", [NIGHT])
    monkeypatch.setenv(REVIEWER, "bob")
    run("fine", [NIGHT])
    data.reload()
    shown = data.match({"image_id": NIGHT}).first().decision
    assert (shown.label, shown.note) == ("disputed", "ada: drop; bob: keep")
    assert said(ws) == [(NIGHT, "drop", "", "ada"), (NIGHT, "keep", "", "bob")]


def test_where_the_review_stands(ws: Workspace, data, run: Run) -> None:  # type: ignore[no-untyped-def]
    run("fine", [CAT[2]])
    found = acting.standing(acting.session(data))
    assert found.left == 5
    assert found.advice.startswith("The next 3 labels are worth about ")
