"""Wrong labels in the report: how many there are to expect, and whether the predictions can be trusted."""

import numpy as np
import pytest

from curate import predictions, tables
from curate.report import labels as section
from tests.report.made import decide, find, make
from tests.report.seen import sections, written


def test_wrong_labels_are_told_with_what_to_expect(tmp_path):
    workspace = make(tmp_path / "ws", ["cat", "dog"] * 60)
    rows = tables.read_manifest(workspace)
    scores = np.linspace(0.02, 0.98, len(rows))
    made = zip(rows["image_id"], rows["label"], scores, strict=True)
    find(
        workspace,
        [
            {
                "image_id": image_id,
                "finder": "label_error",
                "score": score,
                "flagged": score < 0.5,
                "suggested_label": "dog" if label == "cat" else "cat",
                "suggested_prob": 1 - score,
            }
            for image_id, label, score in made
        ],
    )
    asked = rows["image_id"].iloc[:50]
    decide(workspace, [{"image_id": image_id, "action": "keep", "by": "ada"} for image_id in asked])
    random = np.random.default_rng(0)
    probs = random.dirichlet([1, 1], len(rows)).astype(np.float32)
    none, fold = np.zeros((len(rows), 3), np.float32), np.zeros(len(rows), int)
    summary: dict[str, object] = {"fold_accuracy": [0.5]}
    predictions.write(workspace, rows, predictions.Predictions(["cat", "dog"], probs, none, fold, summary))
    page = written(workspace)
    assert "labels" in sections(page)
    for words in (
        "60 labels in training are flagged",
        "after 50 answers",
        "of all labels that were judged are wrong",
        "What people said",
    ):
        assert words in page.text, words


@pytest.mark.parametrize(("count", "fewest", "found"), [(0, 1, 0), (1, 1, 1), (9, 20, 1), (50, 20, 2), (1000, 20, 10)])
def test_bins_of_equal_size(count, fewest, found):
    expected = np.linspace(0, 1, count)
    bins = section.bins(expected, expected > 0.5, fewest=fewest)
    assert len(bins) == found
    assert sum(each.count for each in bins) == count
    for each in bins:
        assert each.low <= each.observed <= each.high
        assert 0 <= each.low <= each.high <= 1
