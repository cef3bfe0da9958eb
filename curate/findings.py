"""Findings: what looks wrong with which image, how sure, says which finder. A table, and how finders fill it."""

import sys
from collections.abc import Callable, Collection, Mapping

import numpy as np
import pandas as pd

from curate import finders, registry, signals
from curate.errors import UserError, known
from curate.evidence import PREDICTED, Evidence, wanted
from curate.files import json_hash
from curate.measure import A_SCORE, ROUNDING, Measure, are_scores

COLUMNS = {
    "image_id": "str",
    "finder": "str",
    "score": "float32",  # 1 fine … 0 certainly bad
    "flagged": "bool",
    "group": "int64",  # images of one group belong together; -1 for none
    "related_id": "str",  # image_id of the twin, for instance
    "suggested_label": "str",
    "suggested_prob": "float32",  # that the suggested label is right; 0 where the finder does not say
    "detail": "str",
}
FLAG_BELOW = 0.5
"""A finder that does not say itself what it flags, flags scores below this."""
DEFAULTS: dict[str, int | float | str] = {
    "group": -1,
    "related_id": "",
    "suggested_label": "",
    "suggested_prob": 0.0,
    "detail": "",
}

Settings = Mapping[str, Mapping[str, object]]
"""Finder name -> its settings."""


