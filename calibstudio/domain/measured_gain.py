"""Electrons by the gain that flats measured: it counts more than what a header says (RULES 7).

A master's file holds what its own frames and headers give, so that its bytes never depend on which
flats happen to be around. What the flats measured is added beside it, in the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Assessment, Finding, Metric
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS
from calibstudio.domain.verdict_words import words
from calibstudio.domain.verdicts import Judge

SETTINGS = ("camera", "serial", "readout_mode", "gain", "binning")
"""What decides how many electrons an ADU is."""
_OF_DARKS = (
    ("dark_rate_adu", "dark_current", 1),
    ("dark_variance_adu", "dark_current_variance", 2),
    ("glow_rate_adu", "glow_rate", 1),
    ("hot_rate_adu", "hot_rate", 1),
)
_IN_ELECTRONS: Mapping[str, tuple[tuple[str, str, int], ...]] = {
    FrameKind.BIAS: (("read_noise_adu", "read_noise", 1),),
    FrameKind.DARK: _OF_DARKS,
    FrameKind.DARK_FLAT: _OF_DARKS,
}
"""By kind: a number in ADU, the same in electrons, and the power of the gain between them."""
GAIN_OF_FLAT = "egain_of_flat"
"""Metric of a bias or dark: the gain behind its electrons, and in its sentence the flat's name."""
_BY_MEASURED = " By the measured gain: "


@dataclass(frozen=True, slots=True)
class MeasuredGain:
    """A gain by photon transfer, and the master flat whose frames it comes from."""

    e_per_adu: float
    name: str
    """File name of the flat."""
    sha256: str


def in_electrons(
    kind: str, assessment: Assessment, gain: MeasuredGain, written: float | None = None
) -> Assessment:
    """Return an assessment whose electrons are by a measured gain; the numbers in ADU stay.

    Parameters
    ----------
    written
        The e-/ADU that the master was judged with, of its headers. Its hot pixels were counted
        above a rate by that gain, and are now said to be above the rate that this really was.
    """
    metrics = {m.name: m for m in assessment.metrics}
    findings = list(assessment.findings)
    by = f"{gain.e_per_adu:.4g} e\u2212/ADU, measured by {gain.name}."
    for of_adu, name, power in _IN_ELECTRONS.get(kind, ()):
        value = assessment.value(of_adu)
        if value is None:
            continue
        new = value * gain.e_per_adu**power
        entry, old = words(name), metrics.get(name)
        verdict = None if old is None else old.verdict
        metrics[name] = Metric(
            name, entry.label, new, entry.unit, verdict, by, decimals=entry.decimals
        )
    if any(metrics.get(name) is not None for _, name, _ in _IN_ELECTRONS.get(kind, ())):
        entry = words(GAIN_OF_FLAT)
        metrics[GAIN_OF_FLAT] = Metric(
            GAIN_OF_FLAT, entry.label, gain.e_per_adu, entry.unit,
            why=f"Measured by {gain.name}.", decimals=entry.decimals,
        )  # fmt: skip
    _judge_read_noise(metrics, findings)
    _say_rate(metrics, gain, written)
    return replace(assessment, metrics=tuple(metrics.values()), findings=tuple(findings))


def _judge_read_noise(metrics: dict[str, Metric], findings: list[Finding]) -> None:
    """Compare the read noise again with the known one, which is said in the metric's limit."""
    known, found = metrics.get("read_noise_known"), metrics.get("read_noise")
    if known is None or not known.value or found is None or found.value is None:
        return
    judge = Judge(FrameKind.BIAS)
    judge.add(
        "read_noise_error",
        100.0 * abs(found.value / known.value - 1.0),
        DEFAULT_THRESHOLDS.read_noise_error,
        note=found.why,
    )
    metrics["read_noise_error"] = judge.metrics[0]
    findings[:] = [f for f in findings if f.metric != "read_noise_error"] + judge.findings


def _say_rate(metrics: dict[str, Metric], gain: MeasuredGain, written: float | None) -> None:
    hot = metrics.get("hot_pixels")
    if hot is None or hot.value is None or not written or "e\u207b/s" not in hot.why:
        return
    rate = DEFAULT_THRESHOLDS.hot_rate_e_per_s * gain.e_per_adu / written
    said = f"{hot.why.split(_BY_MEASURED)[0]}{_BY_MEASURED}above {rate:.3g} e\u207b/s."
    metrics["hot_pixels"] = replace(hot, why=said)
