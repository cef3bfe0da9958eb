"""Decisions: what is to happen to an image, who says so, because of which finder; what a table of them may hold."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Literal, get_args

import numpy as np
import pandas as pd

from curate import wording
from curate.errors import UserError
from curate.wording import middle, plural

Action = Literal["keep", "drop", "relabel"]
ACTIONS: tuple[Action, ...] = get_args(Action)
LONGEST = 200
"""Characters of a cell that an error shows."""
POLICY = "policy"
"""The name under `by` of a decision that no person took."""
TWINS = ("exact_duplicate", "near_duplicate")
"""Finders that name an image's twins whatever their splits; `related_id` is the one that stays."""
LEAK = "split_leak"
"""The finder of what training shows of the images that are measured on."""
CONFLICT = "conflicting_labels"
"""The finder of photos that are there under several labels: one of these is wrong, and the photo is not."""
AUGMENTED = r"(?s)^augmented/[^/]+/(.+)-[0-9]+\.png$"
"""The `image_id` of an augmented image, as `curate.augment.materialize` gives it; within it that of its original."""

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
"""`at`, as `curate.workspace.timestamp` gives it; two such are in the order of their texts."""

COLUMNS = ("image_id", "action", "label", "by", "because", "note", "at")
SAID = ("image_id", "action", "label", "by", "note")
"""The columns in which two rows that say the same are alike."""
RESERVED = ";\n\r\0"
"""Signs that a reviewer's name may not hold: names are joined by the first."""
MERGE_MARK = r"(<{7}|\|{7}|={7}|>{7})( .*)?"
"""A line that git leaves where two branches changed the same rows."""


def empty() -> pd.DataFrame:
    """Decisions without rows."""
    return pd.DataFrame({name: pd.Series(dtype="str") for name in COLUMNS})


