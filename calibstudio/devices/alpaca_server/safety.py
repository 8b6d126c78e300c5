"""Whether it is safe to observe, as an Alpaca safety monitor (ISafetyMonitorV3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from calibstudio.devices.alpaca_server.device import Device
from calibstudio.devices.alpaca_server.members import get
from calibstudio.domain.equipment import Clock


class SafetyDevice(Device):
    """Asks a function. Not connected, it says that it is not safe, as the interface demands."""

    kind = "SafetyMonitor"
    interface_version = 3

    def __init__(
        self, is_safe: Callable[[], bool], clock: Clock, identity: str, *, name: str
    ) -> None:
        super().__init__(name, identity, clock)
        self._is_safe = is_safe

    def state(self) -> dict[str, Any]:
        """The operational property."""
        return {"IsSafe": self.is_safe()}

    @get("issafe", offline=True)
    def is_safe(self) -> bool:
        """Whether it is safe."""
        return self.connected() and self._is_safe()
