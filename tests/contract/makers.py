"""Every implementation of the equipment protocols, as a function that opens it.

A new driver is one line here. A maker returns an `Observatory` with all that it has; tests ask for
what they need.
"""

from __future__ import annotations

from collections.abc import Callable

from calibstudio.devices.simulator.observatory import simulated_observatory
from calibstudio.domain.equipment import Observatory

MAKERS: dict[str, Callable[[], Observatory]] = {
    "simulator": lambda: simulated_observatory("tiny", seed=2, speed=8.0),
    "simulator-colour": lambda: simulated_observatory("bayer24", seed=2, speed=20.0),
}


def with_device(device: str) -> dict[str, Callable[[], Observatory]]:
    """Return the makers whose observatory has this device."""
    return {name: maker for name, maker in MAKERS.items() if _has(maker, device)}


def _has(maker: Callable[[], Observatory], device: str) -> bool:
    observatory = maker()
    try:
        return getattr(observatory, device) is not None
    finally:
        observatory.close()
