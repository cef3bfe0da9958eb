"""A `curate` command in a forked process, where all modules are loaded: a tenth of a second instead of two."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

MODULES = (
    *("curate.cli", "curate.export", "curate.ingest.incoming", "curate.ingest.near", "curate.adding"),
    *("curate.report", "curate.review.verb", "curate.verbs", "cv2", "faiss", "pyarrow.dataset"),
)
"""What commands would load each for itself."""


def detach(out: int, err: int) -> None:
    """Lead a process group of one's own, read nothing, and write to these two open files."""
    os.setpgid(0, 0)
    for number, target in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
        os.dup2(target, number)


def run(arguments: list[str], last: Callable[[], object] = lambda: None) -> NoReturn:
    """Run the command line and end the process with its status, after a call of `last`."""
    sys.argv = ["curate", *arguments]
    status = 1
    try:
        from curate.cli import main

        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        last()
        os._exit(status)
