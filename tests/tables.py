"""Small tables for tests: a row per image, given by what matters in the test."""

import pandas as pd

from curate import decisions, findings, manifest


def images(*rows: tuple[str, str, str], parents: dict[str, str] | None = None) -> pd.DataFrame:
    """A manifest of (image_id, split, label)."""
    ids = [image_id for image_id, _, _ in rows]
    columns = {
        "image_id": ids,
        "path": [f"/photos/{image_id}" for image_id in ids],
        "split": [split for _, split, _ in rows],
        "label": [label for _, _, label in rows],
        "source": ["photos"] * len(ids),
        "parent_id": [(parents or {}).get(image_id, "") for image_id in ids],
        "width": [8] * len(ids),
        "height": [8] * len(ids),
        "content_hash": [f"content of {image_id}" for image_id in ids],
        "pixel_hash": [f"pixels of {image_id}" for image_id in ids],
    }
    return manifest.from_rows(columns)


def found(*rows: tuple[str, str, float] | tuple[str, str, float, str]) -> pd.DataFrame:
    """Findings of (image_id, finder, score[, suggested_label]); flagged below 0.5."""
    table = pd.DataFrame([(*row, "")[:4] for row in rows], columns=["image_id", "finder", "score", "suggested_label"])
    table = table.assign(flagged=table["score"] < 0.5, group=-1, related_id="", suggested_prob=0.0, detail="")
    return table[list(findings.COLUMNS)].astype(findings.COLUMNS)


def decided(*rows: tuple[str, ...]) -> pd.DataFrame:
    """Decisions of (image_id, action, label, by, because, note, at); what is left out is ""."""
    width = len(decisions.COLUMNS)
    return pd.DataFrame([(row + ("",) * width)[:width] for row in rows], columns=decisions.COLUMNS, dtype="str")
