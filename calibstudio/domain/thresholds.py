"""Every limit that a verdict uses, in one readable and serialisable value (RULES 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from calibstudio.domain.errors import UsageError
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Verdict


@dataclass(frozen=True, slots=True)
class Limit:
    """Where WARN and BAD begin, on one side or on both. A value at the limit is still good."""

    warn_above: float | None = None
    bad_above: float | None = None
    warn_below: float | None = None
    bad_below: float | None = None
    source: str = ""
    """What says so, where it is not the program's own: ``rig “Newton”``."""

    @property
    def is_two_sided(self) -> bool:
        """Whether values may be too low as well as too high."""
        has_above = self.warn_above is not None or self.bad_above is not None
        return has_above and (self.warn_below is not None or self.bad_below is not None)

    def judge(self, value: float) -> Verdict:
        """Return the verdict on a measured value (not NaN)."""
        if _beyond(value, self.bad_above, self.bad_below):
            return Verdict.BAD
        if _beyond(value, self.warn_above, self.warn_below):
            return Verdict.WARN
        return Verdict.GOOD

    def side(self, value: float) -> tuple[float | None, float | None, str]:
        """Return (warn, bad, ``above`` or ``below``) for the side of the value that decides."""
        low = self.warn_below if self.warn_below is not None else self.bad_below
        has_above = self.warn_above is not None or self.bad_above is not None
        if low is not None and (not has_above or value < low):
            return self.warn_below, self.bad_below, "below"
        return self.warn_above, self.bad_above, "above"

    def scaled(self, factor: float) -> Limit:
        """Return this limit times a factor: limits given in units of noise become ADU."""

        def times(edge: float | None) -> float | None:
            return None if edge is None else edge * factor

        return Limit(
            times(self.warn_above),
            times(self.bad_above),
            times(self.warn_below),
            times(self.bad_below),
            self.source,
        )


EDGES = ("warn_above", "bad_above", "warn_below", "bad_below")
"""Where a limit may have an end."""


def _crossed(limit: Limit) -> bool:
    """Whether a value would be BAD without being WARN on its way there."""
    above = (limit.warn_above, limit.bad_above)
    below = (limit.bad_below, limit.warn_below)
    return any(a is not None and b is not None and a > b for a, b in (above, below))


def _edges_text(limit: Limit) -> str:
    said = [f"{e} {v:g}" for e in EDGES if (v := getattr(limit, e)) is not None]
    return ", ".join(said) or "without an end"


