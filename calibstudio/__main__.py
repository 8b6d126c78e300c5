"""`python -m calibstudio` and the console script `calibstudio`."""

import sys

INTERRUPTED = 130


def main() -> int:
    """Run the command line; without arguments, the window."""
    try:
        from calibstudio.cli.frame import show_on_any_terminal
        from calibstudio.cli.main import run

        show_on_any_terminal()
        return run(sys.argv[1:])
    except KeyboardInterrupt:
        # Before the command listens to signals itself: nothing has begun.
        sys.stderr.write("calibstudio: Stopped before anything began.\n")
        return INTERRUPTED


if __name__ == "__main__":
    raise SystemExit(main())
