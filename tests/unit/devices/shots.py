"""Short words for exposures in the tests of the simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.devices.simulator.observatory import SimulatedObservatory
from calibstudio.domain.equipment import ExposureRequest, Frame
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.kinds import FrameKind

NEVER = CancelToken()


def take(
    observatory: SimulatedObservatory, kind: FrameKind, exposure_s: float, **settings: Any
) -> Frame:
    """Take one frame."""
    return observatory.camera.expose(ExposureRequest(kind, exposure_s, **settings), NEVER)


def bias(observatory: SimulatedObservatory, **settings: Any) -> NDArray[np.float64]:
    """Take one bias, as floats."""
    return take(observatory, FrameKind.BIAS, 0.0, **settings).data.astype(np.float64)


def dark(
    observatory: SimulatedObservatory, exposure_s: float, **settings: Any
) -> NDArray[np.float64]:
    """Take one dark, as floats."""
    return take(observatory, FrameKind.DARK, exposure_s, **settings).data.astype(np.float64)


def flat(
    observatory: SimulatedObservatory, exposure_s: float, **settings: Any
) -> NDArray[np.float64]:
    """Take one flat, as floats."""
    return take(observatory, FrameKind.FLAT, exposure_s, **settings).data.astype(np.float64)


def lamp(observatory: SimulatedObservatory, brightness: int, *, warm: bool = True) -> None:
    """Switch the lamp on, and wait until it has warmed up."""
    assert observatory.panel is not None
    observatory.panel.set_brightness(brightness, NEVER)
    if warm:
        observatory.clock.sleep(1800.0, NEVER)


def cooled(observatory: SimulatedObservatory, target_c: float) -> None:
    """Cool the sensor and wait until it is there."""
    observatory.camera.set_cooler(on=True, target_c=target_c)
    observatory.clock.sleep(1200.0, NEVER)
