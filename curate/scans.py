"""Which finders have run, on what: from the ledger, as findings alone do not tell "nothing there" from "not looked"."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from curate import finders, findings, predictions, recipe, registry
from curate.evidence import Evidence
from curate.manifest import decodable, learned
from curate.wording import pasted, plural, some
from curate.workspace import EDIT, FINDINGS, MANIFEST, RAN, Entry, Workspace, read_table

OUTSIDE = ("restore", EDIT, "interrupted")
"""Lines of the ledger for findings that no verb has just found."""
Scans = Mapping[str, Entry]
"""Finder -> the line of the ledger that its findings are from."""


def behind(entries: Sequence[Entry], digest: str, *, predictions_from_elsewhere: bool = False) -> Scans:
    """The scans behind the findings with this hash: none where no verb has left them so.

    A scan with `--only`, and verbs that run a finder on request, keep what earlier ones have found; `restore` brings
    back what others have. Predictions of other programs stand in no ledger: `predictions_from_elsewhere` says that
    there are such.
    """
    left: dict[str, Scans] = {}
    now, predicted = "", predictions_from_elsewhere
    for entry in entries:
        predicted |= entry.command == "predict"
        before, now = now, entry.writes.get(FINDINGS, now)
        if entry.command == "scan":
            only = entry.arguments.get("only")
            chosen = [str(name) for name in only] if isinstance(only, list) else []
            names = list(_ran(entry)) or chosen or list(findings.select(None, predicted))
            left[now] = {**(left.get(before, {}) if chosen else {}), **dict.fromkeys(names, entry)}
        elif now != before and entry.command not in OUTSIDE:
            left[now] = left.get(before, {})
    return left.get(digest, {})


def of(workspace: Workspace) -> Scans:
    """The scans behind the findings that are there now."""
    entries = workspace.ledger()
    elsewhere = all(entry.command != "predict" for entry in entries) and _predicted(workspace)
    digest = workspace.hash(FINDINGS)
    return behind(entries, digest, predictions_from_elsewhere=elsewhere)


def _predicted(workspace: Workspace) -> bool:
    """Whether there are predictions, or findings that were made of such."""
    if predictions.exists(workspace) or not workspace.has(FINDINGS):
        return predictions.exists(workspace)
    named = set(read_table(workspace.path(FINDINGS))["finder"]) & set(registry.functions(finders))
    return any(_predictive(name) for name in named)


def not_run(workspace: Workspace, ws: str, wanted: Iterable[str], scans: Scans) -> dict[str, str]:
    """Finder that has no findings yet, of the wanted ones -> the command that leads to them."""
    without = not predictions.exists(workspace)
    return {
        name: f"curate {'predict' if without and _predictive(name) else 'scan'} {ws}"
        for name in wanted
        if name not in scans
    }


def unsure(workspace: Workspace, ws: str, wanted: Iterable[str], scans: Scans, images: pd.DataFrame) -> dict[str, str]:
    """Why findings of the wanted finders may not be those of these images -> the command that mends it."""
    if workspace.has(FINDINGS) and not scans:
        return {f"{FINDINGS} is not as a verb has left it": f"curate scan {ws}"}
    ran = [name for name in wanted if name in scans]
    reasons = {}
    if any(_predictive(name) for name in ran) and (count := _unpredicted(workspace, images)):
        came = plural(count, "training image has", "training images have")
        reasons[f"{came} come or changed since the last predict"] = f"curate predict {ws}"
    return reasons | dict.fromkeys(stale(workspace, ran, scans), f"curate scan {ws}")


def stale(workspace: Workspace, wanted: Iterable[str], scans: Scans) -> list[str]:
    """Why findings of the wanted finders are older than what they are about; nothing where they are not."""
    manifest, entries, found = workspace.hash(MANIFEST), workspace.ledger(), registry.functions(finders)
    ran = {name: scans[name] for name in wanted if name in scans and name in found}
    now = findings.ran_as({name: found[name] for name in ran}, recipe.in_workspace(workspace).scan)
    predicted = max((entry.version for entry in entries if entry.command == "predict"), default=0)
    earlier = [name for name, scan in ran.items() if scan.reads.get(MANIFEST) != manifest]
    older = [name for name, scan in ran.items() if _predictive(name) and scan.version < predicted]
    otherwise = [name for name, scan in ran.items() if _ran(scan).get(name, now[name]) != now[name]]
    reasons = []
    if earlier:
        since = "the last scan" if len(earlier) == len(ran) > 1 else f"{', '.join(earlier)} ran"
        reasons.append(f"images were added or changed since {since}")
    if older:
        reasons.append(f"there are new predictions since {', '.join(older)} ran")
    if otherwise:
        reasons.append(f"the recipe's settings, or curate, have changed since {', '.join(otherwise)} ran")
    return reasons


def why_stale(workspace: Workspace) -> list[str]:
    """Why the findings that are there now are older than what they are about, see `stale`."""
    scanned = of(workspace)
    return stale(workspace, scanned, scanned)


def warnings(workspace: Workspace) -> list[str]:
    """A line on each reason of `why_stale`, with the way out."""
    way_out = f"'curate scan {pasted(workspace.root)}' brings the findings up to date"
    return [f"{why}: {way_out}" for why in why_stale(workspace)]


def uncovered(evidence: Evidence) -> list[str]:
    """What the findings do not cover: images without prediction, and files that changed or vanished since `add`; and
    what was kept by other versions of finders and signals."""
    warnings = []
    if evidence.renewed:
        names = ", ".join(sorted(set(evidence.renewed)))
        warnings.append(f"what other versions of these had found was found anew: {names}")
    if gone := evidence.unmeasured():
        told = f"{plural(len(gone), 'image was', 'images were')} not looked at ({some(gone)}): missing or changed since"
        warnings.append(
            f"{told} 'curate add', larger than CURATE_MAX_PIXELS, or what measures them crashed; put them back, or add "
            "them again"
        )
    if not predictions.exists(evidence.workspace):
        return warnings
    images, found = evidence.manifest, evidence.get("predictions")
    brought = found.summary.get("from")
    lacking = images["image_id"][~found.present & decodable(images)]
    if len(lacking):
        told = plural(len(lacking), "image has", "images have")
        warnings.append(f"{told} no prediction ({some(lacking.to_list())}): {why_unpredicted(found)}")
    unknown = images[(images["label"] != "") & ~images["label"].isin(found.classes)]
    if len(unknown):
        which = some(unknown["label"].drop_duplicates().to_list())
        way_out = f"{pasted(str(brought))} has no column for them" if brought else "'curate predict' learns them"
        reason = f"these labels were not judged; {way_out}"
        warnings.append(f"{len(unknown):,} images have labels that the predictions do not know ({which}): {reason}")
    return warnings


def why_unpredicted(found: predictions.Predictions) -> str:
    """Why images have no prediction, and the way out."""
    if brought := found.summary.get("from"):
        return f"{pasted(str(brought))} has no row of them, or they have changed since"
    return "they came or changed after 'curate predict', run it again"


def _ran(entry: Entry) -> Mapping[str, str]:
    """Finder -> how the recipe had it run, see `findings.ran_as`; empty where an earlier version of curate ran it, and
    did not say."""
    ran = entry.arguments.get(RAN)
    return ran if isinstance(ran, dict) else {}


def _predictive(finder: str) -> bool:
    return findings.needs_predictions(registry.functions(finders)[finder])


def _unpredicted(workspace: Workspace, images: pd.DataFrame) -> int:
    """Labelled training images without a prediction; generated ones are not counted, they follow their originals.

    0 where the predictions are not at hand: a copy of the tables alone can be judged, too.
    """
    if not predictions.exists(workspace):
        return 0
    rows = learned(images[images["parent_id"] == ""])
    known = predictions.read_ids(workspace)
    pairs = [pd.MultiIndex.from_frame(table[["image_id", "content_hash"]]) for table in (rows, known)]
    return int((~pairs[0].isin(pairs[1])).sum())
