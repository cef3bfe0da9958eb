"""What a reader sees of a report."""

from html.parser import HTMLParser

from curate import report
from curate.workspace import Workspace


class Page(HTMLParser):
    """What a browser would see: ids, what is loaded from where, text, and whether tags close in order."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attributes)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "data", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += " " + data


def written(workspace: Workspace) -> Page:
    page = Page(report.write(workspace).read_text(encoding="utf-8"))
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:  # nothing is asked of the network
        assert link.startswith(("#", "data:")), link
        assert link == "#" or not link.startswith("#") or link[1:] in page.ids
    return page


def tiles(page: Page) -> int:
    return page.tags.count("img")


SECTIONS = {"overview", "proof", "worth", "findings", "decisions", "labels", "predictions", "history"}


def sections(page: Page) -> set[str]:
    return SECTIONS & set(page.ids)
