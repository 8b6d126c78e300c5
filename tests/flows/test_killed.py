"""A process that captures is killed at random moments, and no frame is lost and none doubled."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from tests.helpers.killed import KilledRun, what_is_wrong

SEED = int(os.environ.get("CALIBSTUDIO_KILL_SEED", "2026"))
"""`tests/accuracy/kill_sequence.py` does it fifty times and more, with seeds of your choice."""


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed with signals")
@pytest.mark.timeout(180)
def test_a_sequence_killed_five_times_has_every_frame_once(tmp_path: Path) -> None:
    kills = 0
    # A sequence may come to its end before the fifth moment: then the next one is killed as well.
    for seed in range(SEED, SEED + 5):
        sys.stdout.write(f"seed {seed}\n")
        run = KilledRun(tmp_path / str(seed), random.Random(seed))

        sequence = run.run(5 - kills)

        kills += len(run.kills)
        assert what_is_wrong(sequence) == []
        assert run.nothing_left or (sequence.finished and not sequence.crashed)
        if kills == 5:
            break
    assert kills == 5
