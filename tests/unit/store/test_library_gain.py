"""Which flat's gain a bias or dark is given: the nearest in time, whatever the order of filing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from calibstudio.domain.quality import Assessment, Finding, Metric, Verdict
from calibstudio.services.library import Library
from calibstudio.store.master_fits import write_master
from tests.helpers.masters import make_content, make_detector, make_inputs

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


def make(path: Path, seed: int, kind: str, day: int, **changes: object) -> Path:
    """Write a master of some day; a flat measures a gain of ``egain``."""
    gain = changes.pop("egain", None)
    bad = changes.pop("bad", None)
    metrics = [Metric("read_noise_adu", "Read noise", 10.0, "ADU")]
    metrics += [Metric("dark_rate_adu", "Dark signal", 0.5, "ADU/s")]
    metrics += list(changes.pop("metrics", ()))  # type: ignore[call-overload]
    if gain is not None:
        metrics.append(Metric("egain", "Gain", float(str(gain)), "e-/ADU"))
    findings = (Finding(Verdict.BAD, "x", "X.", metric=str(bad)),) if bad else ()
    values = {"camera": "One", "gain": 100.0, "binning": (1, 1), **changes}
    moved = [
        replace(entry, observed_utc=BEGIN + timedelta(days=day, seconds=k))
        for k, entry in enumerate(make_inputs())
    ]
    content = make_content(
        kind=kind, key=values, values=values, ranges={}, used=(), inputs=tuple(moved),
        assessment=Assessment(tuple(metrics), findings),
    )  # fmt: skip
    return write_master(path, content, [make_detector(seed=seed)]).path


@pytest.fixture
def masters(tmp_path: Path) -> list[Path]:
    return [
        make(tmp_path / "bias.fits", 1, "bias", 10),
        make(tmp_path / "dark.fits", 2, "dark", 30),
        make(tmp_path / "early.fits", 3, "flat", 8, egain=1.0),
        make(tmp_path / "late.fits", 4, "flat", 28, egain=2.0),
        make(tmp_path / "near.fits", 5, "flat", 31, egain=9.0, bad="saturated"),
        make(tmp_path / "other.fits", 6, "flat", 10, egain=7.0, gain=200.0),
    ]


def test_the_gain_is_that_of_the_nearest_sound_flat_of_the_same_settings(
    masters: list[Path], tmp_path: Path
) -> None:
    for number, order in enumerate(list(permutations(masters))[::97]):
        with Library.open(tmp_path / f"library{number}") as library:
            for path in order:
                library.add(path)
            found = {r.path.name: r.assessment for r in library.masters()}

        assert found["bias.fits"].value("read_noise") == pytest.approx(10.0 * 1.0)
        assert found["dark.fits"].value("dark_current") == pytest.approx(0.5 * 2.0)
        why = found["dark.fits"].metric("dark_current")
        assert why is not None and "late.fits" in why.why


def test_a_gain_that_contradicts_the_header_only_is_used(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        library.add(make(tmp_path / "bias.fits", 1, "bias", 10))
        library.add(make(tmp_path / "flat.fits", 2, "flat", 10, egain=3.0, bad="gain_error"))
        (bias,) = [r for r in library.masters() if r.kind == "bias"]

    assert bias.assessment.value("read_noise") == pytest.approx(30.0)


def test_everything_in_electrons_is_judged_again_by_the_measured_gain(tmp_path: Path) -> None:
    """The header said 1.0 e-/ADU, the flat measured 2.0: whatever the order of filing."""
    why = "Within the limit of 0.5\u202f%. Above 5 sigma of one frame and 0.5 e\u207b/s."
    of_dark = (
        Metric("dark_variance_adu", "Variance", 0.25, "ADU²/s"),
        Metric("dark_current_variance", "Dark current", 0.25, "e/s"),
        Metric("glow_rate_adu", "Glow", 3.0, "ADU/s"),
        Metric("glow_rate", "Glow", 3.0, "e/s"),
        Metric("hot_pixels", "Hot pixels", 0.2, "%", Verdict.GOOD, why),
    )
    of_bias = (
        Metric("read_noise_known", "Known read noise", 10.0, "e"),
        Metric("read_noise_error", "Read noise from the known one", 0.0, "%", Verdict.GOOD),
    )
    written = {"egain_e_per_adu": 1.0}
    files = [
        make(tmp_path / "dark.fits", 2, "dark", 30, metrics=of_dark, **written),
        make(tmp_path / "bias.fits", 1, "bias", 10, metrics=of_bias, **written),
        make(tmp_path / "flat.fits", 3, "flat", 10, egain=2.0),
        make(tmp_path / "older.fits", 4, "flat", 1, egain=5.0),
    ]
    for number, order in enumerate((files, files[::-1])):
        with Library.open(tmp_path / f"library{number}") as library:
            for path in order:
                library.add(path)
            found = {r.path.name: r.assessment for r in library.masters()}

        dark, bias = found["dark.fits"], found["bias.fits"]
        assert dark.value("dark_current_variance") == pytest.approx(0.25 * 4)
        assert dark.value("glow_rate") == pytest.approx(6.0)
        hot = dark.metric("hot_pixels")
        assert hot is not None
        assert hot.why == f"{why} By the measured gain: above 1 e\u207b/s."
        behind = dark.metric("egain_of_flat")
        assert behind is not None
        assert (behind.value, behind.why) == (2.0, "Measured by flat.fits.")
        assert bias.value("read_noise_error") == pytest.approx(100.0)
        assert bias.verdict is Verdict.BAD
        assert bias.worst_finding is not None
        assert bias.worst_finding.metric == "read_noise_error"