def _beyond(value: float, above: float | None, below: float | None) -> bool:
    return (above is not None and value > above) or (below is not None and value < below)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits by metric name; a rig keeps its own copy, starting from these.

    The numbers are those of the field (sources in brackets). WARN begins where its "ok" column
    ends, or at its "warn" column where sound frames of real cameras stand beyond "ok" (an alarm
    that is always on says nothing); BAD at the "fail" column. Limits in units of noise are
    multiplied by the frame's own.
    """

    saturated: Limit = Limit(warn_above=0.1, bad_above=5.0)
    """Percent of pixels at 98 % of the maximum or more [BANZAI rejects from 5 %]."""
    saturated_cold: Limit = Limit(warn_above=1.0, bad_above=5.0)
    """The same in bias and dark frames, where hot pixels saturate without harm."""
    zeros: Limit = Limit(warn_above=1e-3, bad_above=0.1)
    """Percent of pixels at the converter's zero: 1e-5 and 1e-3 of all."""
    gradient_noise: Limit = Limit(warn_above=2.0, bad_above=6.0)
    """Bias: plane over the frame, peak to valley, in units of the pixel noise. Sound CCDs have
    up to 1.4."""
    gradient_noise_dark: Limit = Limit(warn_above=2.0, bad_above=20.0)
    """The same of darks, where glow makes a gradient without any light: one sign alone is WARN,
    with a second it is BAD."""
    gradient_change_noise: Limit = Limit(bad_above=0.2)
    """Sets of darks: scatter of the gradient from frame to frame, in units of the pixel noise;
    judged together with the gradient itself, because both together are light."""
    gradient: Limit = Limit(warn_above=3.5, bad_above=10.0)
    """Flats: plane over the frame, peak to valley, percent of the light (scatter 5 %: LSST)."""
    colour_difference_noise: Limit = Limit(warn_above=0.5, bad_above=3.0)
    """Bias and darks of colour sensors: between channels, in units of the pixel noise."""
    row_structure: Limit = Limit(warn_above=2.0, bad_above=10.0)
    """Flats: scatter of row levels over what white noise alone gives."""
    column_structure: Limit = Limit(warn_above=5.0, bad_above=20.0)
    """Flats: the same of columns, whose fixed pattern is in every frame of the sensor."""
    row_structure_covered: Limit = Limit(warn_above=10.0, bad_above=30.0)
    """Bias and darks: row noise of a tenth of the pixel noise, usual in CMOS cameras, gives a
    ratio of 8 in rows of 6000 pixels."""
    noise_of_read: Limit = Limit(warn_above=1.5, bad_above=3.0, warn_below=0.7, bad_below=0.3)
    """Bias: noise of one frame, fixed pattern included, in units of the known read noise."""
    temperature_error: Limit = Limit(warn_above=0.5, bad_above=3.0)
    """Sensor from its set point, °C [BANZAI 0.5]."""
    temperature_spread: Limit = Limit(warn_above=1.0, bad_above=3.0)
    """Warmest less coldest of a set, °C [psf-guard 1]."""
    hot_pixels: Limit = Limit(warn_above=0.5, bad_above=5.0)
    """Percent of pixels."""
    cold_pixels: Limit = Limit(warn_above=0.05, bad_above=0.2)
    """Percent of pixels below 0.8 of their neighbourhood in a flat [LSST]."""
    unstable_pixels: Limit = Limit(warn_above=0.5, bad_above=5.0)
    """Percent of pixels with a temporal noise over 5 times the median's."""
    rtn_tail: Limit = Limit(warn_above=1.3, bad_above=3.0)
    """Root mean square over median of the temporal noise of pixels."""
    level_of_range: Limit = Limit(warn_above=70.0, bad_above=90.0, warn_below=20.0, bad_below=5.0)
    """Flats: level above bias in percent of the usable range."""
    snr: Limit = Limit(warn_below=50.0, bad_below=20.0)
    """Flats: signal to noise of one pixel of one frame. BANZAI needs 50; above that more frames
    make up for fewer photons."""
    master_snr: Limit = Limit(warn_below=300.0, bad_below=200.0)
    """Flats: signal to noise of one pixel of the master. The field calls 500 (0.2 %) good and
    fails below 200. WARN begins between them, at 300 (0.33 %): a camera of small wells at a high
    gain reaches 490 with a sound set of 32 flats, and nothing is wrong with that master."""
    vignetting: Limit = Limit(warn_above=60.0)
    """Percent lost in the corners."""
    noise_excess: Limit = Limit(warn_above=1.1, bad_above=1.5, warn_below=0.9, bad_below=0.5)
    """Flats: variance of a pair over what photons and read-out explain."""
    read_noise_error: Limit = Limit(warn_above=10.0, bad_above=20.0)
    """Percent away from the known read noise [LSST 5]."""
    gain_error: Limit = Limit(warn_above=10.0, bad_above=20.0)
    """Percent between measured and written e-/ADU [LSST 5]."""
    bias_drift: Limit = Limit(warn_above=0.5, bad_above=1.0)
    """Slope over the set, in units of the read noise."""
    level_jump: Limit = Limit(warn_above=0.5, bad_above=1.0)
    """Largest step between consecutive biases, in units of the read noise."""
    level_drift: Limit = Limit(warn_above=10.0, bad_above=30.0)
    """Flats: spread of the levels, percent; harmless once frames are normalised."""
    shape_drift: Limit = Limit(warn_above=0.3, bad_above=1.0)
    """Flats: change of shape beyond noise between frames, percent root mean square."""
    dark_rate_scatter: Limit = Limit(warn_above=5.0, bad_above=10.0)
    """Frame-to-frame scatter of dark levels, in standard errors of a level."""
    dark_proportion: Limit = Limit(warn_above=1.1, bad_above=1.5, warn_below=0.9, bad_below=0.5)
    """Ratio of dark rates of two exposures; 1 when the dark signal is proportional to time."""
    glow_noise: Limit = Limit(warn_above=5.0)
    """Amp glow above the median, in units of the noise of one frame."""
    duplicates: Limit = Limit(warn_above=0.0, bad_above=0.0)
    """Frames that are copies of another."""
    outliers: Limit = Limit(warn_above=0.0)
    """Frames that do not belong to their group, counted."""
    bad_frames: Limit = Limit(warn_above=0.0, bad_above=50.0)
    """Percent of a set's frames that are BAD by themselves: most of them make the set BAD."""
    outlier_sigma: float = 5.0
    """Robust sigmas from the group's median that make a frame an outlier."""
    low_count: Limit = Limit(warn_above=1.0, bad_above=10.0)
    """Percent of pixels with fewer kept values than half of the frames."""
    frames_of_wanted: Limit = Limit(warn_below=50.0)
    """Percent of the frames asked for: a small master is noisy, not wrong."""
    uncertainty_excess: Limit = Limit(warn_above=1.5, bad_above=4.0)
    """Median UNC over what the noise of the inputs and their number give."""
    dust: Limit = Limit(warn_above=200.0)
    """Dust shadows in one master, counted. Harmless while they stay where they are, so only new
    ones (`new_dust`) are judged closely; over 200 it is time to clean."""
    bright_spots: Limit = Limit(warn_above=10.0)
    """Stars left in a master flat, counted; dust rims give a few in any flat."""
    new_dust: Limit = Limit(warn_above=0.0, bad_above=3.0)
    """Shadows that are not in the master before, counted."""
    changed_pixels: Limit = Limit(warn_above=1.0, bad_above=5.0)
    """Percent of pixels 6 sigma from the master before [BANZAI 5 %]."""
    new_hot_pixels: Limit = Limit(warn_above=10.0, bad_above=50.0)
    """Percent of the hot pixels that are not in the master before."""
    vignetting_change: Limit = Limit(warn_above=2.0, bad_above=10.0)
    """Percent points from the master before."""
    dust_depth_pct: float = 0.5
    """Depth from which a shadow counts, percent of the light."""
    hot_sigma: float = 5.0
    hot_rate_e_per_s: float = 0.5
    """A hot pixel is above both: `hot_sigma` of the frame and this rate."""
    dead_response: float = 0.5
    cold_response: float = 0.8
    saturation_guard: float = 0.98
    """Part of the maximum from which a pixel counts as saturated."""

    def limit(self, name: str) -> Limit | None:
        """Return the limit of a metric, or None when it is informative."""
        value = getattr(self, name, None)
        return value if isinstance(value, Limit) else None

    def covered_gradient(self, kind: str) -> Limit:
        """Return the limit of the gradient of a bias, dark or dark flat, in units of noise."""
        return self.gradient_noise if kind == FrameKind.BIAS else self.gradient_noise_dark

    @property
    def source(self) -> str:
        """What says the limits that are not the usual ones; empty where nothing does."""
        limits = (getattr(self, entry.name) for entry in fields(self))
        return next((x.source for x in limits if isinstance(x, Limit) and x.source), "")

    def said_by(self, source: str) -> Thresholds:
        """Return these limits, those that are not the usual ones with what says so."""
        own: dict[str, Limit] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, Limit) and value != getattr(DEFAULT_THRESHOLDS, entry.name):
                own[entry.name] = replace(value, source=source)
        return replace(self, **own)  # type: ignore[arg-type]

    def with_edge(self, name: str, edge: str, value: float | None) -> Thresholds:
        """Return these limits with one edge of one changed; ``None`` brings the usual one back.

        Raises
        ------
        UsageError
            There is no such limit or edge.
        """
        limit, usual = self.limit(name), DEFAULT_THRESHOLDS.limit(name)
        if limit is None or usual is None:
            raise UsageError(
                f"There is no quality limit called {name}.",
                hint="The names are those of the metrics that qc --json prints.",
            )
        if edge not in EDGES:
            raise UsageError(
                f"The quality limit {name} has no {edge}.", hint=f"It has {', '.join(EDGES)}."
            )
        wanted = getattr(usual, edge) if value is None else value
        changed: dict[str, float | None] = {edge: wanted}
        made = replace(limit, **changed)  # type: ignore[arg-type]
        if _crossed(made):
            raise UsageError(
                f"The quality limit {name} would be BAD before it is WARN.",
                hint=f"It is now {_edges_text(limit)}.",
            )
        named: dict[str, Limit] = {name: made}
        return replace(self, **named)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, object]:
        """Return plain values for a settings file; only what differs from the defaults."""
        plain: dict[str, object] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value == getattr(DEFAULT_THRESHOLDS, entry.name):
                continue
            if isinstance(value, Limit):
                value = {
                    edge: number for edge in EDGES if (number := getattr(value, edge)) is not None
                }
            plain[entry.name] = value
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> Thresholds:
        """Read what `to_dict` wrote.

        Raises
        ------
        UsageError
            For a limit that does not exist or is not a number.
        """
        changed: dict[str, object] = {}
        for name, value in plain.items():
            current = getattr(cls(), name, None)
            if current is None or callable(current):
                raise UsageError(
                    f"There is no quality limit called {name}.",
                    hint="The names are those of the metrics that qc prints.",
                )
            changed[name] = _read_limit(name, value, isinstance(current, Limit))
        return replace(cls(), **changed)  # type: ignore[arg-type]


def _read_limit(name: str, value: object, is_limit: bool) -> object:
    if not is_limit:
        return _read_number(name, value)
    edges = set(EDGES)
    if not isinstance(value, Mapping) or not set(value) <= edges:
        raise UsageError(
            f"The quality limit {name} is not understood.",
            hint=f"Give it any of {', '.join(sorted(edges))}.",
        )
    read: dict[str, float] = {str(e): _read_number(name, number) for e, number in value.items()}
    return replace(Limit(), **read)  # type: ignore[arg-type]


def _read_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise UsageError(f"The quality limit {name} is not a number.", hint="Write it as 1.5.")
    return float(value)


DEFAULT_THRESHOLDS = Thresholds()
"""The limits of a rig that has none of its own."""
