"""Small real devices for the fake Alpaca server: what they are asked and told, with time passing.

Each is a table of members; odd behaviour that real drivers showed is switched on by attributes.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np


class AlpacaFault(Exception):
    """An error the driver answers with."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


NOT_IMPLEMENTED, INVALID_VALUE, NOT_CONNECTED, INVALID_OPERATION = 0x400, 0x401, 0x407, 0x40B


class FakeDevice:
    """Members by lower-case name: GET reads ``get_x`` or ``values['x']``, PUT calls ``put_x``."""

    def __init__(self, name: str, version: int = 3) -> None:
        self.lock = threading.RLock()
        self.puts: list[tuple[str, dict[str, str]]] = []
        self.values: dict[str, Any] = {
            "name": name, "connected": False, "interfaceversion": version,
            "driverinfo": "Fake", "driverversion": "1.0", "description": "for tests",
        }  # fmt: skip

    def get(self, member: str) -> Any:
        with self.lock:
            getter = getattr(self, f"get_{member}", None)
            if getter is not None:
                return getter()
            if member not in self.values:
                raise AlpacaFault(NOT_IMPLEMENTED, f"{member} is not implemented")
            return self.values[member]

    def put(self, member: str, form: dict[str, str]) -> None:
        with self.lock:
            self.puts.append((member, form))
            setter = getattr(self, f"put_{member}", None)
            if setter is None:
                raise AlpacaFault(NOT_IMPLEMENTED, f"{member} is not implemented")
            setter(form)

    def put_connected(self, form: dict[str, str]) -> None:
        self.values["connected"] = form["Connected"].lower() == "true"

    def was_told(self, member: str) -> list[dict[str, str]]:
        """Return what was sent to a member, oldest first."""
        with self.lock:
            return [form for name, form in self.puts if name == member]


