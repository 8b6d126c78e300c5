"""Opening devices of the fake Alpaca server, with little patience."""

from __future__ import annotations

from calibstudio.devices.alpaca.address import DeviceAddress, DeviceType
from calibstudio.devices.alpaca.camera import AlpacaCamera
from calibstudio.devices.alpaca.device import AlpacaDevice
from calibstudio.devices.alpaca.line import Patience
from calibstudio.domain.equipment import ExposureRequest
from calibstudio.domain.kinds import FrameKind
from tests.helpers.fake_alpaca import FakeAlpaca

QUICK = Patience(
    connect_s=2.0, read_s=1.0, recent_s=1.5, write_s=1.0, act_s=1.5, abort_s=0.5, lost_s=0.8,
    stale_s=0.4, idle_s=0.6, readout_s=1.5, first_byte_s=1.5, stall_s=0.5,
    slowest_bytes_per_s=100_000.0,
)  # fmt: skip
BIAS = ExposureRequest(FrameKind.BIAS, 0.0)
DARK = ExposureRequest(FrameKind.DARK, 0.2)


def device_of(server: FakeAlpaca, kind: DeviceType, number: int = 0) -> AlpacaDevice:
    """Return an unconnected device of the server, closed before the server ends."""
    device = AlpacaDevice(DeviceAddress(server.server, kind, number), QUICK)
    server.clients.append(device.close)
    return device


def camera_of(server: FakeAlpaca) -> AlpacaCamera:
    """Open the server's camera."""
    return AlpacaCamera.open(device_of(server, DeviceType.CAMERA))
