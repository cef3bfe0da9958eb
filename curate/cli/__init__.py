"""The command line: one short function per verb, heavy imports inside it.

Exit status: 0 done, 1 something the user can mend (one line on stderr), 2 wrong usage, 3 a gate was not met, 70 a bug
(one line, too, which says where the traceback is), 130 interrupted.
"""

import errno
import io
import os
import sys
from collections.abc import Sequence

import typer

from curate import __version__
from curate.cli import output
from curate.errors import INTERRUPTED, INTERRUPTED_LINE, UserError
from curate.wording import pasted

app = typer.Typer(
    name="curate",
    help="Curate image-classification sets: find what is wrong, decide, apply, retrain, see what it was worth.",
    epilog="Start with 'curate demo', or 'curate add WS FOLDER'.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


TRACEBACK = "CURATE_TRACEBACK"
"""Variable of the environment that `--verbose` sets, so that the processes that a verb starts show theirs, too."""


def _version(wanted: bool) -> None:
    if wanted:
        print(f"curate {__version__}")
        raise typer.Exit


@app.callback()
def curate(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="With an error, show its whole traceback."),
) -> None:
    """Curate image-classification training sets."""
    if verbose:
        os.environ[TRACEBACK] = "1"


# Each adds its verbs to `app`, and `--help` lists them in this order: that of the loop.
# isort: off
from curate.cli import data, find, decide, review, select, augment, learn, prove, runs, gate, history, about  # noqa: E402, F401
# isort: on


MENDABLE = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
        *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EMFILE, errno.EIO),
    }
)
"""What the operating system refuses and the user can mend: room, permissions, what a path leads to, a broken disk."""
A_BUG = 70
"""Exit status after an error of ours, EX_SOFTWARE of sysexits.h."""
SHOWN = 200
"""Characters of an unexpected error's message that are shown; the rest is in the traceback."""


def main(came: Sequence[int] = ()) -> None:
    """Run the command line; what the user can mend is one line on stderr, and so is a bug.

    came: grows with each Ctrl-C; an import that one has cut off ends with other errors.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be what the terminal can show
    try:
        app()
    except UserError as error:
        sys.exit(_one_line(str(error)))
    except KeyboardInterrupt:
        sys.exit(_interrupted())
    except SystemExit as end:
        if end.code == INTERRUPTED:  # Typer makes this of Ctrl-C, and says nothing
            _interrupted()
        raise
    except Exception as error:
        if came:
            sys.exit(_interrupted())
        mendable = _mendable(error)
        sys.exit(_one_line(mendable) if mendable else _bug(error))


def _mendable(error: Exception) -> str:
    """What to say of an error that the system, not curate, has raised; "" for all others."""
    if isinstance(error, OSError) and error.errno in MENDABLE:
        place = f": {pasted(os.fsdecode(error.filename))}" if isinstance(error.filename, str | bytes) else ""
        what = os.strerror(error.errno)  # `error.strerror` is a sentence of its own where Arrow raises it
        return f"{what}{place}; nothing that was there is lost, mend that and try again"
    if isinstance(error, MemoryError):
        return "memory ran out; nothing that was there is lost, end other programs, or give the machine more"
    if isinstance(error, ImportError) and not (error.name or "").startswith(("curate", "train")):
        return f"a package does not load ({error}); 'curate doctor' says which, and what to type"
    return ""


def _bug(error: Exception) -> int:
    from curate.support import crash

    kept = crash.keep(error, sys.argv[1:])
    said = f"{type(error).__name__}: {str(error)[:SHOWN]}".rstrip(": ")
    root = crash.workspace_in(sys.argv[1:])
    doctor = f"curate doctor {pasted(root)} --bundle" if root else "curate doctor --bundle"
    traceback = (
        f"The traceback is in {pasted(kept)}"
        if kept
        else "No folder takes the traceback, 'curate --verbose …' shows it"
    )
    _one_line(
        f"this is a bug in curate, at {crash.where(error)}: {said}. Nothing that was there is lost. {traceback}; "
        f"'{doctor}' packs what a report needs"
    )
    return A_BUG


def _interrupted() -> int:
    print(INTERRUPTED_LINE, file=sys.stderr)
    return INTERRUPTED


def _one_line(text: str) -> int:
    if TRACEBACK in os.environ:
        import traceback

        traceback.print_exc()
    print(f"curate: {output.one_line(text)}", file=sys.stderr)
    return 1
