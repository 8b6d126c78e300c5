"""The pixel loops, compiled. Imported when the first frame is rendered, never before."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, floor, log, sqrt
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from calibstudio.devices.simulator import random_tables as tables
from calibstudio.devices.simulator.sensor import TELEGRAPH_HIGH, TELEGRAPH_LOW

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile without the interpreter lock, and keep the result on disk.

    No fast-math: the same seed must give the same pixels on every machine.
    """
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


_GOLDEN = np.uint64(tables.GOLDEN)
_MIX_1, _MIX_2 = np.uint64(tables.MIX_1), np.uint64(tables.MIX_2)
_S8, _S11, _S16, _S24, _S27, _S30, _S31, _S32, _S40 = (
    np.uint64(n) for n in (8, 11, 16, 24, 27, 30, 31, 32, 40)
)
_BYTE, _WORD, _HALF = np.uint64(0xFF), np.uint64(0xFFFF), np.uint64(0xFFFFFFFF)
_VALUE = np.uint64(0xFFFFFF)
_NONE, _ONE = np.uint64(0), np.uint64(1)
_TO_UNIT = 2.0**-53
_HALF_TO_UNIT = 2.0**-32
_ZX, _ZF = tables.ziggurat()
_EXACT_BELOW = tables.POISSON_EXACT_BELOW
_CDF, _GUIDE = tables.poisson_tables()
_STEPS = float(tables.POISSON_STEPS)
_TELEGRAPH_UP = TELEGRAPH_HIGH
_TELEGRAPH_MOVED = TELEGRAPH_HIGH + TELEGRAPH_LOW


@compiled
def mix(z: np.uint64) -> np.uint64:
    """SplitMix64's finaliser; see `random_tables.mixed`."""
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@compiled
def normal_retry(bits: np.uint64, key: np.uint64) -> Any:
    """One normal deviate for 32 bits that fell outside their layer's sure part (one in 80)."""
    layer = bits & _BYTE
    x = (float(np.int64((bits >> _S8) & _VALUE)) - 8388607.5) * 2.0**-23 * _ZX[layer]
    key = mix(key ^ bits)
    while True:
        key = key + _GOLDEN
        u = (float(np.int64(mix(key) >> _S11)) + 0.5) * _TO_UNIT
        if layer == _NONE:
            # The tail beyond the last layer: Marsaglia (1964).
            key = key + _GOLDEN
            v = (float(np.int64(mix(key) >> _S11)) + 0.5) * _TO_UNIT
            tail = -log(u) / _ZX[1]
            if -2.0 * log(v) > tail * tail:
                return _ZX[1] + tail if x > 0.0 else -_ZX[1] - tail
            continue
        if _ZF[layer] + u * (_ZF[layer + _ONE] - _ZF[layer]) < exp(-0.5 * x * x):
            return x
        key = key + _GOLDEN
        again = mix(key)
        layer = again & _BYTE
        x = (float(np.int64((again >> _S8) & _VALUE)) - 8388607.5) * 2.0**-23 * _ZX[layer]
        if abs(x) < _ZX[layer + _ONE]:
            return x


@compiled
def fill_normals(shot: Any, read: Any, key: np.uint64) -> None:
    """Fill two rows (width,) float32 with independent normal deviates."""
    for x in range(shot.size):
        key += _GOLDEN
        bits = mix(key)
        layer = bits & _BYTE
        value = (float(np.int64((bits >> _S8) & _VALUE)) - 8388607.5) * 2.0**-23 * _ZX[layer]
        if abs(value) >= _ZX[layer + _ONE]:
            value = normal_retry(bits & _HALF, key)
        shot[x] = value
        bits = bits >> _S32
        layer = bits & _BYTE
        value = (float(np.int64((bits >> _S8) & _VALUE)) - 8388607.5) * 2.0**-23 * _ZX[layer]
        if abs(value) >= _ZX[layer + _ONE]:
            value = normal_retry(bits, key ^ _MIX_2)
        read[x] = value


