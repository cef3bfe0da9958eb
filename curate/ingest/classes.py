"""Classes of a source that are probably none: a line on each mistake, with the way out."""

from collections import defaultdict
from collections.abc import Sequence

from curate import portable
from curate.layouts.folders import places, split_of, split_of_shard
from curate.wording import some


def doubtful(names: Sequence[str]) -> list[str]:
    """A line on classes that are the folder of all classes, or splits. names: of images whose folders say the class."""
    classes = sorted({label for _, label in places(names)} - {""})
    folders = _folders_in(classes[0], names) if len(classes) == 1 else []
    if len(folders) > 1:
        way_out = f"if those are the classes, add {classes[0]!r} by itself"
        return [f"all images are of one class, {classes[0]!r}, though it holds folders: {some(folders)}; {way_out}"]
    splits = [label for label in classes if split_of_shard(label) and not split_of(label)]
    if splits and 2 * len(splits) >= len(classes):  # of many, one may be called `swimming_pool`
        return [f"classes are called like splits: {some(splits)}; if they are, add each folder by itself, with --split"]
    return []


def alike(labels: set[str], new: set[str]) -> list[str]:
    """A line on classes, a new one among them, that are one but for case, how letters are composed, or spaces around
    them, which earlier versions kept."""
    spelt = defaultdict(set)
    for label in labels:
        spelt[portable.same(label.strip())].add(label)
    several = sorted(" and ".join(map(repr, sorted(each))) for each in spelt.values() if len(each) > 1 and each & new)
    way_out = "if they are one, rename it in the source and add that again"
    return [f"classes differ in case, accents or outer spaces alone: {some(several)}; {way_out}"] if several else []


def _folders_in(label: str, names: Sequence[str]) -> list[str]:
    """The folders in that of a class which hold images."""
    below = {f"/{name}".partition(f"/{label}/")[2] for name in names}
    return sorted({name.partition("/")[0] for name in below if "/" in name})
