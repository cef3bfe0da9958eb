"""What was done to see whether curate breaks or tires: hostile files, kills, fuzzing, large tables, long runs."""

from collections.abc import Callable, Mapping
from typing import Any

Figures = Mapping[str, Any]
Table = Callable[[list[str], list[list[str]]], str]
HOSTILE = {
    "refused": "refused in one line",
    "decoded": "read and decoded",
    "corrupt": "read, and a finding of `corrupt`",
    "left_out": "left out, and said so",
    "lost": "none of these",
    "crashed": "commands that crashed",
    "code_run": "ran code of the file",
    "outside": "wrote outside the workspace",
}
KILLED = {
    "trials": "trials",
    "killed": "killed before the end",
    "lost": "something earlier lost",
    "corrupt": "a file or the workspace damaged",
    "different": "the command once more ends otherwise",
    "leftovers": "files left over",
}
FULL = {"trials": "trials", "refused": "refused in one line"} | {
    name: told for name, told in KILLED.items() if name not in ("trials", "killed")
}


def hostile(figures: Figures, table: Table) -> str:
    """What became of the files of the corpus."""
    total = figures["total"]
    rows = [[told, f"{total[name]:,}"] for name, told in HOSTILE.items()]
    after = f"{len(figures['families'])} kinds of files. A command takes {total['peak_mb'] / 1000:.1f} GB at most."
    return table([f"of {total['files']:,} files", "files"], rows) + f"\n\n{after}"


def hostile_headline(figures: Figures) -> str:
    total = figures["total"]
    return f"{total['files']:,} hostile files: {total['crashed']} crashes, {total['code_run']} ran code"


def crash(figures: Figures, table: Table) -> str:
    """Kill trials by verb, and full disks, two writers and the order of calls in a line each."""
    kills = figures["kills"]
    columns = [*KILLED, "moments"]
    rows = [[name, *(f"{case[column]:,}" for column in columns)] for name, case in kills["cases"].items()]
    rows.append(["**in all**", *(f"{kills['total'][name]:,}" for name in KILLED), ""])
    header = ["", *KILLED.values(), "moments: changes of the file system that it makes"]
    return "\n\n".join([table(header, rows), *_beside(figures)])


def _beside(figures: Figures) -> list[str]:
    lines = []
    if disk := figures.get("disk"):
        told = ", ".join(f"{words} {disk['total'][name]:,}" for name, words in FULL.items())
        lines.append(
            f"On a disk that is full at some point: {told}; ended in another way {disk['total']['bad_ends']:,}."
        )
    if writers := figures.get("writers"):
        total = writers["total"]
        lines.append(
            f"Two verbs at the same moment: {total['trials']:,} trials of {len(writers['cases'])} pairs; in "
            f"{total['refused']:,} one said that the other writes, in the others it waited; lost {total['lost']:,}, "
            f"damaged {total['corrupt']:,}."
        )
    order = figures.get("order", {})
    if "named" in order:
        lines.append(
            f"Order of calls, by `strace`: {order['verbs']} verbs give {order['named']:,} files their names, "
            f"{len(order['wrong']):,} of them before content and folder, or a table's version, are on the disk."
        )
    return lines


def crash_headline(figures: Figures) -> str:
    total = figures["kills"]["total"]
    disk = figures.get("disk", {}).get("total", {}).get("trials", 0)
    return (
        f"{total['trials']:,} kill trials of {len(figures['kills']['cases'])} verbs and {disk:,} on full disks: "
        f"lost {total['lost']}, damaged {total['corrupt']}"
    )


def fuzz(figures: Figures, table: Table) -> str:
    """Executions by target."""
    rows = [
        [f"`{one['target']}`", f"{one['executions_in_all']:,}", f"{one['kept']:,}", f"{len(one['open'])}"]
        for one in figures["targets"]
    ]
    rows.append(["**in all**", f"{figures['executions']:,}", "", f"{figures['open']}"])
    return table(["reader", "executions", "inputs that each reach something new", "open findings"], rows)


def fuzz_headline(figures: Figures) -> str:
    readers = len(figures["targets"])
    return f"{figures['executions']:,} inputs to {readers} readers: {figures['open']} open findings"


HELD = {
    "megabytes": "resident memory, MB",
    "files": "open files",
    "threads": "threads",
    "processes": "child processes",
    "seconds": "seconds a round",
}
WHEN = ("first", "last", "max")


def soak(figures: Figures, table: Table) -> str:
    """What the process held at the beginning and at the end."""
    rows = [
        [
            told,
            *(f"{figures[name][when]:,.3g}" if name == "seconds" else f"{figures[name][when]:,.0f}" for when in WHEN),
        ]
        for name, told in HELD.items()
    ]
    after = f"{figures['rounds']:,} rounds; memory {100 * figures['growth']:+.2f} % between these two fifths."
    header = ["", "second fifth of the rounds", "last fifth", "most"]
    return table(header, rows) + f"\n\n{after}"


def soak_headline(figures: Figures) -> str:
    return f"{figures['rounds']:,} rounds of the whole loop in one process: memory {100 * figures['growth']:+.2f} %"


def million_rows(figures: Figures, table: Table) -> str:
    """Seconds and memory by verb, for each size."""
    verbs = list(dict.fromkeys(verb for measured in figures.values() for verb in measured))
    rows = [
        [f"`curate {verb}`"]
        + [
            f"{measured[verb]['seconds']:,.1f} s, {measured[verb]['gb']:.1f} GB" if verb in measured else ""
            for measured in figures.values()
        ]
        for verb in verbs
    ]
    return table(["", *figures], rows)


def mutation(figures: Figures, table: Table) -> str:
    """Changes that tests notice, by file."""
    rows = [
        [f"`{name}`", f"{each['changes']:,}", f"{each['noticed']:,}", f"{100 * each['score']:.1f} %"]
        for name, each in figures.items()
    ]
    return table(["file", "changes of a line", "noticed by a test", "share"], rows)


def mutation_headline(figures: Figures) -> str:
    changes, noticed = (sum(each[name] for each in figures.values()) for name in ("changes", "noticed"))
    return (
        f"{changes:,} changes of the code that decides, a line at a time: tests notice {100 * noticed / changes:.1f} %"
    )
