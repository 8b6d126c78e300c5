"""What a plan will cost and what it is worth, before the first frame: for the wizards' tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

from calibstudio.domain.equipment import CameraInfo, Conversion
from calibstudio.domain.plan import (
    CameraSettings,
    CapturePlan,
    CaptureStep,
    Search,
    estimate_plan,
    expected_exposure_s,
)


@dataclass(frozen=True, slots=True)
class StepCost:
    """What one step of a plan is expected to take."""

    step: CaptureStep
    exposure_s: float
    is_guess: bool
    """The exposure is searched, and nobody knows yet where it will end."""
    seconds: float
    """Test frames included; wheel, cover and cooling are not."""
    bytes: int


def step_costs(
    plan: CapturePlan, info: CameraInfo, *, exposures_s: Mapping[str, float] | None = None
) -> tuple[StepCost, ...]:
    """Return what each step takes, in order; ``exposures_s`` by step id are better guesses."""
    known = exposures_s or {}
    costs = []
    for step in plan.steps:
        seconds = expected_exposure_s(plan, step, info, known)
        alone = CapturePlan("", (replace(step, exposure_from=None, exposure_s=seconds),))
        estimate = estimate_plan(alone, info, exposures_s={step.id: seconds})
        costs.append(
            StepCost(step, seconds, _is_guess(plan, step, known), estimate.seconds, estimate.bytes)
        )
    return tuple(costs)


def _is_guess(plan: CapturePlan, step: CaptureStep, known: Mapping[str, float]) -> bool:
    if step.id in known:
        return False
    if step.exposure_from is not None:
        return _is_guess(plan, plan.step(step.exposure_from), known)
    return step.search is Search.EXPOSURE and step.exposure_s is None


@dataclass(frozen=True, slots=True)
class Cell:
    """Time and disk of some frames."""

    seconds: float = 0.0
    bytes: int = 0

    def __add__(self, other: Cell) -> Cell:
        return Cell(self.seconds + other.seconds, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One exposure at every combination of temperature and binning."""

    kind: str
    exposure_s: float
    frames: int
    """Good frames, all combinations together."""
    cells: tuple[Cell, ...]
    total: Cell


@dataclass(frozen=True, slots=True)
class CostMatrix:
    """Exposures down, combinations across, time and disk in each place."""

    columns: tuple[CameraSettings, ...]
    rows: tuple[MatrixRow, ...]
    totals: tuple[Cell, ...]
    """Of each column."""
    total: Cell
    frames: int


def cost_matrix(plan: CapturePlan, info: CameraInfo) -> CostMatrix:
    """Return what each exposure of a dark plan costs at each combination of settings."""
    costs = step_costs(plan, info)
    columns = tuple(dict.fromkeys(c.step.settings for c in costs))
    keys = dict.fromkeys((str(c.step.kind), c.exposure_s) for c in costs)
    rows = []
    for kind, seconds in keys:
        own = [c for c in costs if (str(c.step.kind), c.exposure_s) == (kind, seconds)]
        cells = tuple(
            _sum([Cell(c.seconds, c.bytes) for c in own if c.step.settings == s]) for s in columns
        )
        rows.append(MatrixRow(kind, seconds, sum(c.step.count for c in own), cells, _sum(cells)))
    totals = tuple(_sum([row.cells[i] for row in rows]) for i in range(len(columns)))
    return CostMatrix(columns, tuple(rows), totals, _sum(totals), sum(r.frames for r in rows))


def _sum(cells: Sequence[Cell]) -> Cell:
    return sum(cells, Cell())


def saturation_adu(info: CameraInfo, bias_adu: float, conversion: Conversion | None) -> float:
    """Return where pixels saturate: the converter's end, the rig's word, or the full well."""
    limit = min(float(info.max_adu), info.saturation_adu or float(info.max_adu))
    if conversion is not None and conversion.full_well_e and conversion.e_per_adu > 0:
        limit = min(limit, bias_adu + conversion.full_well_e / conversion.e_per_adu)
    return limit


def master_snr(frames: float, electrons: float) -> float:
    """Return the S/N of a pixel of a mean of flats: ``sqrt(N n_e)``, photon noise alone.

    The light of N frames together is N times ``electrons``, and its noise the root of that
    (Poisson). Read noise is left out: at 1 000 electrons and 3 e- it lowers the value by 0.5 %.
    """
    return sqrt(max(frames, 0.0) * max(electrons, 0.0))


def added_noise(frames: int) -> float:
    """Return by which fraction a master of N covered frames raises the read noise of a light.

    The light has the read noise r, the mean of N frames r / sqrt(N); together they have
    ``r sqrt(1 + 1/N)``. Where dark current counts, its shot noise follows the same law.
    """
    return sqrt(1.0 + 1.0 / max(frames, 1)) - 1.0
