"""The sheet as a file: its order, its pictures, and that only our script runs in it."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curate.images import decode, encode_jpeg, encode_png, thumbnail
from curate.report.thumbnails import Picture
from curate.review import sheet
from tests.pictures import digits
from tests.review.sheet.asked import EVIL, question, write


def test_clusters_stay_in_order_with_odd_ones_first_and_those_to_compare_last() -> None:
    rows = [
        question("b", "1", asked=False),
        question("b", "2"),
        question("a", "3"),
        question("b", "4", odd=True),
        question("a", "5", odd=True),
        question("b", "6"),
    ]
    ordered = sheet.in_order(pd.DataFrame(rows))
    assert ordered["image_id"].to_list() == ["4", "2", "6", "1", "5", "3"]
    assert ordered["cluster"].to_list() == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [
        (["duplicates", "duplicates"], "duplicates"),
        (["labels", "duplicates"], "duplicates"),  # a twin whose label is doubted, too, comes first
        (["labels", "labels"], "labels"),
        (["labels", "other"], "other"),
        (["other"], "other"),
    ],
)
def test_the_kind_of_a_cluster_is_that_of_all_its_images(kinds: list[str], kind: str) -> None:
    ordered = sheet.in_order(pd.DataFrame([question("a", str(n), kind=each) for n, each in enumerate(kinds)]))
    (made,) = sheet.clusters(ordered, {"/nowhere.png": Picture("", "gone")})
    assert made.kind == kind


class Elements(HTMLParser):
    """The names of a page's elements, with the text of scripts, styles and what else is shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names = [""]
        self.texts: dict[str, str] = {}
        self.csp = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        about = dict(attrs)
        assert "style" not in about  # the policy would not let it act
        assert not [name for name in about if name.startswith("on")]
        if about.get("http-equiv") == "Content-Security-Policy":
            self.csp = about["content"] or ""

    def handle_data(self, data: str) -> None:
        self.texts[self.names[-1]] = self.texts.get(self.names[-1], "") + data


