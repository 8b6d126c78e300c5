"""What somebody who takes frames meets when something is put out of order on request."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from calibstudio.devices.simulator.observatory import SimulatedObservatory, simulated_observatory
from calibstudio.domain.capture import Answer, CaptureStatus, QuestionKind
from calibstudio.domain.drafts import BiasDraft, FlatDraft
from calibstudio.domain.errors import WriteProblemError
from calibstudio.domain.plan import CapturePlan
from calibstudio.services.capture_check import preflight
from tests.helpers.sequences import Operator

START = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)


@pytest.fixture
def night() -> SimulatedObservatory:
    return simulated_observatory("tiny", seed=3, speed=math.inf, start=START)


def biases(night: SimulatedObservatory, count: int = 3) -> CapturePlan:
    draft = BiasDraft.for_camera(night.camera.info)
    draft.settings = replace(draft.settings, set_temp_c=None)
    draft.count = count
    return draft.plan(night.camera.info)


def flats(night: SimulatedObservatory, filter_: str) -> CapturePlan:
    assert night.panel is not None
    draft = FlatDraft.for_camera(night.camera.info, (filter_,), night.panel.info)
    draft.settings = replace(draft.settings, set_temp_c=None)
    draft.count = 3
    steps = draft.plan(night.camera.info).steps
    return CapturePlan("Flats", steps[:1])


def mending_operator(night: SimulatedObservatory, **options: Any) -> Operator:
    """Somebody who mends everything when asked, and says retry."""
    operator = Operator(
        {QuestionKind.FAILURE: [Answer.RETRY], QuestionKind.DISK: [Answer.RETRY]}, **options
    )

    def mend(status: CaptureStatus) -> None:
        if status.question is not None and night.faults is not None:
            night.faults.mend_all()

    operator.on_status = mend
    return operator


@pytest.mark.parametrize(
    ("fault", "said", "cure"),
    [
        ("dead-wheel", "did not reach Ha (slot 5) within 15", "blocked or without power"),
        ("full-disk", "bytes free", "goes on by itself when there is room"),
    ],
)
def test_a_fault_in_mid_sequence_is_a_question_with_the_cure_and_then_it_goes_on(
    night: SimulatedObservatory, tmp_path: Path, fault: str, said: str, cure: str
) -> None:
    plan = flats(night, "Ha") if fault == "dead-wheel" else biases(night)
    operator = mending_operator(night)
    asked_before = operator.on_status
    assert night.faults is not None
    if fault == "dead-wheel":
        night.faults.make(fault)

    def break_then_mend(status: CaptureStatus) -> None:
        if fault == "full-disk" and len(status.frames) == 1 and not operator.questions:
            night.faults.make(fault)
        asked_before(status)

    operator.on_status = break_then_mend

    report = operator.run(night, plan, tmp_path)

    assert said in operator.questions[0].text
    assert cure in operator.questions[0].hint
    assert len(operator.questions) == 1
    assert len(report.accepted) == 3
    assert report.problems == ()


def test_a_cover_that_will_not_close_is_a_question_with_the_cure(tmp_path: Path) -> None:
    night = simulated_observatory("tiny", seed=3, speed=math.inf, start=START, cover_open=True)
    assert night.faults is not None
    night.faults.make("stuck-cover")
    operator = mending_operator(night)

    report = operator.run(night, biases(night), tmp_path)

    assert "did not close within 15" in operator.questions[0].text
    assert "in its way or frozen" in operator.questions[0].hint
    assert len(report.accepted) == 3


def test_a_camera_that_comes_back_by_itself_needs_nobody(
    night: SimulatedObservatory, tmp_path: Path
) -> None:
    assert night.faults is not None
    night.faults.make("disconnect", (2, 8))
    operator = Operator()

    report = operator.run(night, biases(night), tmp_path)

    assert operator.questions == []
    assert len(report.accepted) == 3
    assert any("Reconnecting" in text for text in operator.said)


def test_a_full_disk_is_seen_before_anything_moves(
    night: SimulatedObservatory, tmp_path: Path
) -> None:
    assert night.faults is not None
    plan = biases(night)
    night.faults.make("full-disk")

    disk = next(c for c in preflight(night, plan, tmp_path) if c.name == "Free disk")
    with pytest.raises(WriteProblemError, match=r"Free disk: 0.bytes free"):
        Operator().run(night, plan, tmp_path)

    assert disk.action == "folder"
    assert list(tmp_path.rglob("*.fits")) == []


def test_frames_of_the_wrong_shape_are_not_kept_among_the_good_ones(
    night: SimulatedObservatory, tmp_path: Path
) -> None:
    operator = Operator({QuestionKind.FAILURE: [Answer.STOP]})
    assert night.faults is not None
    night.faults.make("wrong-shape")

    report = operator.run(night, biases(night), tmp_path)

    words = [q.text for q in operator.questions] + [text for text, _ in report.problems]
    words += [f.reason for f in operator.last.frames]
    assert report.accepted == ()
    assert any("479" in w for w in words), words


def test_stale_frames_are_not_kept_among_the_good_ones(
    night: SimulatedObservatory, tmp_path: Path
) -> None:
    assert night.faults is not None
    night.faults.make("stale-frame")
    operator = Operator({QuestionKind.FAILURE: [Answer.STOP]})

    report = operator.run(night, biases(night), tmp_path)

    words = [q.text for q in operator.questions] + [text for text, _ in report.problems]
    words += [f.reason for f in operator.last.frames]
    assert len(report.accepted) <= 1
    assert any("equal to the frame before" in w for w in words), words
