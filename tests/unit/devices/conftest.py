"""A simulated observatory for each test: as fast as the work allows, always the same night."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import inf
from typing import Any

import pytest

from calibstudio.devices.simulator.observatory import SimulatedObservatory, simulated_observatory

NIGHT = datetime(2026, 4, 17, 22, 0, tzinfo=UTC)
"""The Sun is 24 degrees below the horizon of the simulated site."""


@pytest.fixture
def build() -> Iterator[Callable[..., SimulatedObservatory]]:
    """Make observatories that are closed at the end of the test."""
    made: list[SimulatedObservatory] = []

    def one(preset: str = "tiny", **options: Any) -> SimulatedObservatory:
        settings: dict[str, Any] = {"speed": inf, "start": NIGHT} | options
        made.append(simulated_observatory(preset, **settings))
        return made[-1]

    yield one
    for observatory in made:
        observatory.close()
