"""Simulated lamps, skies and cameras on which a level is searched, from start to found.

Each case renders small frames with photon and read noise, uneven light, the converter's steps and
its end; the program's own measurement (`central_level`) and search (`LevelSearch`) do the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from calibstudio.imaging.quality import central_level
from calibstudio.services.auto_exposure import (
    Bounds,
    Circumstances,
    GaveUp,
    Goal,
    LevelSearch,
    Measured,
    Outcome,
    Try,
)

SIDE = 64
"""Rows and columns of a test frame."""
LAG_S = 1.5
"""Seconds from one test frame to the next beside the exposure."""
DUSK_PER_S = 0.094 / 60.0 * math.log(10.0)
"""How fast the evening sky fades (Tyson & Gal 1993)."""


@dataclass(frozen=True, slots=True)
class Converter:
    """How a camera writes its electrons."""

    name: str
    bits: int
    step: int
    """Distance of two values in the file: 16 for 12 bits that are written as 16."""
    bias_adu: float
    e_per_adu: float
    read_noise_e: float = 3.0
    full_well_e: float = 1e9
    bayer: str | None = None

    @property
    def max_adu(self) -> int:
        return (2**self.bits - 1) * self.step

    @property
    def saturation_adu(self) -> float:
        return min(float(self.max_adu), self.bias_adu + self.full_well_e / self.e_per_adu)


CONVERTERS = (
    Converter("12 bit", 12, 1, 64.0, 4.0),
    Converter("12 bit, written as 16", 12, 16, 960.0, 0.25),
    Converter("14 bit, written as 16", 14, 4, 2000.0, 0.8, bayer="RGGB"),
    Converter("16 bit", 16, 1, 500.0, 0.8),
    Converter("16 bit, full well below its end", 16, 1, 500.0, 1.6, full_well_e=60_000.0),
    Converter("16 bit, colour", 16, 1, 500.0, 0.8, bayer="GRBG"),
)


@dataclass(frozen=True, slots=True)
class Lamp:
    """How a light behaves."""

    name: str
    flicker: float = 0.0
    """Scatter from frame to frame, relative."""
    warm_up: float = 0.0
    """How much brighter it is while cold, relative; comes down within 90 s."""
    fade_per_s: float = 0.0
    power: float = 1.0
    """Light as this power of the panel's brightness."""
    shutter_lag_s: float = 0.0
    """The middle of the sensor is open so much longer than asked: vanes that open from there."""
    is_steady: bool = True


