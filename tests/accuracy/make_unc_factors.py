"""Make `calibstudio/imaging/unc_factors.npz`: what each rejection rule does to normal noise.

Run by command: ``python tests/accuracy/make_unc_factors.py [OUT]``. Seeded, so every run of one
version of the engine gives the same numbers; it takes some minutes.

For every rule, number of values N, low and high, the engine combines many pixels of unit normal
noise. Kept are

* k, with which k variance of the kept / CNT is on average the true variance of the result;
* the same for the median of the kept, divided by the factor of a plain median of N;
* the fraction of values rejected low and high.

The mean of a normal sample is independent of everything that does not move with it (Basu), so
the variance of a clipped mean is 1 / N plus the variance of its difference to the plain mean:
only that small part is simulated. The variance of the kept is likewise corrected by that of
all values, whose expectation is known.
"""

from __future__ import annotations

import functools
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.jobs import JobContext
from calibstudio.domain.pixels import ArrayRows
from calibstudio.domain.recipe import Combine, Floor, Rejection, StackSettings
from calibstudio.imaging import reject
from calibstudio.imaging.combine import ArraySink, combine
from calibstudio.imaging.combine_bands import Worker
from calibstudio.imaging.reject import MOST_FRAMES, TABLE_FILE, ResolvedRule, cost, resolve

SEED = 20261121
SIGMAS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 5.0, 7.0)
MANY_SIGMAS = (*SIGMAS, 10.0, 20.0, 50.0)
"""The MAD of few values, and what Winsorizing leaves of them, is small now and then."""
SIZES = (*range(3, 17), 18, 20, 22, 25, 28, 32, 36, 40, 50, 60, 75, 100, 150, 250, 500)
FEW_SIGMAS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)
FEW_SIZES = (3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 200, 500)
COUNTS = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0)
FRACTIONS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
LEVEL = 4096.0
"""Of frames with percentile limits; large, so that the limits do not move with the median."""
NOISE_SIGMAS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)
FLOORS = (0.0, 0.25, 0.5, 0.65, 0.75, 0.85, 0.95, 1.0, 1.05, 1.15, 1.25, 1.5, 2.0, 3.0)
SIGNIFICANCES = (0.0005, 0.002, 0.01, 0.02, 0.05, 0.1, 0.2)


