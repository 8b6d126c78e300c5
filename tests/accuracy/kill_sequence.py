"""Kill a capturing process at random moments, fifty times and more, and report what came of it.

Run it from the checkout; the report in the help was made by the first line::

    python -m tests.accuracy.kill_sequence --kills 50 --seed 1 \
        --report resources/help/killed.md
    python -m tests.accuracy.kill_sequence --kills 10 --seed 77

Each sequence is killed up to ten times and gone on with after each kill; at its end every frame
is opened and counted. The exit code is 1 when anything was lost, doubled or left half done.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.helpers.killed import CONFIG, Kill, KilledRun, what_is_wrong

KILLS_A_SEQUENCE = 10


def main() -> int:
    """Do it, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, help="Markdown file to write")
    args = parser.parse_args()
    rows: list[tuple[int, KilledRun, int, list[str]]] = []
    done = 0
    seed = args.seed
    while done < args.kills:
        with tempfile.TemporaryDirectory() as folder:
            run = KilledRun(Path(folder), random.Random(seed))
            sequence = run.run(min(KILLS_A_SEQUENCE, args.kills - done))
            wrong = what_is_wrong(sequence)
        done += len(run.kills)
        rows.append((seed, run, sequence.good, wrong))
        sys.stdout.write(f"seed {seed}: {len(run.kills)} kills, {sequence.good} good frames, ")
        sys.stdout.write(f"{'; '.join(wrong) or 'nothing wrong'}\n")
        sys.stdout.flush()
        seed += 1
    text = report(rows)
    if args.report is not None:
        args.report.parent.mkdir(parents=True, exist_ok=True)
        args.report.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 1 if any(wrong for _, _, _, wrong in rows) else 0


def report(rows: list[tuple[int, KilledRun, int, list[str]]]) -> str:
    """Return what happened as Markdown."""
    kills = [kill for _, run, _, _ in rows for kill in run.kills]
    wrong = sum(len(w) for _, _, _, w in rows)
    caught = Counter(kill.trigger for kill in kills)
    lines = [
        "# Killed at random moments",
        "",
        f"A capturing process was killed {len(kills)} times (SIGKILL) in {len(rows)} sequences and "
        "gone on with by `calibstudio run --resume`. At the end of each sequence every frame was "
        "opened, its checksums were verified, and its pixels were compared with those of all "
        "others.",
        "",
        f"* Frames lost, doubled, or left half done: **{wrong}**",
        f"* Kills that left a frame on disk of which the journal did not know: "
        f"{sum(k.not_noted > 0 for k in kills)}",
        f"* Kills that left a temporary file: {sum(k.temporary > 0 for k in kills)}",
        f"* Kills that tore a line of the journal: {sum(k.torn for k in kills)}",
        "* What the kills waited for: "
        + ", ".join(f"{word} ({n})" for word, n in caught.most_common()),
        "",
        "Made by `python -m tests.accuracy.kill_sequence --kills 50 --seed 1`, with:",
        "",
        "```yaml",
        CONFIG.rstrip(),
        "```",
        "",
        "| seed | kill | waited for | after [s] | good so far | not noted | temporary | torn |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for seed, run, good, found in rows:
        lines += [_row(seed, kill) for kill in run.kills]
        end = "; ".join(found) or "nothing wrong"
        lines.append(f"| {seed} | end | | | {good} | {end} | | |")
    return "\n".join(lines) + "\n"


def _row(seed: int, kill: Kill) -> str:
    torn = "yes" if kill.torn else ""
    return (
        f"| {seed} | {kill.number} | {kill.trigger} | {kill.delay_s:.2f} | {kill.good} | "
        f"{kill.not_noted or ''} | {kill.temporary or ''} | {torn} |"
    )


if __name__ == "__main__":
    raise SystemExit(main())
