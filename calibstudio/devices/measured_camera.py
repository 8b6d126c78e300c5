"""A camera of which its rig knows more than its driver says, by measurement or by its owner."""

from __future__ import annotations

from dataclasses import replace

from calibstudio.domain.equipment import (
    Camera,
    CameraInfo,
    CameraStatus,
    Conversion,
    ExposureRequest,
    Frame,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.rig import Quantity, Rig


class MeasuredCamera:
    """Sends everything on to the camera of a rig; see `Camera`."""

    def __init__(self, camera: Camera, rig: Rig) -> None:
        self._camera, self._rig = camera, rig

    @property
    def info(self) -> CameraInfo:
        """Facts that do not change while connected."""
        info, knows = self._camera.info, self._rig.knows
        return replace(info, flat_min_s=knows.flat_min_s, saturation_adu=knows.saturation_adu)

    def status(self) -> CameraStatus:
        """Read what changes."""
        return self._camera.status()

    def conversion(self, gain: int | None, readout_mode: str | None) -> Conversion | None:
        """What an ADU is worth, as it was measured at these settings; else as the driver says."""
        info = self.info
        gain = info.gain_default if gain is None else gain
        if readout_mode is None and len(info.readout_modes) == 1:
            readout_mode = info.readout_modes[0]
        said = self._camera.conversion(gain, readout_mode)
        return self._stated(self._measured(said, gain, readout_mode, 1))

    def set_cooler(self, *, on: bool, target_c: float | None = None) -> None:
        """Switch the cooler; returns at once."""
        self._camera.set_cooler(on=on, target_c=target_c)

    def expose(self, request: ExposureRequest, cancel: CancelToken) -> Frame:
        """Take one frame and return it, with the measured conversion where there is one."""
        frame = self._camera.expose(request, cancel)
        worth = self._measured(frame.conversion, frame.gain, frame.readout_mode, request.binning)
        worth = self._stated(worth)
        return frame if worth == frame.conversion else replace(frame, conversion=worth)

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        self._camera.close()

    def _stated(self, worth: Conversion | None) -> Conversion | None:
        full_well = self._rig.knows.full_well_e
        if worth is None or full_well is None:
            return worth
        return replace(worth, full_well_e=full_well)

    def _measured(
        self, said: Conversion | None, gain: int | None, readout_mode: str | None, binning: int
    ) -> Conversion | None:
        found = self._rig.known(Quantity.GAIN, gain, readout_mode, binning)
        if found is None:
            return said
        noise = self._rig.known(Quantity.READ_NOISE, gain, readout_mode, binning)
        return Conversion(
            found.value,
            full_well_e=None if said is None else said.full_well_e,
            read_noise_e=(None if said is None else said.read_noise_e)
            if noise is None
            else noise.value,
        )
