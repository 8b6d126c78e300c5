"""The limits of a rig reach its frames wherever they are judged, and say whose they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from calibstudio.devices.measured_camera import MeasuredCamera
from calibstudio.devices.rigs import open_rig
from calibstudio.domain.equipment import Optics
from calibstudio.domain.errors import UsageError
from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.outlook import saturation_adu
from calibstudio.domain.plan import SearchLimits
from calibstudio.domain.quality import Verdict
from calibstudio.domain.recipe import Recipe
from calibstudio.domain.rig import DeviceRef, Rig
from calibstudio.domain.rig_knows import RigKnows
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Limit
from calibstudio.imaging.quality import FrameContext
from calibstudio.services.import_frames import scan
from calibstudio.services.library import Library
from calibstudio.services.masters import build_masters
from calibstudio.services.provenance import read_provenance
from calibstudio.services.qc import examine
from calibstudio.services.rebuild import rebuild_master
from calibstudio.services.rig_limits import RigLimits, with_stated
from calibstudio.services.rigs import Rigs
from calibstudio.store.master_read import read_master
from calibstudio.store.rig_file import read_rig, rig_text
from tests.helpers.night import Camera, take

STRICT = DEFAULT_THRESHOLDS.with_edge("noise_of_read", "warn_above", 1.4)
OLD = """version = 1
name = "Newton"

[[device]]
protocol = "alpaca"
type = "camera"
name = "ASI2600"
host = "10.0.0.2"
port = 11111
number = 0
unique_id = "abc"

