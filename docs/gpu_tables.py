"""What `make bench-gpu` measured, beside what there is to reach: `docs/benchmarks/gpu-*.json` as Markdown."""

from collections.abc import Callable, Mapping
from typing import Any

from outdated import outdated

from tests.benchmarks.gpu.checks import CHECKS

Figures = Mapping[str, Any]
"""Part -> what it measured, as it stands in the JSON."""
Table = Callable[[list[str], list[list[str]]], str]
PREFIX = "gpu-"
NOT_YET = "not measured yet"
IN_THE_README = ("airbench94", "folds", "best")
LEFT_OUT = ("settings", "seen", "where", "table", "claims", "note", "view", "n")
"""Of a part: what the JSON alone has, or what its own table shows."""


def checks(table: Table) -> str:
    """The checks in their order, for people who are about to run them."""
    rows = [[f"`{name}`", check.question, check.data, str(check.limit)] for name, check in CHECKS.items()]
    return table(["check", "answers", "on", "at most, s"], rows)


def section(results: Mapping[str, Figures], table: Table) -> str:
    """What there is to reach and what was measured, a row per check; then the figures of each that was measured."""
    rows = [
        [f"`{name}`: {check.question}", check.to_reach, measured(name, results.get(f"{PREFIX}{name}"))]
        for name, check in CHECKS.items()
    ]
    parts = [
        "## On a GPU",
        "How to run these: [on a GPU](gpu.md). One network each where no n is given.",
        table(["check", "to reach", "measured"], rows),
    ]
    for name in CHECKS:
        if result := results.get(f"{PREFIX}{name}"):
            parts += [f"### {name}", *details(result["figures"], table), about(result)]
    return "\n\n".join(parts)


def headline(results: Mapping[str, Figures]) -> str:
    """For the README: what was measured, in a line; empty where nothing was."""
    found = [(name, results[f"{PREFIX}{name}"]) for name in IN_THE_README if f"{PREFIX}{name}" in results]
    told = [f"{CHECKS[name].question.capitalize()} {measured(name, result)}" for name, result in found]
    return ". ".join(told) + f" ({found[0][1]['device']})" if told else ""


def measured(name: str, result: Figures | None) -> str:
    """The answer to a check's question, in words."""
    if result is None:
        return NOT_YET
    answer = ANSWERS[name](result["figures"]) if name in ANSWERS else "see below"
    unfinished = "" if result["complete"] else "; stopped before its end"
    return (answer or "no part was finished") + unfinished


def about(result: Figures) -> str:
    """Under which circumstances."""
    return (
        f"`{result['command']}`, {result['date']}, commit {result['commit'] or 'unknown'}, {result['seconds']:.0f} s. "
        f"{result['what']}. {result['hardware']}."
        + (f" **To be renewed: {mark}.**" if (mark := outdated(result)) else "")
    )


def details(figures: Figures, table: Table) -> list[str]:
    """A row per part and a column per figure; under it tables of their own, claims, and what was not available."""
    rows = {part: shown for part, values in figures.items() if (shown := cells(values))}
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    blocks = []
    if rows:
        header = ["", *(name.replace("_", " ") for name in columns)]
        blocks.append(table(header, [[part, *(row.get(name, "") for name in columns)] for part, row in rows.items()]))
    for values in figures.values():
        if values.get("table"):
            blocks.append(own_table(values["table"], table))
        if values.get("claims"):
            claims = [[each["says"], each["ours"], yes(each["as_in_the_paper"])] for each in values["claims"]]
            blocks.append(table(["claim", "here", "as in the paper"], claims))
    refused = [f"* {part}: {values['not_available']}" for part, values in figures.items() if "not_available" in values]
    return [*blocks, "\n".join(["Not available:", "", *refused])] if refused else blocks


def cells(values: Figures) -> dict[str, str]:
    """The figures of a part as text, by name."""
    shown = {name: cell(name, value) for name, value in values.items() if name not in (*LEFT_OUT, "not_available")}
    return {name: text for name, text in shown.items() if text}


def own_table(rows: list[Figures], table: Table) -> str:
    """A table that an experiment made; columns without a value are left out."""
    columns = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    body = [["" if row[name] is None else number(row[name]) for name in columns] for row in rows]
    return table([name.replace("_", " ") for name in columns], body)


