"""What a user can mend, and how it is said."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as a shell has it."""
INTERRUPTED_LINE = "curate: interrupted; what was there before is untouched, run the command again to go on"
MOST_NAMED = 60
"""Names that an error lists; a set may have a thousand classes."""


class UserError(Exception):
    """One line that says what is wrong, where, and the way out. The command line prints it and exits with status 1."""


def first_line(error: Exception) -> str:
    """The first line of what an error says, its type where it says nothing: libraries write pages."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def from_system(error: Exception) -> bool:
    """Whether the operating system says it. Arrow raises `OSError` of a damaged file, too, and that has no number."""
    return isinstance(error, OSError) and bool(error.errno)


def known(kind: str, name: str, names: list[str]) -> UserError:
    """The error for a name that is not among `names`: the one it may be meant to be, and what there is, of many names
    those like it first."""
    there = sorted(names)
    if len(there) > MOST_NAMED:
        close = alike(name, there, MOST_NAMED)
        rest = [each for each in there if each not in close]
        there = [*[*close, *rest][:MOST_NAMED], f"… ({len(names):,} in all)"]
    return UserError(f"no {kind} is called {name!r}{meant(name, names)}; there are: {', '.join(there) or 'none'}")


def meant(name: str, names: list[str]) -> str:
    """` (did you mean 'dark'?)`, to stand behind a name that there is not; "" where nothing is like it."""
    close = alike(name, names, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def alike(name: str, names: list[str], most: int) -> list[str]:
    """Names that a typing error may have made `name` of, the likeliest first."""
    import difflib

    return difflib.get_close_matches(name, names, most)
