"""Refusing a picture that is the one before it again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibstudio.domain.errors import ExposureFailedError


class RepeatGuard:
    """Remembers the last picture of a camera.

    Two pictures with noise are never equal: the second is a stale buffer.
    """

    def __init__(self) -> None:
        self._last: tuple[tuple[int, ...], int] | None = None

    def forget(self) -> None:
        """The driver was started again: what it held before is gone."""
        self._last = None

    def check(self, name: str, data: NDArray[np.uint16], digest: int) -> None:
        """Raise `ExposureFailedError` when ``data`` is the last picture again.

        Parameters
        ----------
        name
            What the camera is called.
        digest
            Any checksum of the pixels, always of the same kind. A picture of one single value may
            come again.
        """
        this = (data.shape, digest)
        before, self._last = self._last, this
        if this != before or data.min() == data.max():
            return
        raise ExposureFailedError(
            f"{name} delivered the picture before this one again, pixel for pixel.",
            hint="Take it again; when it comes back, connect the camera again.",
        )