def cell(name: str, value: object, unit: str = "") -> str:
    """A figure: accuracies in per cent, repeated ones with their spread and n."""
    scale, unit = (100, " %") if "accuracy" in name or name == "target" else (1, unit)
    if isinstance(value, Mapping):
        if "n" not in value:
            return ", ".join(f"{key} {cell(key, item)}" for key, item in value.items())
        middle = value["median"] if "median" in value else value["mean"]
        several = value["n"] > 1
        around = f"{number(scale * value['min'], unit)} to {number(scale * value['max'], unit)}, " if several else ""
        return f"{number(scale * middle, unit)} ({around}n = {value['n']})"
    if isinstance(value, bool):
        return yes(value)
    return number(scale * value, unit) if isinstance(value, int | float) else str(value)


def number(value: object, unit: str = "") -> str:
    """Two decimals with a unit, three digits without, thousands with commas."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if unit:
        return f"{value:,.2f}{unit}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def yes(value: bool) -> str:
    return "yes" if value else "no"


def parity(figures: Figures) -> str:
    """The largest difference, and the waits."""
    probabilities = [values["fp32"] for part, values in figures.items() if part.startswith("probabilities")]
    waits = [
        f"{part.partition(', ')[2]} {number(values['waits_an_epoch'])}"
        for part, values in figures.items()
        if part.startswith("waiting")
    ]
    if not probabilities:
        return ""
    differs = f"fp32 differs by {number(max(probabilities))} at most ({len(probabilities)} networks)"
    return f"{differs}; waits an epoch: {', '.join(waits)}" if waits else differs


def neighbors(figures: Figures) -> str:
    """Seconds for the nearest of each, and beside faiss."""
    told = []
    for values in figures.values():
        if "neighbours" in values:
            told.append(
                f"{cell('seconds', values['seconds'], ' s')} for {values['neighbours']} neighbours in "
                f"{values['dimensions']} dimensions"
            )
        if "times_as_fast" in values:
            told.append(f"{number(values['times_as_fast'])} times as fast as faiss-cpu")
    return "; ".join(told)


def airbench(figures: Figures) -> str:
    """The peer's accuracy and seconds, then ours to that accuracy."""
    theirs = next((values for part, values in figures.items() if part.endswith(".py")), None)
    if theirs is None:
        return ""
    uncompiled = "" if theirs["compiled"] else ", not compiled"
    told = f"peer: {cell('accuracy', theirs['accuracy'])}; {cell('seconds', theirs['seconds'], ' s')}{uncompiled}"
    ours = {part: values for part, values in figures.items() if values.get("reaches")}
    if not ours:
        return f"{told}; none of our settings tried so far reaches that"
    part, values = next(iter(ours.items()))
    compiled = [values for name, values in figures.items() if name.startswith("the one") and "seconds" in values]
    fastest = min([values, *compiled], key=lambda each: each["seconds_with_views"]["mean"])
    ratio = fastest["seconds_with_views"]["mean"] / theirs["seconds"]["mean"]
    return (
        f"{told}. Ours, {part}: {cell('accuracy', values['accuracy_multi_crop'])}; "
        f"{cell('seconds', fastest['seconds_with_views'], ' s')}: {ratio:.2f} times as long"
    )


def folds(figures: Figures) -> str:
    """The fastest with 92 %, otherwise the most accurate."""
    found = {part: values for part, values in figures.items() if "wall_seconds" in values}
    if not found:
        return ""
    enough = [part for part in found if found[part]["fold_accuracy"]["mean"] >= 0.92]
    part = (
        min(enough, key=lambda each: found[each]["wall_seconds"])
        if enough
        else max(found, key=lambda each: found[each]["fold_accuracy"]["mean"])
    )
    seconds, accuracy = found[part]["wall_seconds"], found[part]["fold_accuracy"]["mean"]
    return f"{number(seconds)} s, compiling included, at {number(100 * accuracy, ' %')}: {part}"


def to_93(figures: Figures) -> str:
    """Each setting that reaches it; otherwise how close."""
    reached = [f"{part}: {number(values['seconds']['mean'])} s" for part, values in figures.items() if reaches(values)]
    return "; ".join(reached) or closest(figures, "accuracy_flip")


def reaches(values: Figures) -> bool:
    return bool(values.get("reaches"))


def closest(figures: Figures, view: str) -> str:
    """The most accurate part in a view."""
    found = {part: values[view] for part, values in figures.items() if view in values}
    middle = {part: value["mean"] if isinstance(value, Mapping) else value for part, value in found.items()}
    if not middle:
        return ""
    part = max(middle, key=lambda each: middle[each])
    return f"not reached; {number(100 * middle[part], ' %')}: {part}"


