"""`python -m calibstudio` and the console script `calibstudio`."""

import sys


def main() -> int:
    """Run the command line; without arguments, the window."""
    from calibstudio.cli.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    raise SystemExit(main())
