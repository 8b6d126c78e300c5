"""Siril on frames of ours, and its rules as it applies them, to explain what differs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from calibstudio.domain.recipe import Combine, Rejection, StackSettings
from tests.helpers.realistic_stack import write_frames

SIRIL = "siril-cli"
RULES: Mapping[str, tuple[str, StackSettings]] = {
    "mean": ("rej n", StackSettings(reject=Rejection.NONE)),
    "median": ("med", StackSettings(combine=Combine.MEDIAN, reject=Rejection.NONE)),
    "sigma 3, 3": (
        "rej s 3 3",
        StackSettings(reject=Rejection.SIGMA, low=3, high=3, min_keep=4),
    ),
    "percentile 0.02, 0.02": (
        "rej p 0.02 0.02",
        StackSettings(reject=Rejection.PERCENTILE, low=0.02, high=0.02, min_keep=1),
    ),
    "winsorized 4, 3": (
        "rej w 4 3",
        StackSettings(reject=Rejection.WINSORIZED, low=4, high=3, min_keep=4),
    ),
    "MAD 7.4, 7.4 (5 sigma)": (
        "rej a 7.413 7.413",
        StackSettings(reject=Rejection.MAD, low=5, high=5, min_keep=4),
    ),
    "linear fit 5, 5 (2.5 of ours)": (
        "rej l 5 5",
        StackSettings(reject=Rejection.LINEAR_FIT, low=2.5, high=2.5, min_keep=4),
    ),
    "ESD 0.3, 0.05": (
        "rej g 0.3 0.05",
        StackSettings(reject=Rejection.ESD, low=0.3, high=0.05),
    ),
}
"""What Siril's ``stack`` is asked for, and the same of ours. It always keeps 4 values."""


def siril_version() -> str | None:
    """Return the version of Siril, or None where it is not installed."""
    if shutil.which(SIRIL) is None:
        return None
    said = subprocess.run([SIRIL, "--version"], capture_output=True, text=True, check=False)
    return said.stdout.strip().splitlines()[-1] if said.stdout.strip() else "siril"


def run_siril(
    frames: NDArray[np.uint16], folder: Path, rules: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Stack frames by rules (keys of `RULES`) with Siril; images in ADU, rows as ours."""
    write_frames(folder / "in", frames)
    (folder / "process").mkdir()
    lines = ["requires 1.0.0", "set32bits", "setext fits", "setcpu 2", f"cd {folder / 'in'}"]
    lines += [f"convert s -out={folder / 'process'}", f"cd {folder / 'process'}"]
    outputs = {rule: folder / f"r{i}.fits" for i, rule in enumerate(rules)}
    lines += [
        f"stack s {RULES[rule][0]} -nonorm -out={path.with_suffix('')}"
        for rule, path in outputs.items()
    ]
    script = folder / "script.ssf"
    script.write_text("\n".join([*lines, "close"]) + "\n")
    done = subprocess.run(
        [SIRIL, "-d", str(folder / "in"), "-s", str(script)],
        env={**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"Siril failed: {done.stdout[-2000:]}")
    # 32-bit results are in units of the converter's range.
    return {rule: fits.getdata(p).astype(np.float64) * 65535.0 for rule, p in outputs.items()}


def linear_fit_by_least_squares(values: NDArray[np.float64], low: float, high: float) -> float:
    """Siril's linear fit clipping: a least squares line, s the mean absolute deviation from it."""
    kept = np.sort(values)
    while True:
        x = np.arange(len(kept))
        slope, start = np.polyfit(x, kept, 1)
        residual = kept - start - slope * x
        s = float(np.mean(np.abs(residual)))
        left: list[float] = []
        rejected = 0
        for value, r in zip(kept.tolist(), residual.tolist(), strict=True):
            if len(kept) - rejected > 4 and (-r > low * s or r > high * s):
                rejected += 1
            else:
                left.append(value)
        changed = len(left) != len(kept)
        kept = np.array(left)
        if not changed or len(kept) <= 3:
            return float(kept.mean())