def epoch_seconds(figures: Figures) -> str:
    """The fastest way of an epoch, and what it is of the slowest."""
    found = {
        part: values["seconds_an_epoch"]["median"] for part, values in figures.items() if "seconds_an_epoch" in values
    }
    if not found:
        return ""
    fastest, slowest = min(found, key=lambda each: found[each]), max(found, key=lambda each: found[each])
    return f"{number(found[fastest])} s: {fastest}; slowest {number(found[slowest])} s: {slowest}"


def many_networks(figures: Figures) -> str:
    """For each network the fastest way, against one after the other."""
    told = []
    rates = {
        tuple(part.rsplit(", ", 1)): values["images_a_second"]["median"]
        for part, values in figures.items()
        if "images_a_second" in values
    }
    for what in dict.fromkeys(what for what, _ in rates):
        own = {way: rate for (each, way), rate in rates.items() if each == what}
        way = max(own, key=lambda each: own[each])
        if "in turn" in own:
            told.append(f"{what}: {way}, {number(own[way] / own['in turn'])} times as fast as in turn")
    return "; ".join(told)


def most_accurate(figures: Figures) -> str:
    """The most accurate network in a single view, and its other views."""
    found = {part: values for part, values in figures.items() if "accuracy" in values}
    if not found:
        return ""
    part = max(found, key=lambda each: found[each]["accuracy"])
    single, flip, crop = (
        number(100 * found[part][view], " %") for view in ("accuracy", "accuracy_flip", "accuracy_multi_crop")
    )
    return f"{single} single view, {flip} with mirror image, {crop} over shifted views: {part}"


def paper(figures: Figures) -> str:
    """How many claims came out, after how many epochs."""
    values = figures.get("result", {})
    if "claims" not in values:
        return str(values.get("not_available", ""))
    right = sum(claim["as_in_the_paper"] for claim in values["claims"])
    return (
        f"{right} of {len(values['claims'])} claims, after {values['epochs']} of the paper's "
        f"{values['paper_epochs']} epochs, n = {values['seeds']}"
    )


def wrong_labels(figures: Figures) -> str:
    """F1 per set of labels, and the seconds it took."""
    return "; ".join(
        f"`{column}` F1 {found['f1']:.3f} (cleanlab `{found['best_cleanlab']}` {found['best_cleanlab_f1']:.3f}), "
        f"{found['predict_seconds']:.0f} s"
        for column, found in figures.items()
    )


def augmentation(figures: Figures) -> str:
    """The best rate of each pipeline, beside Kornia's and what reading and writing alone would allow."""
    told = []
    for name in dict.fromkeys(part.rpartition(", ")[0] for part in figures):
        rates = {
            part.rpartition(", ")[2]: values["images_per_second"]
            for part, values in figures.items()
            if part.rpartition(", ")[0] == name and "images_per_second" in values
        }
        ours = {way: rates[way] for way in ("eager", "compiled", "CUDA graph") if way in rates}
        if not ours:
            continue
        way = max(ours, key=lambda each: ours[each])
        beside = [
            f"{ours[way] / rates[each]:.1f} times {each}" for each in ("Kornia", "Kornia compiled") if each in rates
        ]
        floor = [f"{rates['floor'] / ours[way]:.1f} times the floor's time"] if "floor" in rates else []
        told.append(", ".join([f"{name}: {ours[way] / 1e6:.1f} million images a second ({way})", *beside, *floor]))
    return "; ".join(told)


def curation(figures: Figures) -> str:
    """The difference and the share of the gap, per set of labels."""
    return "; ".join(
        f"{part}: {values['curated minus raw']}"
        + ("" if values["gap_closed"] is None else f", {values['gap_closed']:.2f} of the way")
        + f" (n = {values['n']})"
        for part, values in figures.items()
    )


ANSWERS: dict[str, Callable[[Figures], str]] = {
    "parity": parity,
    "augmentation": augmentation,
    "neighbors": neighbors,
    "airbench94": airbench,
    "airbench96": airbench,
    "folds": folds,
    "label_errors": wrong_labels,
    "curation": curation,
    "to_93": to_93,
    "epoch_seconds": epoch_seconds,
    "many_networks": many_networks,
    "best": most_accurate,
    "imagenette": most_accurate,
    "degradation": paper,
    "identity_mappings": paper,
}
"""Check -> its figures in a line; one without an entry has its table alone."""
