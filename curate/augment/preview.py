"""A sheet that shows what a pipeline does: originals in the first column, draws beside them, as PNG and as a page."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from curate import manifest, pages, tables
from curate.apply import apply
from curate.augment.compiling import compile
from curate.augment.originals import drawn, in_levels, shuffled, why_not_in_files
from curate.augment.pipeline import read_pipeline
from curate.augment.program import Program
from curate.errors import UserError
from curate.files import write_bytes_atomic
from curate.images import ImageError, encode_png, read_image, thumbnail
from curate.wording import pasted
from curate.workspace import Workspace

NAME = "augment-preview"
SIDE, GAP = 144, 8
"""Pixels of the sheet: of a picture's longer side, and between pictures."""
PAPER = 246
"""Level of what lies between."""


@dataclass(frozen=True)
class Preview:
    """What `augment preview` wrote."""

    page: str
    sheet: str
    images: int
    draws: int
    left_out: list[str]
    """Steps of the pipeline that make floats, which cannot be shown."""
    skipped: list[str]
    """Images that could not be read, with the reason."""
    for_files: bool
    """Whether `augment add` can keep what the pipeline makes."""


@dataclass(frozen=True)
class Row:
    """An original and what was drawn for it: RGB, uint8, made to fit into `SIDE` where larger."""

    image_id: str
    label: str
    """As decided, where that was."""
    given: str
    """As the manifest has it."""
    dropped: bool
    """Whether the image was decided to go."""
    original: np.ndarray
    draws: list[np.ndarray]


def preview(
    workspace: Workspace,
    pipeline: Path,
    *,
    images: int = 6,
    draws: int = 8,
    seed: int = 0,
    fallback: Literal["cpu"] | None = None,
    out: Path | None = None,
) -> Preview:
    """Write the sheet as `NAME.png` and `NAME.html` of the workspace, or as `out` with these endings; where that is a
    folder, as `NAME` in it.

    Draw number k is the one that `augment add` keeps as number k with this seed. An image stands under the label that
    was decided, as the curated set will have it. Raises `UserError` where no image can be decoded, for images that the
    pipeline is not for, and for an `out` among the files of the workspace.
    """
    sheet, page = _files(workspace, out)
    settings = read_pipeline(pipeline)
    whole = compile(settings, seed=seed, layout="NHWC", fallback=fallback)
    program, left_out = in_levels(whole)
    table = tables.read_manifest(workspace)
    chosen, skipped = _read(table, workspace.root, images, seed)
    if not chosen:
        raise UserError(f"{pasted(workspace.root)} has no image that can be decoded; 'curate add' brings some")
    curated = apply(table, tables.read_decisions(workspace, table)).table
    rows = _rows(program, chosen, draws, dict(zip(curated["image_id"], curated["label"], strict=True)))
    write_bytes_atomic(sheet, encode_png(lay_out(rows)))
    html = render(rows, workspace.root, pipeline, settings, seed, left_out)
    write_bytes_atomic(page, html.encode("utf-8", "replace"))
    return Preview(str(page), str(sheet), len(rows), draws, left_out, skipped, not why_not_in_files(whole))


def _files(workspace: Workspace, out: Path | None) -> tuple[Path, Path]:
    """The sheet and the page, as `preview` writes them."""
    base = out or workspace.root
    if base.is_dir():
        base /= NAME
    elif base.suffix in (".png", ".html"):
        base = base.with_suffix("")
    sheet, page = (base.with_name(f"{base.name}{ending}") for ending in (".png", ".html"))
    for path in (sheet, page):
        workspace.refuse_out(path, f"{NAME}{path.suffix}")
    return sheet, page


def choose(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The originals in the order in which they are shown: one of each class, then a second one of each.

    Of the training images; of all where there are none.
    """
    usable = table[manifest.decodable(table) & (table["parent_id"] == "").to_numpy()]
    train = usable[(usable["split"] == "train").to_numpy()]
    usable = train if len(train) else usable
    mixed = usable.iloc[shuffled(usable, seed)]
    first = ~mixed["label"].duplicated()
    turn = mixed.groupby("label").cumcount()
    place = mixed["label"].map({label: number for number, label in enumerate(mixed["label"][first])})
    return mixed.iloc[np.lexsort([place, turn])]


def _read(table: pd.DataFrame, root: Path, count: int, seed: int) -> tuple[list[tuple[Any, np.ndarray]], list[str]]:
    """The first `count` images that can be read, by class, with their rows; and those that cannot."""
    chosen = choose(table, seed)
    found: list[tuple[Any, np.ndarray]] = []
    skipped: list[str] = []
    for row, path in zip(chosen.itertuples(), manifest.locate(chosen, root), strict=True):
        if len(found) == count:
            break
        try:
            found.append((row, read_image(path)))
        except ImageError as error:
            skipped.append(f"{row.image_id}: {error}")
    return sorted(found, key=lambda item: item[0].label), skipped


def _rows(program: Program, chosen: list[tuple[Any, np.ndarray]], draws: int, labels: Mapping[str, str]) -> list[Row]:
    """labels: by image_id, of the images that are not dropped."""
    originals, ids = [image for _, image in chosen], [row.image_id for row, _ in chosen]
    columns = [[thumbnail(image, SIDE) for image in drawn(program, originals, ids, draw)] for draw in range(draws)]
    return [
        Row(
            row.image_id,
            label=labels.get(row.image_id, row.label),
            given=row.label,
            dropped=row.image_id not in labels,
            original=thumbnail(image, SIDE),
            draws=[column[number] for column in columns],
        )
        for number, (row, image) in enumerate(chosen)
    ]


def lay_out(rows: list[Row]) -> np.ndarray:
    """The sheet: shape (H, W, 3), uint8. A wider gap sets the originals apart."""
    step, columns = SIDE + GAP, 1 + len(rows[0].draws)
    sheet = np.full((GAP + step * len(rows), 3 * GAP + step * columns, 3), PAPER, np.uint8)
    for number, row in enumerate(rows):
        for column, image in enumerate([row.original, *row.draws]):
            shown = _enlarged(image)
            height, width = shown.shape[:2]
            top = GAP + number * step + (SIDE - height) // 2
            left = GAP + column * step + 2 * GAP * (column > 0) + (SIDE - width) // 2
            sheet[top : top + height, left : left + width] = shown
    return sheet


def _enlarged(image: np.ndarray) -> np.ndarray:
    """Small pictures are repeated a whole number of times, so that their pixels stay squares."""
    times = max(1, SIDE // max(image.shape[:2]))
    return image.repeat(times, 0).repeat(times, 1)


def render(rows: list[Row], root: Path, pipeline: Path, settings: Any, seed: int, left_out: list[str]) -> str:
    """The page as HTML. Whatever comes from the workspace or the pipeline is escaped."""
    template = pages.template("curate.augment", "preview.html.jinja", parts=["curate.report"], filters=[picture, small])
    return template.render(
        rows=rows,
        workspace=root.resolve().name,
        pipeline=pipeline.name,
        text=str(settings),
        seed=seed,
        left_out=left_out,
        side=SIDE,
    )


def picture(image: np.ndarray) -> str:
    """The image as a PNG that stands in the page itself."""
    return f"data:image/png;base64,{base64.b64encode(encode_png(image)).decode()}"


def small(image: np.ndarray) -> bool:
    """Whether it is shown larger than it is, with pixels as squares."""
    return max(image.shape[:2]) < SIDE
