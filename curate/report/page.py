"""The page: all sections gathered, laid out by the template."""

from dataclasses import dataclass

from curate import pages, verbs
from curate.report import charts
from curate.report.deciding import Deciding, deciding
from curate.report.gallery import Gallery, gallery
from curate.report.labels import Labels, labels
from curate.report.making import LISTED, Step, Version, missing_steps, versions
from curate.report.overview import Overview, overview
from curate.report.runs import MEASURES, Worth, worth
from curate.report.trust import Trust, trust
from curate.workspace import Workspace


@dataclass(frozen=True)
class Page:
    """The report's sections, from top to bottom; None for one without data."""

    overview: Overview
    missing: list[Step]
    worth: Worth | None
    gallery: Gallery | None
    deciding: Deciding | None
    labels: Labels | None
    trust: Trust | None
    versions: list[Version]


def gather(workspace: Workspace) -> Page:
    """Read the workspace: its tables, runs and ledger, and the few images that are shown."""
    images = verbs.read_manifest(workspace)
    decisions = verbs.read_decisions(workspace, images)
    made = versions(workspace)
    return Page(
        overview(workspace, images, made),
        missing_steps(workspace, images),
        worth(workspace, made),
        gallery(workspace, images, decisions),
        deciding(workspace, images, decisions),
        labels(workspace, images, decisions),
        trust(workspace),
        made,
    )


def render(page: Page) -> str:
    """The page as HTML. Whatever comes from the workspace is escaped."""
    template = pages.template("curate.report", "page.html.jinja")
    html = template.render(page=page, charts=charts, measures=MEASURES, listed=LISTED)
    return html.encode("utf-8", "replace").decode()  # a folder's name may hold bytes that are no text
