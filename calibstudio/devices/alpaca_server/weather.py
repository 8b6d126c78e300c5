"""Weather as an Alpaca device of observing conditions (IObservingConditionsV2)."""

from __future__ import annotations

from typing import Any, Protocol

from calibstudio.devices.alpaca_server.device import Device, read_where_possible
from calibstudio.devices.alpaca_server.errors import (
    INVALID_VALUE,
    AlpacaError,
    not_implemented,
)
from calibstudio.devices.alpaca_server.members import get, plain, put, real
from calibstudio.domain.equipment import Clock

_HERE = {
    "temperature": "Air temperature of the site.",
    "skyquality": "Brightness of the sky near the zenith, in magnitudes per square arc second.",
}
_ELSEWHERE = (
    "cloudcover",
    "dewpoint",
    "humidity",
    "pressure",
    "rainrate",
    "skybrightness",
    "skytemperature",
    "starfwhm",
    "winddirection",
    "windgust",
    "windspeed",
)


class Weather(Protocol):
    """What is known of the weather, now."""

    def air_c(self) -> float:
        """Air temperature in degrees C."""
        ...

    def sky_mag_per_arcsec2(self) -> float:
        """Surface brightness of the sky near the zenith."""
        ...


class WeatherDevice(Device):
    """Temperature and sky. Nothing is averaged."""

    kind = "ObservingConditions"
    interface_version = 2
    absent = tuple(f"get {name}" for name in _ELSEWHERE)

    def __init__(self, weather: Weather, clock: Clock, identity: str, *, name: str) -> None:
        super().__init__(name, identity, clock)
        self._weather = weather

    def state(self) -> dict[str, Any]:
        """The operational properties that it has."""
        return read_where_possible(
            {"Temperature": self.temperature, "SkyQuality": self.sky_quality}
        )

    @get("temperature")
    def temperature(self) -> float:
        """Degrees C."""
        return self._weather.air_c()

    @get("skyquality")
    def sky_quality(self) -> float:
        """Magnitudes per square arc second."""
        return self._weather.sky_mag_per_arcsec2()

    @get("averageperiod")
    def average_period(self) -> float:
        """Hours over which values are averaged: none."""
        return 0.0

    @put("averageperiod", AveragePeriod=real)
    def set_average_period(self, AveragePeriod: float) -> None:
        """Only 0, for values as they are."""
        if AveragePeriod != 0.0:
            raise AlpacaError(INVALID_VALUE, f"{self.name} averages nothing: choose 0.")

    @put("refresh")
    def refresh(self) -> None:
        """Values are always fresh."""

    @get("sensordescription", SensorName=plain)
    def sensor_description(self, SensorName: str) -> str:
        """What a value is."""
        return _HERE[_sensor(SensorName)]

    @get("timesincelastupdate", SensorName=plain)
    def time_since_last_update(self, SensorName: str) -> float:
        """Seconds since a value was new: none."""
        if SensorName.strip():
            _sensor(SensorName)
        return 0.0


def _sensor(name: str) -> str:
    asked = name.strip().lower()
    if asked in _ELSEWHERE:
        raise not_implemented(asked)
    if asked not in _HERE:
        raise AlpacaError(INVALID_VALUE, f"There is no sensor {name[:40]!r}.")
    return asked
