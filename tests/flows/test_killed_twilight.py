"""A process that waits for the light of the dusk is killed, and goes on when it comes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from calibstudio.domain.kinds import FrameKind
from calibstudio.services.capture_state import find_sequences
from tests.helpers.killed import what_is_wrong

TWILIGHT = """\
calibstudio: 1
title: Killed while it waits for the light
rig: tiny
simulation: {speed: 120, seed: 5, start: 2026-04-17T18:05:00Z}
masters: false
camera: {gain: 100, offset: 50}
flats: {frames: 3, filters: [Ha], light: sky, twilight: dusk, shortest: 0.5, longest: 10,
        dark_flats: 2}
"""


@pytest.mark.timeout(120)
def test_a_sequence_killed_while_it_waits_for_the_light_goes_on_when_it_comes(
    tmp_path: Path,
) -> None:
    frames = tmp_path / "frames"
    config = tmp_path / "dusk.yaml"
    config.write_text(TWILIGHT)
    command = [sys.executable, "-m", "calibstudio", "run", "--no-confirm",
               "--frames", str(frames), "--library", str(tmp_path / "library")]  # fmt: skip
    waiting = subprocess.Popen(
        [*command, str(config)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    ends = time.monotonic() + 60.0
    while not list(frames.glob("*/sequence_*.jsonl")):
        assert time.monotonic() < ends and waiting.poll() is None
        time.sleep(0.02)
    waiting.kill()
    waiting.communicate(timeout=30)
    (cut_off,) = find_sequences(frames)
    assert cut_off.good == 0 and cut_off.can_go_on and not list(frames.rglob("*.fits"))

    done = subprocess.run(
        [*command, "--resume"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    (sequence,) = find_sequences(frames)
    assert sequence.finished and what_is_wrong(sequence) == []
    flats = [f for f in sequence.frames if f.accepted and f.kind is FrameKind.FLAT]
    assert len(flats) == 3
    for flat in flats:
        assert flat.level_adu == pytest.approx(0.5 * 65535, rel=0.1)
        assert 0.5 <= flat.exposure_s <= 10.0
