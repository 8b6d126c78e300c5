"""What stands around the camera while a sequence runs: rotator, focuser, dome, safety monitor."""

from __future__ import annotations

from dataclasses import dataclass

from calibstudio.domain.capture import ActivityKind
from calibstudio.domain.equipment import Observatory
from calibstudio.domain.errors import DeviceError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.surroundings import Focuser, Shutter
from calibstudio.domain.wording import number
from calibstudio.services.capture_patience import Patience
from calibstudio.services.capture_run import SequenceRun

MOVE_FOCUSER_S = 10.0
"""Said to take about so long."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read with a frame. None: there is no such device, or it did not answer."""

    rotator_deg: float | None = None
    focus_position: int | None = None


class Around:
    """Reads the devices around the camera, and moves the focuser to where a filter is in focus."""

    def __init__(self, run: SequenceRun, patience: Patience) -> None:
        self._run, self._patience = run, patience
        o = run.around.observatory
        self._rotator, self._focuser = o.rotator, o.focuser
        self._was_focused = False

    def answer(self) -> None:
        """Before a flat: see that rotator and focuser answer, so that its file can say them.

        Raises
        ------
        StepEnded, SequenceStopped, Cancelled, DeviceError
        """
        if self._rotator is not None:
            self._patience.persist("Rotator", self._rotator.angle_deg)
        if self._focuser is not None:
            self._patience.persist("Focuser", self._focuser.position)

    def readings(self) -> Readings:
        """Read what a frame's file says; what does not answer is left out, and that is noted."""
        angle = position = None
        try:
            angle = None if self._rotator is None else self._rotator.angle_deg()
            position = None if self._focuser is None else self._focuser.position()
        except DeviceError as error:
            self._run.note(f"{error} A frame does not say rotator angle or focus.")
        return Readings(angle, position)

    def focus(self, filter_name: str) -> None:
        """Move the focuser to where the rig says that a filter is in focus.

        Raises
        ------
        StepEnded, SequenceStopped, Cancelled, DeviceError
        """
        focuser, rig = self._focuser, self._run.around.observatory.rig
        wanted = None if rig is None else rig.focus.get(filter_name)
        if focuser is None or wanted is None:
            return
        self._patience.persist("Focuser", lambda: self._focus(focuser, filter_name, wanted))

    def _focus(self, focuser: Focuser, filter_name: str, wanted: int) -> None:
        if focuser.position() == wanted:
            return
        text = f"Focuser to {number(wanted)}, the focus of {filter_name}"
        self._run.activity(ActivityKind.MOVING, text, MOVE_FOCUSER_S)
        self._was_focused = True
        focuser.move(wanted, self._run.around.ctx.token)
        at = focuser.position()
        if at != wanted:
            said = "is moving" if at is None else f"is at {number(at)}"
            raise DeviceError(
                f"{focuser.name} was sent to {number(wanted)} and {said}.",
                hint="Look whether another program moves it, then retry.",
            )

    def position_before(self) -> int | None:
        """Return where the focuser stands before the sequence moves it."""
        focuser, rig = self._focuser, self._run.around.observatory.rig
        if focuser is None or rig is None or not rig.focus:
            return None
        return focuser.position()

    def was_focused_before(self) -> None:
        """Know that a sequence that was cut off may have moved the focuser."""
        self._was_focused = True

    def focus_back(self, position: int | None, cancel: CancelToken) -> None:
        """Move the focuser to where it was before the sequence, if it was moved."""
        focuser = self._focuser
        if focuser is None or position is None or not self._was_focused:
            return
        if not self._run.around.ctx.token.cancelled and focuser.position() != position:
            focuser.move(position, cancel)


def sky_obstacle(observatory: Observatory) -> str:
    """Say why the telescope may not be open to the sky, or does not see it; empty: it may."""
    safety, dome = observatory.safety, observatory.dome
    if safety is not None:
        try:
            if not safety.is_safe():
                return f"{safety.name} says that it is not safe."
        except DeviceError as error:
            return f"{str(error).rstrip('.')}; until it answers it counts as not safe."
    if dome is not None:
        try:
            shutter = dome.status().shutter
        except DeviceError as error:
            return f"{str(error).rstrip('.')}; whether the dome is open is not known."
        if shutter not in (Shutter.OPEN, Shutter.NONE):
            return f"The shutter of {dome.name} is {shutter}."
    return ""
