"""The page: all sections gathered, laid out by the template."""

from dataclasses import dataclass
from functools import partial

from curate import pages, tables
from curate.log import Version
from curate.report import charts
from curate.report.deciding import Deciding, deciding
from curate.report.flipped import Flipped, flipped
from curate.report.gallery import Gallery, gallery
from curate.report.labels import Labels, labels
from curate.report.making import LISTED, Step, missing_steps, versions
from curate.report.overview import Overview, overview
from curate.report.proved import Proved, proved
from curate.report.runs import CHANGES, CONFUSION_CLASSES, Worth, worth
from curate.report.trust import Trust, trust
from curate.results import conclusions
from curate.results.runs import MEASURES
from curate.results.side_by_side import greatest
from curate.workspace import Workspace


@dataclass(frozen=True)
class Page:
    """The report's sections, from top to bottom; None for one without data."""

    overview: Overview
    missing: list[Step]
    proved: Proved | None
    worth: Worth | None
    flipped: Flipped | None
    """Of the first comparison."""
    gallery: Gallery | None
    deciding: Deciding | None
    labels: Labels | None
    trust: Trust | None
    versions: list[Version]


def gather(workspace: Workspace) -> Page:
    """Read the workspace: its tables, runs and ledger, and the few images that are shown."""
    images = tables.read_manifest(workspace)
    decisions = tables.read_decisions(workspace, images)
    made = versions(workspace)
    proof = proved(workspace)
    trained = worth(workspace, images, proof.proof if proof else None)
    flips = trained.comparisons[0].flips if trained and trained.comparisons else None
    return Page(
        overview(workspace, images, made),
        missing_steps(workspace, images, trained.runs if trained else []),
        proof,
        trained,
        flipped(workspace, images, flips) if flips else None,
        gallery(workspace, images, decisions),
        deciding(workspace, images, decisions),
        labels(workspace, images, decisions),
        trust(workspace),
        made,
    )


def render(page: Page) -> str:
    """The page as HTML. Whatever comes from the workspace is escaped."""
    template = pages.template("curate.report", "page.html.jinja")
    html = template.render(
        page=page,
        charts=charts,
        conclusions=conclusions,
        measures=MEASURES,
        listed=LISTED,
        confused=CONFUSION_CLASSES,
        greatest=partial(greatest, most=CHANGES),
    )
    return html.encode("utf-8", "replace").decode()  # a folder's name may hold bytes that are no text