[thresholds]
saturated = {warn_above = 0.2, bad_above = 1.0}
"""


def rig(name: str, serial: str | None, percent: float, **more: object) -> Rig:
    limits = DEFAULT_THRESHOLDS.with_edge("saturated", "warn_above", percent)
    knows = RigKnows(camera="ASI2600", serial=serial, sensor_width_px=640, sensor_height_px=480)
    return replace(Rig(name, thresholds=limits, knows=knows), **more)  # type: ignore[arg-type]


def header(serial: str | None = None, **more: object) -> FrameHeader:
    made = FrameHeader(Path("a.fits"), camera="ASI2600", serial=serial, shape=(480, 640))
    return replace(replace(made, binning=(1, 1)), **more)  # type: ignore[arg-type]


def test_two_cameras_of_one_model_are_told_apart_by_their_serial_numbers() -> None:
    rigs = RigLimits((rig("Newton", "A1", 0.2), rig("Refractor", "B2", 0.3)))

    limits, source = rigs.of(header("b2"))
    assert source == "rig “Refractor”" and limits.saturated.warn_above == 0.3
    assert rigs.of(header("C3")) == (DEFAULT_THRESHOLDS, "")
    # Which of the two is not known: nobody's limits are guessed.
    assert rigs.of(header()) == (DEFAULT_THRESHOLDS, "")
    assert rigs.of(replace(header("A1"), camera="Another")) == (DEFAULT_THRESHOLDS, "")


def test_the_telescope_decides_between_rigs_of_one_camera_and_equal_rigs_are_as_good_as_one() -> (
    None
):
    newton = rig("Newton", "A1", 0.2, optics=Optics(telescope="N 200"))
    small = rig("Small", "A1", 0.3, optics=Optics(telescope="APO 80"))
    rigs = RigLimits((newton, small))

    assert rigs.rig_of(header("A1", telescope="apo 80")) == small
    assert rigs.rig_of(header("A1")) is None
    same = replace(newton, name="Copy")
    assert RigLimits((newton, same)).rig_of(header("A1")) == newton


def test_a_frame_larger_than_the_sensor_is_of_another_camera() -> None:
    rigs = RigLimits((rig("Newton", None, 0.2),))
    assert rigs.rig_of(header(shape=(240, 320), binning=(2, 2))) is not None
    assert rigs.rig_of(header(shape=(480, 640), binning=(2, 2))) is None
    assert rigs.rig_of(header(shape=(600, 800))) is None


def test_what_a_rig_states_lowers_where_its_frames_saturate() -> None:
    mine = Rig("r", knows=RigKnows(saturation_adu=50_000.0, full_well_e=20_000.0))
    context = FrameContext(kind="flat", max_adu=65_535, egain_e_per_adu=0.5, bias_level_adu=1_000.0)

    assert with_stated(mine, context).saturation_limit_adu() == 41_000.0
    assert with_stated(Rig("r"), context) is context


def test_a_rig_of_an_earlier_version_loads_and_keeps_what_it_had() -> None:
    read = read_rig(OLD)
    assert not read.complaints
    assert read.rig.knows == RigKnows()
    assert read.rig.thresholds.saturated == Limit(warn_above=0.2, bad_above=1.0)
    stated = replace(read.rig, knows=RigKnows(serial="0042", full_well_e=51_000.0, flat_min_s=0.2))
    assert read_rig(rig_text(stated)).rig == stated


def test_a_value_that_cannot_be_costs_only_itself() -> None:
    read = read_rig(OLD + '\n[knows]\nfull_well_e = -1.0\nserial = "7"\n')
    assert len(read.complaints) == 1 and "Full well" in read.complaints[0]
    assert read.rig.devices and read.rig.thresholds != DEFAULT_THRESHOLDS


def test_limits_that_would_be_bad_before_warn_are_refused() -> None:
    with pytest.raises(UsageError, match="BAD before it is WARN"):
        DEFAULT_THRESHOLDS.with_edge("saturated", "warn_above", 6.0)
    back = STRICT.with_edge("noise_of_read", "warn_above", None)
    assert back == DEFAULT_THRESHOLDS


def test_capture_keeps_to_the_safe_minimum_full_well_and_saturation_of_the_rig() -> None:
    opened = open_rig("tiny")
    knows = RigKnows(flat_min_s=0.25, full_well_e=1_000.0, saturation_adu=9_000.0)
    with_rig = MeasuredCamera(opened.camera, Rig("r", knows=knows))
    info, worth = with_rig.info, with_rig.conversion(100, None)

    assert worth is not None and worth.full_well_e == 1_000.0
    assert SearchLimits(shortest_s=0.001).exposures(info)[0] == 0.25
    assert SearchLimits(shortest_s=2.0).exposures(info)[0] == 2.0
    assert saturation_adu(info, 0.0, None) == 9_000.0
    assert saturation_adu(info, 100.0, worth) == min(9_000.0, 100.0 + 1_000.0 / worth.e_per_adu)
    with_rig.close()


def test_a_rig_keeps_which_camera_it_has_once_it_is_connected(tmp_path: Path) -> None:
    rigs = Rigs(tmp_path / "rigs")
    rigs.save(Rig("Trial", (DeviceRef("simulated", "camera", "tiny"),)), new=True)
    opened = open_rig("Trial", known=rigs)

    info, kept = opened.camera.info, rigs.get("Trial").knows
    assert (kept.camera, kept.serial) == (info.name, info.serial)
    assert (kept.sensor_height_px, kept.sensor_width_px) == info.shape
    assert opened.rig is not None and opened.rig.knows == kept
    opened.close()


def test_verdicts_say_by_which_rig_and_a_master_made_so_is_made_again_to_the_byte(
    tmp_path: Path,
) -> None:
    camera = Camera()
    take(tmp_path / "f", camera, "flat", 4, 2.0, 20_000.0)
    found = scan(JobContext(), [tmp_path / "f"], cache=False)
    name = found.headers[0].camera
    usual = examine(JobContext(), [tmp_path / "f"])
    snr = next(iter(usual.files.values())).value("snr")
    assert name is not None and snr is not None
    strict = DEFAULT_THRESHOLDS.with_edge("snr", "warn_below", snr + 50.0)
    strict = strict.with_edge("master_snr", "warn_below", 1e6)
    rigs = RigLimits((Rig("Newton", thresholds=strict, knows=RigKnows(camera=name)),))

    judged = examine(JobContext(), [tmp_path / "f"], rigs=rigs)
    with Library.open(tmp_path / "library") as library:
        grouping = group_frames(found.headers)
        report = build_masters(
            JobContext(), grouping, grouping.headers, library, Recipe(), threads=2, rigs=rigs
        )
        (record,) = [m.record for m in report.masters if m.record.kind == "flat"]
        again = rebuild_master(JobContext(), record.path, [tmp_path / "f", library.folder])

    for path, assessment in judged.files.items():
        metric = assessment.metric("snr")
        assert metric is not None and metric.verdict is Verdict.WARN
        assert "by rig “Newton”." in metric.why
        assert usual.files[path].metric("snr") != metric
    written = record.assessment.metric("master_snr") or record.assessment.metric("snr")
    assert written is not None and "by rig “Newton”" in written.why
    made = read_provenance(read_master(record.path).provenance, record.path.name)
    assert made.thresholds == strict.said_by("rig “Newton”")
    assert again.identical, again.sentence
