"""Which split an image goes to where neither its folders nor a column say it: a name, or shares by content hash."""

import pandas as pd

from curate.errors import UserError, known
from curate.manifest import SPLITS
from curate.wording import some

Rule = str | dict[str, float]
"""A split for every image, or the share of each split: they add up to 1."""
WAY_OUT = "each image is drawn by its content, and these were too few: give a larger share, or make folders called so"


def parse(text: str) -> Rule:
    """`val`, or shares such as `train=0.8,val=0.1,test=0.1`. Raises `UserError` for anything else."""
    if text in SPLITS:
        return text
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        name = name.strip()
        if name in shares:
            raise UserError(f"split {text!r} names {name!r} twice; add its shares up")
        try:
            shares[name] = float(share)
        except ValueError:
            raise UserError(
                f"split {text!r} is neither one of {', '.join(SPLITS)} nor shares: train=0.8,val=0.2"
            ) from None
    unknown = set(shares) - set(SPLITS)
    if unknown:
        raise known("split", sorted(unknown)[0], list(SPLITS))
    if not abs(sum(shares.values()) - 1) <= 1e-6:  # nor do they where one is no number
        raise UserError(f"the shares of {text!r} add up to {sum(shares.values()):g}; they must add up to 1")
    if min(shares.values()) < 0:
        raise UserError(f"split {text!r} has a share below 0; they must be from 0 to 1")
    return shares


def by_hash(content_hash: str, shares: dict[str, float]) -> str:
    """The split of an image by its content: equal files go together, and it is the same whenever it is asked."""
    place = int(content_hash[:12] or "0", 16) / 16**12
    for name, share in shares.items():
        place -= share
        if place < 0:
            return name
    return max(shares, key=lambda name: shares[name])


def usual(label: str) -> str:
    """The split of an image of which nobody says one."""
    return "train" if label else "pool"


def without_images(rule: Rule | None, new: set[str], after: pd.DataFrame) -> list[str]:
    """A line for each split that was to get a share, and has no image of a class.

    new: labels of what was added, "" for unlabelled. after: the manifest with it.
    """
    told = []
    for split in [name for name, share in rule.items() if share] if isinstance(rule, dict) else []:
        there = set(after["label"][after["split"] == split])
        if lacking := sorted(new - there - {""}):
            told.append(f"--split left {split} without an image of {some([*map(repr, lacking)])}; {WAY_OUT}")
    return told
