"""From first start to a trusted master: one operator's evening in the real window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.app import Options, build
from calibstudio.domain.equipment import CoverState
from calibstudio.domain.master import ReviewState
from calibstudio.domain.plan import CameraSettings


@pytest.fixture
def app(qapp, tmp_path: Path):
    made = build(
        Options(
            rig="tiny",
            library=str(tmp_path / "library"),
            settings_path=tmp_path / "settings.toml",
            data_folder=tmp_path / "data",
        )
    )
    made.context.settings.change(frames_folder=tmp_path / "frames")
    made.show()
    yield made
    assert made.close(), "something would not stop"


@pytest.mark.timeout(120)
def test_darks_and_flats_are_taken_stacked_judged_and_found(qtbot, app, tmp_path):
    window, context = app.window, app.context
    qtbot.waitUntil(lambda: context.equipment.snapshot.camera is not None, timeout=20000)
    window.show_workspace("capture")
    capture = window.workspace
    reports = []
    capture.run.masters_built.connect(reports.append)

    # Given: the dark wizard filled in for two exposures, six frames each
    capture.open_wizard("dark")
    wizard = capture.wizard
    wizard.dark.exposures_s, wizard.dark.count = (0.05, 0.1), 6
    wizard.dark.settings = CameraSettings(gain=100, offset=50)
    wizard.show_page(len(wizard.pages) - 1)
    wizard._on_edited()
    qtbot.waitUntil(wizard.next.isEnabled, timeout=20000)

    # When: it is started and left alone
    wizard.go_on()
    qtbot.waitUntil(lambda: len(reports) == 1, timeout=60000)

    # Then: twelve frames are on disk, and two masters with verdicts are in the library
    raw = sorted((tmp_path / "frames").rglob("dark_*.fits"))
    assert len(raw) == 12
    assert {fits.getheader(p)["IMAGETYP"] for p in raw} == {"Dark Frame"}
    masters = context.open_library().masters()
    kinds = sorted((m.kind, m.n_combined) for m in masters)
    assert kinds == [("bpm", 6), ("dark", 6), ("dark", 6)]
    for master in (m for m in masters if m.kind == "dark"):
        with fits.open(master.path, checksum=True) as hdus:
            assert {"UNC", "CNT", "INPUTS"} <= {h.name for h in hdus}
            assert hdus["CNT"].data.max() == 6
            mine = [p for p in raw if fits.getheader(p)["EXPTIME"] == hdus[0].header["EXPTIME"]]
            stack = np.stack([fits.getdata(p).astype(float) for p in mine])
            # Six frames are clipped about the median at 5 s, so nearly all pixels are plain means.
            close = np.abs(hdus[0].data - stack.mean(axis=0)) < 0.01
            assert close.mean() > 0.95

    # And: the operator looks at them and approves one
    window.show_workspace("library")
    library = window.workspace
    qtbot.waitUntil(lambda: library.detail.record is not None, timeout=20000)
    qtbot.waitUntil(lambda: library.detail.picture.pyramid is not None, timeout=20000)
    chosen = library.detail.record.sha256
    library.do("approve")
    qtbot.waitUntil(
        lambda: context.open_library().get(chosen).state is ReviewState.APPROVED, timeout=20000
    )
    qtbot.waitUntil(lambda: not library.state.is_busy, timeout=10000)
    assert context.equipment.observatory.panel.status().brightness == 0


@pytest.mark.timeout(120)
def test_closing_in_the_middle_of_a_sequence_leaves_everything_safe(qtbot, app, tmp_path):
    window, context = app.window, app.context
    window.show_workspace("capture")
    capture = window.workspace
    capture.open_wizard("flat")
    wizard = capture.wizard
    wizard.flat.count = 200
    wizard.flat.settings = CameraSettings(gain=100, offset=50)
    wizard._on_edited()
    plan = wizard.draft.plan(wizard.info)

    capture.start(plan)
    qtbot.waitUntil(
        lambda: capture.run.status is not None and capture.run.status.good >= 2, timeout=60000
    )
    assert "2" in capture.busy_with() or capture.run.status.good > 2
    assert app.close()

    panel = context.equipment.observatory.panel
    assert panel.status().brightness == 0
    assert panel.status().cover in (CoverState.CLOSED, CoverState.OPEN)
    kept = list((tmp_path / "frames").rglob("flat_*.fits"))
    assert len(kept) >= 2
    for path in kept:
        fits.getdata(path)
    left = [p for p in (tmp_path / "frames").rglob("*") if p.is_file()]
    assert all(p.suffix in (".fits", ".jsonl") for p in left)
