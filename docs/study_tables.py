"""The study's tables: `docs/benchmarks/study_*.json` as Markdown for `docs/study.md`, and in a line for the README."""

from collections.abc import Callable, Mapping
from typing import Any

from outdated import outdated

from curate import registry
from curate.finders import pseudo_label
from curate.wording import percent, signed, spread

Figures = Mapping[str, Any]
Table = Callable[[list[str], list[list[str]]], str]
SETS = {
    "worse": "CIFAR-10N `worse`",
    "aggre": "CIFAR-10N `aggre`",
    "clean": "CIFAR-10, true labels",
    "imagenette": "Imagenette, true labels",
    "digits": "digits, true labels",
    "long-tail": "CIFAR-10, long tail, true labels",
}
ARMS = {
    "raw": "labels as given",
    "random": "as many dropped at random",
    "cleanlab": "cleanlab's default filter, dropped",
    "drop": "ours, dropped alone",
    "curated": "ours, dropped and relabelled",
    "clean": "true labels",
}
QUESTIONS = {
    "curated": "curated - raw",
    "drop": "dropped alone - raw",
    "relabel": "relabelled - dropped",
    "cleanlab": "cleanlab - raw",
    "against cleanlab": "curated - cleanlab",
    "random": "random - raw",
    "clean": "true labels - raw",
}
NOT_YET = "Not measured yet."


def pages(results: Mapping[str, Figures], table: Table) -> dict[str, str]:
    """Name of each generated part of `docs/study.md` -> its text."""
    parts = {}
    for name, section in SECTIONS.items():
        found = [results[file] for file in (name, f"{name}_gpu") if file in results]
        parts[name] = "\n\n".join(f"{section(one['figures'], table)}\n\n{about(one)}" for one in found) or NOT_YET
    return parts


def about(result: Figures) -> str:
    """Under which circumstances."""
    return (
        f"{result['what']}. `{result['command']}`, {result['date']}, commit {result['commit'] or 'unknown'}. "
        f"{result['hardware']}." + (f" **To be renewed: {mark}.**" if (mark := outdated(result)) else "")
    )


def is_study(name: str) -> bool:
    """Whether a JSON is shown in `docs/study.md`."""
    return name.removesuffix("_gpu") in SECTIONS


def headlines(results: Mapping[str, Figures]) -> list[tuple[str, str, Figures]]:
    """Rows of the README's table, and what each is from."""
    return [
        (
            f"[{title}](docs/study.md#{title.lower().replace(' ', '-')})",
            headline(results[name]["figures"]),
            results[name],
        )
        for name, (title, headline) in HEADLINES.items()
        if name in results
    ]


def labels(figures: Figures, table: Table) -> str:
    """Accuracy of every arm, then every difference, a column per set."""
    names = [SETS.get(name) or planted(name) for name in figures]
    accuracy = [[told, *[_arm(found, arm) for found in figures.values()]] for arm, told in ARMS.items()]
    right = [
        [f"{told}: right labels, %", *[_right(found, arm) for found in figures.values()]]
        for arm, told in ARMS.items()
        if arm in ("raw", "cleanlab", "drop", "curated")
    ]
    differences = [
        [told, *[_compared(found, question) for found in figures.values()]] for question, told in QUESTIONS.items()
    ]
    closed = [
        "share of the way from raw to true labels",
        *["" if found["gap_closed"] is None else f"{found['gap_closed']:.2f}" for found in figures.values()],
    ]
    seeds = ["seeds", *[str(len(found["arms"][0]["seeds"])) for found in figures.values()]]
    return "\n\n".join(
        [
            "Accuracy on the untouched test images, single view, per cent:",
            table(["trained on", *names], accuracy + right),
            "Differences in points, paired by seed, 95 % intervals (Student t over the seeds):",
            table(["", *names], [*differences, closed, seeds]),
        ]
    )


def planted(name: str) -> str:
    """`imagenette-0.25-class` in words."""
    set_name = max((known for known in SETS if name.startswith(f"{known}-")), key=len)
    share, _, kind = name.removeprefix(f"{set_name}-").partition("-")
    where = SETS[set_name].removesuffix(", true labels")
    return f"{where}, {100 * float(share):g} % planted" + (f" ({kind})" if kind else "")


def _arm(found: Figures, name: str) -> str:
    arms = {arm["name"]: arm for arm in found["arms"]}
    return _score(arms[name]["accuracy"]) if name in arms else "as given" if name == "clean" else ""


def _right(found: Figures, name: str) -> str:
    arms = {arm["name"]: arm for arm in found["arms"]}
    if name not in arms or arms[name]["right_labels"] is None:
        return ""
    return f"{100 * arms[name]['right_labels']:.1f} of {arms[name]['images']:,}"


def _compared(found: Figures, name: str) -> str:
    asked = {one["name"]: one["accuracy"] for one in found["compared"]}
    return _points(asked[name]) if name in asked else ""


def _score(score: Figures) -> str:
    return percent(score["mean"], score["half_width"])


def _points(difference: Figures) -> str:
    return spread(signed(difference["mean"]), difference["half_width"])