def test_names_with_markup_are_text_and_only_our_script_runs(tmp_path: Path) -> None:
    plain = question("a", "1", kind="labels", proposal="relabel")
    hostile = dict.fromkeys(("image_id", "given_label", "suggested_label", "because", "title"), f"{EVIL}</script>")
    pages = []
    for row in (plain, plain | hostile | {"detail": EVIL, "path": f"/{EVIL}"}):
        write(pd.DataFrame([row]), tmp_path / "sheet.html")
        pages.append(Elements((tmp_path / "sheet.html").read_text()))
    assert pages[0].names.count("script") == pages[1].names.count("script") == 2
    assert pages[0].names.count("img") == pages[1].names.count("img") == 1  # the large view
    text = (tmp_path / "sheet.html").read_text()
    for directive, tag in (("style-src", "style"), ("script-src", "script")):
        text = (tmp_path / "sheet.html").read_text().split(f"<{tag}>")[1].split(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in pages[1].csp
    assert "default-src 'none'" in pages[1].csp
    assert "unsafe" not in pages[1].csp


def test_small_images_are_exact_and_photos_are_small_jpegs(tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    (tmp_path / "small.png").write_bytes(encode_png(digits()[0]))
    (tmp_path / "photo.jpg").write_bytes(encode_jpeg(photo))
    (tmp_path / "cut.jpg").write_bytes(encode_jpeg(photo)[:-500])
    names = ("small.png", "photo.jpg", "cut.jpg", "gone.png")
    table = pd.DataFrame([question("a", f"set/{name}", path=str(tmp_path / name)) for name in names])
    written = write(table, tmp_path / "out" / "sheet.html")
    text = (tmp_path / "out" / "sheet.html").read_text()
    assert (written.images, written.asked, written.bytes) == (4, 4, len(text.encode()))
    kinds = re.findall(r'src="data:image/(\w+);base64,([^"]+)"( alt="" class="enlarge")?', text)
    assert [(kind, bool(enlarged)) for kind, _, enlarged in kinds] == [("png", True), ("jpeg", False)]
    small, large = (decode(base64.b64decode(data)) for _, data, _ in kinds)
    assert np.array_equal(small, digits()[0])
    assert large.shape == thumbnail(photo, sheet.SIDE).shape == (136, 91, 3)
    assert text.count("truncated JPEG") == text.count("No such file or directory") == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["sheet.html"]


def test_clusters_may_be_numbers_and_unknown_figures_are_none(tmp_path: Path) -> None:
    table = pd.DataFrame([question("a", "1"), question("b", "2")]).assign(cluster=[7, 3], suggested_prob=np.nan)
    write(table, tmp_path / "sheet.html")
    assert "NaN" not in (tmp_path / "sheet.html").read_text().split('id="data"')[1].split("</script>")[0]


@pytest.mark.parametrize(
    ("row", "together", "says"),
    [
        ({"kind": "duplicates", "because": "near_duplicate"}, True, "would go · 90×60 · train"),
        ({"kind": "duplicates", "detail": "same photo, mirrored"}, True, "would go · 90×60, mirrored · train"),
        ({"kind": "duplicates", "detail": "same photo, a part of it"}, True, "would go · 90×60, a part of it · train"),
        ({"kind": "duplicates", "proposal": "relabel", "suggested_label": "7"}, True,
         "would become 7 · 90×60 · train"),
        ({"kind": "duplicates", "proposal": ""}, True, "nothing is suggested · 90×60 · train"),
        ({"kind": "duplicates", "asked": False, "score": 1.0, "split": "test"}, True, "stays · 90×60 · test"),
        ({"kind": "labels", "asked": False, "score": 1.0}, True, "stays · 90×60 · train"),  # of a doubted label's group
        ({"kind": "duplicates", "asked": False, "score": 0.1}, True, "flagged, not asked · 90×60 · train"),
        ({"kind": "labels", "suggested_prob": 0.6}, True, "60 % · 90×60 · train"),  # in question for its label alone
        ({"kind": "labels", "suggested_prob": 0.6}, False, "60 % · train"),
        ({"kind": "other", "detail": "sharp, mirrored"}, False, "score 0.10 · train"),
    ],
)  # fmt: skip
def test_captions_say_which_twin_would_stay_and_what_tells_them_apart(row: dict, together: bool, says: str) -> None:
    (made,) = pd.DataFrame([question("a", "1", **row)]).itertuples()
    assert sheet.caption(made, Picture("data:,", size=(90, 60)), together=together) == says


def test_a_twin_that_cannot_be_shown_has_no_size() -> None:
    (made,) = pd.DataFrame([question("a", "1", kind="duplicates")]).itertuples()
    assert sheet.caption(made, Picture("", "gone"), together=True) == "would go · train"


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{}], "drop"),
        ([{"proposal": "relabel", "suggested_label": "7"}] * 2, "relabel to 7"),
        ([{"proposal": "relabel", "suggested_label": "7"}, {"proposal": "relabel", "suggested_label": "1"}], "relabel"),
        ([{"proposal": "relabel", "suggested_label": "7"}, {}], "drop or relabel to 7"),
        ([{"proposal": ""}], ""),
        ([{"proposal": "relabel"}, {"odd": True}, {"asked": False}], ""),  # nothing that it would do
    ],
)
def test_accept_all_says_what_it_does(rows: list[dict], says: str, tmp_path: Path) -> None:
    table = pd.DataFrame([question("a", str(number), kind="duplicates", **row) for number, row in enumerate(rows)])
    (made,) = sheet.clusters(sheet.in_order(table), {"/nowhere.png": Picture("", "gone")})
    assert made.accepting == says
    write(table, tmp_path / "sheet.html")
    assert f"<span>Accept all{': ' + says if says else ''}</span>" in (tmp_path / "sheet.html").read_text()


def test_what_the_figures_mean_is_told_in_the_help(tmp_path: Path) -> None:
    write(pd.DataFrame([question("a", "1")]), tmp_path / "sheet.html")
    told = (tmp_path / "sheet.html").read_text().split('<dialog id="help"')[1].split("</dialog>")[0]
    for words in ("stays, would go", "flagged, not asked", "learned late", "right labels / min ahead"):
        assert f"<dt>{words}" in told
