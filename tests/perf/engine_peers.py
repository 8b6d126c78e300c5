"""The same work in other programs: what `tests/perf/engine.py` compares with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from engine_run import as_installed

READ = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
def read(path):
    buffer, total = bytearray(1 << 20), 0
    fd = os.open(path, os.O_RDONLY)
    while got := os.readv(fd, [buffer]):
        total += got
    os.close(fd)
    return total
with ThreadPoolExecutor(2) as pool:
    print(sum(pool.map(read, sys.argv[1:])))
"""
_ASTROPY = """
import sys, warnings
import numpy as np
from astropy.io import fits
from astropy.stats import sigma_clip
warnings.simplefilter("ignore")
out, *paths = sys.argv[1:]
opened = [fits.open(p, memmap=True, do_not_scale_image_data=True) for p in paths]
ny, nx = opened[0][0].shape
result = np.empty((ny, nx), np.float32)
for y in range(0, ny, 256):
    cube = np.stack([h[0].data[y:y + 256].astype(np.float32) for h in opened])
    cube += 32768
    kept = sigma_clip(cube, sigma=3, maxiters=None, cenfunc="median", stdfunc="std",
                      axis=0, masked=False, copy=False)
    result[y:y + 256] = np.nanmean(kept, axis=0)
fits.writeto(out, result, overwrite=True)
"""
_CCDPROC = """
import sys, warnings
import numpy as np
import ccdproc
from astropy.io import fits
warnings.simplefilter("ignore")
out, *paths = sys.argv[1:]
found = ccdproc.combine(paths, method="average", unit="adu", dtype=np.float32, mem_limit=8e9,
                        sigma_clip=True, sigma_clip_low_thresh=3, sigma_clip_high_thresh=3,
                        sigma_clip_func="median", sigma_clip_dev_func="std")
fits.writeto(out, np.asarray(found.data, dtype=np.float32), overwrite=True)
"""


def compile_modules(python: str) -> None:
    """Let the modules of the Python peers be compiled once, as installing them does."""
    for modules in ("numpy, astropy.io.fits, astropy.stats", "ccdproc"):
        command = [python, "-c", f"import {modules}"]
        subprocess.run(command, capture_output=True, env=as_installed())


def astropy(paths: list[Path], out: Path) -> list[str]:
    """astropy's sigma_clip on bands of rows, in its fastest form."""
    return [sys.executable, "-c", _ASTROPY, str(out), *map(str, paths)]


def ccdproc(python: str, paths: list[Path], out: Path) -> list[str] | None:
    """ccdproc.combine, in its fastest form, which clips only once; None if it is not there."""
    if subprocess.run([python, "-c", "import ccdproc"], capture_output=True).returncode != 0:
        return None
    return [python, "-c", _CCDPROC, str(out), *map(str, paths)]


def siril(work: Path, paths: list[Path], steps: str) -> list[str]:
    """Siril: the frames as a sequence of links, and the steps on it, to 32-bit floats."""
    process = work / "process"
    process.mkdir()
    script = work / "script.ssf"
    script.write_text(
        "requires 1.0.0\nset32bits\nsetext fits\n"
        f"setcpu {os.cpu_count()}\ncd {paths[0].parent}\nconvert s -out={process}\ncd {process}\n"
        f"{steps} -out={work / 'result'}\nclose\n"
    )
    # It keeps settings in the home folder: an empty one gives its defaults.
    return ["env", f"HOME={work}", "siril-cli", "-d", str(paths[0].parent), "-s", str(script)]
