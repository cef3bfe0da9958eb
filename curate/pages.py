"""HTML pages out of templates: what comes from a workspace is escaped, figures and names are written as for people."""

import jinja2

from curate import wording

FILTERS = (
    wording.count,
    wording.middle,
    wording.moment,
    wording.percent,
    wording.plural,
    wording.score,
    wording.signed,
)


def template(package: str, name: str) -> jinja2.Template:
    """A template beside the modules of `package`, with `FILTERS` by their names."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {function.__name__: function for function in FILTERS}
    return environment.get_template(name)
