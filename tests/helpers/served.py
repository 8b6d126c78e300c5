"""The simulated observatory behind a real socket, for tests of servers and drivers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from math import inf
from typing import Any

from calibstudio.devices.alpaca_server.server import AlpacaServer
from calibstudio.devices.simulator.observatory import SimulatedObservatory, simulated_observatory
from calibstudio.devices.simulator.serving import extras_of

NIGHT = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)


@contextmanager
def served(preset: str = "tiny", **options: Any) -> Iterator[tuple[AlpacaServer, Any]]:
    """Serve an observatory on a free port of this machine: the server and what it serves.

    Unless told otherwise its clock jumps, and it is always the same night.
    """
    settings: dict[str, Any] = {"speed": inf, "start": NIGHT} | options
    night: SimulatedObservatory = simulated_observatory(preset, **settings)
    try:
        with AlpacaServer(night, port=0, extras=extras_of(night), discovery_port=None) as server:
            yield server, night
    finally:
        night.close()
