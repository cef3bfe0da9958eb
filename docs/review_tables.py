"""What was measured of the review: `docs/benchmarks/review_*.json` as Markdown, and in a line for the README."""

from collections.abc import Callable, Mapping
from typing import Any

Figures = Mapping[str, Any]
Table = Callable[[list[str], list[list[str]]], str]
STEPS = {
    "first": "command to App ready, with an empty database, s",
    "again": "the same with five decisions changed, s",
    "pictures": "until the first pictures of the view show in Chromium, s",
}
WAYS = {
    "cleanlab": "worst first by cleanlab's self-confidence",
    "single": "our queue, an image an answer",
    "grouped": "our queue, alike ones in one go",
}


def speed(figures: Figures, table: Table) -> str:
    """Seconds to open, and from a key to the decision that is kept."""
    rows = [
        [told, f"{figures[name]['median']:.1f}", f"{figures[name]['min']:.1f} to {figures[name]['max']:.1f}"]
        for name, told in STEPS.items()
        if name in figures
    ]
    page, peer = figures["sheet"], figures["peer"]
    for told, keys in (
        ("key to disk in the App, ms", figures["key_to_disk_ms"]),
        (f"key to kept on the page of {page['images']:,} images, ms", page["key_to_kept_ms"]),
    ):
        rows.append([told, f"{keys['median']:.0f}", f"95 % below {keys['95_percent']:.0f} (n = {keys['n']})"])
    rows.append(["writing that page, s", f"{page['writing']:.1f}", f"{page['megabytes']:.0f} MB"])
    rows.append(
        ["peer: the same samples by `add_samples`, s", f"{peer['whole']:.0f}", f"adding alone {peer['adding']:.0f}"]
    )
    return table(["", "median", "spread"], rows) + _phases(figures.get("phases", {}))


def _phases(phases: Figures) -> str:
    told = [
        f"{when}: {', '.join(f'{name} {seconds:.1f}' for name, seconds in parts.items())}"
        for when, parts in phases.items()
    ]
    return "\n\nSeconds by part; " + "; ".join(told) + "." if told else ""


def speed_headline(figures: Figures) -> str:
    keys, page = figures["key_to_disk_ms"], figures["sheet"]["key_to_kept_ms"]
    return (
        f"60,000 images with 8,000 findings in FiftyOne's App: {figures['first']['median']:.0f} s the first time, "
        f"{figures['again']['median']:.0f} s the second; a plain script with `add_samples` "
        f"{figures['peer_times_as_long']:.1f} times as long. A decision is on the disk {keys['median']:.0f} ms after "
        f"the key in the App, {page['median']:.0f} ms on the page (medians, two cores)"
    )


def kills(figures: Figures, table: Table) -> str:
    """Decisions that were acknowledged, and those that were lost."""
    rows = [
        [
            f"`{target}`, while deciding",
            *(f"{row[name]:.0f}" for name in ("trials", "acknowledged", "lost", "started_at_once")),
        ]
        for target, row in figures["app"].items()
    ]
    opening, page = figures["opening"], figures["sheet"]
    rows.append(
        [
            "command and mongod, while opening",
            *(f"{opening[name]:.0f}" for name in ("trials", "acknowledged", "lost", "started_at_once")),
        ]
    )
    rows.append(["the page's browser", *(f"{page[name]:.0f}" for name in ("trials", "acknowledged", "lost")), ""])
    return table(["killed", "trials", "decisions acknowledged", "lost", "started again at once"], rows)


def kills_headline(figures: Figures) -> str:
    parts = [*figures["app"].values(), figures["opening"], figures["sheet"]]
    trials, taken, lost = (int(sum(part[name] for part in parts)) for name in ("trials", "acknowledged", "lost"))
    return f"App, database, command or browser killed {trials} times: {lost} of {taken:,} decisions lost"


def worth(figures: Figures, table: Table) -> str:
    """What answers come to, by the way of asking."""
    rows = []
    for name, found in figures.items():
        for way, outcomes in found["ways"].items():
            rows += [
                [
                    f"`{name}`",
                    WAYS[way],
                    f"{row['answers']:,}",
                    f"{row['looked_at']:,}",
                    f"{100 * row['mended']:.1f} %",
                    f"{row['times_cleanlab']:.2f}",
                    f"{100 * row['left_wrong']:.2f} %",
                ]
                for row in outcomes
            ]
    header = [
        "labels",
        "asked",
        "answers",
        "images seen",
        "wrong labels mended",
        "times cleanlab's",
        "left wrong after the policy",
    ]
    told = [
        f"`{name}`: {found['wrong']:,} of {found['images']:,} labels wrong; the policy alone leaves "
        f"{100 * found['left_wrong_by_policy_alone']:.2f} % wrong; {found['asked']:,} labels are asked about in "
        f"{found['clusters']:,} groups. The suggestion is wrong for {100 * found['odd']['suggestion_wrong']:.0f} % of "
        f"those marked odd, and for {100 * found['odd']['others_suggestion_wrong']:.0f} % of the others."
        for name, found in figures.items()
    ]
    return "\n\n".join([table(header, rows), *told])


def worth_headline(figures: Figures) -> str:
    told = []
    for name, found in figures.items():
        at = {way: next(row for row in outcomes if row["answers"] == 1000) for way, outcomes in found["ways"].items()}
        told.append(
            f"`{name}`, 1,000 answers by the truth: {100 * at['grouped']['mended']:.1f} % of the wrong labels mended "
            f"when alike ones are decided together, {100 * at['single']['mended']:.1f} % one by one, "
            f"{100 * at['cleanlab']['mended']:.1f} % worst first by cleanlab"
        )
    return "; ".join(told)