def labels_headline(figures: Figures) -> str:
    """Curated minus raw on each set."""
    told = []
    for name, found in figures.items():
        asked = {one["name"]: one["accuracy"] for one in found["compared"]}
        told.append(f"{SETS.get(name) or planted(name)} {_points(asked['curated'])}")
    return f"points of accuracy that the default policy is worth, nobody asked: {'; '.join(told)}"


def leaks(figures: Figures, table: Table) -> str:
    """Accuracy on the test images that leaks are about, and on the others."""
    names = {"raw": "as it came", "leak_free": "without its leaks", "planted": "with copies of test images"}
    groups = list(figures["images"])
    rows = [[names[arm], *[_score(scores[group]) for group in groups]] for arm, scores in figures["accuracy"].items()]
    header = ["trained on CIFAR-10", *[f"{group} ({figures['images'][group]:,} test images)" for group in groups]]
    differences = [[one["says"], _points(one["accuracy"])] for one in figures["compared"]]
    return f"{table(header, rows)}\n\n{table(['all test images', 'points'], differences)}"


def ladder(figures: Figures, table: Table) -> str:
    """A row per rung, on each set."""
    rows = []
    for name, rungs in figures.items():
        for rung, found in rungs.items():
            arms = {arm["name"]: arm for arm in found["arms"]}
            main = found["compared"][0]["accuracy"]
            rows.append(
                [
                    SETS.get(name) or planted(name),
                    f"{rung.replace('_', ' ')} (`{found['config']['model']}`)",
                    _score(arms["raw"]["accuracy"]),
                    _score(arms["curated"]["accuracy"]),
                    _points(main),
                    str(len(main["values"])),
                ]
            )
    return table(["labels", "rung", "raw, %", "curated, %", "difference", "seeds"], rows)


def selection(figures: Figures, table: Table) -> str:
    """Accuracy at each number of labels, and how many ours needs for that of chance, a table per scale and arm."""
    blocks = []
    for scale, arms in figures.items():
        for arm, found in arms.items():
            if not isinstance(found, Mapping) or "labels_needed_of_random" not in found:
                continue
            ours, chance = (_means(found["accuracy"][name]) for name in (arm, "random"))
            rows = [
                [
                    f"{labels:,}",
                    f"{100 * chance[at]:.2f}",
                    f"{100 * ours[at]:.2f}",
                    "" if not at else _points(found["difference"][at - 1]),
                    "" if not at else _ratio(found["labels_needed_of_random"][str(labels)]),
                ]
                for at, labels in enumerate(found["labels"])
            ]
            seeds = len(found["accuracy"]["random"])
            told = f"Scale `{scale}`, {ARMS_OF_SELECT.get(arm, arm)}, {seeds} seed{'s' if seeds > 1 else ''}:"
            header = ["labels", "random, %", "chosen, %", "points", "labels needed, as a share"]
            blocks += [told, table(header, rows)]
    return "\n\n".join(blocks)


ARMS_OF_SELECT = {
    "both": "as `curate select` chooses",
    "unsure": "by uncertainty alone",
    "coverage": "by coverage alone",
}


def _means(curves: list[list[float]]) -> list[float]:
    return [sum(column) / len(column) for column in zip(*curves, strict=True)]


def _ratio(share: float | None) -> str:
    return "not reached" if share is None else f"{share:.2f}"


def pseudo_labels(result: Figures, table: Table) -> str:
    """A row per set and number of labels, for `docs/adding.md`, with the least probability that is the default."""
    sure = registry.settings(pseudo_label.pseudo_label)["sure"]
    rows = [
        [
            SETS.get(name) or planted(name),
            f"{row['labels']:,} labels",
            f"{row['labelled']:,} of {row['pool']:,}",
            f"{100 * row['expected']:.1f} %",
            f"{100 * row['right']:.1f} %",
        ]
        for name, found in result["figures"].items()
        for row in found["rows"]
        if row["sure"] == sure
    ]
    header = ["trained on", "calibrated by", "labelled, of all", "expected right", "right"]
    return f"{table(header, rows)}\n\n{about(result)}"


def false(figures: Figures, table: Table) -> str:
    """How often a difference was claimed where there is none."""
    rows = [
        [
            told,
            f"{figures[f'{rule}_seeds']:.1f}",
            *[_share(figures[f"{rule}_{verdict}"]) for verdict in ("better", "worse")],
        ]
        for rule, told in (("fixed", "`--seeds 5`"), ("sequential", "until it is clear, 10 at most"))
    ]
    return f"{figures['n']} trials:\n\n" + table(["seeds", "on average", '"better"', '"worse"'], rows)


def _share(found: Figures) -> str:
    return f"{100 * found['share']:.0f} % ({100 * found['low']:.1f} to {100 * found['high']:.1f})"


SECTIONS: dict[str, Callable[[Figures, Table], str]] = {
    "study_labels": labels,
    "study_leaks": leaks,
    "study_ladder": ladder,
    "active_selection": selection,
    "prove_false": false,
}
"""Benchmark -> its part of the page."""
HEADLINES: dict[str, tuple[str, Callable[[Figures], str]]] = {"study_labels": ("Wrong labels", labels_headline)}
"""Benchmark -> its heading on the page, and its line in the README."""
