"""The safety monitor of the simulated observatory: safe unless a fault says otherwise."""

from __future__ import annotations

from calibstudio.devices.simulator.faults import FaultBox


class SimulatedSafety:
    """See `SafetyMonitor`."""

    def __init__(self, faults: FaultBox, *, name: str) -> None:
        self._faults, self._name = faults, name

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    def is_safe(self) -> bool:
        """Whether the telescope may be open."""
        return not self._faults.now.unsafe
