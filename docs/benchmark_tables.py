"""Tables out of `docs/benchmarks/*.json`: a small function per known benchmark, a plain one for others."""

from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any

import augment_tables
import gpu_tables
import review_tables
import study_tables
import trust_tables
from outdated import outdated

Figures = Mapping[str, Any]
"""What a benchmark measured; nested, as it stands in its JSON."""


def tables(results: Mapping[str, Figures]) -> str:
    """A section per benchmark: what, figures, and under which circumstances; one for all that need a GPU.

    Those of the study stand in `docs/study.md`.
    """
    sections = []
    for name, result in _ordered(results):
        about = (
            f"`{result['command']}`, {result['date']}, commit {result['commit'] or 'unknown'}. {result['hardware']}."
        )
        if mark := outdated(result):
            about += f" **To be renewed: {mark}.**"
        body = TABLES.get(name, (name, flat, None))[1](result["figures"])
        sections += [f"## {_title(name)}", f"{result['what']}.", body, about]
    if not sections:
        sections.append("Nothing has been measured yet: `make bench` does.")
    return "\n\n".join([*sections, gpu_tables.section(results, table)])


def headlines(results: Mapping[str, Figures]) -> str:
    """A line per benchmark for the README, with a link to its table."""
    rows = []
    for name, result in _ordered(results):
        headline = TABLES[name][2] if name in TABLES else None
        if headline:
            anchor = _title(name).lower().replace(" ", "-")
            rows.append(
                [f"[{_title(name)}](docs/benchmarks.md#{anchor})", _marked(headline(result["figures"]), result)]
            )
    rows += [[title, _marked(line, result)] for title, line, result in study_tables.headlines(results)]
    if told := gpu_tables.headline(results):
        rows.append(["[On a GPU](docs/benchmarks.md#on-a-gpu)", told])
    return table(["measured", "result"], rows) if rows else "Nothing has been measured yet: `make bench` does."


def _marked(line: str, result: Figures) -> str:
    mark = outdated(result)
    return f"{line}; {mark}" if mark else line


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; a bar within a cell is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def scan_speed(figures: Figures) -> str:
    """Seconds per step, with the spread over the rounds."""
    names = {
        "add": "`curate add`, s",
        "scan": "`curate scan`, first time, s",
        "rescan": "`curate scan`, again, s",
        "cleanvision": "CleanVision, default checks, s",
        "ratio": "CleanVision / (add + scan)",
        "help": "`curate --help`, s",
    }
    rows = [
        [
            names.get(name, name),
            _number(value["median"]),
            f"{_number(value['min'])} to {_number(value['max'])}",
            str(value["n"]),
        ]
        for name, value in figures.items()
        if isinstance(value, Mapping)
    ]
    peak = figures.get("peak_memory_gb")
    after = f"\n\nPeak memory of `add` and `scan`, workers included: {peak:.2f} GB." if isinstance(peak, float) else ""
    return table(["", "median", "min to max", "n"], rows) + after


def scan_speed_headline(figures: Figures) -> str:
    """Add and scan, against the peer where it was there."""
    seconds = figures["add"]["median"] + figures["scan"]["median"]
    peer = ""
    if "ratio" in figures:
        ratio = figures["ratio"]
        peer = (
            f"; CleanVision {figures['cleanvision']['median']:.0f} s on the same files in the same run: "
            f"{ratio['median']:.1f} times as long ({ratio['min']:.1f} to {ratio['max']:.1f}, {ratio['n']} rounds)"
        )
    return f"60,000 images added and scanned in {seconds:.0f} s{peer}"


PEOPLE = ("aggre", "worse")
"""Sets of labels that people gave; errors in the others were planted."""