@compiled
def poisson_small(mean: float, bits: np.uint64) -> Any:
    """One Poisson deviate of a mean below 12, exactly: a tabulated mean and the rest add up."""
    row = int(mean * _STEPS)
    rest = mean - row / _STEPS
    u = float(np.int64(bits >> _S32)) * _HALF_TO_UNIT
    count = _GUIDE[row, int(u * 64.0)]
    while u >= _CDF[row, count]:
        count += 1
    u = float(np.int64(bits & _HALF)) * _HALF_TO_UNIT
    # exp(-rest) is never below 1 - rest, so most pixels of a dark need no exponential.
    if u < 1.0 - rest:
        return count
    term = exp(-rest)
    total = term
    n = 0
    while u >= total and n < 40:
        n += 1
        term *= rest / n
        total += term
    return count + n


@compiled
def fill_electrons(electrons: Any, mean: Any, shot: Any, key: np.uint64) -> None:
    """Set a row of electrons, Poisson of ``mean``; all (width,) float32.

    Means above 12 from a normal deviate: Giles (2016), ACM TOMS 42(10), approximation Q_N2; its
    distribution is within 1e-4 of a standard deviation there. Smaller ones exactly.
    """
    least, third = np.float32(_EXACT_BELOW), np.float32(1.0 / 3.0)
    sixth, a = np.float32(1.0 / 6.0), np.float32(1.0 / 36.0)
    b, none = np.float32(1.0 / 72.0), np.float32(0.0)
    for x in range(mean.size):
        m = max(mean[x], least)
        w = shot[x]
        root = np.sqrt(m)
        square = w * w
        value = m + root * w + (third + square * sixth) - w * (a + square * b) / root
        electrons[x] = np.floor(max(value, none))
    for x in range(mean.size):
        if mean[x] < least:
            key += _GOLDEN
            electrons[x] = poisson_small(float(mean[x]), mix(key))


class Pixels(NamedTuple):
    """What is the same in every pixel of a frame, and the tables for what is not.

    Arrays: ``response``, ``dark`` (mean electrons in this exposure), ``pattern`` (ADU) and
    ``telegraph`` (ADU) have 256 equally likely values; ``glow_x`` (width) and ``glow_y`` (height,
    mean electrons) multiply; ``column`` and ``row`` (ADU, the level included) add; ``qe`` is
    (2, 2) by the place in the full frame.
    """

    static_key: np.uint64
    frame_key: np.uint64
    sensor_width: int
    x0: int
    y0: int
    response: NDArray[np.float32]
    dark: NDArray[np.float32]
    pattern: NDArray[np.float32]
    telegraph: NDArray[np.float32]
    telegraph_below: np.uint64
    glow_x: NDArray[np.float32]
    glow_y: NDArray[np.float32]
    column: NDArray[np.float32]
    row: NDArray[np.float32]
    qe: NDArray[np.float32]
    full_well_e: float
    knee_e: float
    adu_per_e: float
    read_noise_adu: float
    step_adu: float
    top_adu: float


class Events(NamedTuple):
    """Single pixels with more than their neighbours, in order of row and column of the region.

    ``first`` (height + 1): where each row begins; ``x``; ``mean_e`` more dark electrons (hot
    pixels); ``extra_e`` electrons as they are (cosmic rays).
    """

    first: NDArray[np.int64]
    x: NDArray[np.int64]
    mean_e: NDArray[np.float64]
    extra_e: NDArray[np.float64]


@compiled
def fill_means(
    mean: Any, level: Any, light: Any, is_lit: bool, y: int, own_key: np.uint64, p: Any
) -> None:
    """Set mean electrons and bias level (ADU) of row ``y``; all (width,) float32."""
    response, dark, pattern = p.response, p.dark, p.pattern
    glow_x, column = p.glow_x, p.column
    glow_y, row = p.glow_y[y], p.row[y]
    qe = p.qe[(p.y0 + y) & 1]
    qe_0, qe_1 = qe[p.x0 & 1], qe[(p.x0 + 1) & 1]
    for x in range(mean.size):
        own_key += _GOLDEN
        own = mix(own_key)
        electrons = dark[(own >> _S8) & _BYTE] + glow_y * glow_x[x]
        if is_lit:
            electrons += light[x] * (qe_1 if x & 1 else qe_0) * response[own & _BYTE]
        mean[x] = electrons
        level[x] = column[x] + row + pattern[(own >> _S16) & _BYTE]


