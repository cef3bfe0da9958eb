"""Policies: what rules make of findings. The first rule that fits an image decides; the rest is left to people."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from curate.decisions import COLUMNS, POLICY, TWINS, in_order
from curate.recipe import Rule

REVIEW_COLUMNS = (
    "image_id",
    "action",
    "label",
    "note",
    "because",
    "given_label",
    "suggested_label",
    "score",
    "gain",
    "group",
    "related_id",
    "detail",
    "path",
)
"""The columns of the review list: the first four are for the person, the others say why it is asked. `gain` and `group`
are of labels alone, see `curate.labels.queue`; 0 and "" elsewhere."""


@dataclass(frozen=True)
class Ruling:
    """What a policy makes of findings."""

    decisions: pd.DataFrame
    review: pd.DataFrame
    conflicts: list[str]
    """A line for each image over which rules disagree, or that is left to people as its twin is dropped, too."""


def apply_rules(
    findings: pd.DataFrame, manifest: pd.DataFrame, rules: list[Rule], earlier: pd.DataFrame, *, at: str
) -> Ruling:
    """Apply `rules` to findings: decisions of the policy beside those of people, and what is left for a person.

    The first rule that fits an image decides; where a later one would do something else, the conflict is named. A
    person's decision beats the policy's and is never asked again. The policy's own earlier decisions are replaced; one
    that comes out the same keeps its time, so that the same inputs give the same file. Labels are asked about and given
    where they belong: generated images, which follow their original, are at most dropped. A copy is not dropped where
    the image that was to stay is dropped for something else, such as its label: people are asked.
    """
    by_people = earlier[earlier["by"] != POLICY]
    matches = _matches(findings, manifest, rules)
    matches = matches[~matches["image_id"].isin(by_people["image_id"])]
    chosen = matches.drop_duplicates("image_id").copy()
    chosen["because"] = _reasons(matches, chosen)
    last = _last_of_a_photo(matches, chosen, by_people, manifest)
    chosen["action"] = chosen["action"].mask(last, "review")
    taken = chosen[chosen["action"] != "review"]
    relabels = taken["action"] == "relabel"
    new = pd.DataFrame(
        {
            "image_id": taken["image_id"],
            "action": taken["action"],
            "label": taken["suggested_label"].where(relabels, ""),
            "by": POLICY,
            "because": taken["because"],
            "note": taken["detail"],
            "at": at,
        }
    )
    new = _keep_times(new, earlier)
    decisions = in_order(pd.concat([by_people, new], ignore_index=True).astype("str"), manifest)
    review = chosen[chosen["action"] == "review"].merge(manifest[["image_id", "label", "path"]], on="image_id")
    review = review.rename(columns={"label": "given_label"})
    review = review.assign(action="", label="", note="", gain=0.0, group="")
    names = zip(chosen["image_id"][last], chosen["related_id"][last], strict=True)
    left = [f"{copy}: left to people, as {kept}, which it shows once more, is dropped, too" for copy, kept in names]
    return Ruling(decisions, review[list(REVIEW_COLUMNS)], _conflicts(matches) + left)


def _matches(findings: pd.DataFrame, manifest: pd.DataFrame, rules: list[Rule]) -> pd.DataFrame:
    """Every finding with every rule that takes it: in the order of the rules, within a rule the worst score first."""
    about = manifest.set_index("image_id")
    found = findings.assign(split=findings["image_id"].map(about["split"]))
    original = found["image_id"].map(about["parent_id"]) == ""
    about_image = found["suggested_label"] == ""  # and not about a label, in which generated images follow theirs
    classes = set(manifest["label"]) - {""}
    tables = []
    for order, rule in enumerate(rules):
        mine = (found["finder"] == rule.finder) & found["split"].isin(rule.splits)
        mine &= original | ((rule.action == "drop") & about_image)
        table = found[mine & _fits(found, rule)].copy()
        table["action"], table["order"] = rule.action, order
        if rule.action == "relabel":  # without a suggestion, or one of a class that is gone, somebody has to look
            table.loc[~table["suggested_label"].isin(classes), "action"] = "review"
        tables.append(table)
    matches = pd.concat(tables) if tables else found.iloc[:0].assign(action="", order=0)
    return matches.sort_values(["order", "score", "image_id"], kind="stable")


def askable(findings: pd.DataFrame, manifest: pd.DataFrame, rules: list[Rule]) -> pd.Series:
    """The image_ids that these rules may act on, whether the finder flagged them or not: within their limits."""
    limits = [rule.model_copy(update={"below": 1.0 if rule.below is None else rule.below}) for rule in rules]
    return _matches(findings, manifest, limits)["image_id"].drop_duplicates()


def _fits(found: pd.DataFrame, rule: Rule) -> pd.Series:
    """Whether findings are within the limits of a rule; one without limits takes what is flagged."""
    if rule.below is None and rule.sure is None:
        return found["flagged"]
    below = found["score"] < (np.inf if rule.below is None else rule.below)
    return below if rule.sure is None else below & (found["suggested_prob"] >= rule.sure)


def _reasons(matches: pd.DataFrame, chosen: pd.DataFrame) -> pd.Series:
    """The finders that are behind what was chosen for each image, joined by ";"; those that it beat are left out."""
    asked = pd.MultiIndex.from_frame(matches[["image_id", "action"]])
    behind = matches[asked.isin(pd.MultiIndex.from_frame(chosen[["image_id", "action"]]))]
    relabel = behind["action"] == "relabel"
    labels = behind["image_id"].map(chosen.set_index("image_id")["suggested_label"])
    behind = behind[~relabel | (behind["suggested_label"] == labels)]
    reasons = behind.drop_duplicates(["image_id", "finder"]).groupby("image_id", sort=False)["finder"].agg(";".join)
    return chosen["image_id"].map(reasons).astype("str")


def _last_of_a_photo(
    matches: pd.DataFrame, chosen: pd.DataFrame, by_people: pd.DataFrame, manifest: pd.DataFrame
) -> pd.Series:
    """Which of the chosen would be dropped as a copy alone, while the one to stay is dropped for something else."""
    drops = matches[matches["action"] == "drop"]
    otherwise = drops["image_id"][~drops["finder"].isin(TWINS)]
    taken, copy = chosen["action"] == "drop", chosen["finder"].isin(TWINS)
    said = by_people[(by_people["action"] == "drop") & ~by_people["because"].str.split(";").str[0].isin(TWINS)]
    gone = pd.concat([chosen["image_id"][taken & ~copy], said["image_id"]])
    gone = gone[~gone.isin(manifest["image_id"][manifest["split"] == "test"])]  # `apply` may well leave these alone
    return taken & copy & chosen["related_id"].isin(gone) & ~chosen["image_id"].isin(otherwise)


def _conflicts(matches: pd.DataFrame) -> list[str]:
    """Images that rules would drop, relabel or keep in several ways, with what was taken and what it beat.

    A later rule for the same finder is no conflict: it is for those that the earlier one does not take.
    """
    acting = matches[matches["action"] != "review"].drop_duplicates(["image_id", "finder"])
    what = acting["action"] + (" to " + acting["suggested_label"]).where(acting["action"] == "relabel", "")
    acting = acting.assign(what=what).drop_duplicates(["image_id", "what"])
    said: dict[str, list[str]] = {}
    for row in acting[acting["image_id"].duplicated(keep=False)].itertuples():
        said.setdefault(str(row.image_id), []).append(f"{row.what} ({row.finder})")
    return [f"{image_id}: {first} beats {', '.join(others)}" for image_id, (first, *others) in sorted(said.items())]


def _keep_times(new: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    same = ["image_id", "action", "label", "by", "because"]
    times = earlier.drop_duplicates(same)[[*same, "at"]].rename(columns={"at": "earlier_at"})
    merged = new.merge(times, on=same, how="left")
    merged["at"] = merged["earlier_at"].fillna(merged["at"])
    return merged[list(COLUMNS)]