def label_errors(figures: Figures) -> str:
    """Ours, each evidence, and cleanlab's filters on the same probabilities, per set of labels."""
    names = ("precision", "recall", "f1", "best_f1", "auroc", "average_precision", "precision_at_1000")
    header = ["labels", "rule", "flagged", "precision", "recall", "F1", "best F1 of its ranking", "AUROC"]
    header += ["average precision", "precision of the first 1,000"]
    rows, notes = [], []
    for column, found in figures.items():
        lines = {
            "**label_error**": found["label_error"],
            **{f"{name.replace('_', ' ')} alone": score for name, score in found["evidence"].items()},
            **{f"cleanlab `{name}`": score for name, score in found["cleanlab"].items()},
        }
        any_wrong = found["wrong_share"] > 0
        for rule, score in lines.items():
            if not any_wrong and "flagged" not in score:
                continue  # a ranking with nothing to find
            values = [f"{score[key]:.3f}" if any_wrong and key in score else "" for key in names]
            flagged = f"{score['flagged']:,}" if "flagged" in score else ""
            rows.append([f"`{column}`, {_percent(found['wrong_share'])} wrong", rule, flagged, *values])
        right = found["heldout_accuracy_against_truth"]
        suggested = _percent(found["suggestion_right_where_flagged_and_wrong"])
        seconds = found["predict_wall_seconds"]
        took = f"; `predict` took {seconds / 60:.1f} min" if seconds else ""
        took += f"; its trainings, added up, {found['training_seconds'] / 60:.1f} min"
        notes.append(
            f"`{column}`: estimated {_percent(found['estimated_wrong_share'])} wrong; calibration error "
            f"{found['calibration_error']:.3f} ({found['bins']} bins of equal mass); "
            + (f"F1 {found['regret']:.3f} below the best cut of the ranking; " if any_wrong else "")
            + f"false alarms {_percent(found['false_alarms'])} of the set; out of fold, "
            f"{_percent(right['mean'])} of the predictions are true"
            + (f"; of the wrong labels that were flagged, {suggested} came with the true one as suggestion" * any_wrong)
            + f"{took} "
            f"(profile `{found['profile']}`: {_config(found['config'])}). Measured {found['measured']['date']}, commit "
            f"{found['measured']['commit']}."
        )
    return table(header, rows) + "\n\n" + "\n".join(f"* {note}" for note in notes)


def label_errors_headline(figures: Figures) -> str:
    """F1 beside cleanlab's default filter and the best of its filters, which may be the rule that we use."""
    parts = []
    for column, found in figures.items():
        if column not in PEOPLE:
            continue
        peers = {name: score["f1"] for name, score in found["cleanlab"].items()}
        best = max(peers, key=lambda name: peers[name])
        parts.append(
            f"`{column}` ({_percent(found['wrong_share'])} wrong): F1 {found['label_error']['f1']:.3f}; on the same "
            f"probabilities cleanlab's default filter {peers['prune_by_noise_rate']:.3f}, the best of its five, "
            f"`{best}`, {peers[best]:.3f}"
        )
    return ". ".join(parts)


def duplicates(figures: Figures) -> str:
    """What is found of people's list and beyond it, and how long it takes."""
    by = figures["recall_near_by_probability"]
    judged = figures["judged"]
    rows = [
        [f"near pairs of the list ({figures['near_pairs']}) found", _percent(figures["recall_near"])],
        *[[f"… with a probability of at least {least}", _percent(share)] for least, share in by.items()],
        ["similar pairs of the list taken for the same photo", _percent(figures["recall_similar"])],
        ["pairs found outside the list", f"{figures['pairs_outside_the_list']:,}"],
        [
            "… expected to be one photo, by their probabilities",
            _percent(figures["expected_precision_outside_the_list"]),
        ],
        ["test images in a pair", f"{figures['test_images_with_a_twin']:,}"],
        ["seconds for search and comparison, thumbnails given", _number(figures["seconds"])],
    ]
    if judged:
        share = f"{judged['same_photo']} of {judged['found_now']}, {_percent(judged['precision'])}"
        rows.insert(-2, ["… found to be one photo, of those that were looked at", share])
    return table(["", ""], rows) + (
        "\n\nThe pairs that were looked at, drawn at random: [verdicts](benchmarks/duplicates_judged.csv); "
        "`--sheet FILE` draws them. Ten of those counted as one photo are in doubt: the same thing, cropped or "
        "recoloured, or another like it."
    )


