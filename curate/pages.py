"""HTML pages out of templates: what comes from a workspace is escaped, figures and names are written as for people."""

from collections.abc import Callable, Sequence

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


def template(
    package: str, name: str, *, parts: Sequence[str] = (), filters: Sequence[Callable[..., object]] = ()
) -> jinja2.Template:
    """A template beside the modules of `package`, with `FILTERS` and `filters` by the names of the functions.

    parts: further packages, whose files it may include.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(each, ".") for each in (package, *parts)]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {function.__name__: function for function in (*FILTERS, *filters)}
    return environment.get_template(name)
