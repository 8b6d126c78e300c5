"""Short words for tests that look at a served observatory through alpyca."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from alpaca.camera import Camera
from numpy.typing import NDArray

Connect = Callable[..., Any]
"""Opens a device of alpyca on an observatory of its own: the device and the observatory."""


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Ask again and again until it holds."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.01)


def picture(camera: Camera, exposure_s: float, *, light: bool = False) -> NDArray[np.uint16]:
    """Expose and fetch, as (rows, columns)."""
    camera.StartExposure(exposure_s, light)
    until(lambda: camera.ImageReady)
    return np.asarray(camera.ImageArray).T
