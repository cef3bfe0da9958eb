"""What was planted, who should find it, and how well findings found it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from curate.errors import UserError

COLUMNS = ("name", "defect", "finder", "true_label", "original", "detail")
"""`name` is the sample's, `original` that of the image it was made from, `finder` the one that should find it."""


@dataclass(frozen=True)
class Defect:
    """Who should find a defect, and who is right to name it, too."""

    finder: str
    also: tuple[str, ...] = ()
    """Finders for which the planted image is a legitimate consequence."""
    twin: tuple[str, ...] = ()
    """Finders that are right to name the image it was copied from."""
    either: bool = False
    """Whether naming the twin finds it as well: of two copies, each is a copy of the other."""


DEFECTS: dict[str, Defect] = {
    # The picture contradicts its label, and so contradicts pictures like it.
    "wrong_label": Defect("label_error", also=("conflicting_labels",)),
    # Same pixels are alike in every weaker sense, too.
    "exact_copy": Defect(
        "exact_duplicate", also=("near_duplicate",), twin=("exact_duplicate", "near_duplicate"), either=True
    ),
    "near_copy": Defect("near_duplicate", twin=("near_duplicate",), either=True),
    # A copy under another label: its label is wrong, and the pair is a pair of duplicates.
    "conflicting_copy": Defect(
        "conflicting_labels",
        also=("label_error", "exact_duplicate", "near_duplicate"),
        twin=("conflicting_labels", "exact_duplicate", "near_duplicate"),
        either=True,
    ),
    # The test image may be named, but that alone does not find the leak: it is the training twin that has to go.
    "exact_leak": Defect(
        "split_leak",
        also=("exact_duplicate", "near_duplicate"),
        twin=("split_leak", "exact_duplicate", "near_duplicate"),
    ),
    "near_leak": Defect("split_leak", also=("near_duplicate",), twin=("split_leak", "near_duplicate")),
    # Nothing to see: every complaint about such a picture is true, and all of them look like each other.
    "blank": Defect(
        "low_information",
        also=("blurry", "dark", "light", "outlier", "label_error", "near_duplicate", "conflicting_labels"),
    ),
    # Little to see: the label cannot be told with certainty, and the picture is unlike the others.
    "dark": Defect("dark", also=("low_information", "blurry", "outlier", "label_error")),
    "light": Defect("light", also=("low_information", "blurry", "outlier", "label_error")),
    "blurred": Defect("blurry", also=("low_information", "outlier", "label_error")),
    "undecodable": Defect("corrupt"),
}


def score_findings(planted: pd.DataFrame, findings: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """What each finder made of the planted defects: `finder`, `planted`, `flagged`, `found`, `precision`, `recall`.

    `flagged` counts images. Recall is `found / planted`; of a pair of copies within the training split either one will
    do. Precision is the share of flagged images that are rightly flagged. An image is, if

    * it was planted for that finder, or the finder's complaint is a legitimate consequence (`DEFECTS`: a leaked copy is
      a duplicate, too, and so is the image it was copied from);
    * its pixels say so, whoever put it there: an image with the same pixels as another is an exact and a near
      duplicate, and a leak where their splits differ, a conflict where their labels differ;
    * it is named by `conflicting_labels` together with an image whose label was planted wrong.

    What was wrong with the set before counts against a finder, so precision is a lower bound. Where nothing was planted
    or flagged, recall or precision is NaN.
    Raises `UserError` where a planted image is not in the manifest.
    """
    ids = _ids_by_name(planted, manifest)
    planted = planted.assign(image_id=planted["name"].map(ids), twin_id=planted["original"].map(ids).fillna(""))
    flagged = findings[findings["flagged"]]
    right = _right(planted, flagged, manifest)
    rows = []
    for finder in sorted({*planted["finder"], *findings["finder"]}):
        named = set(flagged["image_id"][flagged["finder"] == finder])
        own = planted[planted["finder"] == finder]
        either = own["defect"].map({name: defect.either for name, defect in DEFECTS.items()})
        found = own["image_id"].isin(named) | (either.astype(bool) & own["twin_id"].isin(named))
        precision = len(named & right[finder]) / len(named) if named else np.nan
        recall = found.mean() if len(own) else np.nan
        rows.append((finder, len(own), len(named), int(found.sum()), precision, recall))
    return pd.DataFrame(rows, columns=["finder", "planted", "flagged", "found", "precision", "recall"])


def _right(planted: pd.DataFrame, flagged: pd.DataFrame, manifest: pd.DataFrame) -> dict[str, set[str]]:
    """Finder -> image ids that it is right to flag."""
    right: dict[str, set[str]] = {finder: set() for finder in {*planted["finder"], *flagged["finder"]}}

    def allow(finders: tuple[str, ...], image_ids: set[str]) -> None:
        for finder in finders:
            right.setdefault(finder, set()).update(image_ids)

    for name, rows in planted.groupby("defect"):
        defect = DEFECTS[str(name)]
        allow((defect.finder, *defect.also), set(rows["image_id"]))
        allow(defect.twin, set(rows["twin_id"]) - {""})
    same = manifest[(manifest["pixel_hash"] != "") & manifest["pixel_hash"].duplicated(keep=False)]
    by_pixels = same.groupby("pixel_hash")
    allow(("exact_duplicate", "near_duplicate"), set(same["image_id"]))
    allow(("split_leak",), set(same["image_id"][by_pixels["split"].transform("nunique") > 1]))
    allow(("conflicting_labels",), set(same["image_id"][by_pixels["label"].transform("nunique") > 1]))
    mislabelled = set(planted["image_id"][planted["defect"].isin(["wrong_label", "conflicting_copy"])])
    conflicts = flagged[flagged["finder"] == "conflicting_labels"]
    groups = set(conflicts["group"][conflicts["image_id"].isin(mislabelled)]) - {-1}
    beside = conflicts["group"].isin(groups) | conflicts["related_id"].isin(mislabelled)
    allow(("conflicting_labels",), set(conflicts["image_id"][beside]))
    return right


def _ids_by_name(planted: pd.DataFrame, manifest: pd.DataFrame) -> dict[str, str]:
    """Sample name -> image id."""
    names = [
        image_id[len(source) + 1 :] for image_id, source in zip(manifest["image_id"], manifest["source"], strict=True)
    ]
    ids = dict(zip(names, manifest["image_id"], strict=True))
    missing = [name for name in planted["name"] if name not in ids]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(planted)} planted images are not in the manifest, {missing[0]!r} for instance; "
            "score the workspace that they were planted in"
        )
    return ids
