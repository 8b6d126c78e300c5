"""An observatory as a whole, served."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from calibstudio.devices.alpaca_server.camera import CameraDevice
from calibstudio.devices.alpaca_server.device import Action, Device
from calibstudio.devices.alpaca_server.discovery import PORT, DiscoveryResponder
from calibstudio.devices.alpaca_server.http import AlpacaHttpServer
from calibstudio.devices.alpaca_server.panel import PanelDevice
from calibstudio.devices.alpaca_server.routes import Routes, ServerFacts
from calibstudio.devices.alpaca_server.safety import SafetyDevice
from calibstudio.devices.alpaca_server.telescope import TelescopeDevice
from calibstudio.devices.alpaca_server.weather import Weather, WeatherDevice
from calibstudio.devices.alpaca_server.wheel import WheelDevice
from calibstudio.domain.equipment import Observatory
from calibstudio.domain.errors import UsageError

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
USUAL_PORT = 11111


@dataclass(frozen=True, slots=True)
class Extras:
    """What an observatory can offer beyond the equipment protocols."""

    weather: Weather | None = None
    camera_actions: Mapping[str, Action] = field(default_factory=dict)
    documents: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    """JSON documents to GET, by path."""


class AlpacaServer:
    """Serves an observatory until it is closed. It does not close the observatory.

    Parameters
    ----------
    observatory
        What to serve.
    address
        Where to listen: by default only this machine.
    port
        0 takes a free one.
    discovery_port
        Where to be found; None: nowhere.

    Raises
    ------
    UsageError
        The address or the port cannot be had.
    """

    def __init__(
        self,
        observatory: Observatory,
        *,
        address: str = LOOPBACK,
        port: int = USUAL_PORT,
        extras: Extras | None = None,
        discovery_port: int | None = PORT,
    ) -> None:
        extras = extras or Extras()
        self._devices = _devices(observatory, extras)
        facts = ServerFacts(observatory.name, _location(observatory), extras.documents)
        routes = Routes(facts, self._devices)
        self.devices = [(d.kind, number, d.name, d.unique_id) for number, d in routes.devices]
        """Kind, number, name and unique number of each device."""
        self._http = _bound(address, port, routes)
        self.address, self.port = address, self._http.server_port
        self._discovery = (
            None
            if discovery_port is None
            else DiscoveryResponder(address, self.port, port=discovery_port)
        )
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.1,), name="alpaca server", daemon=True
        )

    @property
    def url(self) -> str:
        """Where it is."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}"

    @property
    def can_be_discovered(self) -> bool:
        """Whether clients find it by themselves."""
        return self._discovery is not None and self._discovery.is_listening

    def start(self) -> None:
        """Begin to serve; returns at once."""
        self._thread.start()
        if self._discovery is not None:
            self._discovery.start()

    def close(self) -> None:
        """Stop within a few seconds: exposures are aborted and connections ended."""
        if self._discovery is not None:
            self._discovery.close()
            self._discovery = None
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join(2.0)
        for device in self._devices:
            device.close()
        self._http.end_connections()
        self._http.server_close()

    def __enter__(self) -> AlpacaServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _devices(o: Observatory, extras: Extras) -> list[Device]:
    identity = f"{o.name}/{o.camera.info.serial or o.camera.info.name}"
    found: list[Device] = [CameraDevice(o.camera, o.clock, identity, actions=extras.camera_actions)]
    if o.wheel is not None:
        found.append(WheelDevice(o.wheel, o.clock, identity))
    if o.panel is not None:
        found.append(PanelDevice(o.panel, o.clock, identity))
    if o.mount is not None and o.site is not None:
        found.append(TelescopeDevice(o.mount, o.site, o.optics, o.clock, identity))
    if extras.weather is not None:
        found.append(WeatherDevice(extras.weather, o.clock, identity, name=f"{o.name}: weather"))
    if o.safety is not None:
        found.append(SafetyDevice(o.safety, o.clock, identity))
    return found


def _location(observatory: Observatory) -> str:
    site = observatory.site
    if site is None:
        return ""
    return f"{site.name}, latitude {site.latitude_deg:.4f}, longitude {site.longitude_deg:.4f}"


def _bound(address: str, port: int, routes: Routes) -> AlpacaHttpServer:
    if not 0 <= port <= 65_535:
        raise UsageError(f"There is no port {port}.", hint="Choose one from 0 to 65535.")
    try:
        return AlpacaHttpServer((address, port), routes)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"The server cannot listen at {address} port {port}: {reason[:1].lower()}{reason[1:]}.",
            hint="Choose another port, or 0 for any that is free.",
        ) from error
