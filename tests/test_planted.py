"""Findings are scored fairly against what was planted: one tiny manifest, in which every defect was planted once."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate.errors import UserError
from curate.images import ImageError, content_hash, decode, pixel_hash
from curate.layouts import Options, Sample
from curate.planted import DEFECTS, score_findings
from curate.sources import digits
from tests.planting import planted_in


@pytest.fixture(scope="module")
def planted() -> tuple[dict[str, Sample], pd.DataFrame]:
    return planted_in(list(digits.read(Path(), Options()))[:400])


def rows(planted: tuple[dict[str, Sample], pd.DataFrame], defect: str) -> list[pd.Series]:
    _, table = planted
    return [row for _, row in table[table["defect"] == defect].iterrows()]


def manifest_of(samples: dict[str, Sample]) -> pd.DataFrame:
    hashes = []
    for sample in samples.values():
        try:
            hashes.append(pixel_hash(decode(sample.data or b"")))
        except ImageError:
            hashes.append("")
    return pd.DataFrame(
        {
            "image_id": [f"digits/{name}" for name in samples],
            "source": "digits",
            "split": [sample.split for sample in samples.values()],
            "label": [sample.label for sample in samples.values()],
            "pixel_hash": hashes,
            "content_hash": [content_hash(sample.data or b"") for sample in samples.values()],
        }
    )


@pytest.fixture(scope="module")
def manifest(planted: tuple[dict[str, Sample], pd.DataFrame]) -> pd.DataFrame:
    return manifest_of(planted[0])


def findings(finder: str, names: list[str], **columns: object) -> pd.DataFrame:
    table = pd.DataFrame({"image_id": [f"digits/{name}" for name in names], "finder": finder, "flagged": True})
    return table.assign(**({"group": -1, "related_id": ""} | columns))


def score(
    planted: tuple[dict[str, Sample], pd.DataFrame], manifest: pd.DataFrame, *tables: pd.DataFrame
) -> pd.DataFrame:
    return score_findings(planted[1], pd.concat(tables), manifest).set_index("finder")


def test_finding_exactly_what_was_planted_is_perfect(
    planted: tuple[dict[str, Sample], pd.DataFrame], manifest: pd.DataFrame
) -> None:
    table = planted[1]
    perfect = [findings(str(finder), list(group["name"])) for finder, group in table.groupby("finder")]
    scored = score(planted, manifest, *perfect)
    assert set(scored.index) == {defect.finder for defect in DEFECTS.values()}
    assert (scored["precision"] == 1).all()
    assert (scored["recall"] == 1).all()
    assert (scored["planted"] == scored["found"]).all()
    assert scored["planted"].sum() == len(table)


def test_finding_nothing(planted: tuple[dict[str, Sample], pd.DataFrame], manifest: pd.DataFrame) -> None:
    scored = score(planted, manifest, findings("dark", []))
    assert (scored["recall"] == 0).all()
    assert scored["precision"].isna().all()


def test_rows_that_are_not_flagged_do_not_count(
    planted: tuple[dict[str, Sample], pd.DataFrame], manifest: pd.DataFrame
) -> None:
    table = planted[1]
    scored = score(planted, manifest, findings("dark", list(table["name"]), flagged=False))
    assert scored.loc["dark", ["flagged", "found"]].tolist() == [0, 0]


def test_an_image_counts_once_however_often_it_is_flagged(
    planted: tuple[dict[str, Sample], pd.DataFrame], manifest: pd.DataFrame
) -> None:
    name = rows(planted, "dark")[0]["name"]
    untouched = next(name for name in planted[0] if name not in set(planted[1]["name"]) | set(planted[1]["original"]))
    scored = score(planted, manifest, findings("dark", [name, name, untouched, untouched]))
    assert scored.loc["dark", ["planted", "flagged", "found", "precision"]].tolist() == [3, 2, 1, 0.5]
    assert scored.loc["dark", "recall"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("finder", "defect", "column", "right"),
    [
        # planted for another finder, and still true
        ("exact_duplicate", "exact_leak", "name", True),
        ("exact_duplicate", "conflicting_copy", "name", True),
        ("near_duplicate", "exact_copy", "name", True),
        ("near_duplicate", "near_leak", "name", True),
        ("near_duplicate", "blank", "name", True),
        ("label_error", "conflicting_copy", "name", True),
        ("low_information", "dark", "name", True),
        ("outlier", "blurred", "name", True),
        # the image that was copied
        ("exact_duplicate", "exact_copy", "original", True),
        ("exact_duplicate", "exact_leak", "original", True),
        ("near_duplicate", "near_copy", "original", True),
        ("near_duplicate", "exact_copy", "original", True),
        ("split_leak", "exact_leak", "original", True),
        ("split_leak", "near_leak", "original", True),
        ("conflicting_labels", "conflicting_copy", "original", True),
        # not true
        ("exact_duplicate", "near_copy", "name", False),
        ("exact_duplicate", "wrong_label", "name", False),
        ("near_duplicate", "dark", "name", False),
        ("split_leak", "exact_copy", "name", False),
        ("split_leak", "near_copy", "original", False),
        ("label_error", "exact_copy", "name", False),
        ("label_error", "conflicting_copy", "original", False),
        ("conflicting_labels", "exact_copy", "name", False),
        ("dark", "light", "name", False),
        ("dark", "wrong_label", "name", False),
        ("corrupt", "blank", "name", False),
    ],
)
def test_consequences(
    planted: tuple[dict[str, Sample], pd.DataFrame],
    manifest: pd.DataFrame,
    finder: str,
    defect: str,
    column: str,
    right: bool,
) -> None:
    name = rows(planted, defect)[0][column]
    scored = score(planted, manifest, findings(finder, [name]))
    assert scored.loc[finder, "precision"] == float(right)


@pytest.mark.parametrize(
    ("defect", "found"),
    [
        ("exact_copy", True),
        ("near_copy", True),
        ("conflicting_copy", True),
        ("exact_leak", False),
        ("near_leak", False),
    ],
)
def test_naming_the_twin_alone(
    planted: tuple[dict[str, Sample], pd.DataFrame], manifest: pd.DataFrame, defect: str, found: bool
) -> None:
    """Of two copies in train either may go; of a leak it is the one in train that must be named."""
    finder = DEFECTS[defect].finder
    originals = [row["original"] for row in rows(planted, defect)]
    scored = score(planted, manifest, findings(finder, originals))
    assert scored.loc[finder, "found"] == (len(originals) if found else 0)
    assert scored.loc[finder, "precision"] == 1


def test_same_pixels_are_duplicates_whoever_put_them_there(
    planted: tuple[dict[str, Sample], pd.DataFrame], manifest: pd.DataFrame
) -> None:
    touched = set(planted[1]["name"]) | set(planted[1]["original"])
    names = [name for name, sample in planted[0].items() if name not in touched and sample.split == "train"]
    one, two = names[0], next(name for name in names if planted[0][name].label != planted[0][names[0]].label)
    same = manifest.copy()
    same.loc[same["image_id"] == f"digits/{two}", "pixel_hash"] = same["pixel_hash"][
        same["image_id"] == f"digits/{one}"
    ].item()
    for finder, before, after in (
        ("exact_duplicate", 0, 1),
        ("near_duplicate", 0, 1),
        ("conflicting_labels", 0, 1),
        ("split_leak", 0, 0),
    ):
        table = findings(finder, [one, two])
        assert score(planted, manifest, table).loc[finder, "precision"] == before
        assert score(planted, same, table).loc[finder, "precision"] == after


def test_images_that_cannot_be_decoded_are_not_copies_of_each_other(
    planted: tuple[dict[str, Sample], pd.DataFrame], manifest: pd.DataFrame
) -> None:
    names = [row["name"] for row in rows(planted, "undecodable")]
    assert score(planted, manifest, findings("exact_duplicate", names)).loc["exact_duplicate", "precision"] == 0


def test_a_conflict_is_real_where_one_of_the_labels_was_planted_wrong(
    planted: tuple[dict[str, Sample], pd.DataFrame], manifest: pd.DataFrame
) -> None:
    touched = set(planted[1]["name"]) | set(planted[1]["original"])
    other, third, fourth = [name for name in planted[0] if name not in touched][:3]
    wrong = rows(planted, "wrong_label")[0]["name"]
    grouped = findings("conflicting_labels", [wrong, other, third, fourth], group=[1, 1, 2, 2])
    assert score(planted, manifest, grouped).loc["conflicting_labels", "precision"] == 0.5
    related = findings("conflicting_labels", [other, third], related_id=[f"digits/{wrong}", f"digits/{fourth}"])
    assert score(planted, manifest, related).loc["conflicting_labels", "precision"] == 0.5


def test_finder_for_which_nothing_was_planted(
    planted: tuple[dict[str, Sample], pd.DataFrame], manifest: pd.DataFrame
) -> None:
    blank = rows(planted, "blank")[0]["name"]
    scored = score(planted, manifest, findings("outlier", [blank]))
    assert scored.loc["outlier", ["planted", "flagged", "precision"]].tolist() == [0, 1, 1]
    assert np.isnan(scored.loc["outlier", "recall"])


def test_planted_images_that_are_not_in_the_manifest(
    planted: tuple[dict[str, Sample], pd.DataFrame], manifest: pd.DataFrame
) -> None:
    with pytest.raises(UserError, match=r"^\d+ of \d+ planted images are not in the manifest, 'train/"):
        score(planted, manifest[:10], findings("dark", []))
