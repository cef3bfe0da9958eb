"""Numbers, names and times in the words that people read."""

import pytest

from curate import wording


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (wording.percent(0.96204, 0.0041), "96.20 ± 0.41"),
        (wording.percent(None), "–"),
        (wording.percent(float("nan")), "–"),
        (wording.signed(0.0123), "+1.23"),
        (wording.signed(-0.0123), "−1.23"),
        (wording.signed(-0.000001), "0.00"),
        (wording.duration(40.2), "40 s"),
        (wording.duration(100), "2 min"),
        (wording.duration(5990), "100 min"),
        (wording.duration(6000), "1.7 h"),
        (wording.score(0.0001), "0.0001"),
        (wording.score(0.0), "0.00"),
        (wording.middle("short.png", 20), "short.png"),
        (wording.middle("a" * 30 + "z" * 30, 11), "aaaaa…zzzzz"),
        (wording.moment("2026-11-23T22:50:01Z"), "2026-11-23 22:50"),
        (wording.plural(1, "image", "images"), "1 image"),
    ],
)
def test_wording(made, text):
    assert made == text