def duplicates_headline(figures: Figures) -> str:
    """Recall against people's list, and precision beyond it."""
    judged = figures["judged"]
    precision = f", of which {_percent(judged['precision'])} of those looked at are the same photo" if judged else ""
    return (
        f"CIFAR-10, test against all: {_percent(figures['recall_near'])} of the near-duplicates that people found "
        f"(ciFAIR), and {figures['pairs_outside_the_list']:,} pairs more{precision}"
    )


def dedup_speed(figures: Figures) -> str:
    """Seconds, memory and what was found, of ours and of each peer, with a row for each rule of what a duplicate is."""
    ours = figures["ours"]
    rows = []
    for name, tool in {"curate": ours, **figures["peers"]}.items():
        if "found" not in tool:
            rows.append([name, "", tool["status"], "", "", "", ""])
            continue
        seconds = _median_and_range(tool["seconds"]) if tool is ours else _number(tool["seconds"])
        ratio = "1" if tool is ours else f"{tool['ratio']:.1f}"
        for rule, found in tool["found"].items():
            counts = [f"{found[what]:,}" for what in ("pairs", "near_found")]
            rows.append([name, rule, seconds, ratio, f"{tool['peak_memory_gb']:.2f}", *counts])
    header = ["", "taken for duplicates", "s", "times as long", "peak memory, GB", "pairs found"]
    return table([*header, f"of the {figures['near_pairs']} that people found"], rows) + (
        f"\n\n`curate add`: {_median_and_range(ours['add'])} s; `curate scan` with the finders of duplicates: "
        f"{_median_and_range(ours['scan'])} s. Memory is of all workers together; what they share is counted for each."
    )


def dedup_speed_headline(figures: Figures) -> str:
    """Seconds of ours and of each peer that came to its end, and how many of the pairs that people found it found."""
    ours, near = figures["ours"], figures["near_pairs"]
    (found,) = ours["found"].values()
    parts = [
        f"{figures['images']:,} images added and searched for near-duplicates in {ours['seconds']['median']:.0f} s: "
        f"{found['near_found']} of the {near} pairs that people found, among {found['pairs']:,}"
    ]
    for name, peer in figures["peers"].items():
        told = peer["status"]
        if "found" in peer:
            found = max(peer["found"].values(), key=lambda counts: counts["pairs"])
            told = f"{peer['seconds']:.0f} s, {peer['ratio']:.1f} times as long: {found['near_found']}, "
            told += f"among {found['pairs']:,}"
        parts.append(f"{name} {told}")
    return "; ".join(parts)


def copies(figures: Figures) -> str:
    """Copies found, by kind and data, beside the peer's hashes where these were measured."""
    parts = []
    for name, found in figures.items():
        ways = list(found["total"])
        rows = [
            [kind, *[f"{_percent(row[way]['found'] / found['copies_of_each'])}" for way in ways]]
            for kind, row in found["kinds"].items()
        ]
        for what, digits in (("recall", 1), ("precision", 2)):
            rows.append([f"**{what}, all kinds**", *[_percent(found["total"][way][what], digits) for way in ways]])
        header = [f"{name}: {found['copies_of_each']} copies of each kind", "curate", *ways[1:]]
        parts.append(table(header, rows))
    return "\n\n".join(parts)


def copies_headline(figures: Figures) -> str:
    """Recall and precision over all kinds."""
    return "; ".join(
        f"{name}: {_percent(found['total']['ours']['recall'])} of the copies of {len(found['kinds'])} kinds, precision "
        f"{_percent(found['total']['ours']['precision'], 2)}"
        for name, found in figures.items()
    )


