"""Runs as a table, a row each: filtered and sorted by a column, or by a setting of training."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

from curate import wording
from curate.errors import UserError, known
from curate.results.runs import Data, Run
from curate.results.side_by_side import NOT_OF_THE_DATA

LEFT_OUT = ("model", "epochs", "steps", *NOT_OF_THE_DATA)
"""Settings that columns say already, or that matter little."""
SHARES = (
    *("accuracy", "accuracy_half_width", "accuracy_flip", "accuracy_multi_crop"),
    *("leak_free", "leak_free_half_width", "calibration_error"),
)
"""Columns whose values lie between 0 and 1."""
CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*")


@dataclass(frozen=True)
class Row:
    """A run as it is listed. Accuracies, their half widths (95 %) and the calibration error are shares, 0 to 1."""

    name: str
    data: Data
    model: str
    epochs: float
    seeds: int
    images: int
    """That were trained on."""
    test_images: int
    accuracy: float | None
    accuracy_half_width: float | None
    accuracy_by_seed: dict[int, float]
    accuracy_flip: float | None
    accuracy_multi_crop: float | None
    leak_free: float | None
    leak_free_half_width: float | None
    leak_free_images: int | None
    calibration_error: float
    seconds: float
    hardware: str
    at: str
    data_hash: str
    config: dict[str, object]


def row(run: Run) -> Row:
    """A run's row."""
    means = {name: score.mean for name, score in run.scores.items()}
    spreads = {name: score.half_width for name, score in run.scores.items()}
    single = run.scores.get("accuracy")
    return Row(
        name=run.name,
        data=run.data,
        model=str(run.config.get("model", "")),
        epochs=run.epochs,
        seeds=len(run.seeds),
        images=run.train_images,
        test_images=run.eval_images,
        accuracy=means.get("accuracy"),
        accuracy_half_width=spreads.get("accuracy"),
        accuracy_by_seed=dict(zip(run.seeds, single.values, strict=True)) if single else {},
        accuracy_flip=means.get("accuracy_flip"),
        accuracy_multi_crop=means.get("accuracy_multi_crop"),
        leak_free=means.get("accuracy_leak_free"),
        leak_free_half_width=spreads.get("accuracy_leak_free"),
        leak_free_images=run.leak_free_images,
        calibration_error=run.calibration_error.mean,
        seconds=run.seconds,
        hardware=run.hardware,
        at=run.at,
        data_hash=run.data_hash,
        config=run.config,
    )


def rows(runs: Sequence[Run], *, conditions: Sequence[str] = (), sort: str | None = None) -> list[Row]:
    """The rows that keep all conditions, in the order of the runs or sorted.

    conditions: such as `data=curated`, `epochs>=5`, `accuracy>95%`, of columns and of settings. sort: the name of
    one, ascending, or with a `-` before it descending; runs without a value come last. Raises `UserError` for names
    that no run has.
    """
    found = [row(run) for run in runs]
    names = _names(found)
    for condition in conditions:
        name, sign, wanted = _parse(condition, names)
        found = [item for item in found if _holds(_value(item, name), sign, wanted, name, condition)]
    if sort is None:
        return found
    by = _known(sort.removeprefix("-"), names)
    having = [item for item in found if _value(item, by) is not None]
    having.sort(key=lambda item: _order(_value(item, by)), reverse=sort.startswith("-"))
    return having + [item for item in found if _value(item, by) is None]


def for_people(listed: Sequence[Row]) -> list[dict[str, str]]:
    """The columns that fit a terminal, accuracies in per cent with half of their 95 % interval; where settings differ,
    a column with those that do."""
    settings = differing(listed)
    return [
        {
            "name": item.name,
            "data": item.data,
            "accuracy": _percent(item.accuracy, item.accuracy_half_width),
            "leak_free": _percent(item.leak_free, item.leak_free_half_width),
            "seeds": str(item.seeds),
            "images": wording.count(item.images),
            "epochs": f"{item.epochs:.3g}",
            "model": item.model,
            "seconds": wording.count(item.seconds),
            "at": wording.moment(item.at),
        }
        | ({"settings": settings[number]} if any(settings) else {})
        for number, item in enumerate(listed)
    ]


def differing(listed: Sequence[Row]) -> list[str]:
    """Per row the settings in which the rows differ, such as `lr=0.4, pad=2`, without `LEFT_OUT`."""
    names = sorted({name for item in listed for name in item.config} - {*LEFT_OUT})
    unlike = [name for name in names if any(item.config.get(name) != listed[0].config.get(name) for item in listed)]
    return [", ".join(f"{name}={_short(item.config.get(name))}" for name in unlike) for item in listed]


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _names(listed: Sequence[Row]) -> list[str]:
    columns = [each.name for each in fields(Row) if each.name not in ("config", "accuracy_by_seed")]
    return columns + sorted({name for item in listed for name in item.config} - {*columns})


def _known(name: str, names: Sequence[str]) -> str:
    if name not in names:
        raise known("column or setting", name, list(names))
    return name


def _parse(condition: str, names: Sequence[str]) -> tuple[str, str, str]:
    parts = CONDITION.fullmatch(condition)
    if not parts:
        raise UserError(f"--filter {condition!r} must be NAME=VALUE, or have one of != < <= > >= in place of the =")
    return _known(parts[1], names), parts[2], parts[3]


def _value(item: Row, name: str) -> object:
    """A column's value, or a setting's; None where there is none."""
    value = getattr(item, name) if name in _COLUMNS else item.config.get(name)
    return None if isinstance(value, float) and math.isnan(value) else value


_COLUMNS = {each.name for each in fields(Row)}


def _order(value: object) -> tuple[int, float, str]:
    """Numbers before texts."""
    return (0, float(value), "") if isinstance(value, int | float) else (1, 0.0, str(value))


def _holds(value: object, sign: str, wanted: str, name: str, condition: str) -> bool:
    """Whether `value sign wanted` is so; a run without a value is not, but for `!=` and for `=none`."""
    if value is None or wanted.lower() in ("none", "null"):
        same = value is None and wanted.lower() in ("none", "null", "")
        return {"=": same, "!=": not same}.get(sign, False)
    if isinstance(value, bool) or not isinstance(value, int | float):
        left, right = (0, 0.0, str(value).lower()), (0, 0.0, wanted.lower())
    else:
        left, right = _order(value), _order(_number(wanted, name, condition))
    return {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[sign]


def _number(text: str, name: str, condition: str) -> float:
    """`0.95` and `95%` as 0.95."""
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise UserError(f"--filter {condition!r}: {name} is a number, and {text!r} is none") from None
    if name in SHARES and number > 1:
        raise UserError(f"--filter {condition!r}: {name} lies between 0 and 1; write {number / 100:g} or {number:g}%")
    return number


def _percent(share: float | None, half_width: float | None) -> str:
    return "" if share is None else f"{wording.percent(share, half_width)} %"