class FakeCamera(FakeDevice):
    """A camera whose pictures are seeded noise, new for every exposure."""

    IDLE, WAITING, EXPOSING, READING, DOWNLOAD, ERROR = range(6)

    def __init__(self, shape: tuple[int, int] = (96, 128)) -> None:
        super().__init__("Fake Camera")
        self.shape = shape
        self.values |= {
            "cameraxsize": shape[1], "cameraysize": shape[0], "maxadu": 65535, "maxbinx": 4,
            "maxbiny": 4, "binx": 1, "biny": 1, "startx": 0, "starty": 0, "numx": shape[1],
            "numy": shape[0], "gain": 10, "gainmin": 0, "gainmax": 300, "offset": 20,
            "offsetmin": 0, "offsetmax": 255, "readoutmodes": ["Normal", "Low noise"],
            "readoutmode": 0, "exposuremin": 0.001, "exposuremax": 3600.0,
            "exposureresolution": 0.0001, "canabortexposure": True, "canstopexposure": True,
            "cansetccdtemperature": True, "cangetcoolerpower": True, "hasshutter": False,
            "sensortype": 0, "pixelsizex": 3.76, "pixelsizey": 3.76, "fullwellcapacity": 50000.0,
            "cooleron": False, "setccdtemperature": 0.0, "sensorname": "X",
        }  # fmt: skip
        self.rng = np.random.default_rng(7)
        self.frames = 0
        self.readout_s = 0.02
        self.dtype: Any = np.uint16
        self.planes = 0
        # Oddities, as seen in the field.
        self.stale_s = 0.0
        self.stale_state = self.IDLE
        self.stale_ready_s = 0.0
        self.sticky_download = False
        self.abort_is_ignored = False
        self.ghost_of_aborted = False
        self.drops_zero = False
        self.repeats = False
        self.quantum_gain = 1
        self.restart_after_s: float | None = None
        self.hands_out_once = False
        self.early = 1.0
        self._start: float | None = None
        self._duration = 0.0
        self._ready = False
        self._was_ready = False
        self._error = False
        self._image: Any = None
        self._shown: Any = None
        self._last_s = 0.0
        self._ghost_at: float | None = None
        self._cooled_at: tuple[float, float] = (time.monotonic(), 18.0)

    # The exposure

    def put_startexposure(self, form: dict[str, str]) -> None:
        duration = float(form["Duration"])
        if self._start is not None and self._state() in (self.EXPOSING, self.READING):
            raise AlpacaFault(INVALID_OPERATION, "camera is not idle")
        if not self.values["exposuremin"] <= duration <= self.values["exposuremax"]:
            if duration != 0.0 or not self.drops_zero:
                raise AlpacaFault(INVALID_VALUE, f"exposure {duration} is out of range")
            return
        for n, start, size, binning in (
            ("numx", "startx", 1, "binx"),
            ("numy", "starty", 0, "biny"),
        ):
            limit = self.shape[size] // self.values[binning]
            if self.values[n] < 1 or self.values[start] + self.values[n] > limit:
                raise AlpacaFault(INVALID_VALUE, "subframe is out of range")
        self._was_ready, self._ready, self._error = self._is_ready(), False, False
        self._start, self._duration, self._last_s = time.monotonic(), duration, duration

    def put_abortexposure(self, form: dict[str, str]) -> None:
        if not self.values["canabortexposure"]:
            raise AlpacaFault(NOT_IMPLEMENTED, "cannot abort")
        if self.ghost_of_aborted and self._start is not None:
            self._ghost_at = self._start + self._duration
        if not self.abort_is_ignored:
            self._start, self._error = None, False

    def put_stopexposure(self, form: dict[str, str]) -> None:
        self.put_abortexposure(form)

    @property
    def is_exposing(self) -> bool:
        """Whether an exposure is under way."""
        return self._start is not None

    def restart(self) -> None:
        """Forget everything, as a driver does that was started again."""
        with self.lock:
            self._start, self._ready, self._image, self._error = None, False, None, False

    def fail(self) -> None:
        """Report an error until something is aborted."""
        with self.lock:
            self._start, self._error = None, True

    def _passed(self) -> float:
        return -1.0 if self._start is None else time.monotonic() - self._start

    def _state(self) -> int:
        self._advance()
        if self._error:
            return self.ERROR
        if self._start is not None:
            if self._passed() < self.stale_s:
                return self.stale_state
            return self.EXPOSING if self._passed() < self._duration else self.READING
        return self.DOWNLOAD if self.sticky_download and self.frames else self.IDLE

    def get_camerastate(self) -> int:
        return self._state()

    def get_imageready(self) -> bool:
        return self._is_ready()

    def _is_ready(self) -> bool:
        self._advance()
        if self._start is not None and self._was_ready and self._passed() < self.stale_ready_s:
            return True
        return self._ready

    def _advance(self) -> None:
        if self.restart_after_s is not None and self._passed() > self.restart_after_s:
            self.restart_after_s = None
            self.restart()
        if self._ghost_at is not None and time.monotonic() > self._ghost_at:
            self._ghost_at = None
            self._image, self._ready = self._pixels(), True
        if (
            self._start is not None
            and self._passed() >= self._duration * self.early + self.readout_s
        ):
            self._start, self._ready = None, True
            if self._image is None or not self.repeats:
                self._image = self._pixels()

    def _pixels(self) -> Any:
        self.frames += 1
        ny, nx = self.values["numy"], self.values["numx"]
        level = 500 + self.values["offset"] + 10 * self.values["gain"]
        found = self.rng.normal(level, 8.0, (ny, nx)).round().astype(np.int64)
        self._shown = found.clip(0, 65535)
        return self._shown

    def image(self) -> Any:
        """Take the picture as it is sent: (x, y), or (x, y, colour)."""
        with self.lock:
            self._advance()
            if self._image is None:
                raise AlpacaFault(INVALID_OPERATION, "no image")
            found = self._image.T
            if self.hands_out_once:
                self._image, self._ready = None, False
            if self.planes:
                found = np.repeat(found[:, :, None], self.planes, axis=2)
            return np.ascontiguousarray(found)

    def latest(self) -> Any:
        """The last picture, (y, x): what a frame must show."""
        with self.lock:
            return self._shown

    def get_lastexposureduration(self) -> float:
        if not self._last_s:
            raise AlpacaFault(INVALID_OPERATION, "no exposure yet")
        return self._last_s

    def get_percentcompleted(self) -> int:
        return -200

    def get_electronsperadu(self) -> float:
        return 2.0 / (1.0 + self.values["gain"] / 100.0)

    # Settings

    def _whole(self, form: dict[str, str], key: str, low: int, high: int) -> int:
        found = int(form[key])
        if not low <= found <= high:
            raise AlpacaFault(INVALID_VALUE, f"{key} {found} is out of range")
        return found

    def put_gain(self, form: dict[str, str]) -> None:
        gains = self.values.get("gains")
        limits = (0, len(gains) - 1) if gains else (self.values["gainmin"], self.values["gainmax"])
        found = self._whole(form, "Gain", *limits)
        self.values["gain"] = found // self.quantum_gain * self.quantum_gain

    def put_offset(self, form: dict[str, str]) -> None:
        limits = self.values["offsetmin"], self.values["offsetmax"]
        self.values["offset"] = self._whole(form, "Offset", *limits)

    def put_readoutmode(self, form: dict[str, str]) -> None:
        last = len(self.values["readoutmodes"]) - 1
        self.values["readoutmode"] = self._whole(form, "ReadoutMode", 0, last)

    def put_binx(self, form: dict[str, str]) -> None:
        self.values["binx"] = self._whole(form, "BinX", 1, self.values["maxbinx"])

    def put_biny(self, form: dict[str, str]) -> None:
        self.values["biny"] = self._whole(form, "BinY", 1, self.values["maxbiny"])

    def put_startx(self, form: dict[str, str]) -> None:
        self.values["startx"] = self._whole(form, "StartX", 0, self.shape[1])

    def put_starty(self, form: dict[str, str]) -> None:
        self.values["starty"] = self._whole(form, "StartY", 0, self.shape[0])

    def put_numx(self, form: dict[str, str]) -> None:
        self.values["numx"] = self._whole(form, "NumX", 1, self.shape[1])

    def put_numy(self, form: dict[str, str]) -> None:
        self.values["numy"] = self._whole(form, "NumY", 1, self.shape[0])

    # Cooling: one degree a second

    def get_ccdtemperature(self) -> float:
        at, was = self._cooled_at
        target = self.values["setccdtemperature"] if self.values["cooleron"] else 18.0
        way = time.monotonic() - at
        return max(was - way, target) if was > target else min(was + way, target)

    def get_coolerpower(self) -> float:
        return 60.0 if self.values["cooleron"] else 0.0

    def put_cooleron(self, form: dict[str, str]) -> None:
        self._cooled_at = time.monotonic(), self.get_ccdtemperature()
        self.values["cooleron"] = form["CoolerOn"].lower() == "true"

    def put_setccdtemperature(self, form: dict[str, str]) -> None:
        found = float(form["SetCCDTemperature"])
        if not -50.0 <= found <= 50.0:
            raise AlpacaFault(INVALID_VALUE, "set point is out of range")
        self._cooled_at = time.monotonic(), self.get_ccdtemperature()
        self.values["setccdtemperature"] = found


