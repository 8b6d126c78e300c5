"""Electrons by the gain that flats measured: it counts more than what a header says (RULES 7).

A master's file holds what its own frames and headers give, so that its bytes never depend on which
flats happen to be around. What the flats measured is added beside it, in the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Assessment, Metric
from calibstudio.domain.verdict_words import words

SETTINGS = ("camera", "serial", "readout_mode", "gain", "binning")
"""What decides how many electrons an ADU is."""
_IN_ELECTRONS: Mapping[str, tuple[tuple[str, str], ...]] = {
    FrameKind.BIAS: (("read_noise_adu", "read_noise"),),
    FrameKind.DARK: (("dark_rate_adu", "dark_current"),),
    FrameKind.DARK_FLAT: (("dark_rate_adu", "dark_current"),),
}
"""By kind: a number in ADU, and the same in electrons."""


@dataclass(frozen=True, slots=True)
class MeasuredGain:
    """A gain by photon transfer, and the master flat whose frames it comes from."""

    e_per_adu: float
    name: str
    """File name of the flat."""
    sha256: str


def in_electrons(kind: str, assessment: Assessment, gain: MeasuredGain) -> Assessment:
    """Return an assessment whose electrons are by a measured gain; the numbers in ADU stay."""
    metrics = list(assessment.metrics)
    for of_adu, name in _IN_ELECTRONS.get(kind, ()):
        value = assessment.value(of_adu)
        if value is None:
            continue
        entry = words(name)
        why = f"{gain.e_per_adu:.4g} e\u2212/ADU, measured by {gain.name}."
        made = Metric(
            name, entry.label, value * gain.e_per_adu, entry.unit, None, why,
            decimals=entry.decimals,
        )  # fmt: skip
        at = next((i for i, m in enumerate(metrics) if m.name == name), None)
        if at is None:
            metrics.append(made)
        else:
            metrics[at] = replace(made, verdict=metrics[at].verdict)
    return replace(assessment, metrics=tuple(metrics))
