"""`calibstudio run` as a user of the terminal, a script and a night without anybody meet it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from math import inf
from pathlib import Path
from typing import Any

import pytest

from calibstudio.cli.main import run
from calibstudio.cli.run import _overview
from calibstudio.cli.terminal import TerminalOperator
from calibstudio.devices.rigs import rig_of_device
from calibstudio.devices.simulator.observatory import simulated_observatory
from calibstudio.domain.capture import Answer, QuestionKind
from calibstudio.domain.errors import Cancelled, UsageError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.plan import CameraSettings, CapturePlan, CaptureStep
from calibstudio.domain.run_config import DeviceWish, RunConfig
from calibstudio.services.capture import run_sequence
from calibstudio.services.capture_state import find_sequences
from calibstudio.services.run_job import RunJob, RunSettings
from calibstudio.store.folder_sink import FolderSink
from tests.helpers.bench import bench_camera, bench_observatory

Capture = pytest.CaptureFixture[str]

HEAD = """\
calibstudio: 1
rig: tiny
simulation: {speed: 3000, seed: 3, start: 2026-04-17T22:00:00Z}
camera: {gain: 100, offset: 50}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "night.yaml"
    path.write_text(f"{HEAD}bias: {{frames: 3}}\n")
    return path


def as_json(capsys: Capture, *argv: object) -> tuple[int, dict[str, Any], str]:
    code = run([*(str(a) for a in argv), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def places(tmp_path: Path) -> list[str]:
    return ["--frames", str(tmp_path / "frames"), "--library", str(tmp_path / "library")]


def test_a_run_gives_the_document_of_the_contract(
    config: Path, tmp_path: Path, capsys: Capture
) -> None:
    code, document, err = as_json(capsys, "run", config, "--no-confirm", *places(tmp_path))

    assert (code, err) == (0, "")
    assert [m["kind"] for m in document["masters"]] == ["master bias"]
    assert document["skipped"] == [] and document["notes"] == []
    assert [(f["kind"], f["accepted"], f["reason"]) for f in document["captured"]] == [
        ("bias", True, "")
    ] * 3
    assert all(Path(f["path"]).is_absolute() for f in document["captured"])
    assert all(Path(f["path"]).is_file() for f in document["captured"])
    assert document["finished"] is True
    (sequence,) = find_sequences(tmp_path / "frames")
    assert str(sequence.path) == document["sequence"] and sequence.has_masters
    assert run(["run", "--resume", *places(tmp_path)]) == 2

    # Killed after its last frame, before the masters were built: they are built.
    lines = sequence.path.read_text().splitlines(keepends=True)
    sequence.path.write_text("".join(line for line in lines if not line.startswith('{"masters"')))
    capsys.readouterr()
    code, document, _ = as_json(capsys, "run", "--resume", sequence.path, *places(tmp_path))
    assert code == 0 and len(document["masters"]) == 1
    assert len(list((tmp_path / "frames").rglob("*.fits"))) == 3


def test_a_twilight_that_is_over_is_warned_of_before_the_start(
    tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "dusk.yaml"
    path.write_text(f"{HEAD}flats: {{light: sky, twilight: dusk, filters: [L], frames: 3}}\n")

    code, document, err = as_json(capsys, "run", path, "--no-confirm", *places(tmp_path))

    assert code == 1 and document["captured"] == []
    first = err.splitlines()[0]
    assert "Dusk light comes in" in first and "Dawn has light from 03:" in first


def test_what_is_asked_before_the_start_tells_cooling_apart(tmp_path: Path) -> None:
    there = simulated_observatory("tiny", seed=3, speed=inf)
    step = CaptureStep("dark", FrameKind.DARK, 3, CameraSettings(set_temp_c=-10.0), exposure_s=60.0)
    job = RunJob(RunConfig(name="x"), "", RunSettings("", tmp_path, ""))

    said = _overview(CapturePlan("Darks", (step,), warm_up=True), job, there)

    assert "(Cooling about " in said and "warm-up about " in said
    there.close()


def test_one_part_takes_its_frames_and_builds_nothing_and_masters_come_later(
    tmp_path: Path, capsys: Capture
) -> None:
    config = tmp_path / "night.yaml"
    config.write_text(f"{HEAD}bias: {{frames: 2}}\nflats: {{frames: 2, filters: [L]}}\n")
    both = ("run", "--config", config, *places(tmp_path))

    first = as_json(capsys, *both, "--step", "darks")
    second = as_json(capsys, *both, "--step", "masters")

    assert first[0] == 0 and first[1]["masters"] == []
    assert [f["kind"] for f in first[1]["captured"]] == ["bias", "bias"]
    assert second[0] == 0 and "captured" not in second[1]
    assert [m["kind"] for m in second[1]["masters"]] == ["master bias"]


def test_without_a_screen_and_without_an_answer_the_sequence_stops_and_can_go_on(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from calibstudio.devices import rigs

    real = rigs.open_rig
    monkeypatch.setattr(
        rigs, "open_rig", lambda *args, **more: replace(real(*args, **more), panel=None)
    )
    config = tmp_path / "night.yaml"
    config.write_text(f"{HEAD}masters: false\nbias: {{frames: 2}}\n")

    code, document, err = as_json(capsys, "run", config, *places(tmp_path))
    again = as_json(capsys, "run", "--resume", "--no-confirm", *places(tmp_path))

    assert code == 1 and document["captured"] == [] and document["finished"] is False
    assert "Is the telescope covered? This camera has no shutter. Nobody could be asked." in err
    assert "--no-confirm" in err
    assert again[0] == 0 and len(again[1]["captured"]) == 2
    assert len(list((tmp_path / "frames").glob("*/sequence_*.jsonl"))) == 1


def test_answers_of_the_file_are_enough(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from calibstudio.devices import rigs

    real = rigs.open_rig
    monkeypatch.setattr(
        rigs, "open_rig", lambda *args, **more: replace(real(*args, **more), panel=None)
    )
    config = tmp_path / "night.yaml"
    config.write_text(f"{HEAD}masters: false\nbias: {{frames: 2}}\nanswers: {{covered: true}}\n")

    code, document, err = as_json(capsys, "run", config, *places(tmp_path))

    assert (code, err) == (0, "") and len(document["captured"]) == 2


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["run"], "No configuration was given."),
        (["run", "nothere.yaml"], "There is no file nothere.yaml."),
        (["run", "--resume"], "has anything left to take"),
        (["run", "--resume", "sequence_x.jsonl"], "There is no sequence sequence_x.jsonl."),
        (["run", "CONFIG", "--rig", "moon"], "There is no rig called moon."),
        (["run", "CONFIG", "--config", "CONFIG"], "Two configurations were given."),
        (["run", "CONFIG", "--step", "lights"], "invalid choice"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_sentence(
    argv: list[str], said: str, config: Path, tmp_path: Path, capsys: Capture
) -> None:
    argv = [str(config) if a == "CONFIG" else a for a in argv]

    code = run([*argv, *places(tmp_path)])

    assert code == 2
    assert said in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="processes are ended with signals")
def test_sigterm_keeps_the_state_makes_devices_safe_and_is_out_in_five_seconds(
    tmp_path: Path,
) -> None:
    config = tmp_path / "night.yaml"
    config.write_text(
        HEAD.replace("speed: 3000", "speed: 1")
        + "masters: false\nbias: {frames: 2}\ndarks: {frames: 2, exposures: [600]}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "calibstudio", "run", str(config), *places(tmp_path)],
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    ends = time.monotonic() + 40
    while len(list((tmp_path / "frames").rglob("*.fits"))) < 2 and time.monotonic() < ends:
        time.sleep(0.05)
        assert process.poll() is None

    began = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=20)

    assert time.monotonic() - began < 5.5
    assert process.returncode == 130
    assert "2 of 4 good frames are kept. Go on with: calibstudio run --resume" in err
    (sequence,) = find_sequences(tmp_path / "frames")
    assert sequence.good == 2 and sequence.can_go_on and not sequence.crashed


# The operator at a terminal ----------------------------------------------------------------------


class Terminal(io.StringIO):
    """A keyboard that types these lines, or a screen."""

    def isatty(self) -> bool:
        return True


def sequence_with(operator: TerminalOperator, folder: Path) -> Any:
    observatory = bench_observatory()
    step = CaptureStep("dark", FrameKind.DARK, 2, exposure_s=5.0)
    plan = CapturePlan("Darks", (step,))
    from calibstudio.domain.jobs import JobContext

    report = run_sequence(
        JobContext(), observatory, plan, FolderSink(folder), operator.control, operator.see
    )
    return report, bench_camera(observatory)


def test_questions_are_asked_at_the_terminal_until_the_answer_is_one(tmp_path: Path) -> None:
    screen = Terminal()
    operator = TerminalOperator({}, no_confirm=False, stdin=Terminal("yes\n7\n1\n"), stderr=screen)

    report, camera = sequence_with(operator, tmp_path)

    assert len(report.accepted) == 2 and len(camera.requests) == 2
    said = screen.getvalue()
    assert "Is the telescope covered? This camera has no shutter." in said
    assert "[1] It is covered  [2] Stop" in said
    assert said.count("Type a number from 1 to 2") == 2


def test_stop_is_an_answer(tmp_path: Path) -> None:
    operator = TerminalOperator({}, no_confirm=False, stdin=Terminal("2\n"), stderr=Terminal())

    report, camera = sequence_with(operator, tmp_path)

    assert report.stopped and camera.requests == []


def test_the_start_is_confirmed_at_a_terminal_only() -> None:
    def confirms(typed: str) -> bool:
        operator = TerminalOperator({}, no_confirm=False, stdin=Terminal(typed), stderr=Terminal())
        return operator.confirm("What is taken.", CancelToken())

    assert confirms("\n") and confirms("Y\n") and not confirms("n\n")
    assert TerminalOperator({}, no_confirm=False, stdin=io.StringIO()).confirm("x", CancelToken())


def test_waiting_for_a_confirmation_can_be_interrupted() -> None:
    token = CancelToken()
    token.cancel()
    operator = TerminalOperator({}, no_confirm=False, stdin=Terminal(""), stderr=Terminal())

    with pytest.raises(Cancelled):
        operator.confirm("What is taken.", token)


def test_no_confirm_trusts_and_leaves_out_what_fails() -> None:
    control = TerminalOperator(
        {QuestionKind.FAILURE: Answer.RETRY}, no_confirm=True, stdin=io.StringIO()
    ).control

    assert control.standing_answer(QuestionKind.COVER) is Answer.YES
    assert control.standing_answer(QuestionKind.BAD_FRAMES) is Answer.SKIP
    assert control.standing_answer(QuestionKind.FAILURE) is Answer.RETRY
    assert control.standing_answer(QuestionKind.DISK) is None


# Cameras that a file names -----------------------------------------------------------------------


def test_a_camera_by_address_is_that_alpaca_camera() -> None:
    assert rig_of_device(DeviceWish("alpaca", "", "obs", 11111, 2)) == "alpaca://obs:11111/2"
    assert rig_of_device(DeviceWish("indi", "", "pi", 7624)) == "indi://pi:7624"
    named = DeviceWish("indi", "ZWO CCD/1", "pi", 7625)
    assert rig_of_device(named) == "indi://pi:7625/ZWO%20CCD/1"


def test_a_camera_by_name_is_looked_for_and_said_when_it_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from calibstudio.devices import discovery
    from calibstudio.devices.discovery import Found, FoundDevice

    here = FoundDevice("alpaca", "10.0.0.2", 11111, "Camera", 1, "ZWO ASI (1)")
    named = FoundDevice("alpaca", "10.0.0.3", 11112, "camera", 0, "zwo-asi")
    found = [here]
    monkeypatch.setattr(discovery, "discover", lambda *args: Found(tuple(found)))
    wish = DeviceWish("alpaca", "ASCOM.ZWOASI.Camera", line=12)

    with pytest.raises(UsageError, match=r"line 12: .*ZWOASI.Camera; these answer: ZWO ASI"):
        rig_of_device(wish)
    found.append(named)
    assert rig_of_device(wish) == "alpaca://10.0.0.3:11112/0"
    found.append(named)
    with pytest.raises(UsageError, match="several Alpaca cameras"):
        rig_of_device(wish)
    with pytest.raises(UsageError, match="cameras of opencv are not supported"):
        rig_of_device(DeviceWish("opencv"))


def test_all_that_the_camera_cannot_do_is_said_at_once(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "bad.yaml"
    text = HEAD.replace("gain: 100, offset: 50", "gain: 99999, offset: 30000, binning: 7")
    path.write_text(f"{text}bias: {{frames: 3}}\ndarks: {{frames: 2, exposures: [1]}}\n")

    code = run(["run", str(path), "--no-confirm", *places(tmp_path)])

    said = capsys.readouterr().err.replace("\u202f", " ")
    assert code == 2
    assert said.startswith("calibstudio: bad.yaml: Simulated 0.3 MP mono cannot do what is asked.")
    assert "Gain 99 999 is outside this camera's range 0–300." in said
    assert "Offset 30 000 is outside this camera's range 0–255." in said
    assert "Binning 7 is not one of this camera's: " in said
    assert said.count("Gain") == 1
    assert not (tmp_path / "frames").exists()