class FakeWheel(FakeDevice):
    """A wheel that takes a moment."""

    MOVE_S = 0.25

    def __init__(self) -> None:
        super().__init__("Fake Wheel", 2)
        self.values |= {"names": ["L", "R", "G", "B", ""], "focusoffsets": [0] * 5}
        self._slot, self._there_at = 0, 0.0

    def get_position(self) -> int:
        return self._slot if time.monotonic() >= self._there_at else -1

    def put_position(self, form: dict[str, str]) -> None:
        slot = int(form["Position"])
        if not 0 <= slot < len(self.values["names"]):
            raise AlpacaFault(INVALID_VALUE, "no such position")
        self._slot, self._there_at = slot, time.monotonic() + self.MOVE_S


class FakePanel(FakeDevice):
    """A cover with a lamp; ``has_cover``, ``has_lamp`` take one half away."""

    MOVE_S = 0.3
    NOT_PRESENT, CLOSED, MOVING, OPEN, UNKNOWN, ERROR = range(6)
    OFF, NOT_READY, READY = 1, 2, 3

    def __init__(self, *, has_cover: bool = True, has_lamp: bool = True) -> None:
        super().__init__("Fake Panel", 1)
        self.has_cover, self.has_lamp = has_cover, has_lamp
        self.settle_s = 0.1
        self.can_halt = True
        self.jams = False
        self.stays_ready = False
        self._cover, self._there_at = self.CLOSED, 0.0
        self._brightness, self._ready_at = 0, 0.0
        if has_lamp:
            self.values["maxbrightness"] = 255

    def get_coverstate(self) -> int:
        if not self.has_cover:
            return self.NOT_PRESENT
        moving = time.monotonic() < self._there_at
        return self.MOVING if moving else self.ERROR if self.jams else self._cover

    def get_calibratorstate(self) -> int:
        if not self.has_lamp:
            return self.NOT_PRESENT
        if self._brightness == 0:
            return self.READY if self.stays_ready else self.OFF
        return self.READY if time.monotonic() >= self._ready_at else self.NOT_READY

    def get_brightness(self) -> int:
        if not self.has_lamp:
            raise AlpacaFault(NOT_IMPLEMENTED, "no calibrator")
        return self._brightness

    def put_opencover(self, form: dict[str, str]) -> None:
        self._cover, self._there_at = self.OPEN, time.monotonic() + self.MOVE_S

    def put_closecover(self, form: dict[str, str]) -> None:
        self._cover, self._there_at = self.CLOSED, time.monotonic() + self.MOVE_S

    def put_haltcover(self, form: dict[str, str]) -> None:
        if not self.can_halt:
            raise AlpacaFault(NOT_IMPLEMENTED, "cannot halt")
        if time.monotonic() < self._there_at:
            self._cover, self._there_at = self.UNKNOWN, 0.0

    def put_calibratoron(self, form: dict[str, str]) -> None:
        found = int(form["Brightness"])
        if not 0 <= found <= 255 or not self.has_lamp:
            raise AlpacaFault(INVALID_VALUE, "brightness is out of range")
        self._brightness, self._ready_at = found, time.monotonic() + self.settle_s

    def put_calibratoroff(self, form: dict[str, str]) -> None:
        self._brightness = 0


