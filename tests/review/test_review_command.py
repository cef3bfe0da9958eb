"""`curate review` on the command line: what it says, what it refuses, and that `--json` is one document."""

from pathlib import Path

import pytest

from curate import tables
from curate.errors import UserError
from curate.review.desk import Answer, Desk
from curate.workspace import Workspace
from tests.command import run, run_json
from tests.review.small import workspace


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return workspace(tmp_path / "my set")


def test_how_it_stands(ws: Workspace) -> None:
    told = run("review", ws.root, "--by", "ada").splitlines()
    assert told[0] == "6 images wait for ada, in 3 groups of alike ones: 4 labels, 1 twin, 1 of another finder."
    assert told[-1] == f'Next: curate review "{ws.root}" --fiftyone, or --sheet for a page that needs no server'
    for image_id in tables.read_findings(ws)["image_id"]:
        Desk(ws, "ada").take([Answer(image_id, "keep")])
    told = run("review", ws.root, "--by", "bob").splitlines()
    assert (told[0], told[-1]) == ("Nothing waits for bob.", f'Next: curate decide "{ws.root}"')
    run("decide", ws.root)
    assert run("review", ws.root, "--by", "bob").splitlines()[-1] == f'Next: curate apply "{ws.root}"'
    Desk(ws, "ada").take([Answer(image_id, "drop")])
    assert run("review", ws.root, "--by", "bob").splitlines()[-1] == f'Next: curate decide "{ws.root}"'


def test_names_cannot_break_a_line(ws: Workspace) -> None:
    images = tables.read_manifest(ws)
    images.loc[0, "image_id"] = odd = "pets/new\nline\x1b[31m.png"
    with ws.writing("add", {}) as transaction:
        transaction.write_table("manifest.parquet", images)
    for by, action in (("ada", "keep"), ("bob", "drop")):
        Desk(ws, by).take([Answer(odd, action)])  # type: ignore[arg-type]
    told = run("review", ws.root).splitlines()
    assert "People disagree on pets/new\\nline\\x1b[31m.png: ada: keep; bob: drop" in told


@pytest.mark.parametrize(
    "form", [[], ["--sheet"], ["--as", "cvat", "--to", "job"], ["--as", "label_studio", "--to", "job"]]
)
def test_json_is_one_document(ws: Workspace, form: list[str]) -> None:
    form = [str(ws.root.parent / part) if part == "job" else part for part in form]
    assert run_json("review", ws.root, *form, "--by", "ada")["worth"]["labels"] == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sheet", "--fiftyone"], "three ways to look; take one of them"),
        (["--to", "x"], "--to x goes with --sheet or --as"),
        (["--as", "cvat"], "--as cvat needs a new folder: add --to FOLDER"),
        (["--sheet", "--to", "."], r"--to \. must name a page: --to review.html"),
        (["--sheet", "--to", "decisions.csv"], r"--to decisions.csv must name a page: --to decisions.csv.html"),
        (["--by", "policy"], "the policy's own name"),
        (["--by", "a;b"], "without semicolons"),
    ],
)
def test_what_is_refused(ws: Workspace, options: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run("review", ws.root, *options)
