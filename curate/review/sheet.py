"""The review sheet: what is asked, as one HTML page that needs neither server nor network; answers leave it as CSV.

`sheet.html.jinja` lays out, `sheet.css` adds to the report's look, `sheet.js` takes the answers and keeps each in the
browser at once. The page runs no script and no style but these two, whose hashes it names, and loads nothing.
"""

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from curate import pages
from curate.engine import Local
from curate.files import write_bytes_atomic
from curate.labels import queue
from curate.likeness import views
from curate.report.thumbnails import Picture, none_of, picture
from curate.review import pace, twins
from curate.wording import middle, percent, score

SIDE, QUALITY = 136, 65
"""Pixels of a photo's longer side, and how good its JPEG is: a sheet of 5,000 photos of Imagenette has 31 MB."""
WORD = 20
"""Characters of a class on a button."""
FEW = 3
"""Clusters of so many images stand beside each other, under no more than their title."""
CORRUPT, BROKEN = "corrupt", "cannot be decoded"
FACTS = ("given_label", "suggested_label", "suggested_prob", "score", "gain", "because", "detail", "split", "proposal")


@dataclass(frozen=True)
class Sheet:
    """What `write` wrote."""

    written: str
    images: int
    asked: int
    """Images that an answer is wanted for; the others are shown beside them."""
    bytes: int


@dataclass(frozen=True)
class Tile:
    """An image with its place in the sheet; `row` has the columns of the asked table."""

    number: int
    row: Any
    picture: Picture
    caption: str
    """What is proposed or how sure that is, then what tells the image from its twins."""


@dataclass(frozen=True)
class Cluster:
    """Images that stand together and may be decided in one go."""

    number: int
    title: str
    kind: str
    tiles: list[Tile]
    asked: int
    odd: int
    expected: float
    """Right labels that answers to all of it are worth."""
    accepting: str
    """What "accept all" does, such as "drop"; "" where nothing is proposed."""

    @property
    def style(self) -> str:
        """How it is laid out, by its class in `sheet.css`."""
        return "together" if self.kind == "duplicates" else "few" if len(self.tiles) <= FEW else "alike"


def write(
    asked: pd.DataFrame, dest: Path, *, name: str, workspace_id: str, classes: list[str], by: str, command: str
) -> Sheet:
    """Write the sheet to `dest`, all of it or nothing.

    asked: as `curate.review.asking` makes it. name: the workspace's, for people. workspace_id: under which the browser
    keeps the answers of `by`, so that they come back in a newer sheet. classes: what "relabel" offers. by: the
    reviewer, "" where not known. command: what takes the saved answers over.
    """
    ordered = in_order(asked)
    html = render(
        clusters(ordered, _pictures_of(ordered)),
        name=name,
        workspace_id=workspace_id,
        classes=classes,
        by=by,
        command=command,
    )
    data = html.encode("utf-8", "replace")  # a file's name may hold bytes that are no text
    write_bytes_atomic(dest, data)
    return Sheet(str(dest), len(ordered), int(ordered["asked"].sum()), len(data))


def in_order(asked: pd.DataFrame) -> pd.DataFrame:
    """The rows as they stand in the sheet: clusters as they come first, in each the odd ones, and last what is shown
    for comparison. `cluster` becomes a number from 0."""
    table = asked.assign(
        cluster=pd.factorize(asked["cluster"])[0],
        asked=asked["asked"].astype(bool),
        odd=asked["odd"].astype(bool) & asked["asked"].astype(bool),
    )
    order = np.lexsort([~table["odd"], ~table["asked"], table["cluster"]])
    return table.iloc[order].reset_index(drop=True).fillna({"suggested_prob": 0.0, "score": 0.0, "gain": 0.0})


def clusters(ordered: pd.DataFrame, pictures: dict[str, Picture]) -> list[Cluster]:
    """The rows, in order, as clusters with their tiles."""
    made: dict[int, list[tuple[int, Any]]] = {}
    row: Any
    for number, row in enumerate(ordered.itertuples(index=False)):
        made.setdefault(row.cluster, []).append((number, row))
    return [_cluster(number, numbered, pictures) for number, numbered in made.items()]


def _cluster(number: int, numbered: list[tuple[int, Any]], pictures: dict[str, Picture]) -> Cluster:
    rows = [row for _, row in numbered]
    kind, shown = _kind({row.kind for row in rows}), [pictures[str(row.path)] for row in rows]
    captions = [caption(*each, together=kind == "duplicates") for each in zip(rows, shown, strict=True)]
    return Cluster(
        number,
        rows[0].title,
        kind,
        [Tile(place, row, seen, says) for (place, row), seen, says in zip(numbered, shown, captions, strict=True)],
        asked=sum(row.asked for row in rows),
        odd=sum(row.odd for row in rows),
        expected=float(sum(row.gain for row in rows if row.asked)),
        accepting=accepting([row for row in rows if row.asked and not row.odd]),
    )


