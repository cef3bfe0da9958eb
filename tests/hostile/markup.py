"""What of the hostile names would act in a page: elements, attributes and scripts that they made."""

import json
from html.parser import HTMLParser

from tests.hostile.names import MARK


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.harm: list[str] = []
        self.script: str | None = None
        """The type of the script that is open."""
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (name.startswith("on") and MARK in (value or "")) or (value or "").strip().startswith("javascript:"):
                self.harm.append(f"<{tag} {name}={value}>")
            if tag == "img" and name == "src" and not (value or "").startswith("data:"):
                self.harm.append(f"<{tag} {name}={value}>")
        if tag == "script":
            self.script, self.text = dict(attrs).get("type") or "", ""

    def handle_data(self, data: str) -> None:
        self.text += data if self.script is not None else ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self.script is not None:
            if self.script == "application/json":
                json.loads(self.text)
            elif MARK in self.text:
                self.harm.append(self.text[:200])
            self.script = None


def harm(html: str) -> list[str]:
    """Elements and scripts of the page that come from a name; empty where all of them are text."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.harm
