"""Frames, sets and masters on disk, judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibstudio.domain.errors import Cancelled
from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.jobs import CancelToken, JobContext, Progress
from calibstudio.domain.quality import Verdict
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS
from calibstudio.services.import_frames import read_one
from calibstudio.services.judge import JudgeCache, frame_context, judge_files
from calibstudio.services.judge_sets import judge_set
from tests.helpers.simple_camera import SimpleCamera, write_fits

SMALL = (128, 192)


def camera(seed: int, **changes: object) -> SimpleCamera:
    return SimpleCamera(seed, shape=SMALL, **changes)  # type: ignore[arg-type]


def cards(kind: str, **more: object) -> dict[str, object]:
    settings = {"INSTRUME": "Cam", "GAIN": 100, "OFFSET": 30, "XBINNING": 1, "YBINNING": 1}
    return {"IMAGETYP": kind, "EGAIN": 1.4} | settings | more


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Four biases, four darks and three flats of one camera."""
    cam = camera(1)
    for i in range(4):
        write_fits(tmp_path / f"bias{i}.fits", cam.expose(), **cards("Bias Frame", EXPTIME=0.0))
        write_fits(tmp_path / f"dark{i}.fits", cam.expose(60), **cards("Dark Frame", EXPTIME=60.0))
    for i in range(3):
        frame = cam.expose(40_000)
        write_fits(
            tmp_path / f"flat{i}.fits", frame, **cards("Flat Field", EXPTIME=2.0, FILTER="L")
        )
    return tmp_path


def test_the_level_of_biases_is_taken_out_of_darks_and_flats(session: Path) -> None:
    found = judge_files(JobContext(), sorted(session.glob("*.fits")))

    flat = found[session / "flat0.fits"]
    light = flat.value("level") - 1000.0  # type: ignore[operator]
    assert flat.value("level_of_range") == pytest.approx(100 * light / (65_535 - 1000), rel=1e-3)
    assert flat.value("snr") == pytest.approx((light * 1.4) ** 0.5, rel=1e-3)


def test_results_come_in_the_order_that_was_asked(session: Path) -> None:
    asked = [session / name for name in ("flat0.fits", "bias3.fits", "dark1.fits", "bias0.fits")]

    assert list(judge_files(JobContext(), asked)) == asked


def test_a_bias_of_another_gain_is_not_taken(session: Path, tmp_path: Path) -> None:
    other = write_fits(
        tmp_path / "other.fits", camera(2).expose(), **cards("Bias Frame", EXPTIME=0.0, GAIN=0)
    )

    found = judge_files(JobContext(), [other, session / "flat0.fits"])

    metric = found[session / "flat0.fits"].metric("level_of_range")
    assert metric is not None
    assert "bias level is not known" in metric.why


def test_a_master_bias_serves_as_well(session: Path, tmp_path: Path) -> None:
    image = np.full(SMALL, 1000.0, np.float32) + np.float32(0.3) * np.eye(*SMALL, dtype=np.float32)
    master = write_fits(tmp_path / "mb.fits", image, **cards("Master Bias", EXPTIME=0.0))

    found = judge_files(JobContext(), [master, session / "flat0.fits"])

    flat = found[session / "flat0.fits"]
    assert flat.metric("snr").why.startswith("Within")  # type: ignore[union-attr]
    assert "not known" not in flat.metric("gradient").why  # type: ignore[union-attr]


def test_a_file_that_cannot_be_read_is_bad_with_its_reason_and_the_rest_goes_on(
    session: Path,
) -> None:
    broken = session / "bias9.fits"
    broken.write_bytes((session / "bias0.fits").read_bytes()[:9000])
    missing = session / "nowhere.fits"

    found = judge_files(JobContext(), [broken, missing, session / "bias1.fits"])

    assert found[session / "bias1.fits"].verdict is Verdict.GOOD
    for path in (broken, missing):
        assert found[path].verdict is Verdict.BAD
        assert path.name in found[path].findings[0].what


def test_files_that_have_not_changed_are_not_read_again(session: Path) -> None:
    cache = JudgeCache()
    header = read_one(session / "dark0.fits")
    first = judge_files(JobContext(), [header], cache=cache)
    (session / "dark0.fits").unlink()

    again = judge_files(JobContext(), [header], cache=cache)
    changed = judge_files(JobContext(), [replace(header, file_mtime_ns=1)], cache=cache)

    assert again == first
    assert changed[header.path].verdict is Verdict.BAD


def test_the_cache_knows_what_was_known(session: Path) -> None:
    cache = JudgeCache()
    flat = session / "flat0.fits"
    judge_files(JobContext(), [flat], cache=cache)

    with_bias = judge_files(JobContext(), [session / "bias0.fits", flat], cache=cache)

    why = with_bias[flat].metric("level_of_range").why  # type: ignore[union-attr]
    assert "bias level is not known" not in why


def test_what_a_rig_knows_is_used(session: Path) -> None:
    path = session / "flat0.fits"

    found = judge_files(JobContext(), [path], known=lambda c: replace(c, max_adu=31_000.0))

    assert found[path].metric("saturated").why == "Within the limit of 0.1\u202f%."  # type: ignore[union-attr]
    assert found[path].value("level_of_range") > 90


