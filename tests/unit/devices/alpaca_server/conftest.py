"""Devices of alpyca, each on an observatory of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from alpaca.device import Device

from tests.helpers.alpyca_client import Connect
from tests.helpers.served import served


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Open devices of alpyca on observatories of their own, connected."""
    with ExitStack() as stack:
        opened: list[Device] = []

        def one(kind: type[Device], preset: str = "tiny", **options: Any) -> Any:
            server, night = stack.enter_context(served(preset, **options))
            device = kind(f"127.0.0.1:{server.port}", 0)
            opened.append(device)
            device.Connected = True
            return device, night

        yield one
        for device in opened:
            device.rqs.close()
