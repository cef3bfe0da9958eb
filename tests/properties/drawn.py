"""Strategies: small tables and texts, as hypothesis draws them."""

import pandas as pd
from hypothesis import strategies as st

from curate import decisions
from curate.manifest import SPLITS
from tests.tables import decided, found, images

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
"""What a cell of a table can hold."""
LABELS = st.sampled_from(["cat", "dog", "a, b", "é"])
PEOPLE = st.sampled_from(["ada", "eve"])
FINDERS = st.sampled_from(["dark", "label_error", "near_duplicate"])
NOTES = st.sampled_from(["", 'seen, "twice"'])
TIMES = st.sampled_from(["2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z", "2026-01-03T12:00:00Z"])
EDITS = st.characters(exclude_categories=[]) | st.sampled_from("=:,.%<>!-+0159e[]{}&*#'\"\n\r\0/\\ ")


@st.composite
def manifests(draw: st.DrawFn, most: int = 6) -> pd.DataFrame:
    """A manifest; some of its images are generated from earlier ones, images of the pool have no label."""
    rows, parents = [], {}
    for number in range(draw(st.sampled_from([most, most - 1, most - 2, 1, 0]))):
        split = draw(st.sampled_from(["train", *SPLITS]))
        rows.append((f"i{number}", split, "" if split == "pool" else draw(LABELS)))
        if number and draw(st.booleans()):
            parents[f"i{number}"] = f"i{draw(st.integers(0, number - 1))}"
            rows[-1] = (f"i{number}", *next(row for row in rows if row[0] == parents[f"i{number}"])[1:])
    return images(*rows, parents=parents)


@st.composite
def decisions_on(draw: st.DrawFn, manifest: pd.DataFrame, by: st.SearchStrategy[str]) -> pd.DataFrame:
    """Decisions on some of the images, one for each image and person."""
    rows = []
    for image_id in manifest["image_id"]:
        for who in draw(st.lists(by, unique=True, min_size=draw(st.sampled_from([1, 0])), max_size=2)):
            action = draw(st.sampled_from(decisions.ACTIONS))
            label = draw(LABELS) if action == "relabel" else ""
            rows.append((image_id, action, label, who, draw(FINDERS), draw(NOTES), draw(TIMES)))
    return decided(*rows)


@st.composite
def findings_on(draw: st.DrawFn, manifest: pd.DataFrame) -> pd.DataFrame:
    """Findings on some of the images, one for each image and finder."""
    rows = []
    for image_id in manifest["image_id"]:
        for finder in draw(st.lists(FINDERS, unique=True, min_size=1, max_size=2)):
            rows.append((image_id, finder, draw(st.sampled_from([0.0, 0.2, 0.4, 0.7])), draw(LABELS | st.just(""))))
    return found(*rows)


@st.composite
def texts(draw: st.DrawFn, kinds: dict[str, str]) -> pd.DataFrame:
    """A table with these columns, of the kinds that pandas has names for, and anything that fits into them."""
    cells = {
        "str": CELLS,
        "int32": st.integers(-(2**31), 2**31 - 1),
        "int64": st.integers(-(2**63), 2**63 - 1),
        "float32": st.floats(width=32, allow_nan=False),
        "bool": st.booleans(),
    }
    rows = draw(st.lists(st.tuples(*(cells[kind] for kind in kinds.values())), max_size=3))
    return pd.DataFrame(
        {name: pd.Series([row[at] for row in rows], dtype=kind) for at, (name, kind) in enumerate(kinds.items())}
    )


@st.composite
def edited(draw: st.DrawFn, example: str) -> str:
    """A text with a few characters put in, taken out or swapped."""
    text = example
    for _ in range(draw(st.integers(0, 3))):
        at, gone = draw(st.integers(0, len(text))), draw(st.integers(0, 2))
        text = text[:at] + draw(st.text(EDITS, max_size=3)) + text[at + gone :]
    return text


@st.composite
def damaged(draw: st.DrawFn, example: bytes) -> bytes:
    """Bytes with a few of them put in, taken out, swapped or doubled, or cut short."""
    data = example
    for _ in range(draw(st.integers(0, 4))):
        at, gone = draw(st.integers(0, len(data))), draw(st.integers(0, 9))
        piece = draw(st.binary(max_size=4) | st.just(data[at : at + 9] * 2) | st.sampled_from([b"\xff" * 4, b"\0" * 4]))
        data = data[:at] + piece + data[at + gone :]
    return data[: draw(st.just(len(data)) | st.integers(0, len(data)))]