EXPOSURE_LAMPS = (
    Lamp("steady"),
    Lamp("steady, slow shutter", shutter_lag_s=0.03),
    Lamp("warming up 1.5 %", warm_up=0.015),
    Lamp("flicker 2 %", flicker=0.02, is_steady=False),
    Lamp("fading sky", fade_per_s=DUSK_PER_S, is_steady=False),
    Lamp("brightening sky", fade_per_s=-DUSK_PER_S, is_steady=False),
)
BRIGHTNESS_LAMPS = (
    Lamp("panel, linear"),
    Lamp("panel, power 0.7", power=0.7),
    Lamp("panel, power 1.4", power=1.4),
    Lamp("panel, power 1.4, flicker 2 %", power=1.4, flicker=0.02, is_steady=False),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One search: a camera, a light, where it starts and where the level is."""

    converter: Converter
    lamp: Lamp
    lowest: float
    highest: float
    best: float
    """Exposure or brightness that gives the target when the search begins."""
    start: float | None
    start_name: str
    seed: int
    integer: bool = False

    @property
    def goal(self) -> Goal:
        top = self.converter.saturation_adu
        return Goal(0.5 * top, self.converter.bias_adu + 0.4, top)


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a case."""

    case: Case
    outcome: Outcome
    frames: int
    true_level_adu: float
    """Level of the last frame without noise, at the brightest channel."""


def exposure_cases(seed: int = 1) -> Iterator[Case]:
    """Every converter with every light, from too dark, too bright, a second and anywhere."""
    rng = np.random.default_rng([seed, 1])
    bounds = ((3.2e-5, 3600.0), (0.001, 300.0), (0.2, 30.0))
    starts = ("shortest", "longest", "1 s", "anywhere", "trained")
    for n, (converter, lamp, start_name) in enumerate(product(CONVERTERS, EXPOSURE_LAMPS, starts)):
        lowest, highest = bounds[n % 3]
        if lamp.fade_per_s:
            highest = min(highest, 30.0)  # a longer exposure is no longer the same sky
            lowest = max(lowest, 0.01)
        low = lowest * 1.1 + lamp.shutter_lag_s
        high = min(highest * 0.9, 4.0 if lamp.fade_per_s else 600.0)
        best = float(math.exp(rng.uniform(math.log(low), math.log(high))))
        start = {
            "shortest": lowest,
            "longest": highest,
            "1 s": None,
            "anywhere": float(math.exp(rng.uniform(math.log(lowest), math.log(highest)))),
            "trained": best * float(rng.uniform(0.7, 1.4)),
        }[start_name]
        yield Case(
            converter, lamp, lowest, highest, best, start, start_name, 10_000 * seed + n
        )  # fmt: skip


def brightness_cases(seed: int = 1) -> Iterator[Case]:
    """Panels with 255 and 4096 steps and curves of their own."""
    rng = np.random.default_rng([seed, 2])
    starts = ("half", "lowest", "highest", "middle")
    everything = product(CONVERTERS, BRIGHTNESS_LAMPS, (255, 4096), starts)
    for n, (converter, lamp, top, start_name) in enumerate(everything):
        if (n // 4 + n) % 2:
            continue
        best = float(math.exp(rng.uniform(math.log(12.0), math.log(0.95 * top))))
        start = {"half": top // 2, "lowest": 1, "highest": top, "middle": None}[start_name]
        yield Case(
            converter, lamp, 1, top, best, start, start_name, 10_000 * seed + 5000 + n,
            integer=True,
        )  # fmt: skip


def run_case(case: Case, around: Circumstances | None = None) -> Ran:
    """Search the level of one case on rendered frames."""
    rng = np.random.default_rng(case.seed)
    if around is None:
        around = Circumstances(exposure_s=2.0 if case.integer else None)
    bounds = Bounds(
        case.lowest, case.highest, case.start, integer=case.integer,
        max_frames=16 if case.integer else 12,
    )  # fmt: skip
    search = LevelSearch(case.goal, bounds, around)
    outcome, clock_s, truth = search.next(), 0.0, math.nan
    while isinstance(outcome, Try):
        seconds = 2.0 if case.integer else outcome.value
        share = _light(case, outcome.value, clock_s, seconds, rng)
        wanted_e = case.goal.signal_adu * case.converter.e_per_adu
        frame = _frame(case.converter, share * wanted_e, rng)
        level = central_level(frame, case.converter.bayer)
        truth = case.converter.bias_adu + share * case.goal.signal_adu
        outcome = search.record(Measured(outcome.value, level.value_adu, level.p999_adu))
        clock_s += seconds + LAG_S
    return Ran(case, outcome, len(search.tries), truth)


def _light(
    case: Case, value: float, clock_s: float, seconds: float, rng: np.random.Generator
) -> float:
    """Return the light of a frame, as a share of what the target needs."""
    lamp = case.lamp
    lag = 0.0 if case.integer else lamp.shutter_lag_s
    share = ((value + lag) / (case.best + lag)) ** lamp.power
    share *= 1.0 + lamp.flicker * rng.standard_normal()
    share *= 1.0 + lamp.warm_up * math.exp(-clock_s / 90.0)
    fade = lamp.fade_per_s
    if fade:
        share *= math.exp(-fade * clock_s) * -math.expm1(-fade * seconds) / (fade * seconds)
    return max(share, 0.0)


def _frame(converter: Converter, electrons: float, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Render a frame whose brightest channel has this signal in its middle."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    r2 = ((x - 31.5) ** 2 + (y - 31.5) ** 2) / 1000.0
    light = 1.0 - 0.08 * r2
    if converter.bayer is not None:
        response = {"R": 0.62, "G": 1.0, "B": 0.71}
        cells = np.array([response[c] for c in converter.bayer]).reshape(2, 2)
        light = light * np.tile(cells, (SIDE // 2, SIDE // 2))
    expected = np.minimum(electrons * light, 1e8)
    signal = expected + np.sqrt(np.maximum(expected, 0.0)) * rng.standard_normal(expected.shape)
    signal = np.minimum(signal, converter.full_well_e)
    signal += converter.read_noise_e * rng.standard_normal(expected.shape)
    adu = signal / converter.e_per_adu + converter.bias_adu
    coarse = np.round(adu / converter.step) * converter.step
    return np.clip(coarse, 0, converter.max_adu).astype(np.uint16)


BOUNDS: tuple[tuple[str, Case, Circumstances], ...] = tuple(
    (
        what,
        Case(
            CONVERTERS[3], EXPOSURE_LAMPS[0], low, high, best, None, "1 s", 9, integer=integer
        ),
        around,
    )
    for what, low, high, best, integer, around in (
        ("panel too bright for the shortest exposure", 0.2, 30.0, 0.11, False,
         Circumstances(brightness=46, max_brightness=4096, can_dim=True)),
        ("lamp without a dial too bright", 0.2, 30.0, 0.11, False, Circumstances()),
        ("panel too dim for the longest exposure", 0.2, 10.0, 25.0, False,
         Circumstances(brightness=40, max_brightness=4096, camera_longest_s=3600, can_dim=True)),
        ("lamp without a dial too dim", 0.2, 10.0, 25.0, False,
         Circumstances(camera_longest_s=3600)),
        ("no light at all", 0.001, 10.0, 1e12, False, Circumstances()),
        ("panel too bright at its lowest step", 1, 255, 0.5, True,
         Circumstances(exposure_s=2.0, camera_shortest_s=0.001)),
        ("panel too dim at its highest step", 1, 255, 600, True, Circumstances(exposure_s=2.0)),
        ("two steps too far apart", 1, 255, 2.5, True, Circumstances(exposure_s=2.0)),
    )
)  # fmt: skip
"""Searches that end at a bound, with what it is."""


def gave_up(ran: Ran) -> str:
    """Return why a search ended without the level; empty when it was found."""
    return ran.outcome.message if isinstance(ran.outcome, GaveUp) else ""
