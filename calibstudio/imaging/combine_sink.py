"""Where a combination keeps its result: planes of a room, finished as they come."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.planes import Room


class PlanesSink:
    """Keeps the result of a combination as planes of a room.

    Parameters
    ----------
    finish
        Makes of (first row, UNC, CNT) of a band the UNC that is kept.
    maps
        With planes of rejected values.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        room: Room,
        *,
        finish: Callable[[int, NDArray[np.float32], NDArray[np.uint16]], NDArray[np.float32]]
        | None = None,
        maps: bool = False,
    ) -> None:
        self.image = room.plane(shape, np.float32)
        self.unc = room.plane(shape, np.float32)
        self.cnt = room.plane(shape, np.uint16)
        self.rejected = (
            (room.plane(shape, np.uint16), room.plane(shape, np.uint16)) if maps else None
        )
        self._finish = finish

    def write_rows(
        self,
        y0: int,
        image: NDArray[np.float32],
        unc: NDArray[np.float32],
        cnt: NDArray[np.uint16],
    ) -> None:
        """Keep a band that starts at row y0."""
        self.image.write(y0, image)
        self.unc.write(y0, unc if self._finish is None else self._finish(y0, unc, cnt))
        self.cnt.write(y0, cnt)

    def write_rejected(self, y0: int, low: NDArray[np.uint16], high: NDArray[np.uint16]) -> None:
        """Keep a band of the maps of rejected values."""
        if self.rejected is not None:
            self.rejected[0].write(y0, low)
            self.rejected[1].write(y0, high)
