"""How many of the near-duplicates that people found in CIFAR-10 are found, and how many of those found are ones.

`python -m tests.benchmarks.duplicates [--sheet FILE]`: test images of CIFAR-10 against all others. The list of people
(ciFAIR, Barz and Denzler 2020) is far from complete, so precision is counted by looking: `--sheet` draws 200 pairs
outside the list and writes them as a picture and, beside it, as a CSV, in which `same` is to be filled in (yes, no);
docs/benchmarks/duplicates_judged.csv holds what was filled in, and is counted here.
"""

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from curate import tables
from curate.evidence import Evidence
from curate.likeness import duplicates, views
from tests.benchmarks import label_sets
from tests.benchmarks.record import RESULTS, data, record, signals_of

JUDGED = RESULTS / "duplicates_judged.csv"
DRAWN, COLUMNS, ZOOM, GAP = 200, 10, 2, 4


def run(arguments: list[str] | None = None) -> None:
    """Find, compare with the list and with what was judged, write the JSON."""
    asked = argparse.ArgumentParser(prog="python -m tests.benchmarks.duplicates", description=__doc__)
    asked.add_argument("--sheet", type=Path, help="draw pairs outside the list, for judging")
    given = asked.parse_args(arguments or [])
    ws = label_sets.workspace("clean")
    images = tables.read_manifest(ws)
    thumbnails = Evidence(ws, images).get("thumbnail")
    started = time.perf_counter()
    pairs = duplicates.find_pairs(images, thumbnails)
    seconds = time.perf_counter() - started
    path = images["image_id"].str.split("/", n=1).str[1].to_numpy()
    test = (images["split"] == "test").to_numpy()
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    same = duplicates.same_photo(pairs)
    same = same[test[same["a"]] | test[same["b"]]]
    listed = pd.read_csv(data("cifar10/cifair10_duplicates.csv"))
    probability = dict(zip(_keys(path[a], path[b]), pairs["probability"], strict=True))
    people = _keys(listed["test_path"].to_numpy(), listed["other_path"].to_numpy())
    listed["probability"] = [probability.get(key, 0.0) for key in people]
    known = set(people)
    keys = _keys(path[same["a"]], path[same["b"]])
    new = same[[key not in known for key in keys]]
    near, similar = (listed["probability"][listed["judgment"] == kind] for kind in ("near", "similar"))
    if given.sheet:
        _draw(new, path, given.sheet)
    figures: dict[str, object] = {
        "images": len(images),
        "near_pairs": len(near),
        "recall_near": float((near >= duplicates.PROBABILITY).mean()),
        "recall_near_by_probability": {f"{least}": float((near >= least).mean()) for least in (0.3, 0.7, 0.9)},
        "recall_similar": float((similar >= duplicates.PROBABILITY).mean()),
        "pairs_outside_the_list": len(new),
        "test_images_with_a_twin": int(test[np.unique(same[["a", "b"]])].sum()),
        "expected_precision_outside_the_list": float(new["probability"].mean()),
        "judged": _judged(set(keys) - known),
        "seconds": seconds,
    }
    what = "CIFAR-10 (JPEG copy), 60,000 images; near-duplicates of ciFAIR, test against all"
    record("duplicates", what, figures, signals=signals_of("near_duplicate"))


def _keys(first: np.ndarray, second: np.ndarray) -> list[tuple[str, str]]:
    """Pairs of paths, whichever comes first."""
    return [(min(pair), max(pair)) for pair in zip(first, second, strict=True)]


def _judged(found: set[tuple[str, str]]) -> dict[str, float]:
    """What people said of pairs that are found now; nothing where nobody did."""
    if not JUDGED.exists():
        return {}
    table = pd.read_csv(JUDGED)
    keys = _keys(table["first"].to_numpy(), table["second"].to_numpy())
    still = np.array([key in found for key in keys])
    same = (table["same"] == "yes").to_numpy()
    return {
        "pairs": len(table),
        "found_now": int(still.sum()),
        "same_photo": int((still & same).sum()),
        "precision": float(same[still].mean()),
    }


def _draw(pairs: pd.DataFrame, path: np.ndarray, file: Path) -> None:
    """Write a random sample of the pairs as a picture, in rows of `COLUMNS`, and as a CSV."""
    drawn = pairs.sample(min(DRAWN, len(pairs)), random_state=0)
    root, cells = label_sets.images(), []
    for a, b, view in zip(drawn["a"], drawn["b"], drawn["view"], strict=True):
        first, second = (cv2.imread(str(root / path[row])) for row in (a, b))
        both = np.concatenate([first, second[:, ::-1] if view == views.MIRRORED else second], axis=1)
        both = cv2.resize(both, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)
        cells.append(cv2.copyMakeBorder(both, GAP, GAP, GAP, GAP, cv2.BORDER_CONSTANT, value=(255, 255, 255)))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % COLUMNS)
    rows = [np.concatenate(cells[start : start + COLUMNS], axis=1) for start in range(0, len(cells), COLUMNS)]
    cv2.imwrite(str(file), np.concatenate(rows), [cv2.IMWRITE_JPEG_QUALITY, 75])
    table = pd.DataFrame({"first": path[drawn["a"]], "second": path[drawn["b"]], "same": ""})
    table.to_csv(file.with_suffix(".csv"), index=False)


if __name__ == "__main__":
    run(sys.argv[1:])
