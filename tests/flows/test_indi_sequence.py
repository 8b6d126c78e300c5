"""A sequence of biases and darks through INDI's own simulators."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.devices.rigs import open_rig
from calibstudio.domain.capture import Answer, QuestionKind, StepPhase
from calibstudio.domain.drafts import BiasDraft, DarkDraft
from calibstudio.domain.plan import CapturePlan
from tests.helpers.indi_server import CAMERA, shared_indi, why_not
from tests.helpers.sequences import Operator


def test_a_sequence_of_biases_and_darks_is_taken_through_it(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    observatory = open_rig(f"indi://127.0.0.1:{shared_indi().port}")
    info = observatory.camera.info
    bias, dark = BiasDraft.for_camera(info), DarkDraft.for_camera(info)
    bias.count = dark.count = 3
    for draft in (bias, dark):
        # At offset 0 half of its noise is cut off; cooling is the contract's matter.
        draft.settings = replace(draft.settings, offset=500, set_temp_c=None)
    dark.exposures_s = (1.0,)
    plan = CapturePlan("Bias and dark", (*bias.plan(info).steps, *dark.plan(info).steps))
    operator = Operator({QuestionKind.COVER: [Answer.YES] * 2})
    try:
        report = operator.run(observatory, plan, tmp_path / "frames")
    finally:
        observatory.close()

    assert report.problems == () and not report.stopped
    assert {s.phase for s in report.steps} == {StepPhase.DONE}
    headers = [fits.getheader(path) for path in report.accepted]
    assert [h["IMAGETYP"] for h in headers] == ["Bias Frame"] * 3 + ["Dark Frame"] * 3
    assert [h["EXPTIME"] for h in headers] == [0.01] * 3 + [1.0] * 3
    assert {h["INSTRUME"] for h in headers} == {CAMERA}
    assert {(h["GAIN"], h["OFFSET"]) for h in headers} == {(info.gain_default, 500)}
    assert {fits.getdata(path).shape for path in report.accepted} == {(512, 512)}
    assert len({np.asarray(fits.getdata(path)).tobytes() for path in report.accepted}) == 6