def million(figures: Figures) -> str:
    """Seconds and memory by number of images."""
    rows = []
    for count, found in sorted(figures.items(), key=lambda item: int(item[0])):
        memory = max(found["add_gb"], found["scan_gb"], found["add_near_gb"])
        seconds = [found[f"{what}_seconds"] for what in ("add", "scan", "again", "add_near")]
        copies = f"{found['found']:,} of {found['planted']:,}"
        rows.append([f"{int(count):,}", *[_number(value) for value in seconds], f"{memory:.1f}", copies])
    header = ["images", "add, s", "scan, s", "scan again, s", "add 1,000 more with --near skip, s", "peak memory, GB"]
    return table([*header, "planted copies found"], rows)


def million_headline(figures: Figures) -> str:
    """The largest set."""
    count, found = max(figures.items(), key=lambda item: int(item[0]))
    minutes = (found["add_seconds"] + found["scan_seconds"]) / 60
    return f"{int(count):,} small images, added and searched for pairs of one photo: {minutes:.0f} min"


def fast_recipe(figures: Figures) -> str:
    """Accuracy of each kind of view, and the minutes of each seed."""
    views = ("accuracy", "accuracy_flip", "accuracy_multi_crop")
    rows = [[_score(figures[view]) for view in views]]
    trainings = ", ".join(
        f"{minutes:.1f} on {threads} {'core' if threads == 1 else 'cores'}"
        for minutes, threads in zip(figures["minutes"], figures["threads"], strict=True)
    )
    return (
        table(["single view", "with mirror image", "over shifted views"], rows)
        + f"\n\nMinutes of training, seed by seed: {trainings}. Calibration error "
        f"{figures['calibration_error']['mean']:.3f}. Settings: {_config(figures['config'])}."
    )


def fast_recipe_headline(figures: Figures) -> str:
    """Accuracy over shifted views, and the minutes it takes."""
    score, minutes, threads = _score(figures["accuracy_multi_crop"]), figures["minutes"], figures["threads"]
    return (
        f"test accuracy of `--recipe fast` on CIFAR-10 (JPEG copy): {score} over shifted views after "
        f"{minutes[-1]:.1f} minutes of training on {threads[-1]} CPU cores"
    )


def techniques(figures: Figures) -> str:
    """Mean accuracy and seconds with each change, and the difference to none, seed by seed."""
    base = figures["nothing"]
    rows = []
    for change, found in figures.items():
        differences = [
            100 * (ours["accuracy_flip"] - plain["accuracy_flip"]) for ours, plain in zip(found, base, strict=False)
        ]
        accuracies = [f"{100 * fmean(run[view] for run in found):.2f}" for view in ("accuracy", "accuracy_flip")]
        told = ", ".join(f"{difference:+.2f}" for difference in differences)
        rows.append([change, *accuracies, told, f"{fmean(run['seconds'] for run in found):.0f}"])
    return table(["changed", "single view, %", "with mirror image, %", "difference of each seed", "s"], rows)


def train_speed(figures: Figures) -> str:
    """Images a second of ours and of the plain loop, per network, and what the machine has to offer."""
    networks = {name: found for name, found in figures.items() if "ratio" in found}
    shown = ("curate", "plain loop", "ratio", "ratio with shortcuts")
    rows = [
        [f"`{name}`", *(_median_and_range(found[who]) if who in found else "" for who in shown)]
        for name, found in networks.items()
    ]
    header = ["network", "`curate train`, images/s", "plain loop, images/s", "ratio", "ratio with shortcuts"]
    after = ""
    if offered := figures.get("matrix product"):
        bf16, fp32 = offered["bfloat16"]["median"], offered["float32"]["median"]
        after = (
            f"\n\nIn products of large matrices these cores do {bf16:.0f} billion multiply-adds a second in bfloat16 "
            f"and {fp32:.0f} in float32, {bf16 / fp32:.1f} times as many: what bfloat16 can bring a large network."
        )
    return table(header, rows) + after


def train_speed_headline(figures: Figures) -> str:
    """The ratios."""
    ratios = [
        f"`{network}` {_median_and_range(found['ratio'])}" for network, found in figures.items() if "ratio" in found
    ]
    return f"times as fast as a plain PyTorch loop on two CPU cores, same network and batches: {', '.join(ratios)}"