@compiled
def add_telegraph(level: Any, own_key: np.uint64, key: np.uint64, below: Any, steps: Any) -> None:
    """Let the few pixels with telegraph noise jump, in a row of levels in ADU."""
    for x in range(level.size):
        own_key += _GOLDEN
        own = mix(own_key)
        if (own >> _S24) & _WORD < below:
            u = float(np.int64(mix(key ^ own) >> _S11)) * _TO_UNIT
            if u < _TELEGRAPH_MOVED:
                jump = steps[(own >> _S40) & _BYTE]
                level[x] += jump if u < _TELEGRAPH_UP else -jump


@compiled
def convert(out: Any, electrons: Any, level: Any, read: Any, p: Any) -> None:
    """Turn a row of electrons into what the converter gives."""
    full_well, knee = np.float32(p.full_well_e), np.float32(p.knee_e)
    room = full_well - knee
    for x in range(out.size):
        if electrons[x] > knee:
            electrons[x] = knee + room * np.float32(1.0 - exp(-(electrons[x] - knee) / room))
    per_e, noise = np.float32(p.adu_per_e), np.float32(p.read_noise_adu)
    step, per_step = np.float32(p.step_adu), np.float32(1.0 / p.step_adu)
    none, top, half = np.float32(0.0), np.float32(p.top_adu), np.float32(0.5)
    for x in range(out.size):
        adu = electrons[x] * per_e + level[x] + noise * read[x]
        adu = np.floor(adu * per_step + half) * step
        out[x] = np.uint16(np.int32(min(max(adu, none), top)))


@compiled
def expose_rows(out: Any, light: Any, is_lit: bool, top: int, p: Pixels, events: Events) -> None:
    """Turn mean photo-electrons into ADU for the rows of ``out``, which begins at row ``top``.

    ``light`` is (rows, width) float32, in electrons; only read when ``is_lit``. In passes over
    one row, which stays in the nearest cache, because each is simple enough for vector units.
    """
    rows, width = out.shape
    mean, level = np.empty(width, np.float32), np.empty(width, np.float32)
    shot, read = np.empty(width, np.float32), np.empty(width, np.float32)
    electrons = np.empty(width, np.float32)
    for r in range(rows):
        y = top + r
        sensor_y = p.y0 + y
        noise_key = mix(p.frame_key + np.uint64(sensor_y + 1) * _GOLDEN)
        own_key = p.static_key + np.uint64(sensor_y * p.sensor_width + p.x0) * _GOLDEN
        fill_means(mean, level, light[r], is_lit, y, own_key, p)
        for i in range(events.first[y], events.first[y + 1]):
            mean[events.x[i]] += events.mean_e[i]
        fill_normals(shot, read, noise_key)
        fill_electrons(electrons, mean, shot, mix(noise_key ^ _MIX_1))
        for i in range(events.first[y], events.first[y + 1]):
            electrons[events.x[i]] += events.extra_e[i]
        add_telegraph(level, own_key, noise_key, p.telegraph_below, p.telegraph)
        convert(out[r], electrons, level, read, p)


class Smooth(NamedTuple):
    """Light that varies slowly: level times (1 + gx X + gy Y + q R2), X, Y, R2 from the centre.

    Distances are in half diagonals of the full sensor; ``row`` (height) multiplies each row.
    """

    level_e: float
    gradient_x: float
    gradient_y: float
    curvature: float
    row: NDArray[np.float64]


class Geometry(NamedTuple):
    """The region's corner on the sensor, the optical centre and the half diagonal, in pixels."""

    x0: int
    y0: int
    centre_x: float
    centre_y: float
    half_diagonal: float


@compiled
def fill_smooth(light: Any, top: int, g: Geometry, s: Smooth) -> None:
    """Set the rows of ``light`` (rows, width), which begins at row ``top`` of the region."""
    rows, width = light.shape
    for r in range(rows):
        yy = (g.y0 + top + r - g.centre_y) / g.half_diagonal
        base = 1.0 + s.gradient_y * yy + s.curvature * yy * yy
        level = s.level_e * s.row[top + r]
        for x in range(width):
            xx = (g.x0 + x - g.centre_x) / g.half_diagonal
            light[r, x] = level * (base + xx * (s.gradient_x + s.curvature * xx))


