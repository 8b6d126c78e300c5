"""Prove UNC: its root mean square against the true scatter, for every rule at every N to 100.

Run by command: ``python -m tests.accuracy.unc_scatter [OUT.md]``; takes about ten minutes. Each
number is from enough pixels of normal noise that statistics alone scatter by 0.4 %; it must be
within 2 % of 1. ``--every K`` looks at every K-th N.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from calibstudio.domain.recipe import Combine, Floor, Rejection, StackSettings
from tests.helpers.realistic_stack import combined

LIMIT = 0.02
PIXELS = 32_000
"""1 / sqrt(2 * 32 000) = 0.4 %."""
SIGMA = 20.0
CHOICES: dict[str, tuple[StackSettings, float | None]] = {
    "mean": (StackSettings(reject=Rejection.NONE), None),
    "median": (StackSettings(combine=Combine.MEDIAN, reject=Rejection.NONE), None),
    "automatic": (StackSettings(), None),
    "automatic, noise known": (StackSettings(), SIGMA),
    "min/max 1, 1": (StackSettings(reject=Rejection.MINMAX), None),
    "percentile 0.1, 0.05": (
        StackSettings(reject=Rejection.PERCENTILE, low=0.1, high=0.05),
        None,
    ),
    "sigma 3, 3": (StackSettings(reject=Rejection.SIGMA), None),
    "sigma 2.5, 2.5": (StackSettings(reject=Rejection.SIGMA, low=2.5, high=2.5), None),
    "median after sigma 3, 3": (
        StackSettings(combine=Combine.MEDIAN, reject=Rejection.SIGMA),
        None,
    ),
    "MAD 5, 5": (StackSettings(reject=Rejection.MAD), None),
    "Winsorized 4, 3": (StackSettings(reject=Rejection.WINSORIZED), None),
    "Winsorized 4, 3, cut-off 5": (StackSettings(reject=Rejection.WINSORIZED, cutoff=5), None),
    "linear fit 5, 3.5": (StackSettings(reject=Rejection.LINEAR_FIT), None),
    "ESD 0.3, 0.05": (StackSettings(reject=Rejection.ESD), None),
    "sigma 3, 3 with floor": (
        StackSettings(reject=Rejection.SIGMA, floor=Floor.NOISE),
        None,
    ),
}


def ratio(settings: StackSettings, noise: float | None, n: int, pixels: int) -> float:
    """Return the root mean square of UNC over that of the error, for n frames."""
    rng = np.random.default_rng([n, 20261130])
    said = true = 0.0
    left = pixels
    while left > 0:
        columns = min(left, max(100, 1_000_000 // n))
        stack = rng.normal(1000.0, SIGMA, (n, 1, columns)).astype(np.float32)
        result, _ = combined(stack, settings, read_noise_adu=noise)
        said += float(np.sum(np.square(result.unc, dtype=np.float64)))
        true += float(np.sum((result.image.astype(np.float64) - 1000.0) ** 2))
        left -= columns
    return (said / true) ** 0.5


def main() -> int:
    """Print one line for each rule; 1 when a number is beyond the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--every", type=int, default=1)
    args = parser.parse_args()
    sizes = [*range(3, 101, args.every)]
    lines = [
        "| rule | N | least | greatest | at N | beyond 2\u202f% |",
        "|---|---|---:|---:|---:|---:|",
    ]
    beyond = 0
    for name, (settings, noise) in CHOICES.items():
        found = {n: ratio(settings, noise, n, PIXELS) for n in sizes}
        worst = max(found, key=lambda n: abs(found[n] - 1.0))
        out = sum(abs(r - 1.0) > LIMIT for r in found.values())
        beyond += out
        lines.append(
            f"| {name} | {sizes[0]} to {sizes[-1]} | {min(found.values()):.4f} | "
            f"{max(found.values()):.4f} | {worst} | {out} of {len(sizes)} |"
        )
        sys.stdout.write(lines[-1] + "\n")
        sys.stdout.flush()
    if args.out is not None:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
