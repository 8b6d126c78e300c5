"""Builders of normalised headers: a valid frame, with as many differences as a test asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from calibstudio.domain.header import FrameHeader

PLAIN = FrameHeader(
    path=Path("x.fits"),
    kind="dark",
    exposure_s=300.0,
    gain=100.0,
    offset=30.0,
    set_temp_c=-10.0,
    sensor_temp_c=-10.0,
    binning=(1, 1),
    shape=(4, 6),
    filter="Ha",
    night=date(2026, 4, 17),
    camera="ZWO ASI2600MM Pro",
    readout_mode="High Gain",
    telescope="Epsilon",
    focal_length_mm=430.0,
    observed_utc=datetime(2026, 4, 17, 22, tzinfo=UTC),
)


def make_header(name: str = "x.fits", **changes: Any) -> FrameHeader:
    """A dark of 300 s at -10 °C by a cooled camera, with these differences."""
    return replace(PLAIN, path=Path("/night") / name, **changes)


def make_headers(n: int, prefix: str = "f", **changes: Any) -> list[FrameHeader]:
    """So many frames that differ in their names only."""
    return [make_header(f"{prefix}{i:02d}.fits", **changes) for i in range(n)]