class Dust(NamedTuple):
    """Shadows of dust, each (n,): centre, outer and inner radius in pixels of the full frame."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    outer: NDArray[np.float64]
    inner: NDArray[np.float64]
    depth: NDArray[np.float64]


@compiled
def shadow(distance: float, outer: float, inner: float) -> float:
    """How dark a dust shadow is here, 0 to 1: a ring, soft over a tenth of its radius."""
    soft = max(1.0, 0.1 * outer)
    value = min(1.0, max(0.0, (outer - distance) / soft + 0.5))
    hole = min(1.0, max(0.0, (inner - distance) / soft + 0.5))
    return value - 0.85 * hole


@compiled
def through_optics(
    light: Any, top: int, g: Geometry, fall_off: float, edge_loss: float, dust: Dust
) -> None:
    """Apply vignetting and dust to the rows of ``light``; see `optics.vignetting`."""
    rows, width = light.shape
    for r in range(rows):
        yy = (g.y0 + top + r - g.centre_y) / g.half_diagonal
        for x in range(width):
            xx = (g.x0 + x - g.centre_x) / g.half_diagonal
            r2 = xx * xx + yy * yy
            cosine = 1.0 + fall_off * r2
            light[r, x] *= (1.0 - edge_loss * r2 * r2) / (cosine * cosine)
    for i in range(dust.x.size):
        reach = 1.1 * dust.outer[i] + 1.0
        first = max(0, floor(dust.y[i] - reach) - g.y0 - top)
        last = min(rows, floor(dust.y[i] + reach) + 2 - g.y0 - top)
        left = max(0, floor(dust.x[i] - reach) - g.x0)
        right = min(width, floor(dust.x[i] + reach) + 2 - g.x0)
        for r in range(first, last):
            dy = g.y0 + top + r - dust.y[i]
            for x in range(left, right):
                dx = g.x0 + x - dust.x[i]
                dark = shadow(sqrt(dx * dx + dy * dy), dust.outer[i], dust.inner[i])
                light[r, x] *= 1.0 - dust.depth[i] * dark


class Stars(NamedTuple):
    """Stars in order of y, each (n,): place in the full frame, electrons, radius of the stamp."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    electrons: NDArray[np.float64]
    radius: NDArray[np.float64]


@compiled
def trail_steps(drift_x: float, drift_y: float) -> int:
    """Into how many points a trail is divided, at most one pixel apart for any usual trail."""
    return 1 + min(3000, floor(sqrt(drift_x * drift_x + drift_y * drift_y)))


@compiled
def paint_stars(
    light: Any, top: int, g: Geometry, stars: Stars, width_px: float, drift_x: float, drift_y: float
) -> None:
    """Add stars to the rows of ``light``: a Moffat profile of exponent 3, drawn out by a drift.

    ``width_px`` is the full width at half maximum; the drift is in pixels over the exposure.
    """
    rows, width = light.shape
    core2 = (0.5 * width_px) ** 2 / (2.0 ** (1.0 / 3.0) - 1.0)
    peak = 2.0 / (np.pi * core2)
    steps = trail_steps(drift_x, drift_y)
    for i in range(stars.x.size):
        reach = stars.radius[i]
        for step in range(steps):
            share = (step + 0.5) / steps - 0.5
            cx = stars.x[i] + share * drift_x - g.x0
            cy = stars.y[i] + share * drift_y - g.y0 - top
            first, last = max(0, floor(cy - reach)), min(rows, floor(cy + reach) + 2)
            left, right = max(0, floor(cx - reach)), min(width, floor(cx + reach) + 2)
            for r in range(first, last):
                for x in range(left, right):
                    q = 1.0 + ((x - cx) ** 2 + (r - cy) ** 2) / core2
                    light[r, x] += stars.electrons[i] / steps * peak / (q * q * q)


@compiled
def add_extended(light: Any, top: int, g: Geometry, coarse: Any, cell: float, scale: float) -> None:
    """Add a coarse picture of the full frame, (cells, cells) of ``cell`` pixels, interpolated."""
    rows, width = light.shape
    for r in range(rows):
        v = (g.y0 + top + r) / cell
        j = int(v)
        fv = v - j
        for x in range(width):
            u = (g.x0 + x) / cell
            i = int(u)
            fu = u - i
            upper = coarse[j, i] * (1.0 - fu) + coarse[j, i + 1] * fu
            lower = coarse[j + 1, i] * (1.0 - fu) + coarse[j + 1, i + 1] * fu
            light[r, x] += scale * (upper * (1.0 - fv) + lower * fv)
