"""A workspace without its names: rows, columns, types, splits, sizes of files, the recipe and the ledger, for a report.

Names stand in it only where they are curate's own: of its files, columns, finders, settings and verbs.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import get_args

from pydantic import BaseModel

from curate.support import crash

FILES = (
    *("manifest.parquet", "findings.parquet", "curated.parquet", "decisions.csv", "review.csv", "selected.csv"),
    *("ledger.jsonl", "review.jsonl", "recipe.yaml", "proof.json", "review.html", "report.html"),
)
FOLDERS = ("history", "signals", "runs", "images", "downloads", crash.FOLDER)
SUFFIXES = (
    *(".parquet", ".csv", ".json", ".jsonl", ".yaml", ".html", ".log", ".lock"),
    *(".npy", ".npz", ".u8", ".safetensors", ".onnx", ".png", ".jpg"),
)
OTHER = "(other)"
VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc|\.dev|\.post)\d+)*")


def own_words() -> set[str]:
    """Names of curate's own, those of the command line and of training left out."""
    from curate import finders, findings, manifest, recipe, registry, signals, sources
    from curate.decisions import COLUMNS
    from curate.policy import REVIEW_COLUMNS

    found = {*manifest.COLUMNS, *manifest.SPLITS, *findings.COLUMNS, *COLUMNS, *REVIEW_COLUMNS, *recipe.names()}
    found |= {*registry.modules(signals), *registry.KEPT_BESIDE_SIGNALS, *sources.layouts()}
    found |= {*get_args(recipe.RuleAction), *get_args(recipe.Checked)}
    models: list[type[BaseModel]] = [recipe.Recipe, *recipe.NESTED.values()]
    for model in models:
        found |= set(model.model_fields)
    for name, finder in registry.functions(finders).items():
        found |= {name, *registry.settings(finder), *(str(it) for it in registry.settings(finder).values())}
    return found


def told(part: Callable[[], object]) -> object:
    """A part of the bundle, or the type of what kept it from being made."""
    try:
        return part()
    except Exception as error:
        return [f"not told: {type(error).__name__}"]


def workspace(root: Path, known: Collection[str]) -> dict[str, object]:
    """Its tables and its files. known: the words that may be named, in this as in all that follows."""
    tables = {
        name: told(lambda name=name: _table(root / name, known))  # type: ignore[misc]
        for name in FILES
        if name.endswith((".parquet", ".csv")) and (root / name).exists()
    }
    return {"tables": tables, "files": told(lambda: _files(root, known))}


def _table(path: Path, known: Collection[str]) -> dict[str, object]:
    """Rows, columns and their types; how many rows and classes each split has, and how often what was said."""
    import pandas as pd
    import pyarrow.parquet as pq

    from curate.csv_text import read_csv

    if path.suffix == ".csv":
        table = read_csv(path)
        types = {str(name): str(kind) for name, kind in table.dtypes.items()}
    else:
        schema = pq.ParquetFile(path).schema_arrow
        types = {field.name: str(field.type) for field in schema}
        table = pd.read_parquet(path, columns=[name for name in ("split", "label", "finder", "error") if name in types])
    shape: dict[str, object] = {
        "rows": len(table),
        "columns": dict(zip(_names(types, known), types.values(), strict=True)),
    }
    for name in ("split", "finder", "action"):
        if name in table:
            shape[f"rows_by_{name}"] = _counts(table[name], known)
    if {"split", "label"} <= set(table):
        labelled = table[table["label"] != ""]
        classes = labelled.groupby("split")["label"].nunique()
        shape["classes"] = int(labelled["label"].nunique())
        shape["classes_by_split"] = {_word(split, known): int(count) for split, count in classes.items()}
    if "error" in table:
        shape["undecodable"] = int((table["error"] != "").sum())
    return shape


def _counts(values: Iterable[object], known: Collection[str]) -> dict[str, int]:
    return dict(Counter(_word(value, known) for value in values))


def _word(value: object, known: Collection[str]) -> str:
    """A name, if it is one of curate's own."""
    return str(value) if value in known else "(empty)" if value == "" else OTHER


def _names(values: Iterable[object], known: Collection[str]) -> list[str]:
    """As `_word` has them, and each another one."""
    return [
        f"{word} {number}" if word == OTHER else word for number, word in enumerate(_word(it, known) for it in values)
    ]


def _files(root: Path, known: Collection[str]) -> dict[str, dict[str, int]]:
    """Number and bytes of the files by what they are: of curate's own files, else by folder and suffix."""
    found: dict[str, dict[str, int]] = {}
    for folder, _, names in os.walk(root):
        inside = Path(folder).relative_to(root).parts
        place = "/".join(
            part if number == 0 and part in FOLDERS else _word(part, known) for number, part in enumerate(inside[:2])
        )
        for name in names:
            suffix = Path(name).suffix
            own = name if not inside and name in FILES else f"*{suffix if suffix in SUFFIXES else ''}"
            size = found.setdefault(f"{place}/{own}" if place else own, {"files": 0, "bytes": 0})
            size["files"] += 1
            size["bytes"] += (Path(folder) / name).lstat().st_size
    return found


def recipe(root: Path, known: Collection[str]) -> object:
    """The workspace's recipe, of its texts only curate's own words."""
    import yaml

    path = root / "recipe.yaml"
    if not path.exists():
        return "none: the default one"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    shown = {key: _redacted(value, known) for key, value in content.items() if key in known and key != "classes"}
    return shown | ({"classes": f"{len(content['classes'])} renamed"} if content.get("classes") else {})


def _redacted(value: object, known: Collection[str]) -> object:
    """Numbers, yes and no, and curate's own words as they are; all other texts left out."""
    if isinstance(value, Mapping):
        return {name: _redacted(each, known) for name, each in zip(_names(value, known), value.values(), strict=True)}
    if isinstance(value, list):
        return [_redacted(each, known) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else _word(value, known)


def ledger(root: Path, known: Collection[str]) -> list[dict[str, object]]:
    """Which verb was run when, with which options, and what it wrote."""
    from curate.workspace import Workspace

    return [
        {
            "version": entry.version,
            "at": entry.at if re.fullmatch(r"[\d:TZ-]+", entry.at) else OTHER,
            "curate": entry.curate if VERSION.fullmatch(entry.curate) else OTHER,
            "verb": " ".join(_word(part, known) for part in entry.command.split()),
            "options": [_word(name, known) for name in entry.arguments],
            "wrote": [name for name in entry.writes if name in FILES],
        }
        for entry in Workspace(root).ledger()
    ]