def caption(row: Any, shown: Picture, *, together: bool) -> str:
    """What stands below a picture: what is proposed, or how sure that is.

    together: whether it lies among images that show one photo; then also how large it is, and how it was seen.
    """
    if not row.asked:
        said = "stays" if row.score == 1 else "flagged, not asked"
    elif together and row.kind == "duplicates":
        relabels = f"would become {middle(row.suggested_label)}"
        said = {"relabel": relabels, "drop": "would go"}.get(row.proposal, "nothing is suggested")
    else:
        said = f"{percent(row.suggested_prob, digits=0)} %" if row.suggested_prob else f"score {score(row.score)}"
    looks = ", ".join(filter(None, [_size(shown), _seen(row.detail)])) if together else ""
    return " · ".join(filter(None, [said, looks, row.split]))


def _size(shown: Picture) -> str:
    return "{}×{}".format(*shown.size) if shown.size else ""


def _seen(detail: str) -> str:
    """How one of a pair was seen to be the other, as `curate.likeness.duplicates.told` ends; "" for as it is."""
    return next((name for name in views.NAMES if name and detail.endswith(f", {name}")), "")


def accepting(rows: list[Any]) -> str:
    """What "accept" does to these rows, in a few words; "" where nothing is proposed for any."""
    labels = {row.suggested_label for row in rows if row.proposal == "relabel" and row.suggested_label}
    relabel = f"relabel to {middle(min(labels), WORD)}" if len(labels) == 1 else "relabel" if labels else ""
    drop = "drop" if any(row.proposal == "drop" for row in rows) else ""
    return " or ".join(filter(None, [drop, relabel]))


def _kind(kinds: set[str]) -> str:
    """The kind of a cluster: of a group of duplicates, some may be asked about for something else, their label say."""
    return "duplicates" if "duplicates" in kinds else kinds.pop() if len(kinds) == 1 else "other"


def render(made: list[Cluster], *, name: str, workspace_id: str, classes: list[str], by: str, command: str) -> str:
    """The page as HTML. Whatever comes from the workspace is escaped."""
    style = _text("curate.report", "style.css") + _text("curate.review", "sheet.css")
    script = _text("curate.review", "sheet.js")
    facts = {
        "workspace": workspace_id,
        "by": by,
        "classes": classes,
        "pace": {"next": pace.NEXT, "least": queue.LEAST, "few": pace.FEWEST},
        "clusters": [{"title": item.title, "kind": item.kind, "style": item.style} for item in made],
        "rows": [_facts(tile) for item in made for tile in item.tiles],
    }
    return pages.template("curate.review", "sheet.html.jinja").render(
        clusters=made,
        name_of_set=name,
        by=by,
        command=command,
        asked=sum(item.asked for item in made),
        facts=facts,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _facts(tile: Tile) -> dict[str, Any]:
    row = tile.row
    named = {fact: getattr(row, fact) for fact in FACTS}
    seen = {"size": _size(tile.picture), "caption": tile.caption}
    twin = {"as_twin": twins.as_twin(row.because)}
    about = {"image_id": row.image_id, "asked": row.asked, "cluster": int(row.cluster), "odd": row.odd}
    return {**about, **named, **seen, **twin}


def _pictures_of(asked: pd.DataFrame) -> dict[str, Picture]:
    """Pictures by path. What `corrupt` found is not decoded again: it may be what crashes a decoder."""
    columns = zip(asked["path"].astype(str), asked["because"].str.split(";"), asked["detail"], strict=True)
    broken = {
        path: Picture("", detail if finders[0] == CORRUPT else BROKEN)
        for path, finders, detail in columns
        if CORRUPT in finders
    }
    wanted = [path for path in dict.fromkeys(asked["path"].astype(str)) if path not in broken]
    batches = Local().map_batches(
        _pictures, wanted, batch_size=64, describe="thumbnails", total=len(wanted), crashed=none_of
    )
    made = [picture for batch in batches for picture in batch]
    return broken | dict(zip(wanted, made, strict=True))


def _pictures(paths: list[str]) -> list[Picture]:
    return [picture(path, SIDE, quality=QUALITY) for path in paths]


def _text(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    """For the page's Content-Security-Policy: what has another hash does not run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
