"""Whether it is safe to observe, as an Alpaca safety monitor (ISafetyMonitorV3)."""

from __future__ import annotations

from typing import Any

from calibstudio.devices.alpaca_server.device import Device
from calibstudio.devices.alpaca_server.members import get
from calibstudio.domain.equipment import Clock
from calibstudio.domain.surroundings import SafetyMonitor


class SafetyDevice(Device):
    """Not connected, it says that it is not safe, as the interface demands."""

    kind = "SafetyMonitor"
    interface_version = 3

    def __init__(self, monitor: SafetyMonitor, clock: Clock, identity: str) -> None:
        super().__init__(monitor.name, identity, clock)
        self._monitor = monitor

    def state(self) -> dict[str, Any]:
        """The operational property."""
        return {"IsSafe": self.is_safe()}

    @get("issafe", offline=True)
    def is_safe(self) -> bool:
        """Whether it is safe."""
        return self.connected() and self._monitor.is_safe()
