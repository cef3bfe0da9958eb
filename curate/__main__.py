"""`python -m curate` and the command `curate`: Ctrl-C is one line already while the rest is being imported."""

import contextlib
import os
import signal
import sys
import threading
from types import FrameType

from curate.errors import INTERRUPTED, INTERRUPTED_LINE

SOON_SECONDS = 0.05


def main() -> None:
    """Import and run the command line."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # a shell's background job ignores Ctrl-C
        from curate.cli import main as run

        run()
        return
    signal.signal(signal.SIGINT, _end)
    from curate.cli import main as run

    came: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        came.append(number)
        signal.default_int_handler(number, frame)

    sys.unraisablehook = _once_more
    try:
        signal.signal(signal.SIGINT, interrupt)
        run(came)
    except KeyboardInterrupt:  # before `run` could catch it
        _end()
    finally:
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            sys.stdout.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # all is written; Python's own end would show a traceback


def _end(*_: object) -> None:
    """Nothing was begun: no `finally` has to run, and an import may not be able to pass an exception on."""
    os.write(2, f"{INTERRUPTED_LINE}\n".encode())
    os._exit(INTERRUPTED)


def _once_more(unraisable: "sys.UnraisableHookArgs") -> None:
    """Ctrl-C that came where nothing can be raised, such as in a `__del__`, comes again."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)
    elif signal.getsignal(signal.SIGINT) is not signal.SIG_DFL:
        # At once it would be raised in here; and it has to come to the main thread, to end what that waits for.
        again = (threading.main_thread().ident, signal.SIGINT)
        threading.Timer(SOON_SECONDS, signal.pthread_kill, again).start()


if __name__ == "__main__":
    main()
