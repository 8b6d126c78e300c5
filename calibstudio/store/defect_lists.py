"""Bad pixels in the forms of other programs: Siril's list, PixInsight's list, tables, a mask.

Siril (``cosme``, ``-cc=bpm``)
    Lines ``P x y H`` or ``P x y C``, from 0, hot or cold; y counts from the top of the picture as
    Siril shows it, and Siril shows the first row of a FITS file at the bottom: y = ny - 1 - row.
    A hot pixel is replaced by the mean of its neighbours, a cold one by their median.
PixInsight (CosmeticCorrection, "Use defect list")
    Lines ``Col x first last``, from 0, a part of a column; there are no single points. Rows count
    from the top, where PixInsight shows the first row of a file that does not say ROWORDER.
    Neighbouring pixels of a column become one line. Comments are not known to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.defects import Defect, DefectList
from calibstudio.store.publish import publish_file


class ListForm(StrEnum):
    """How bad pixels are written for others."""

    SIRIL = "siril"
    PIXINSIGHT = "pixinsight"
    TABLE = "table"
    MASK = "mask"


ENDINGS = {
    ListForm.SIRIL: (".lst",),
    ListForm.PIXINSIGHT: (".txt",),
    ListForm.TABLE: (".csv", ".ecsv"),
    ListForm.MASK: (".fits", ".fit", ".fts"),
}
"""File name endings of each form, the usual one first."""


def write_list(path: Path, form: ListForm, pixels: DefectList, shape: tuple[int, int]) -> bool:
    """Write the bad pixels of one detector; False when the same file was there already.

    Raises
    ------
    WriteProblemError
        It cannot be written, or the name is taken by other content.
    """
    if form is ListForm.MASK:
        return publish_file(path, lambda part: _write_mask(part, pixels, shape))
    if form is ListForm.TABLE:
        lines = _ecsv(pixels) if path.suffix.lower() == ".ecsv" else _csv(pixels)
    else:
        lines = (
            siril_lines(pixels, shape[0]) if form is ListForm.SIRIL else pixinsight_lines(pixels)
        )
    text = "".join(f"{line}\n" for line in lines)
    return publish_file(path, lambda part: _write_text(part, text))


def _write_text(path: Path, text: str) -> None:
    path.write_bytes(text.encode("ascii"))


def siril_lines(pixels: DefectList, ny: int) -> Iterable[str]:
    """Return the lines of Siril's list."""
    yield "# Bad pixels: P x y type; y counts from the top as Siril shows a FITS file."
    cold = (pixels.flags & np.uint8(Defect.HOT)) == 0
    cold &= (pixels.flags & np.uint8(Defect.COLD | Defect.DEAD)) != 0
    for x, y, is_cold in zip(pixels.x.tolist(), pixels.y.tolist(), cold.tolist(), strict=True):
        yield f"P {x} {ny - 1 - y} {'C' if is_cold else 'H'}"


def pixinsight_lines(pixels: DefectList) -> Iterable[str]:
    """Return the lines of PixInsight's list: parts of columns."""
    order = np.lexsort((pixels.y, pixels.x))
    x, y = pixels.x[order], pixels.y[order]
    if x.size == 0:
        return
    starts = np.flatnonzero(np.r_[True, (np.diff(x) != 0) | (np.diff(y) != 1)])
    ends = np.r_[starts[1:], x.size] - 1
    for first, last in zip(starts.tolist(), ends.tolist(), strict=True):
        yield f"Col {x[first]} {y[first]} {y[last]}"


def _csv(pixels: DefectList) -> Iterable[str]:
    yield "x,y,kind,value"
    for x, y, kind, value in pixels.rows():
        yield f"{x},{y},{kind},{value:.6g}"


def _ecsv(pixels: DefectList) -> Iterable[str]:
    """Enhanced CSV 1.0, as astropy reads it with units."""
    yield from (
        "# %ECSV 1.0",
        "# ---",
        "# datatype:",
        "# - {name: x, unit: pix, datatype: int32, description: column from 0}",
        "# - {name: y, unit: pix, datatype: int32, description: 'row from 0, first of the file'}",
        "# - {name: kind, datatype: string}",
        f"# - {{name: value, datatype: float32, description: 'hot {pixels.unit}, else a ratio'}}",
        "# delimiter: ','",
        "# schema: astropy-2.0",
    )
    yield from _csv(pixels)


def _write_mask(path: Path, pixels: DefectList, shape: tuple[int, int]) -> None:
    from astropy.io import fits

    from calibstudio.store.master_fits import append_cards, bit_cards

    flags: NDArray[np.uint8] = np.zeros(shape, np.uint8)
    flags[pixels.y, pixels.x] = pixels.flags
    hdu = fits.PrimaryHDU(flags)
    append_cards(
        hdu.header, [("IMAGETYP", "Bad Pixel Mask", "0 is a good pixel"), *bit_cards(flags)]
    )
    fits.HDUList([hdu]).writeto(path)
