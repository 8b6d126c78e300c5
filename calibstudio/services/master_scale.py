"""A dark of another exposure for flats, scaled: only where it is asked for, and only where legal.

RULES 5: the bias is taken out first and subtracted separately; down rather than up; refused where
the camera's glow or the exponent of its dark signal says that it does not scale. Each refusal is
a sentence with the rule and the cure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from calibstudio.domain.master import MasterRecord
from calibstudio.domain.matching import Candidate
from calibstudio.domain.recipe import DarkScaling, DarkSettings
from calibstudio.domain.wording import exposure, significant
from calibstudio.imaging.dark_scaling import DarkLevel, Exponent, growth_exponents

MOST_FACTOR = 2.0
"""An optimised factor is at most so many times the ratio of the exposures, or one over it: further
away it fits something else than dark signal."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What darks of several exposures say of the camera's dark signal."""

    levels: tuple[DarkLevel, ...] = ()
    exponents: tuple[Exponent, ...] = ()

    @classmethod
    def of(cls, levels: Sequence[DarkLevel]) -> Growth:
        """Fit the exponents."""
        return cls(tuple(levels), growth_exponents(levels))

    @property
    def why_not(self) -> str:
        """Say why dark signal does not scale, with the cure; empty when nothing is against it."""
        for one in self.exponents:
            if one.is_off:
                return (
                    f"the {one.what} grows as t^{one.p:.2f}, not in proportion to the exposure "
                    "(limit 0.90 to 1.10). Take darks of the flats' own exposure."
                )
        glows = [v for v in self.levels if isfinite(v.glow_adu) and v.glow_adu > 5 * v.sigma_adu]
        if glows and not any(e.what == "glow" for e in self.exponents):
            worst = max(glows, key=lambda v: v.glow_adu)
            if worst.glow_adu > 0.1 * max(worst.signal_adu, 0.0):
                return (
                    f"there is glow of {significant(worst.glow_adu, 2)} ADU in "
                    f"{exposure(worst.exposure_s)}, and darks of one exposure do not say that it "
                    "scales. Take darks of a second exposure, or of the flats' own."
                )
        return ""

    @property
    def sentence(self) -> str:
        """Say what was found about scaling."""
        if not self.exponents:
            return "Whether the dark signal scales was not tested: darks of one exposure."
        said = " and ".join(f"{e.what} t^{e.p:.2f}" for e in self.exponents)
        return f"Darks of several exposures say that it scales: {said}."


Optimise = Callable[[Path, MasterRecord, MasterRecord], float]
"""Return the factor of least noise for a flat, a dark and a bias; NaN where nothing tells it."""


@dataclass(frozen=True, slots=True)
class ScaledChoice:
    """The dark that is scaled, by how much for each flat, and why."""

    dark: Candidate
    factors: dict[Path, float]
    sentence: str
    """What was done."""
    growth: str
    """What other darks say about scaling."""


def choose_scaled(
    darks: Sequence[Candidate],
    exposures: Sequence[tuple[Path, float | None]],
    bias: MasterRecord,
    settings: DarkSettings,
    growth: Growth,
    optimise: Optimise | None,
) -> ScaledChoice | str:
    """Choose a dark to scale for flats, or say why none is.

    Parameters
    ----------
    darks
        That fit the flats in all but the exposure: with their bias inside, or rates. In order
        of preference.
    exposures
        Of each flat.
    bias
        That is taken out beside it.
    optimise
        Needed where the settings ask for the factor of least noise.
    """
    if settings.scaling is DarkScaling.OFF:
        return ""
    times = [t for _, t in exposures if t is not None]
    if len(times) < len(exposures):
        return "no dark was scaled: the flats do not all say their exposure. Correct it."
    timed = [(c, t) for c in darks if (t := dark_time(c.record)) > 0]
    if not timed:
        return "no dark was scaled: none fits the flats and says its exposure. Take darks."
    if growth.why_not:
        return f"no dark was scaled: {growth.why_not}"
    longest = max(times)
    longer = [(c, t) for c, t in timed if t >= longest]
    dark, time = min(longer, key=lambda p: p[1]) if longer else max(timed, key=lambda p: p[1])
    if longest > settings.most_up * time * (1 + 1e-9):
        return (
            f"no dark was scaled: the longest, {exposure(time)}, would be scaled up to "
            f"{exposure(longest)}, and its noise with it (dark.most_up = "
            f"{settings.most_up:g}). Take darks at least as long as the flats."
        )
    return _scaled(dark, time, exposures, bias, settings, growth, optimise)


def _scaled(
    dark: Candidate,
    time: float,
    exposures: Sequence[tuple[Path, float | None]],
    bias: MasterRecord,
    settings: DarkSettings,
    growth: Growth,
    optimise: Optimise | None,
) -> ScaledChoice:
    unit = 1.0 if is_rate_record(dark.record) else time
    factors: dict[Path, float] = {}
    how = "by the exposures"
    for path, t in exposures:
        ratio = (t or 0.0) / unit
        factors[path] = ratio
        if settings.scaling is DarkScaling.OPTIMISED and optimise is not None:
            best = optimise(path, dark.record, bias)
            if isfinite(best):
                factors[path] = min(max(best, ratio / MOST_FACTOR), ratio * MOST_FACTOR)
                how = "for the least noise"
    low, high = min(factors.values()), max(factors.values())
    said = (
        significant(low, 3)
        if high - low < 1e-3 * high
        else (f"{significant(low, 3)} to {significant(high, 3)}")
    )
    what = f"{said} s of the rate" if is_rate_record(dark.record) else f"{said} of the dark signal"
    return ScaledChoice(
        dark,
        factors,
        f"{what} of {exposure(time)} ({dark.record.path.name}) is taken out of the flats, "
        f"scaled {how}, beside the bias ({bias.path.name}).",
        growth.sentence,
    )


def is_rate_record(record: MasterRecord) -> bool:
    """Whether a master is the dark signal of one second."""
    return record.unit == "adu/s" and record.bias_subtracted


def dark_time(record: MasterRecord) -> float:
    """Exposure of a dark; 0 when it does not say it."""
    value = record.values.get("exposure_s")
    return float(value) if isinstance(value, (int, float)) else 0.0
