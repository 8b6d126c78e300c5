"""Small pictures of masters, made once and kept in a cache beside the library."""

from __future__ import annotations

import contextlib
import io
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import CalibStudioError
from calibstudio.services.library import Library
from calibstudio.services.library_care import CACHE

if TYPE_CHECKING:
    from calibstudio.domain.master import MasterRecord

log = logging.getLogger(__name__)


def thumbnail(library: Library, record: MasterRecord, size: int = 256) -> NDArray[np.uint8]:
    """Return a small stretched picture of a master, grey, row 0 first.

    Parameters
    ----------
    record
        Of this library.
    size
        Longest side of the picture, in pixels; a smaller master keeps its size.

    Returns
    -------
    NDArray
        uint8, shape (ny, nx), of the first detector. Pixels without a value are black.

    Raises
    ------
    FileProblemError
        The master's file is gone or damaged, and no picture of it was kept.
    """
    file = library.folder / CACHE / "thumbnails" / f"{record.sha256[:32]}-{size}.npy"
    with contextlib.suppress(OSError, ValueError):  # not there yet, or damaged: made again
        kept = np.load(file, allow_pickle=False)
        if kept.dtype == np.uint8 and kept.ndim == 2:
            return np.asarray(kept)
    picture = grey_picture(library.open_master(record.sha256).image(), size)
    _keep(library, file, picture)
    return picture


def _keep(library: Library, file: Any, picture: NDArray[np.uint8]) -> None:
    """Write to the cache; a library that cannot be written goes on without."""
    from calibstudio.store.publish import publish_file

    if library.read_only:
        return
    buffer = io.BytesIO()
    np.save(buffer, picture, allow_pickle=False)
    try:
        if file.exists():
            file.unlink()
        publish_file(file, lambda path: path.write_bytes(buffer.getvalue()))
    except (CalibStudioError, OSError) as error:
        log.info("the picture %s was not kept: %s", file.name, error)


def grey_picture(image: NDArray[Any], size: int) -> NDArray[np.uint8]:
    """Shrink an image by whole blocks to at most ``size`` and stretch it to grey."""
    from calibstudio.imaging.display_stretch import Curve, choose_stretch, picture_levels

    small = _shrunk(image, size)
    levels = picture_levels(small)
    if levels is None:
        return np.zeros(small.shape, dtype=np.uint8)
    stretch = choose_stretch(levels, Curve.AUTO)
    place = np.nan_to_num((small - stretch.black) * stretch.steps_per_adu, nan=0.0)
    table = stretch.lut()
    picture: NDArray[np.uint8] = table[np.clip(place, 0, len(table) - 1).astype(np.int64)]
    return picture


def _shrunk(image: NDArray[Any], size: int) -> NDArray[np.float32]:
    """Return means of n x n pixels, n the least that brings the longest side to ``size``."""
    ny, nx = image.shape
    n = max(1, -(-max(ny, nx) // size))
    if n == 1:
        return image.astype(np.float32)
    rows, columns = max(1, ny // n), max(1, nx // n)
    part = image[: rows * n, : columns * n].astype(np.float32)
    blocks = part.reshape(rows, part.shape[0] // rows, columns, part.shape[1] // columns)
    good = np.isfinite(blocks)
    total = np.where(good, blocks, 0).sum(axis=(1, 3), dtype=np.float64)
    count = good.sum(axis=(1, 3))
    means: NDArray[np.float32] = np.full(total.shape, np.nan, dtype=np.float32)
    np.divide(total, count, out=means, where=count > 0, casting="same_kind")
    return means
