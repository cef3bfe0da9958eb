"""The command line: one short function per verb, heavy imports inside it.

Exit status: 0 done, 1 something the user can mend (one line on stderr), 2 wrong usage, 3 a gate was not met,
130 interrupted.
"""

import errno
import io
import os
import sys

import typer

from curate import __version__
from curate.cli import output
from curate.errors import UserError

app = typer.Typer(
    name="curate",
    help="Curate image-classification sets: find what is wrong, decide, apply, retrain, see what it was worth.",
    epilog="Start with 'curate demo', or 'curate add WS FOLDER'.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"curate {__version__}")
        raise typer.Exit


@app.callback()
def curate(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Curate image-classification training sets."""


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
INTERRUPTED = 130


def main() -> None:
    """Run the command line; what the user can mend is one line on stderr."""
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
    except OSError as error:
        if error.errno not in MENDABLE:
            raise
        place = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
        what = os.strerror(error.errno)  # `error.strerror` is a sentence of its own where Arrow raises it
        sys.exit(_one_line(f"{what}{place}; nothing that was there is lost, mend that and try again"))


def _interrupted() -> int:
    _one_line("interrupted; what was there before is untouched, run the command again to go on")
    return INTERRUPTED


def _one_line(text: str) -> int:
    if "CURATE_TRACEBACK" in os.environ:
        import traceback

        traceback.print_exc()
    print(f"curate: {output.one_line(text)}", file=sys.stderr)
    return 1
