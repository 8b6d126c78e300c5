"""`python -m calibstudio` and the console script `calibstudio`."""

import os
import signal
import sys
from contextlib import suppress

INTERRUPTED = 130


def main() -> int:
    """Run the command line; without arguments, the window."""
    # Until the command listens itself nothing has begun, and an import can be left at once.
    signal.signal(signal.SIGINT, _nothing_begun)
    signal.signal(signal.SIGTERM, _nothing_begun)
    from calibstudio.cli.frame import show_on_any_terminal
    from calibstudio.cli.main import run

    show_on_any_terminal()
    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        _leave_at_once()
    return code


def _leave_at_once() -> None:
    """End a process that was stopped: to take its modules apart would take another second."""
    import logging

    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # its reader left
            stream.flush()
    os._exit(INTERRUPTED)


def _nothing_begun(number: int, frame: object) -> None:
    # An exception could be swallowed by the import that it falls into.
    os.write(2, b"calibstudio: Stopped before anything began.\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    raise SystemExit(main())
