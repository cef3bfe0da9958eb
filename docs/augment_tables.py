"""What was measured of augmentation: `docs/benchmarks/augment_*.json` as Markdown, and in a line for the README."""

from collections.abc import Callable, Mapping
from typing import Any

Figures = Mapping[str, Any]
Table = Callable[[list[str], list[list[str]]], str]
NAMES = {"five": "pad, crop, flip, cut out, normalise", "seven": "the same with Affine and ColorJitter"}


def speed(figures: Figures, table: Table) -> str:
    """Images a second of each contender, and how many times as fast as Albumentations."""
    rows = []
    for pipeline, found in figures.items():
        times = {f"curate, {mode}": f"{found[f'times_as_fast_{mode}']:.1f}" for mode in ("exact", "fused")}
        for name, rate in found.items():
            if isinstance(rate, Mapping):
                span = f"{rate['min']:,.0f} to {rate['max']:,.0f}"
                rows.append(
                    [NAMES[pipeline], name, f"{rate['median']:,.0f}", span, str(rate["n"]), times.get(name, "")]
                )
    return table(["pipeline", "", "images a second", "lowest to highest", "n", "times as fast"], rows)


def speed_headline(figures: Figures) -> str:
    told = [
        f"{NAMES[name]}: {found['curate, fused']['median']:,.0f} images of 32 px a second, "
        f"{found['times_as_fast_fused']:.1f} times as fast as Albumentations with two workers in the same run"
        for name, found in figures.items()
    ]
    return "; ".join(told) + " (two cores)"


def parity(figures: Figures, table: Table) -> str:
    """Share of pixels by how far off they are, the worst over all settings; levels from 0 to 255."""
    rows = []
    for name, sizes in figures.items():
        for size, shares in sizes.items():
            near = [_share(shares[key]) for key in ("identical", "within_1", "within_2")]
            rows.append([f"`{name}`", size, *near, f"{shares['most']:.3g}", str(shares["settings"])])
    return table(["transform", "images", "identical", "within 1", "within 2", "most", "settings"], rows)


def parity_headline(figures: Figures) -> str:
    same = sum(all(shares["identical"] == 1 for shares in sizes.values()) for sizes in figures.values())
    one = sum(all(shares["within_1"] >= 0.999 for shares in sizes.values()) for sizes in figures.values())
    return (
        f"{len(figures)} transforms, replayed with what Albumentations drew: {same} give identical pixels, {one} are "
        "within 1 level in 99.9 % of the pixels or more"
    )


def draws(figures: Figures, table: Table) -> str:
    """The least probable difference of each transform."""
    found = figures["transforms"]
    rows = [[f"`{name}`", str(each["compared"]), f"{each['lowest_p']:.3f}"] for name, each in found.items()]
    told = (
        f"{figures['compared']} numbers in all; the least p is {figures['lowest_p']:.4f}, and of so many it is "
        f"expected at {figures['expected_lowest_p']:.4f} where nothing differs."
    )
    return f"{table(['transform', 'numbers compared', 'least p'], rows)}\n\n{told}"


def modes(figures: Figures, table: Table) -> str:
    """How much fused differs from exact, by pipeline."""
    rows = [
        [name, _share(found["identical"]), f"{found['mean']:.3f}", f"{found['99_percent']:.3g}", str(found["most"])]
        for name, found in figures.items()
    ]
    return table(["pipeline", "identical", "mean difference", "99 % are within", "most"], rows)


def _share(value: float) -> str:
    return "all" if value == 1 else f"{100 * value:.3f} %"