def complete(decisions: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """The rows with all `COLUMNS`, names without blanks around them, and `relabel` beside a label that stands alone and
    is of an image that waits in the pool for one."""
    decisions = decisions.reindex(columns=list(COLUMNS), fill_value="").fillna("").astype("str")
    decisions = decisions.assign(by=decisions["by"].str.strip())
    waiting = manifest["image_id"][(manifest["split"] == "pool") & (manifest["label"] == "")]
    labelled = (decisions["action"] == "") & (decisions["label"] != "") & decisions["image_id"].isin(waiting)
    return decisions.assign(action=decisions["action"].where(~labelled, "relabel"))


def outdated(decisions: pd.DataFrame, manifest: pd.DataFrame) -> pd.Series:
    """Which rows nothing can come of since `add` changed the manifest: the policy's own about images and classes that
    are gone, which `decide` takes anew, and anybody's about augmented images that left when their originals changed."""
    rows = decisions.reindex(columns=list(COLUMNS), fill_value="")
    there = pd.Index(manifest["image_id"])
    gone = ~_are_in(there, rows["image_id"])
    no_class = (rows["action"] == "relabel") & ~rows["label"].isin(manifest["label"].unique())
    original = rows["image_id"][gone].str.extract(AUGMENTED, expand=False)
    left = _are_in(there, original).reindex(rows.index, fill_value=False)
    return ((rows["by"] == POLICY) & (gone | no_class)) | left


def of_renamed_classes(rows: pd.DataFrame, names: Mapping[str, str]) -> list[str]:
    """Lines on people's decisions for classes that no image has any more, see `manifest.called_now`."""
    now = rows["label"].map(names).fillna("")
    gone, told = rows[now == ""], []
    if follow := {f"{label!r} is {names[label]!r}" for label in rows["label"][now != ""]}:
        count = plural(int((now != "").sum()), "decision follows", "decisions follow")
        told.append(f"{count} the new names of their classes: {some(sorted(follow))}")
    if len(gone):
        which = plural(len(gone), "decision gives a label", "decisions give labels")
        named = some(gone["image_id"] + " " + gone["label"])
        told.append(f"{which} that no image has any more, and counts no longer: {named}; decide anew")
    return told


def _are_in(there: pd.Index, image_ids: pd.Series) -> pd.Series:
    """Which of them are there. `isin` takes ten times as long for a million."""
    return pd.Series(there.get_indexer(pd.Index(image_ids)) >= 0, index=image_ids.index)


def check(decisions: pd.DataFrame, manifest: pd.DataFrame, where: str) -> pd.DataFrame:
    """The decisions themselves, if every row can be carried out on this manifest. Rows without an action are left out,
    but for a label beside an image that waits in the pool for one: that is `relabel`, and `keep` leaves it waiting.

    `decisions`: as `read_csv` gives them, the index is the line of the file. Raises `UserError` with that line for a
    missing column, an unknown action, image or label, for a label without an action, for a name that nobody can have,
    for an image that one person decided on twice, and for a mark of a merge that was not ended.
    """
    for name in ("image_id", "action"):
        if name not in decisions.columns:
            raise UserError(f"{where}: column {name!r} is missing; there are: {some(map(str, decisions.columns))}")
    decisions = complete(decisions, manifest)
    marks = decisions["image_id"].str.fullmatch(MERGE_MARK)
    why = "a mark of a merge that was not ended; take it out, and decide between the rows around it"
    _refuse(decisions, marks, "image_id", where, why)
    without_action = (decisions["action"] == "") & (decisions["label"] != "")
    _refuse(decisions, without_action, "label", where, "has no action; write 'relabel' beside it, or take it out")
    decisions = decisions[decisions["action"] != ""]
    _refuse(decisions, ~decisions["action"].isin(ACTIONS), "action", where, f"there are: {', '.join(ACTIONS)}")
    _refuse(
        decisions,
        ~_are_in(pd.Index(manifest["image_id"]), decisions["image_id"]),
        "image_id",
        where,
        "not in this manifest; is the file for another workspace?",
    )
    faults = {name: fault_of_name(name) for name in decisions["by"].unique() if name not in ("", POLICY)}
    faults = {name: fault for name, fault in faults.items() if fault}
    _refuse(decisions, decisions["by"].isin(faults), "by", where, next(iter(faults.values()), ""))
    twice = decisions.duplicated(["image_id", "by"])
    _refuse(decisions, twice, "image_id", where, "stands twice, by the same person; keep one of the rows")
    labels = sorted(set(manifest["label"]) - {""})
    bad_label = (decisions["action"] == "relabel") & ~decisions["label"].isin(labels)
    _refuse(
        decisions,
        bad_label,
        "label",
        where,
        f"no such class; there are: {some(labels)}; write one of these, or take the row out",
    )
    return decisions


def fault_of_name(name: str) -> str:
    """Why no reviewer can have that name; "" for one that will do."""
    if name.casefold() == POLICY:
        return "that is the policy's own name, give yours"
    return "it must be a name without semicolons and line ends" if not name or set(name) & set(RESERVED) else ""


def refuse_idle_labels(answers: pd.DataFrame, where: str) -> None:
    """Raise `UserError` for a label beside `keep` or `drop`: nobody can tell what was meant. Earlier versions took such
    answers over, so those in the decisions stay.

    answers: as `check` gives them.
    """
    idle = (answers["action"] != "relabel") & (answers["label"] != "")
    if idle.any():
        action = answers["action"][idle].iloc[0]
        why = f"{action!r} gives no label; write 'relabel', or take the label out"
        _refuse(answers, idle, "label", where, why)


def older(imported: pd.DataFrame, earlier: pd.DataFrame) -> pd.Series:
    """Which rows were said before what the same person says of the image in `earlier`: an export holds all answers each
    time. A row without a time, or with one that a spreadsheet wrote in its own way, is not older."""
    who = ["image_id", "by"]
    since = imported[who].merge(earlier[[*who, "at"]], on=who, how="left")["at"].fillna("").set_axis(imported.index)
    return imported["at"].str.fullmatch(TIME) & since.str.fullmatch(TIME) & (imported["at"] < since)


def merge(earlier: pd.DataFrame, imported: pd.DataFrame, *, by: str, at: str) -> pd.DataFrame:
    """Take over people's decisions: they replace earlier ones of the same person, and of the policy, on the same image.
    Those of other people stay beside them, see `curate.reviewers`.

    A row without `by`, and a row of the policy that was edited, become the decision of `by`; unchanged rows stay. at:
    now, the time of these, and of rows whose own is none. Whoever names the former first lets them keep their time.
    """
    fresh = imported[changed(imported, earlier)].copy()
    unsigned = fresh["by"].isin(["", POLICY])
    fresh["by"] = fresh["by"].where(~unsigned, by)
    fresh["at"] = fresh["at"].where(fresh["at"].str.fullmatch(TIME) & ~unsigned, at)
    fresh = fresh[changed(fresh, earlier)]  # what the person said before keeps its time
    fresh = fresh.drop_duplicates(["image_id", "by"], keep="last")
    return pd.concat([_others(earlier, fresh), fresh], ignore_index=True).astype("str")


def timed(edited: pd.DataFrame, before: pd.DataFrame, *, at: str) -> pd.DataFrame:
    """Decisions that were edited by hand, with `at` as it should be: a row that says the same as `before` has its time
    of then, also where a spreadsheet wrote that in its own way; one that does not has `at`, the time of the edit,
    unless it came with a time of its own."""
    who = ["image_id", "by"]
    then = edited[who].merge(before.drop_duplicates(who)[[*who, "at"]], on=who, how="left")["at"].fillna("")
    then, has_time = then.set_axis(edited.index), edited["at"].str.fullmatch(TIME)
    new = changed(edited, before)
    own = has_time & ((edited["at"] != then) | ~new)
    return edited.assign(at=edited["at"].where(own, then.where(~new, at)))


def _others(earlier: pd.DataFrame, fresh: pd.DataFrame) -> pd.DataFrame:
    """The rows of `earlier` that people's `fresh` ones leave: on other images, or of other people."""
    own = pd.MultiIndex.from_frame(earlier[["image_id", "by"]]).isin(
        pd.MultiIndex.from_frame(fresh[["image_id", "by"]])
    )
    return earlier[~own & ~((earlier["by"] == POLICY) & earlier["image_id"].isin(fresh["image_id"])).to_numpy()]


def in_order(decisions: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """The decisions in the order of the manifest."""
    order = pd.Index(manifest["image_id"]).get_indexer(pd.Index(decisions["image_id"]))
    return decisions.iloc[order.argsort(kind="stable")].reset_index(drop=True)


def changed(decisions: pd.DataFrame, earlier: pd.DataFrame) -> np.ndarray:
    """Which rows say something else than `earlier` does, or the same because of something else: shape (N,), bool. A row
    without `because` does not say why."""
    other_reason = (decisions["because"] != "") & ~is_in(decisions, earlier, [*SAID, "because"])
    return ~is_in(decisions, earlier, SAID) | other_reason.to_numpy()


def is_in(decisions: pd.DataFrame, others: pd.DataFrame, columns: Iterable[str]) -> np.ndarray:
    """Which rows stand among `others`, as far as these columns go: shape (N,), bool."""
    columns = list(columns)
    return pd.MultiIndex.from_frame(decisions[columns]).isin(pd.MultiIndex.from_frame(others[columns]))


def some(names: Iterable[str]) -> str:
    """The first 20 of them, on one line."""
    return wording.some([wording.printable(name) for name in islice(names, 21)], 20)


def _refuse(decisions: pd.DataFrame, bad: pd.Series, column: str, where: str, why: str) -> None:
    if bad.any():
        first = decisions.index[bad][0]
        more = f" (and {int(bad.sum()) - 1} more)" if bad.sum() > 1 else ""
        given = middle(str(decisions.loc[first, column]), LONGEST)
        raise UserError(f"{where}, line {first}: {column} {given!r}{more}: {why}")