def test_of_a_file_with_several_images_the_worst_is_shown(tmp_path: Path) -> None:
    cam = camera(3)
    path = write_fits(
        tmp_path / "mosaic.fits",
        cam.expose(),
        camera(4, bias_adu=5.0).expose(),
        **cards("Bias Frame", EXPTIME=0.0),
    )

    found = judge_files(JobContext(), [path])[path]

    assert found.verdict is Verdict.BAD
    assert found.worst_finding.what.startswith("CHIP2: Pixels at zero")  # type: ignore[union-attr]
    assert found.value("level") == pytest.approx(5, abs=2)


def test_a_pedestal_is_undone(tmp_path: Path) -> None:
    header = read_one(
        write_fits(tmp_path / "b.fits", camera(5).expose(), **cards("Bias Frame", EXPTIME=0.0))
    )

    found = judge_files(JobContext(), [replace(header, pedestal_adu=-100.0)])

    assert found[header.path].value("level") == pytest.approx(900, abs=1)


def test_a_set_is_judged_with_its_biases_and_outliers(session: Path) -> None:
    leak = camera(6).expose(2_000)
    write_fits(session / "dark9.fits", leak, **cards("Dark Frame", EXPTIME=60.0))
    headers = {p: read_one(p) for p in sorted(session.glob("*.fits"))}
    group = next(g for g in group_frames(headers.values()).groups if g.kind == "dark")
    biases = [h for h in headers.values() if h.kind == "bias"]

    found = judge_set(JobContext(), group, headers, biases=biases)

    assert {group.frames[i].name for i in found.outliers} == {"dark9.fits"}
    # One e-/s: the noise of 4 darks and 4 biases of 24 576 pixels is 0.06 of 60 e-.
    assert found.value("dark_current") == pytest.approx(1.0, rel=0.01)


def test_a_set_of_files_with_several_images_is_judged_by_its_worst(tmp_path: Path) -> None:
    cam = camera(7)
    for i in range(5):
        write_fits(
            tmp_path / f"b{i}.fits",
            cam.expose(),
            cam.expose(extra_adu=50.0 * (i == 2)),
            **cards("Bias Frame", EXPTIME=0.0),
        )
    headers = {p: read_one(p) for p in sorted(tmp_path.glob("*.fits"))}
    (group,) = group_frames(headers.values()).groups

    found = judge_set(JobContext(), group, headers)

    assert list(found.outliers) == [2]
    assert any("CHIP2" in f.what for f in found.findings)


def test_work_says_how_far_it_is_and_stops_when_asked(session: Path) -> None:
    said: list[Progress] = []
    judge_files(JobContext(report=said.append), sorted(session.glob("*.fits")))
    token = CancelToken()
    token.cancel()

    assert said[-1].fraction == pytest.approx(1.0)
    assert [p.fraction for p in said] == sorted(p.fraction for p in said)
    cache = JudgeCache()
    with pytest.raises(Cancelled):
        judge_files(JobContext(token), [session / "bias0.fits"], cache=cache)
    header = read_one(session / "bias0.fits")
    # No frame was begun: one of 61 megapixels takes seconds.
    assert cache.get(header, frame_context(header), DEFAULT_THRESHOLDS) is None


def test_masters_of_another_program_are_judged_as_masters(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    flat = rng.normal(1.0, 0.002, (256, 256)).astype(np.float32)
    path = write_fits(tmp_path / "m.fits", flat, IMAGETYP="Master Flat", FILTER="L")

    found = judge_files(JobContext(), [path])[path]

    assert found.value("level") == pytest.approx(1.0, abs=0.001)
    assert found.metric("n_frames").why.startswith("Frames not measured: ")  # type: ignore[union-attr]


def test_a_header_gives_the_context_of_its_frame(session: Path) -> None:
    context = frame_context(read_one(session / "dark0.fits"), bias_level_adu=1000.0)

    assert context.kind == "dark"
    assert context.exposure_s == 60.0
    assert context.egain_e_per_adu == 1.4
    assert context.bias_level_adu == 1000.0


def test_a_converters_end_is_disproved_by_another_frame_of_the_camera(tmp_path: Path) -> None:
    cam = camera(5)
    clipped, brighter = cam.expose(3000), cam.expose(6000)
    clipped[20:40] = 4095
    write_fits(tmp_path / "flat0.fits", clipped, **cards("Flat Field", EXPTIME=1.0))
    write_fits(tmp_path / "flat1.fits", brighter, **cards("Flat Field", EXPTIME=2.0))

    alone = judge_files(JobContext(), [tmp_path / "flat0.fits"])[tmp_path / "flat0.fits"]
    both = judge_files(JobContext(), sorted(tmp_path.glob("*.fits")))[tmp_path / "flat0.fits"]

    assert alone.value("saturated") > 15  # type: ignore[operator]
    assert both.value("saturated") == 0.0


def test_a_frame_in_electrons_is_judged_in_electrons_and_says_so(tmp_path: Path) -> None:
    frame = camera(7).expose(4000).astype(np.float32)
    path = tmp_path / "flat.fits"
    write_fits(path, frame, **cards("Flat Field", EXPTIME=1.0, BUNIT="electron", EGAIN=1.4))

    found = judge_files(JobContext(), [path])[path]

    level, snr = found.metric("level"), found.metric("snr")
    assert level is not None and level.unit == "e\u207b"
    assert snr is not None and snr.value is not None
    # The bias is not known: all of the level counts as light, 1 electron for each step.
    assert snr.value == pytest.approx(float(level.value or 0) ** 0.5, rel=1e-3)
    assert any("BUNIT card), not in ADU" in f.what for f in found.findings)
