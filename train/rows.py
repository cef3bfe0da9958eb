"""Which images are trained on, which accuracy is measured on, and which of these no training image shows."""

import numpy as np
import pandas as pd

from curate import manifest, recipe, scans
from curate.decisions import LEAK
from curate.engine import Local
from curate.errors import UserError
from curate.evidence import Evidence
from curate.likeness.duplicates import PROBABILITY, families
from curate.likeness.leaks import leaks
from curate.wording import pasted
from curate.workspace import Workspace


def train_rows_of(images: pd.DataFrame) -> pd.DataFrame:
    """The images that can be trained on: labelled, decodable, of the training split."""
    return manifest.learned(images).reset_index(drop=True)


def eval_rows_of(workspace: Workspace, images: pd.DataFrame) -> pd.DataFrame:
    """The images that are evaluated on: those of `test`, or of `val` where there is no test split.

    Raises `UserError` where there are none.
    """
    rows = manifest.tested(images).reset_index(drop=True)
    if rows.empty:
        way_out = (
            "add some with --split test, or make the workspace anew with 'curate add … --split train=0.8,test=0.2'"
        )
        raise UserError(f"{pasted(workspace.root)} has no labelled test images to evaluate on; {way_out}")
    return rows


def one_of_each(rows: pd.DataFrame) -> np.ndarray:
    """Which rows count where accuracy is measured, one of each family: the original, or, where it is not among them,
    the first that was generated from it. Shape (N,), bool."""
    originals_first = np.argsort((rows["parent_id"] != "").to_numpy(), kind="stable")
    counts = np.zeros(len(rows), bool)
    counts[originals_first] = ~pd.Series(families(rows)[originals_first]).duplicated()
    return counts


def leak_free(
    workspace: Workspace, images: pd.DataFrame, test_rows: pd.DataFrame, learned: pd.DataFrame
) -> list[str] | None:
    """Test images that no training image shows, by the pairs that `split_leak` goes by; None where it has not looked
    at these images as they are now, see `leaks_unknown`.

    images: the manifest, of which `test_rows` are a part. learned: what is trained on, which may come out of the pool,
    or of an earlier manifest; the training split counts whether it is or not.
    """
    if LEAK not in scans.of(workspace) or leaks_unknown(workspace):
        return None
    gone = learned[~learned["image_id"].isin(images["image_id"])].drop_duplicates("image_id")
    images = pd.concat([images, gone], ignore_index=True)
    pairs = duplicate_pairs(workspace, images)
    images = images.assign(split=images["split"].mask(images["image_id"].isin(learned["image_id"]), "train"))
    asked = recipe.in_workspace(workspace).scan.get(LEAK, {}).get("probability")
    found = leaks(images, pairs, probability=PROBABILITY if asked is None else float(asked))
    found = found[(images["split"] == "train").to_numpy()[found["row"]]]
    leaked = test_rows["image_id"].isin(images["image_id"].iloc[found["other"]])
    leaked |= test_rows["pixel_hash"].isin(test_rows["pixel_hash"][leaked])  # and the copies of it
    return test_rows["image_id"][~leaked].to_list()


def leaks_unknown(workspace: Workspace) -> list[str]:
    """Why what `split_leak` has found is not true any more, in a line; nothing where it is, or has not been looked."""
    reasons = scans.stale(workspace, [LEAK], scans.of(workspace))
    again = f"'curate scan {pasted(workspace.root)}' first"
    return [f"no accuracy without leaked test images: {reason}; {again}" for reason in reasons]


def duplicate_pairs(workspace: Workspace, images: pd.DataFrame) -> pd.DataFrame:
    """Of all these images, as a scan has them: what one has found is kept, the rest is measured."""
    with workspace.locked():
        pairs: pd.DataFrame = Evidence(workspace, images, Local()).get("duplicate_pairs")
    return pairs