class FakeMount(FakeDevice):
    """A mount that is sent by altitude and azimuth, or only by right ascension."""

    SLEW_S = 0.3

    def __init__(self) -> None:
        super().__init__("Fake Mount")
        self.values |= {
            "altitude": 45.0, "azimuth": 180.0, "tracking": False, "atpark": False,
            "cansettracking": True, "canslewaltazasync": True, "canslewasync": True,
            "sitelatitude": 50.0, "sitelongitude": 8.5, "siteelevation": 200.0,
            "focallength": 0.53, "aperturediameter": 0.106, "siderealtime": 3.0,
        }  # fmt: skip
        self._there_at = 0.0
        self._target: tuple[float, float] | None = None

    def get_slewing(self) -> bool:
        if self._target is not None and time.monotonic() >= self._there_at:
            self.values["altitude"], self.values["azimuth"] = self._target
            self._target = None
        return self._target is not None

    def put_tracking(self, form: dict[str, str]) -> None:
        self.values["tracking"] = form["Tracking"].lower() == "true"

    def put_slewtoaltazasync(self, form: dict[str, str]) -> None:
        if self.values["tracking"]:
            raise AlpacaFault(INVALID_OPERATION, "tracking is on")
        self._target = float(form["Altitude"]), float(form["Azimuth"])
        self._there_at = time.monotonic() + self.SLEW_S

    def put_slewtocoordinatesasync(self, form: dict[str, str]) -> None:
        if not self.values["tracking"]:
            raise AlpacaFault(INVALID_OPERATION, "tracking is off")
        self._target = self.values["altitude"], self.values["azimuth"]
        self._there_at = time.monotonic() + self.SLEW_S

    def put_abortslew(self, form: dict[str, str]) -> None:
        self._target = None
