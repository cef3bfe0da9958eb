"""What a key means: a verdict on some images becomes an answer for each."""

from typing import Literal, get_args

import numpy as np
import pandas as pd

from curate.decisions import Action
from curate.errors import UserError
from curate.review.asking import Asked
from curate.review.desk import Answer
from curate.review.twins import as_twin, for_drop, reasons

Verdict = Literal["accept", "relabel", "drop", "keep_this", "fine"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
LABELS: dict[str, tuple[str, str]] = {
    "accept": ("Accept", "Take what is proposed: the suggested label, or drop"),
    "relabel": ("Relabel to …", "Give another label"),
    "drop": ("Drop", "Leave out of the curated set"),
    "keep_this": ("Keep this one of the group", "Drop all others that show the same photo"),
    "fine": ("Not a problem", "Keep as it is"),
    "undo": ("Undo", "Take back your last decision"),
}
"""What a button says, and what it does: of the verdicts, and of taking one back."""
KEYS = {"accept": "A", "relabel": "R", "drop": "D", "keep_this": "K", "fine": "N", "undo": "U"}
"""The same in the App and on the page."""


def proposals(findings: pd.DataFrame, asked: Asked) -> pd.DataFrame:
    """What "accept" does: `proposal`, `label` and `because`, by `image_id`, of what is asked about or flagged.

    It takes the label that a finder suggests. Where none does, it drops the image, if a finding speaks for that: see
    `curate.review.twins.for_drop`.
    """
    flagged = findings[findings["flagged"]].sort_values("score", kind="stable")
    because = reasons(findings)
    suggested = flagged[flagged["suggested_label"].isin(asked.classes)]  # a class may have gone since it was suggested
    label = suggested.drop_duplicates("image_id").set_index("image_id")["suggested_label"].reindex(because.index)
    others = pd.DataFrame({"because": because, "label": label.fillna("")})
    speaks = others.index.isin(for_drop(flagged)["image_id"])
    others["proposal"] = np.select([others["label"] != "", speaks], ["relabel", "drop"], "")
    table = asked.table[asked.table["asked"]].rename(columns={"suggested_label": "label"}).set_index("image_id")
    return pd.concat([table, others[~others.index.isin(table.index)]])[["proposal", "label", "because"]]


def answers(
    verdict: Verdict,
    chosen: list[str],
    *,
    proposed: pd.DataFrame,
    group: pd.Series,
    splits: pd.Series,
    label: str = "",
    note: str = "",
) -> list[Answer]:
    """An answer for each chosen image, and for its twins where one of a group is kept.

    proposed: as `proposals` gives it; group: as `curate.review.twins.groups` does; splits: by image_id.
    accept: what is proposed; fine: the image stays as it is; keep_this: the chosen ones stay, and all others that show
    the same photo are dropped, but for those of the test split. Raises `UserError` where a verdict has no meaning for
    the chosen ones.
    """
    if not chosen:
        raise UserError("no image is chosen; select some, or take the whole view")
    why = proposed["because"].reindex(chosen).fillna("").to_list()
    if verdict == "accept":
        known = pd.Index(chosen).isin(proposed.index[proposed["proposal"] != ""])
        if not known.all():
            unknown = [image_id for image_id, is_known in zip(chosen, known, strict=True) if not is_known]
            more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
            raise UserError(f"nothing is proposed for {unknown[0]}{more}; drop, relabel or keep instead")
        rows = proposed.loc[list(chosen)]
        return [
            Answer(image_id, action, text if action == "relabel" else "", reason, note)
            for image_id, action, text, reason in zip(
                chosen, rows["proposal"], rows["label"], rows["because"], strict=True
            )
        ]
    if verdict == "keep_this":
        return _keep_these(chosen, proposed, group, splits, note)
    action: Action = "keep" if verdict == "fine" else verdict
    return [Answer(image_id, action, label, reason, note) for image_id, reason in zip(chosen, why, strict=True)]


def _keep_these(
    chosen: list[str], proposed: pd.DataFrame, group: pd.Series, splits: pd.Series, note: str
) -> list[Answer]:
    alone = [image_id for image_id in chosen if image_id not in group.index]
    if alone:
        raise UserError(f"{alone[0]} has no twins to choose from; 'not a problem' keeps it as it is")
    together = group[group.isin(group.loc[list(chosen)])].index
    others = [image_id for image_id in together if image_id not in set(chosen) and splits.get(image_id) != "test"]
    kept, dropped = (proposed["because"].reindex(ids).fillna("").to_list() for ids in (list(chosen), others))
    return [Answer(image_id, "keep", "", why, note) for image_id, why in zip(chosen, kept, strict=True)] + [
        Answer(image_id, "drop", "", as_twin(why), note) for image_id, why in zip(others, dropped, strict=True)
    ]
