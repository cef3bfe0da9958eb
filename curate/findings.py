"""Findings: what looks wrong with which image, how sure, says which finder. A table, and how finders fill it."""

import sys
from collections.abc import Callable, Collection, Mapping

import numpy as np
import pandas as pd

from curate import finders, registry, signals
from curate.errors import UserError, known
from curate.evidence import PREDICTED, Evidence, wanted
from curate.files import json_hash
from curate.measure import Measure, is_per_image

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
    for name in only or []:
        if name not in found:
            raise known("finder", name, list(found))
    if only:
        return {name: found[name] for name in sorted(set(only))}
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
    versions of it and of the signals that it asks for."""
    found = registry.functions(signals)
    told = {}
    for name, function in chosen.items():
        asks = sorted(wanted([function]) & set(found))
        versions = [registry.version(function), *([need, registry.version(found[need])] for need in asks)]
        own = registry.settings(function) | dict(settings.get(name, {}))
        told[name] = json_hash([versions, own], size=4)
    return told


def check_settings(settings: Settings) -> None:
    """Refuse settings of a finder or a name that does not exist, and values of another type than the default's."""
    found = registry.functions(finders)
    for finder, values in settings.items():
        if finder not in found:
            raise known("finder", finder, list(found))
        defaults = registry.settings(found[finder])
        for name, value in values.items():
            if name not in defaults:
                raise known(f"setting of {finder}", name, list(defaults))
            default = defaults[name]
            fits = isinstance(value, type(default)) or (isinstance(default, float) and isinstance(value, int))
            if isinstance(value, bool) != isinstance(default, bool) or not fits:
                raise UserError(f"{finder}.{name} must be like its default {default!r}, not {value!r}")
            if isinstance(value, int | float) and not 0 <= value <= sys.float_info.max:
                raise UserError(f"{finder}.{name} must be a number from 0, not {value!r}")


def scan(evidence: Evidence, chosen: Mapping[str, Callable], settings: Settings) -> pd.DataFrame:
    """Run the chosen finders over the manifest: a row for each image that a finder has something to say about.

    Rows with score 1 are left out: they say nothing. Sorted by finder, worst first.
    """
    check_settings(settings)
    per_image = [
        Measure(function, tuple(sorted(settings.get(name, {}).items())))
        for name, function in chosen.items()
        if is_per_image(function)
    ]
    evidence.prepare([function for function in chosen.values() if not is_per_image(function)])
    scores = evidence.measure(per_image)
    tables = []
    for name, function in chosen.items():
        if name in scores:
            result: object = scores[name]
        else:
            result = function(*[evidence.get(need) for need in registry.needs(function)], **settings.get(name, {}))
        tables.append(_as_findings(name, result, evidence.manifest))
    return pd.concat(tables, ignore_index=True) if tables else empty()


def _as_findings(finder: str, result: object, manifest: pd.DataFrame) -> pd.DataFrame:
    """A finder's scores, shape (N,) with NaN for "nothing to say", or its table with a `row` column, as findings."""
    if isinstance(result, pd.DataFrame):
        table = result
    else:
        scores = np.asarray(result, np.float32)
        assert scores.shape == (len(manifest),), f"{finder} gave {scores.shape} scores for {len(manifest)} images"
        table = pd.DataFrame({"row": np.arange(len(scores)), "score": scores})
    table = table[table["score"].notna() & (table["score"] < 1)].copy()
    if "flagged" not in table:
        table["flagged"] = table["score"] < FLAG_BELOW
    table["image_id"] = manifest["image_id"].to_numpy()[table["row"].to_numpy(dtype=np.int64)]
    table["finder"] = finder
    for name, default in DEFAULTS.items():
        if name not in table:
            table[name] = default
    table = table[list(COLUMNS)].astype(COLUMNS)
    return table.sort_values(["score", "image_id"], ignore_index=True)
