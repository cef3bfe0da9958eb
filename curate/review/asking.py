"""What a reviewer is asked: the images in the order in which to look, those that are alike together."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from curate import deciding, decisions, manifest, predictions, recipe, tables
from curate.decisions import POLICY
from curate.labels import queue
from curate.labels.answers import LABEL_ERROR
from curate.labels.pool import POOL
from curate.review.clusters import cluster, odd
from curate.review.twins import DUPLICATES, beside, for_drop, groups, twins_of
from curate.workspace import Workspace

COLUMNS = {
    "image_id": "str",
    "asked": "bool",  # False: shown beside others, no answer is wanted
    "path": "str",  # absolute, or a URL
    "split": "str",
    "given_label": "str",
    "suggested_label": "str",
    "suggested_prob": "float64",  # that the suggestion is right; 0 where that is not known
    "score": "float64",  # of the finder that asks: 1 fine … 0 certainly bad
    "gain": "float64",  # right labels that an answer is worth; 0 for other questions
    "because": "str",  # finders, joined by ";"
    "detail": "str",
    "cluster": "int64",  # rows of one stand together and may be decided in one go
    "title": "str",
    "kind": "str",  # labels, duplicates or other
    "odd": "bool",  # an outlier of its cluster
    "proposal": "str",  # what "accept" does: relabel or drop; "" where nothing is proposed
}
NO_LABEL = "no label"
"""What stands in place of the label of an image of the pool."""
DISPUTED, SECOND_LOOK = "disputed", "second look"
"""Titles of what is asked again: of images on which people disagree, and of some that another person decided on."""


@dataclass(frozen=True)
class Asked:
    """What there is to look at, and what it is worth."""

    table: pd.DataFrame
    """With `COLUMNS`, in the order in which to look."""
    worth: queue.Worth
    classes: list[str]
    answered: int
    """Images that this person decided on before."""


def asked(
    workspace: Workspace,
    by: str,
    *,
    budget: int | None = None,
    second: int = 0,
    predicted: predictions.Predictions | None = None,
) -> Asked:
    """What `by` is asked: what people disagree on, then what the policy leaves to people, then `second` images that
    others decided on, drawn by chance, to see how far people agree.

    budget: so many labels at most, see `curate.labels.queue`; predicted: the manifest's predictions, if they were read.
    Nobody is asked twice about an image; nothing is written.
    """
    images = tables.read_manifest(workspace)
    rules = recipe.in_workspace(workspace)
    asking = deciding.ask(workspace, images, rules.policy, budget, by)
    said = tables.read_answers(workspace, images)
    mine = said["image_id"][said["by"] == by]
    again = asking.disputed[~asking.disputed["image_id"].isin(mine)]
    others = said[(said["by"] != POLICY) & ~said["image_id"].isin([*mine, *again["image_id"]])]
    looks = others.drop_duplicates("image_id").sample(min(second, others["image_id"].nunique()), random_state=0)
    looks = queue.once_more(pd.Series("", index=looks["image_id"], dtype="str"), asking.findings, images)
    why = ["image_id", "because", "suggested_label", "score", "gain"]
    rows = pd.concat(
        [
            again[[*why, "detail"]].assign(title=DISPUTED),
            asking.review[why],
            looks[[*why, "detail"]].assign(title=SECOND_LOOK),
        ],
        ignore_index=True,
    )
    if predicted is None and predictions.exists(workspace):
        predicted = predictions.read(workspace, images)
    table = lay_out(rows, asking.findings, images, None if predicted is None else predicted.embeddings)
    gone = asking.ruling.decisions["image_id"][asking.ruling.decisions["action"] == "drop"]
    last = asking.review["image_id"][asking.review["related_id"].isin(gone)]
    loses = table["image_id"].isin(last) & (table["proposal"] == "drop")  # who accepts would lose the photo
    table["proposal"] = table["proposal"].mask(loses, "")
    goes = ~table["asked"] & (table["score"] == 1) & table["image_id"].isin(gone)
    table["score"] = table["score"].mask(goes, 0)  # nothing of the group says so, and yet it does not stay
    located = dict(zip(images["image_id"], manifest.locate(images, workspace.root), strict=True))
    table["path"] = table["image_id"].map(located)
    return Asked(table.astype(COLUMNS), asking.worth, manifest.classes(images), len(mine))


def lay_out(
    rows: pd.DataFrame, findings: pd.DataFrame, images: pd.DataFrame, embeddings: np.ndarray | None
) -> pd.DataFrame:
    """The questions with what is known of each, alike ones together, twins beside them.

    rows: `image_id`, `because`, `suggested_label`, `score`, `gain`, in the order of the review list; `detail` and
    `title`, NaN where they are those of the finder. embeddings: shape (N, D) over `images`. `path` is that of the
    manifest.
    """
    place = pd.Index(images["image_id"]).get_indexer(pd.Index(rows["image_id"]))
    about = images.iloc[place].reset_index(drop=True)
    rows = rows.reset_index(drop=True).assign(split=about["split"], given_label=about["label"], path=about["path"])
    finders = rows["because"].str.split(";")
    first = finders.str[0]
    named = groups(findings, images)
    by_twin = np.array([bool(set(names) & set(DUPLICATES)) for names in finders], bool)
    by_twin &= rows["image_id"].isin(named.index).to_numpy(bool)  # what is merely similar has no twins
    by_label = np.array([LABEL_ERROR in names for names in finders], bool)
    rows["kind"] = np.where(by_twin, "duplicates", np.where(by_label, "labels", "other"))
    said = findings.drop_duplicates(["image_id", "finder"]).set_index(["image_id", "finder"])
    own = said.reindex(pd.MultiIndex.from_arrays([rows["image_id"], np.where(by_label, LABEL_ERROR, first)]))
    rows["suggested_prob"] = own["suggested_prob"].fillna(0).to_numpy(np.float64)
    details = said["detail"].reindex(pd.MultiIndex.from_arrays([rows["image_id"], first])).fillna("").to_numpy()
    rows["detail"] = rows["detail"].fillna("").where(rows["detail"].fillna("") != "", details)
    there = rows["suggested_label"].isin(images["label"].unique())  # a class may have gone since it was suggested
    rows["suggested_label"] = rows["suggested_label"].where(there, "")
    relabels = (rows["suggested_label"] != "") & (rows["suggested_label"] != rows["given_label"])
    rows["proposal"] = np.select([relabels, _speaks_for_drop(rows, findings)], ["relabel", "drop"], "")
    other = rows["suggested_label"].where(rows["suggested_label"] != "", queue.NO_SUGGESTION)
    waiting = (rows["split"] == POOL) & (rows["given_label"] == "") & relabels
    given = rows["given_label"].where(~waiting, NO_LABEL)
    titles = pd.Series(np.where((rows["kind"] == "labels") | waiting, given + " → " + other, first))
    rows["title"] = rows["title"].fillna("").where(rows["title"].fillna("") != "", titles)
    rows["asked"] = True
    return _together(rows, twins_of(rows, named), findings, images, None if embeddings is None else embeddings[place])


def _speaks_for_drop(rows: pd.DataFrame, findings: pd.DataFrame) -> np.ndarray:
    """Which rows a finding would have dropped, of those that they are asked because of: one that is flagged, or of a
    label, whether it is flagged or not, one that is better left out than kept. Shape (N,), bool."""
    found = for_drop(findings[findings["image_id"].isin(rows["image_id"])])
    doubted = 1 - found["score"] > queue.DROPPED_ABOVE
    found = found[found["flagged"].where(found["finder"] != LABEL_ERROR, doubted)]
    asks = rows[["image_id"]].assign(finder=rows["because"].str.split(";")).explode("finder")
    speaks = pd.Series(decisions.is_in(asks, found, ["image_id", "finder"]), index=asks.index)
    return speaks.groupby(level=0).any().to_numpy(bool)


def _together(
    rows: pd.DataFrame,
    twins: pd.DataFrame,
    findings: pd.DataFrame,
    images: pd.DataFrame,
    embeddings: np.ndarray | None,
) -> pd.DataFrame:
    """Rows with `cluster` and `odd`, cluster by cluster: those first of whose answers most is gained per answer."""
    group = pd.Index(twins["image_id"]).get_indexer(pd.Index(rows["image_id"]))
    names = np.where(group >= 0, twins["group"].to_numpy()[group] if len(twins) else "", rows["title"])
    later = np.where((rows["kind"] == "labels") & (rows["gain"] < queue.LEAST), "later", "")
    whole = group >= 0  # a group of twins stays together, whatever its size
    found = np.empty(len(rows), np.int64)
    found[~whole] = cluster((rows["title"] + later)[~whole].to_numpy(str), _at(embeddings, ~whole))
    found[whole] = pd.factorize(names[whole])[0] + found[~whole].max(initial=-1) + 1
    rows.loc[whole, "title"] = rows["title"][whole].groupby(names[whole]).transform("first")
    rows["cluster"] = found
    rows["odd"] = odd(found, embeddings, rows["suggested_prob"].to_numpy()) & ~whole
    rows["order"] = _order(rows, later == "later")
    companions = beside(rows.assign(group=names)[whole], twins, findings, images)
    table = pd.concat([rows, companions], ignore_index=True)
    table = table.sort_values(["order", "asked", "odd"], ascending=[True, False, False], kind="stable")
    table["cluster"] = pd.factorize(table["cluster"])[0]
    return table.reset_index(drop=True)[list(COLUMNS)]


def _order(rows: pd.DataFrame, later: np.ndarray) -> pd.Series:
    """The place of each row's cluster: disputed ones, labels by what is gained per answer, the rest as it came.

    An answer for a cluster is one, and one more for each member that it is expected not to fit.
    """
    expected = rows.assign(exceptions=1 - rows["suggested_prob"], place=np.arange(len(rows)), later=later)
    by_cluster = expected.groupby("cluster").agg(
        gain=("gain", "sum"),
        exceptions=("exceptions", "sum"),
        place=("place", "min"),
        later=("later", "max"),
        title=("title", "first"),
        kind=("kind", "first"),
    )
    by_cluster["disputed"] = by_cluster["title"] == DISPUTED
    by_cluster["last"] = by_cluster["title"] == SECOND_LOOK
    by_cluster["worth"] = (by_cluster["gain"] / (1 + by_cluster["exceptions"])).round(9)
    ordered = by_cluster.sort_values(
        ["disputed", "last", "later", "worth", "place"], ascending=[False, True, True, False, True], kind="stable"
    )
    return rows["cluster"].map(pd.Series(np.arange(len(ordered)), index=ordered.index))


def _at(embeddings: np.ndarray | None, where: np.ndarray) -> np.ndarray | None:
    return None if embeddings is None else embeddings[where]