def main(out: Path) -> None:
    """Compute all tables and write them."""
    without_tables()
    tables: dict[str, NDArray[np.float32]] = {"median": median_factors()}
    plans = {
        "clip": (tuple(range(4, 10)), MANY_SIGMAS[4:], MANY_SIGMAS[4:], 40_000),
        "sigma": (SIZES, SIGMAS, SIGMAS, 20_000),
        "mad": (SIZES, MANY_SIGMAS, MANY_SIGMAS, 20_000),
        "winsorized": (SIZES, MANY_SIGMAS, MANY_SIGMAS, 20_000),
        "minmax": (SIZES, COUNTS, COUNTS, 20_000),
        "esd": (SIZES, FRACTIONS, SIGNIFICANCES, 20_000),
        "linear-fit": (FEW_SIZES, FEW_SIGMAS, FEW_SIGMAS, 8_000),
    }
    for name, (sizes, lows, highs, pixels) in plans.items():
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
        table = np.zeros((len(sizes), len(lows), len(highs), 4), np.float32)
        for i, n in enumerate(sizes):
            rows = max(1, int(pixels * min(1.0, 50.0 / n)) // 100)
            noise = np.random.default_rng([SEED, n]).standard_normal((n, rows, 100))
            fill(table[i], name, noise.astype(np.float32), lows, highs)
        axes = {"n": sizes, "low": lows, "high": highs}
        tables |= {f"{name}_{axis}": np.array(v, np.float32) for axis, v in axes.items()}
        tables[name] = table
    tables |= floored() | at_noise()
    np.savez_compressed(out, **tables)


def without_tables() -> None:
    """Let the engine use its closed forms: what it divides by is then known, and taken out."""
    reject._from_table = lambda *_: None
    reject._floored = lambda _rule, _name, _sizes, free, _floor: free
    reject._median_factors = lambda n: np.ones(n + 1)


def floored() -> dict[str, NDArray[np.float32]]:
    """The automatic rules, whose sigma has a floor, for floors in units of the noise."""
    tables: dict[str, NDArray[np.float32]] = {}
    for name, sizes in (("clip", tuple(range(4, 10))), ("winsorized", SIZES[7:])):
        table = np.zeros((len(sizes), len(FLOORS), 4), np.float32)
        for i, n in enumerate(sizes):
            rows = max(1, int(40_000 * min(1.0, 50.0 / n)) // 100)
            noise = np.random.default_rng([SEED, n, 1]).standard_normal((n, rows, 100))
            for j, floor in enumerate(FLOORS):
                table[i, j] = simulate("floored", noise.astype(np.float32), floor, floor)
        tables[f"{name}_floors"] = np.array(FLOORS, np.float32)
        tables[f"{name}_floored_n"] = np.array(sizes, np.float32)
        tables[f"{name}_floored"] = table
    return tables


def at_noise() -> dict[str, NDArray[np.float32]]:
    """Rules by name whose sigma is at least the noise, and percentile limits in noises."""
    tables: dict[str, NDArray[np.float32]] = {}
    for name in ("sigma", "mad", "winsorized", "percentile"):
        key = name if name == "percentile" else f"{name}_at_noise"
        table = np.zeros((len(FEW_SIZES), len(NOISE_SIGMAS), len(NOISE_SIGMAS), 4), np.float32)
        for i, n in enumerate(FEW_SIZES):
            rows = max(1, int(20_000 * min(1.0, 50.0 / n)) // 100)
            noise = np.random.default_rng([SEED, n, 2]).standard_normal((n, rows, 100))
            if name == "percentile":
                noise += LEVEL
            fill(table[i], key, noise.astype(np.float32), NOISE_SIGMAS, NOISE_SIGMAS)
        axes = {"n": FEW_SIZES, "low": NOISE_SIGMAS, "high": NOISE_SIGMAS}
        tables |= {f"{key}_{axis}": np.array(v, np.float32) for axis, v in axes.items()}
        tables[key] = table
    return tables


def fill(
    table: NDArray[np.float32],
    name: str,
    noise: NDArray[np.float32],
    lows: tuple[float, ...],
    highs: tuple[float, ...],
) -> None:
    """Fill one number of values. Normal noise is symmetric, so are most rules."""
    symmetric = name != "esd"
    for a, low in enumerate(lows):
        for b, high in enumerate(highs):
            if symmetric and b < a:
                k_mean, k_median, share_high, share_low = table[b, a]
                table[a, b] = k_mean, k_median, share_low, share_high
            else:
                table[a, b] = simulate(name, noise, low, high)


def simulate(
    name: str, noise: NDArray[np.float32], low: float, high: float
) -> tuple[float, float, float, float]:
    """Return (k of the mean, relative k of the median, share low, share high)."""
    n = len(noise)
    floor = None
    if name == "floored":
        settings, floor = StackSettings(), low
    elif name == "percentile":
        settings = StackSettings(reject=Rejection.PERCENTILE, low=low / LEVEL, high=high / LEVEL)
    elif name.endswith("_at_noise"):
        rule_name = Rejection(name.removesuffix("_at_noise"))
        settings = StackSettings(reject=rule_name, low=low, high=high, floor=Floor.NOISE)
        floor = 1.0
    elif name == "clip":
        settings = StackSettings(low=low, high=high, floor=Floor.NONE)
    else:
        settings = StackSettings(reject=Rejection(name), low=low, high=high)
    sources = [ArrayRows(frame) for frame in noise]
    result = ArraySink(noise.shape[1:])
    report = combine(JobContext(), sources, settings, result, threads=1, read_noise_adu=floor)
    rule = resolve(settings, n)
    used = cost(rule, n).factor[n]
    # Variance of the kept over their number, against that of all values.
    kept = result.unc.astype(np.float64) ** 2 / used
    plain = noise.astype(np.float64)
    whole = plain.var(axis=0, ddof=1) / n
    expected = expectation(kept, whole, 1.0 / n)
    mean = plain.mean(axis=0)
    k_mean = (1.0 / n + np.mean((result.image - mean) ** 2)) / expected
    median = medians(rule, sources, noise.shape[1:], floor)
    spread_of_median = 1.0 / n + np.mean((median - mean) ** 2)
    k_median = spread_of_median / expected / float(median_factors()[n])
    values = float(noise.size)
    return (
        float(k_mean),
        float(k_median),
        report.n_rejected_low / values,
        report.n_rejected_high / values,
    )


def expectation(sample: NDArray[np.float64], control: NDArray[np.float64], known: float) -> float:
    """Mean of a sample, corrected by a correlated one whose expectation is known."""
    good = np.isfinite(sample)
    sample, control = sample[good], control[good]
    slope = np.mean((sample - sample.mean()) * (control - control.mean())) / control.var()
    return float(sample.mean() - slope * (control.mean() - known))


def medians(
    rule: ResolvedRule, sources: list[ArrayRows], shape: tuple[int, int], floor: float | None
) -> NDArray[np.float64]:
    """Return the medians of what a rule keeps (the automatic clip is one for means only)."""
    from calibstudio.imaging.combine import _plan, _Run
    from calibstudio.imaging.combine_bands import describe_frames
    from calibstudio.imaging.combine_look import noise_limits
    from calibstudio.imaging.kernels import load_kernels

    of_medians = replace(rule, settings=replace(rule.settings, combine=Combine.MEDIAN))
    frames = describe_frames(sources, None, None, None, shape)
    run = _Run(_plan(frames, shape, 1 << 30, 1, None))
    sink = ArraySink(shape)
    limits = noise_limits(frames, of_medians, floor)
    Worker(load_kernels(), frames, of_medians, run.plan, run, sink, limits).run()
    return sink.image.astype(np.float64)


@functools.cache
def median_factors() -> NDArray[np.float32]:
    """N times the variance of the median of N normal values, by integration."""
    factors = np.ones(MOST_FRAMES + 1)
    for n in range(2, MOST_FRAMES + 1):
        reach = min(9.0, 18.0 / math.sqrt(n))
        x = np.linspace(-reach, reach, 1601)
        phi = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
        below = np.array([0.5 * math.erfc(-v / math.sqrt(2.0)) for v in x])
        step = float(x[1] - x[0])
        if n % 2 == 1:
            k = (n - 1) // 2
            weight = math.exp(math.lgamma(n + 1) - 2 * math.lgamma(k + 1))
            density = weight * (below * (1.0 - below)) ** k * phi
            factors[n] = n * float(np.sum(density * x * x) * step)
        else:
            factors[n] = n * even_median_variance(n // 2, x, phi, below) * step * step
    return factors.astype(np.float32)


def even_median_variance(
    k: int, x: NDArray[np.float64], phi: NDArray[np.float64], below: NDArray[np.float64]
) -> float:
    """Sum over their density for the mean of the two middle values of 2 k, squared."""
    weight = math.exp(math.lgamma(2 * k + 1) - 2 * math.lgamma(k))
    density = np.triu(np.outer(below ** (k - 1) * phi, (1.0 - below) ** (k - 1) * phi))
    # The diagonal is half inside.
    density[np.diag_indices_from(density)] *= 0.5
    middle = 0.5 * (x[:, None] + x[None, :])
    return weight * float(np.sum(density * middle**2))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TABLE_FILE)
