"""`calibstudio doctor`: what is installed, what is missing, and the command that mends it."""

from __future__ import annotations

import argparse
from pathlib import Path

from calibstudio import __version__
from calibstudio.cli.frame import Outcome, Problem
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.quality import Verdict, worst
from calibstudio.services.doctor import examine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    parser.add_argument("--data", type=Path, help="also check this folder for frames and masters")


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Examine, print, and make each fault a problem."""
    checks = examine(args.data)
    width = max(len(check.name) for check in checks)
    lines = [f"{check.verdict:4}  {check.name:{width}}  {check.found}" for check in checks]
    problems = [
        Problem(f"{check.name}: {check.found}.", check.cure)
        for check in checks
        if check.verdict is Verdict.BAD
    ]
    warnings = [f"{c.name}: {c.cure}" for c in checks if c.verdict is Verdict.WARN and c.cure]
    document = {
        "version": __version__,
        "verdict": worst(check.verdict for check in checks),
        "checks": [
            {"name": c.name, "verdict": c.verdict, "found": c.found, "cure": c.cure} for c in checks
        ],
    }
    return Outcome(document, "\n".join([*lines, *warnings]), problems)
