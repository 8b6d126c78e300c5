"""What happens to light in the telescope: filters, vignetting, dust."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calibstudio.devices.simulator.sensor import SensorTruth
from calibstudio.domain.equipment import Region

_WINDOW_DUST, _FILTER_DUST = 21, 22


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter, or none: how much of the light of L it lets through, and its vignetting."""

    name: str
    panel: float
    """Share of the panel's light (a white LED has little deep red)."""
    sky: float
    """Share of the twilight's and the stars' light."""
    band: str
    """Band of the twilight law that fits best: U, B, V, R or I."""
    fall_off: float = 0.055
    edge_loss: float = 0.12
    specks: int = 5
    """Dust shadows on the filter itself."""


FILTERS = (
    Filter("L", 1.0, 1.0, "V"),
    Filter("R", 0.32, 0.27, "R"),
    Filter("G", 0.36, 0.31, "V"),
    Filter("B", 0.26, 0.33, "B"),
    Filter("Ha", 0.030, 0.021, "R", edge_loss=0.15, specks=7),
    Filter("OIII", 0.036, 0.028, "V", edge_loss=0.15, specks=4),
    Filter("SII", 0.022, 0.018, "I", edge_loss=0.15, specks=6),
)
NO_FILTER = Filter("", 1.0, 1.0, "V", specks=0)

PANEL_TILT, PANEL_CURVATURE = (0.012, -0.007), -0.01
"""Unevenness of the panel along x, along y, and with the squared distance, per half diagonal."""

BAYER_QE = {"R": 0.46, "G": 0.52, "B": 0.40}
"""Response of a colour pixel relative to a mono pixel behind L."""


@dataclass(frozen=True, slots=True, eq=False)
class DustShadows:
    """Shadows of dust, each (n,): centre and radii in pixels of the full frame, depth 0 to 1."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    outer: NDArray[np.float64]
    inner: NDArray[np.float64]
    depth: NDArray[np.float64]


@lru_cache(maxsize=32)
def dust(truth: SensorTruth, filter_: Filter) -> DustShadows:
    """Return the shadows behind a filter: those of the sensor's window and the filter's own.

    The diameter of a shadow is distance / focal ratio: small and dark from the window, large and
    pale from the filter. Sizes are shares of the sensor's width, so that every preset shows them.
    """
    window = _shadows(truth, _WINDOW_DUST, 12, width=0.012, depth=(0.02, 0.08))
    key = _FILTER_DUST + sum(ord(c) << (8 * i) for i, c in enumerate(filter_.name))
    own = _shadows(truth, key, filter_.specks, width=0.05, depth=(0.005, 0.02))
    return DustShadows(*(np.concatenate(pair) for pair in zip(window, own, strict=True)))


def _shadows(
    truth: SensorTruth, key: int, count: int, *, width: float, depth: tuple[float, float]
) -> tuple[NDArray[np.float64], ...]:
    rng = np.random.default_rng([truth.seed, key])
    ny, nx = truth.shape
    outer = 0.5 * width * nx * rng.uniform(0.7, 1.4, count)
    return (
        rng.uniform(0, nx, count),
        rng.uniform(0, ny, count),
        outer,
        outer * rng.uniform(0.35, 0.45, count),
        rng.uniform(*depth, count),
    )


def response_of_colours(truth: SensorTruth) -> NDArray[np.float32]:
    """Return the relative response by (row % 2, column % 2) of the full frame; ones for mono."""
    if truth.bayer is None:
        return np.ones((2, 2), dtype=np.float32)
    return np.array([BAYER_QE[c] for c in truth.bayer], dtype=np.float32).reshape(2, 2)


def optics_map(
    truth: SensorTruth, filter_: Filter, region: Region | None = None, *, with_dust: bool = True
) -> NDArray[np.float32]:
    """Return vignetting times dust shadows, 1 at the optical centre, (rows, columns) float32.

    Notes
    -----
    Vignetting: (1 - edge_loss r^4) / (1 + fall_off r^2)^2 with r in half diagonals; the
    denominator is the cos^4 law, the numerator the pupil cut off by the tube.
    """
    r = region or Region(0, 0, truth.shape[1], truth.shape[0])
    centre_x, centre_y, half = optical_centre(truth)
    y, x = np.mgrid[r.y : r.y + r.height, r.x : r.x + r.width].astype(np.float32)
    r2 = ((x - centre_x) ** 2 + (y - centre_y) ** 2) / half**2
    out = (1.0 - filter_.edge_loss * r2**2) / (1.0 + filter_.fall_off * r2) ** 2
    if with_dust:
        shadows = dust(truth, filter_)
        for i in range(shadows.x.size):
            distance = np.hypot(x - shadows.x[i], y - shadows.y[i])
            soft = max(1.0, 0.1 * shadows.outer[i])
            ring = np.clip((shadows.outer[i] - distance) / soft + 0.5, 0.0, 1.0)
            hole = np.clip((shadows.inner[i] - distance) / soft + 0.5, 0.0, 1.0)
            out *= 1.0 - shadows.depth[i] * (ring - 0.85 * hole)
    return np.asarray(out, dtype=np.float32)


def panel_field(truth: SensorTruth, region: Region | None = None) -> NDArray[np.float32]:
    """Return the unevenness of the panel, 1 at the optical centre, (rows, columns) float32."""
    r = region or Region(0, 0, truth.shape[1], truth.shape[0])
    centre_x, centre_y, half = optical_centre(truth)
    y, x = np.mgrid[r.y : r.y + r.height, r.x : r.x + r.width].astype(np.float32)
    x, y = (x - centre_x) / half, (y - centre_y) / half
    field = 1.0 + PANEL_TILT[0] * x + PANEL_TILT[1] * y + PANEL_CURVATURE * (x * x + y * y)
    return np.asarray(field, dtype=np.float32)


def optical_centre(truth: SensorTruth) -> tuple[float, float, float]:
    """Return x and y of the optical axis, a little beside the middle, and the half diagonal."""
    ny, nx = truth.shape
    return 0.49 * nx, 0.515 * ny, 0.5 * float(np.hypot(nx, ny))
