"""The sheet as a file: its order, its pictures, and that only our script runs in it."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd

from curate.images import decode, encode_jpeg, encode_png, thumbnail
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