def empty() -> pd.DataFrame:
    """Findings without rows."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})


def complete(table: pd.DataFrame) -> pd.DataFrame:
    """Findings that an earlier version wrote, with the columns that came later."""
    later = {name: table[name].fillna(value) if name in table else value for name, value in DEFAULTS.items()}
    return table.assign(**later)[list(COLUMNS)].astype(COLUMNS)


def select(only: list[str] | None, have_predictions: bool) -> dict[str, Callable]:
    """The finders to run by name: those asked for, or all that can run with what there is and run unasked."""
    found = registry.functions(finders)
    if only:
        for name in only:
            if name not in found:
                raise registry.missing("finder", name, finders, list(found))
        return {name: found[name] for name in sorted(set(only))}
    if refused := registry.faults(finders):
        raise next(iter(refused.values()))
    usual = {name: function for name, function in found.items() if not registry.on_request(function)}
    return {name: function for name, function in usual.items() if have_predictions or not needs_predictions(function)}


def merged(
    earlier: pd.DataFrame, table: pd.DataFrame, chosen: Collection[str], manifest: pd.DataFrame, *, only: bool
) -> pd.DataFrame:
    """The findings of a scan of the `chosen` finders, and the earlier ones that it leaves, of images that are still
    there. only: whether it is of these alone, so that those of all others stay; else those of finders on request do.
    """
    stay = {name for name, function in registry.functions(finders).items() if registry.on_request(function)}
    others = ~earlier["finder"].isin(chosen) & (earlier["finder"].isin(stay) | only)
    left = earlier[others & earlier["image_id"].isin(manifest["image_id"])]
    return complete(pd.concat([left, table], ignore_index=True))


def needs_predictions(function: Callable) -> bool:
    """Whether the finder can only run after `curate predict`."""
    return bool(set(PREDICTED) & wanted([function]))


def ran_as(chosen: Mapping[str, Callable], settings: Settings) -> dict[str, str]:
    """Finder -> a hash of what decides what it finds, besides the images: its settings, defaults included, and the
    versions of it and of the signals that it asks for.

    settings: the recipe's. What `scan --set` changed for once is left out: who looked otherwise has looked.
    """
    found = registry.functions(signals)
    told = {}
    for name, function in chosen.items():
        asks = sorted(wanted([function]) & set(found))
        versions = [registry.version(function), *([need, registry.version(found[need])] for need in asks)]
        own = registry.settings(function) | dict(settings.get(name, {}))
        told[name] = json_hash([versions, own], size=4)
    return told


def check_settings(settings: Settings, where: str = "") -> None:
    """Refuse settings of a finder or a name that does not exist, and values that are not like the default.

    A default of None takes whatever is given; a list or tuple takes lists of such values as it holds, of any length; a
    number below 0 takes numbers below 0, too. where: the file that says so.
    """
    found = registry.functions(finders)
    for finder, values in settings.items():
        if finder not in found:
            error = registry.missing("finder", finder, finders, list(found))
            raise UserError(f"{where}: {error}") if where else error
        defaults = registry.settings(found[finder])
        for name, value in values.items():
            if name not in defaults:
                raise known(f"setting of {finder}", name, list(defaults))
            _check_setting(f"{finder}.{name}", value, defaults[name])


def _check_setting(name: str, value: object, default: object) -> None:
    """See `check_settings`."""
    if default is None:
        return
    if isinstance(default, list | tuple) and isinstance(value, list | tuple):
        for each in value:
            _check_setting(name, each, next((it for it in default if _is_like(each, it)), default))
        return
    if not _is_like(value, default):
        raise UserError(f"{name} must be like its default {default!r}, not {value!r}")
    below = isinstance(default, int | float) and default < 0
    if isinstance(value, int | float) and not (-sys.float_info.max if below else 0) <= value <= sys.float_info.max:
        raise UserError(f"{name} must be a number{'' if below else ' from 0'}, not {value!r}")


def _is_like(value: object, default: object) -> bool:
    fits = isinstance(value, type(default)) or (isinstance(default, float) and isinstance(value, int))
    return fits and isinstance(value, bool) == isinstance(default, bool)


def scan(evidence: Evidence, chosen: Mapping[str, Callable], settings: Settings) -> pd.DataFrame:
    """Run the chosen finders over the manifest: a row for each image that a finder has something to say about.

    Rows with score 1 are left out: they say nothing. Sorted by finder, worst first.
    """
    check_settings(settings)
    per_image = [
        Measure(function, tuple(sorted(settings.get(name, {}).items())), is_score=True)
        for name, function in chosen.items()
        if registry.is_per_image(function)
    ]
    scores = evidence.prepare(
        [function for function in chosen.values() if not registry.is_per_image(function)], per_image
    )
    tables = []
    for name, function in chosen.items():
        if name in scores:
            result: object = scores[name]
        else:
            needs = [evidence.get(need) for need in registry.needs(function)]
            with registry.Blaming("finder", name, function):
                result = function(*needs, **settings.get(name, {}))
        tables.append(_as_findings(name, registry.called("finder", name, function), result, evidence.manifest))
    return pd.concat(tables, ignore_index=True) if tables else empty()


def _as_findings(finder: str, called: str, result: object, manifest: pd.DataFrame) -> pd.DataFrame:
    """A finder's scores, shape (N,) with NaN for "nothing to say", or its table with a `row` column, as findings.

    called: the finder, in errors. Raises `UserError` for what is neither.
    """
    if isinstance(result, pd.DataFrame):
        table = _checked(called, result, len(manifest))
    else:
        table = pd.DataFrame({"row": np.arange(len(manifest)), "score": _scores(called, result, (len(manifest),))})
    table = table[table["score"] < 1].copy()
    flagged = table["score"] < FLAG_BELOW
    table["flagged"] = table["flagged"].where(table["flagged"].notna(), flagged) if "flagged" in table else flagged
    table["image_id"] = manifest["image_id"].to_numpy()[table["row"].to_numpy(dtype=np.int64)]
    table["finder"] = finder
    return complete(table).sort_values(["score", "image_id"], ignore_index=True)


def _scores(called: str, result: object, shape: tuple[int, ...]) -> np.ndarray:
    """Shape (N,), float32, from 0 to 1 and NaN. Raises `UserError` for others, and for another number of them."""
    try:
        with np.errstate(over="ignore"):
            if np.asarray(result).dtype.kind == "c":
                raise TypeError
            scores = np.asarray(result, np.float32)
    except (TypeError, ValueError):
        raise UserError(f"{called} gave {result!r:.80} as scores; a score is {A_SCORE}") from None
    if scores.shape != shape:
        raise UserError(f"{called} gave scores of shape {scores.shape} for {shape[0]} images; give one of each")
    if not (fine := are_scores(scores)).all():
        raise UserError(f"{called} gave the score {scores[~fine][0]:g}; a score is {A_SCORE}")
    return scores.clip(0, 1)


def _checked(called: str, table: pd.DataFrame, images: int) -> pd.DataFrame:
    """The table of a finder, without the rows that have no score. Raises `UserError` for what is no such table."""
    for name in ("row", "score"):
        if name not in table:
            raise UserError(f"{called} gave a table without the column {name!r}; it has to have row and score")
    optional = [name for name in COLUMNS if name in DEFAULTS or name == "flagged"]
    for name in table.columns:
        if name not in ("row", "score", *optional):
            raise UserError(f"{called}: {known('column', str(name), ['row', 'score', *optional])}")
    table = table.assign(score=_scores(called, table["score"], (len(table),)))
    table = table[table["score"].notna()]
    rows = table["row"]
    if (strange := ~_whole(rows) | ~pd.to_numeric(rows, errors="coerce").between(0, images - 1)).any():
        raise UserError(f"{called} gave the row {rows[strange].to_list()[0]!r}; there are 0 to {images - 1}")
    if (twice := rows.duplicated()).any():
        raise UserError(f"{called} gave row {rows[twice].iloc[0]} twice; give one finding of an image")
    for name in optional:
        if name in table:
            given = table[name][table[name].notna()]
            kind, fits = _FITS[COLUMNS[name]]
            if (strange := ~fits(given)).any():
                raise UserError(f"{called} gave {given[strange].to_list()[0]!r} as {name}; it has to be {kind}")
    return table


def _whole(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values, errors="coerce") % 1 == 0


_FITS: dict[str, tuple[str, Callable[[pd.Series], pd.Series]]] = {
    "bool": ("true or false", lambda values: values.isin([True, False])),
    "int64": ("a whole number", _whole),
    "str": ("a text", lambda values: values.map(lambda each: isinstance(each, str)).astype(bool)),
    "float32": ("from 0 to 1", lambda values: pd.to_numeric(values, errors="coerce").between(0, 1 + ROUNDING)),
}
"""Type of a column -> what a value that is given has to be, in words and as a test."""
