"""What does not change while a camera is exposing: its facts and its settings."""

from __future__ import annotations

from collections.abc import Mapping

from calibstudio.devices.alpaca_server.device import Action, Device
from calibstudio.devices.alpaca_server.errors import INVALID_VALUE, AlpacaError, not_implemented
from calibstudio.devices.alpaca_server.members import get, put, whole
from calibstudio.domain.equipment import Camera, Clock, Conversion, Region
from calibstudio.domain.wording import EN_DASH, number

_BAYER_OFFSETS = {"RGGB": (0, 0), "GRBG": (1, 0), "GBRG": (0, 1), "BGGR": (1, 1)}
_MONOCHROME, _RGGB = 0, 2
_RESOLUTION_S = 0.0001


class CameraFacts(Device):
    """Facts and settings. The settings count for the next exposure."""

    kind = "Camera"
    interface_version = 4
    _gain: int | None
    _offset: int | None

    def __init__(
        self,
        camera: Camera,
        clock: Clock,
        identity: str,
        *,
        actions: Mapping[str, Action] | None = None,
    ) -> None:
        super().__init__(camera.info.name, identity, clock, actions=actions)
        self.camera, self.info = camera, camera.info
        self._set_defaults()

    def forget(self) -> None:
        """Go back to the defaults."""
        self._set_defaults()

    def mode_name(self) -> str | None:
        """Name of the chosen read-out mode; None where there is no choice."""
        return self.info.readout_modes[self._mode] if self.info.readout_modes else None

    def checked_region(self) -> Region:
        """Return the chosen region in unbinned pixels. Raises `AlpacaError`."""
        rows, columns = self.info.shape
        binned = self._binning
        for what, start, length, size in (
            ("X", self._start_x, self._num_x, columns // binned),
            ("Y", self._start_y, self._num_y, rows // binned),
        ):
            if start < 0 or length < 1 or start + length > size:
                raise AlpacaError(
                    INVALID_VALUE,
                    f"Start{what} {start} with Num{what} {length} does not fit: "
                    f"at binning {binned} there are {size} pixels.",
                )
        x, y, width, height = self._start_x, self._start_y, self._num_x, self._num_y
        return Region(x * binned, y * binned, width * binned, height * binned)

    @get("sensortype")
    def sensor_type(self) -> int:
        """Monochrome, or with a Bayer matrix."""
        return _MONOCHROME if self.info.bayer is None else _RGGB

    @get("sensorname")
    def sensor_name(self) -> str:
        """The sensor's name: that of the camera, which has no other."""
        return self.info.name

    @get("bayeroffsetx")
    def bayer_offset_x(self) -> int:
        """Column of the first red pixel."""
        return self._bayer_offset("bayeroffsetx")[0]

    @get("bayeroffsety")
    def bayer_offset_y(self) -> int:
        """Row of the first red pixel."""
        return self._bayer_offset("bayeroffsety")[1]

    @get("cameraxsize")
    def columns(self) -> int:
        """Columns of the sensor, unbinned."""
        return self.info.shape[1]

    @get("cameraysize")
    def rows(self) -> int:
        """Rows of the sensor, unbinned."""
        return self.info.shape[0]

    @get("pixelsizex")
    def pixel_size_x(self) -> float:
        """Width of a pixel in micrometres."""
        return self._pixel_size("pixelsizex")

    @get("pixelsizey")
    def pixel_size_y(self) -> float:
        """Height of a pixel in micrometres."""
        return self._pixel_size("pixelsizey")

    @get("maxadu")
    def max_adu(self) -> int:
        """Largest value that a pixel can have."""
        return self.info.max_adu

    @get("electronsperadu")
    def electrons_per_adu(self) -> float:
        """Electrons for one ADU at this gain."""
        return self._conversion("electronsperadu").e_per_adu

    @get("fullwellcapacity")
    def full_well_capacity(self) -> float:
        """Electrons that a pixel can hold at this gain."""
        full_well = self._conversion("fullwellcapacity").full_well_e
        if full_well is None:
            raise not_implemented("fullwellcapacity")
        return full_well

    @get("exposuremin")
    def exposure_min(self) -> float:
        """Shortest exposure in seconds."""
        return self.info.exposure_min_s

    @get("exposuremax")
    def exposure_max(self) -> float:
        """Longest exposure in seconds."""
        return self.info.exposure_max_s

    @get("exposureresolution")
    def exposure_resolution(self) -> float:
        """Smallest step between two exposures, in seconds."""
        return _RESOLUTION_S

    @get("hasshutter")
    def has_shutter(self) -> bool:
        """Whether it can close itself."""
        return self.info.has_shutter

    @get("canabortexposure")
    def can_abort(self) -> bool:
        """Whether an exposure can be ended without a picture."""
        return self.info.can_abort

    @get("canstopexposure")
    def can_stop(self) -> bool:
        """Whether an exposure can be ended early with a picture: no."""
        return False

    @get("canasymmetricbin")
    def can_bin_asymmetrically(self) -> bool:
        """Whether x and y can be binned apart: no."""
        return False

    @get("canfastreadout")
    def can_fast_readout(self) -> bool:
        """Whether it has a fast mode besides its read-out modes: no."""
        return False

    @get("canpulseguide")
    def can_pulse_guide(self) -> bool:
        """Whether it can guide a mount: no."""
        return False

    @get("cansetccdtemperature")
    def can_set_temperature(self) -> bool:
        """Whether it has a cooler."""
        return self.info.can_cool

    @get("maxbinx")
    def max_bin_x(self) -> int:
        """Largest binning."""
        return max(self.info.binnings)

    @get("maxbiny")
    def max_bin_y(self) -> int:
        """Largest binning."""
        return max(self.info.binnings)

    @get("binx")
    def bin_x(self) -> int:
        """Binning."""
        return self._binning

    @get("biny")
    def bin_y(self) -> int:
        """Binning."""
        return self._binning

    @put("binx", BinX=whole)
    def set_bin_x(self, BinX: int) -> None:
        """Set the binning, of both axes."""
        self._set_binning(BinX)

    @put("biny", BinY=whole)
    def set_bin_y(self, BinY: int) -> None:
        """Set the binning, of both axes."""
        self._set_binning(BinY)

    @get("startx")
    def start_x(self) -> int:
        """First column, in binned pixels."""
        return self._start_x

    @put("startx", StartX=whole)
    def set_start_x(self, StartX: int) -> None:
        """Set the first column; checked when the exposure begins."""
        self._start_x = StartX

    @get("starty")
    def start_y(self) -> int:
        """First row, in binned pixels."""
        return self._start_y

    @put("starty", StartY=whole)
    def set_start_y(self, StartY: int) -> None:
        """Set the first row; checked when the exposure begins."""
        self._start_y = StartY

    @get("numx")
    def num_x(self) -> int:
        """Columns of the region, in binned pixels."""
        return self._num_x

    @put("numx", NumX=whole)
    def set_num_x(self, NumX: int) -> None:
        """Set the columns; checked when the exposure begins."""
        self._num_x = NumX

    @get("numy")
    def num_y(self) -> int:
        """Rows of the region, in binned pixels."""
        return self._num_y

    @put("numy", NumY=whole)
    def set_num_y(self, NumY: int) -> None:
        """Set the rows; checked when the exposure begins."""
        self._num_y = NumY

    @get("gain")
    def gain(self) -> int:
        """The gain, between `gainmin` and `gainmax`."""
        return _there("gain", self._gain)

    @put("gain", Gain=whole)
    def set_gain(self, Gain: int) -> None:
        """Set the gain."""
        self._gain = _in_range("gain", Gain, self.info.gain_range)

    @get("gainmin")
    def gain_min(self) -> int:
        """Smallest gain."""
        return _limits("gainmin", self.info.gain_range)[0]

    @get("gainmax")
    def gain_max(self) -> int:
        """Largest gain."""
        return _limits("gainmax", self.info.gain_range)[1]

    @get("offset")
    def offset(self) -> int:
        """The offset, between `offsetmin` and `offsetmax`."""
        return _there("offset", self._offset)

    @put("offset", Offset=whole)
    def set_offset(self, Offset: int) -> None:
        """Set the offset."""
        self._offset = _in_range("offset", Offset, self.info.offset_range)

    @get("offsetmin")
    def offset_min(self) -> int:
        """Smallest offset."""
        return _limits("offsetmin", self.info.offset_range)[0]

    @get("offsetmax")
    def offset_max(self) -> int:
        """Largest offset."""
        return _limits("offsetmax", self.info.offset_range)[1]

    @get("readoutmodes")
    def readout_modes(self) -> list[str]:
        """Names of the read-out modes; at least one."""
        return list(self.info.readout_modes) or ["Normal"]

    @get("readoutmode")
    def readout_mode(self) -> int:
        """Place of the chosen mode in the list."""
        return self._mode

    @put("readoutmode", ReadoutMode=whole)
    def set_readout_mode(self, ReadoutMode: int) -> None:
        """Choose a mode."""
        self._mode = _in_range("read-out mode", ReadoutMode, (0, len(self.readout_modes()) - 1))

    def _set_defaults(self) -> None:
        info = self.info
        self._binning, self._mode = 1, 0
        self._start_x = self._start_y = 0
        self._num_y, self._num_x = info.shape
        self._gain = _default(info.gain_default, info.gain_range)
        self._offset = _default(info.offset_default, info.offset_range)

    def _set_binning(self, binning: int) -> None:
        if binning not in self.info.binnings:
            known = ", ".join(str(b) for b in self.info.binnings)
            raise AlpacaError(INVALID_VALUE, f"{self.name} cannot bin {binning}; it can {known}.")
        self._binning = binning

    def _bayer_offset(self, member: str) -> tuple[int, int]:
        if self.info.bayer is None:
            raise not_implemented(member)
        return _BAYER_OFFSETS[self.info.bayer]

    def _pixel_size(self, member: str) -> float:
        if self.info.pixel_size_um is None:
            raise not_implemented(member)
        return self.info.pixel_size_um

    def _conversion(self, member: str) -> Conversion:
        found = self.camera.conversion(self._gain, self.mode_name())
        if found is None:
            raise not_implemented(member)
        return found


def _default(default: int | None, limits: tuple[int, int] | None) -> int | None:
    return default if default is not None or limits is None else limits[0]


def _there(member: str, value: int | None) -> int:
    if value is None:
        raise not_implemented(member)
    return value


def _limits(member: str, limits: tuple[int, int] | None) -> tuple[int, int]:
    if limits is None:
        raise not_implemented(member)
    return limits


def _in_range(what: str, value: int, limits: tuple[int, int] | None) -> int:
    low, high = _limits(what, limits)
    if not low <= value <= high:
        raise AlpacaError(
            INVALID_VALUE,
            f"The {what} goes from {number(low)} {EN_DASH} {number(high)}, {number(value)} is not.",
        )
    return value