def flat(figures: Figures) -> str:
    """Every figure on a line of its own, under its path of keys."""
    rows: list[list[str]] = []

    def walk(path: str, value: object) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                walk(f"{path}.{key}" if path else str(key), item)
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            for number, item in enumerate(value):
                walk(f"{path}[{number}]", item)
        else:
            items = value if isinstance(value, list) else [value]
            rows.append([f"`{path}`", ", ".join(_number(item) for item in items)])

    walk("", figures)
    return table(["figure", "value"], rows)


def _with(section: Callable[[Figures, augment_tables.Table], str]) -> Callable[[Figures], str]:
    """A section of another module, given how a table is written."""
    return lambda figures: section(figures, table)


TABLES: dict[str, tuple[str, Callable[[Figures], str], Callable[[Figures], str] | None]] = {
    "scan_speed": ("Adding and scanning", scan_speed, scan_speed_headline),
    "label_errors": ("Finding wrong labels", label_errors, label_errors_headline),
    "duplicates": ("Finding the same photo", duplicates, duplicates_headline),
    "dedup_speed": ("Time to find duplicates", dedup_speed, dedup_speed_headline),
    "copies": ("Finding copies by kind", copies, copies_headline),
    "million": ("A million images", million, million_headline),
    "fast_recipe": ("A quarter of an hour of training", fast_recipe, fast_recipe_headline),
    "techniques": ("What each technique is worth", techniques, None),
    "train_speed": ("Training speed on a CPU", train_speed, train_speed_headline),
    "augment_speed": ("Speed of augmentation", _with(augment_tables.speed), augment_tables.speed_headline),
    "augment_parity": ("The same pixels", _with(augment_tables.parity), augment_tables.parity_headline),
    "augment_draws": ("The same draws", _with(augment_tables.draws), None),
    "augment_modes": ("Exact and fused mode", _with(augment_tables.modes), None),
    "review_speed": ("Speed of a review", _with(review_tables.speed), review_tables.speed_headline),
    "review_kills": ("Killed while deciding", _with(review_tables.kills), review_tables.kills_headline),
    "review_worth": ("What an answer is worth", _with(review_tables.worth), review_tables.worth_headline),
    "million_rows": ("Verbs on large tables", _with(trust_tables.million_rows), None),
    "soak": ("An hour in one process", _with(trust_tables.soak), trust_tables.soak_headline),
    "hostile_input": ("Hostile files", _with(trust_tables.hostile), trust_tables.hostile_headline),
    "crash": ("Killed at any moment", _with(trust_tables.crash), trust_tables.crash_headline),
    "mutation": ("Changes that tests notice", _with(trust_tables.mutation), trust_tables.mutation_headline),
    "fuzz": ("Inputs guided by coverage", _with(trust_tables.fuzz), trust_tables.fuzz_headline),
}
"""Benchmark -> its title, its table, and its line in the README. They are shown in this order."""


def _ordered(results: Mapping[str, Figures]) -> list[tuple[str, Figures]]:
    """Those that need no GPU, and are not of the study."""
    order = list(TABLES)
    found = {
        name: result
        for name, result in results.items()
        if not name.startswith(gpu_tables.PREFIX) and not study_tables.is_study(name)
    }
    return sorted(found.items(), key=lambda item: (order.index(item[0]) if item[0] in order else len(order), item[0]))


def _title(name: str) -> str:
    return TABLES[name][0] if name in TABLES else name


def _score(score: Figures | None) -> str:
    """A mean with its 95 % interval and the number of seeds."""
    if not score:
        return ""
    interval = f" ± {100 * score['half_width']:.2f}" if score["half_width"] is not None else ""
    return f"{100 * score['mean']:.2f}{interval} % (n = {len(score['values'])})"


def _median_and_range(spread: Figures) -> str:
    return f"{_number(spread['median'])} ({_number(spread['min'])} to {_number(spread['max'])}, n = {spread['n']})"


def _config(config: Figures) -> str:
    return f"{config['model']}, {config['epochs']} epochs, batches of {config['batch_size']}, seed {config['seed']}"


def _percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f} %"


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
