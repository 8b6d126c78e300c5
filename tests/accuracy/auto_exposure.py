"""Search the level of flats on many simulated cameras and lights, and report the frames needed.

Run it from the checkout; the report in the help was made by this line::

    python -m tests.accuracy.auto_exposure --seeds 10 --report resources/help/auto-exposure.md

The exit code is 1 when a level was not found, or RULES 6 is not kept: 5 frames for 95 % of starts,
6 at worst on a steady lamp.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from calibstudio.services.auto_exposure import GaveUp
from tests.helpers.level_cases import (
    BOUNDS,
    CONVERTERS,
    Ran,
    brightness_cases,
    exposure_cases,
    gave_up,
    run_case,
)


def main() -> int:
    """Do it, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--report", type=Path, help="Markdown file to write")
    args = parser.parse_args()
    seeds = range(1, args.seeds + 1)
    searched = [run_case(case) for seed in seeds for case in exposure_cases(seed)]
    dimmed = [run_case(case) for seed in seeds for case in brightness_cases(seed)]
    text = report(searched, dimmed, args.seeds)
    if args.report is not None:
        args.report.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0 if all(is_kept(rans) for rans in (searched, dimmed)) else 1


def is_kept(rans: list[Ran]) -> bool:
    """Whether every level was found, in as many frames as promised."""
    quick = sum(r.frames <= 5 for r in rans)
    worst = max(r.frames for r in rans if r.case.lamp.is_steady)
    return not any(gave_up(r) for r in rans) and quick >= 0.95 * len(rans) and worst <= 6


def report(searched: list[Ran], dimmed: list[Ran], seeds: int) -> str:
    """Return what was found as Markdown."""
    total = len(searched) + len(dimmed)
    lost = sum(bool(gave_up(r)) for r in (*searched, *dimmed))
    lines = [
        "# How many test frames a level needs",
        "",
        f"The exposure, or the brightness of a panel, was searched in {total} simulated cases: "
        f"{len(CONVERTERS)} kinds of converter and sensor (12, 14 and 16 bits, mono and colour, "
        "a full well below the converter's end), steady and unsteady lamps, the twilight sky, "
        "panels with a curve; begun at the shortest, at the longest, at one second, anywhere, and "
        "at a trained value. Each test frame is rendered with photon and read noise and measured "
        "as a real one. The target is 50 % ± 10 %.",
        "",
        f"* Levels not found: **{lost}**",
    ]
    for name, rans in (("exposure", searched), ("brightness", dimmed)):
        quick = 100.0 * sum(r.frames <= 5 for r in rans) / len(rans)
        worst = max(r.frames for r in rans if r.case.lamp.is_steady)
        lines.append(
            f"* Search of the {name}: at most 5 frames in {quick:.1f} % of {len(rans)} cases; "
            f"{worst} at worst on a steady lamp"
        )
    lines += [
        "",
        f"Made by `python -m tests.accuracy.auto_exposure --seeds {seeds}`.",
        "",
        "## Frames needed, by light",
        "",
        "The accepted test frame is counted here, and counts as a flat.",
        "",
        *table(searched, dimmed, by_light=True),
        "",
        "## Frames needed, by camera",
        "",
        *table(searched, dimmed, by_light=False),
        "",
        "## Where a search ends without the level",
        "",
        "| what | what is said | what to do |",
        "|---|---|---|",
    ]
    for what, case, around in BOUNDS:
        outcome = run_case(case, around).outcome
        if isinstance(outcome, GaveUp):
            lines.append(f"| {what} | {outcome.message} | {outcome.hint} |")
    return "\n".join([*lines, ""])


def table(searched: list[Ran], dimmed: list[Ran], *, by_light: bool) -> list[str]:
    """Return rows of a table: how many cases needed 1, 2, ... frames."""
    most = max(r.frames for r in (*searched, *dimmed))
    counts: dict[str, Counter[int]] = {}
    for what, rans in (("exposure", searched), ("brightness", dimmed)):
        for ran in rans:
            name = ran.case.lamp.name if by_light else ran.case.converter.name
            counts.setdefault(f"{what} | {name}", Counter())[ran.frames] += 1
    columns = range(1, most + 1)
    head = " | ".join(str(n) for n in columns)
    lines = [f"| searched | {'light' if by_light else 'camera'} | {head} |"]
    lines.append("|---|---|" + "---:|" * most)
    for name, frames in counts.items():
        cells = " | ".join(str(frames[n] or "") for n in columns)
        lines.append(f"| {name} | {cells} |")
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
