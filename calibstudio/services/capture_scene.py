"""What must be so before a frame is exposed: filter, cover, lamp, temperature; and putting it back.

Nothing is believed that can be read back: the wheel's slot, the cover's state, the lamp's
brightness. What no device can say, the operator is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from calibstudio.domain.capture import ActivityKind, Answer, QuestionKind
from calibstudio.domain.equipment import CoverState, FilterWheel, FlatPanel
from calibstudio.domain.errors import (
    CalibStudioError,
    Cancelled,
    DeviceBusyError,
    DeviceError,
    DeviceUnreachableError,
)
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.plan import (
    CHANGE_FILTER_S,
    LAMP_SETTLE_S,
    MOVE_COVER_S,
    CaptureStep,
    LightSource,
)
from calibstudio.domain.wording import number
from calibstudio.services.capture_around import Around
from calibstudio.services.capture_cooler import SensorTemperature
from calibstudio.services.capture_journal import Before
from calibstudio.services.capture_patience import Patience, time_limit
from calibstudio.services.capture_run import SequenceRun, StepEnded
from calibstudio.services.capture_telescope import Telescope

log = logging.getLogger(__name__)

RESTORE_LIMIT_S = 4.0
"""Real seconds that putting things back may take after a cancel: the program ends in five."""
COVER_ANSWERS = {Answer.YES: "It is covered", Answer.STOP: "Stop"}
OPEN_ANSWERS = {Answer.YES: "It is open", Answer.STOP: "Stop"}


class Scene:
    """Moves the devices around the camera, and remembers how they were."""

    def __init__(self, run: SequenceRun) -> None:
        self._run = run
        around = run.around
        self._observatory = around.observatory
        self._panel: FlatPanel | None = around.observatory.panel
        self._patience = Patience(run)
        self.telescope = Telescope(run, run.plan)
        """Where it looks, for flats of the sky."""
        self.around = Around(run, self._patience)
        """Rotator and focuser."""
        self._before = Before()
        self._lamp_was_used = False
        self._covered_by_hand = False
        self._filter_now: str | None = None
        self.cooler = SensorTemperature(run, self._patience)
        self.brightness: int | None = None
        """Panel brightness now, read back; None without a panel."""
        self.cover: CoverState | None = None
        """Where the cover is now, read back; None without one."""

    # Remembering and putting back -----------------------------------------------------------

    def remember(
        self, before: Before | None = None, agreed_c: Mapping[float, float] | None = None
    ) -> Before:
        """Read how everything is before anything moves, and return it.

        Parameters
        ----------
        before
            How it was before a sequence that was cut off: that is what is put back, and the lamp
            is put out whoever lit it.
        agreed_c
            Temperatures that the operator took instead of those asked for.
        """
        self.cooler.agree(agreed_c or {})
        cover = slot = set_c = on = None
        if self._panel is not None:
            status = self._panel.status()
            cover = status.cover if self._panel.info.has_cover else None
            self.brightness, self.cover = status.brightness, cover
        wheel = self._observatory.wheel
        if wheel is not None:
            slot = wheel.position()
            self._filter_now = _name_at(wheel, slot)
        if self._observatory.camera.info.can_cool:
            camera = self._observatory.camera.status()
            on, set_c = camera.cooler_on, camera.set_c
        self._before = before or Before(
            cover, slot, on, set_c, self.telescope.pointing_deg(), self.around.position_before()
        )
        if before is not None:
            self.telescope.was_moved_before()
            self.around.was_focused_before()
        self._lamp_was_used = before is not None
        return self._before

    def restore(self) -> list[str]:
        """Lamp off, cover, filter and cooler as they were. Returns what could not be done.

        Never raises: it runs while something else may be on its way up. A device that does not
        answer is tried three times.
        """
        problems: list[str] = []
        limit_s = RESTORE_LIMIT_S if self._run.around.ctx.token.cancelled else None
        with time_limit(limit_s) as ok:
            for what, action in (
                ("The lamp could not be switched off", self._lamp_off_again),
                ("The cover could not be put back", self._cover_as_before),
                ("The cooler could not be set back", self._cooler_as_before),
                ("The filter could not be put back", self._filter_as_before),
                ("The focuser could not be put back", self._focus_as_before),
                ("The telescope could not be pointed back", self._pointing_as_before),
            ):
                try:
                    self._in_three_tries(action, ok)
                except Cancelled:
                    problems.append(f"{what} in time.")
                except CalibStudioError as error:
                    problems.append(f"{what}: {error}")
        for problem in problems:
            log.warning("%s", problem)
        return problems

    def _in_three_tries(self, action: Callable[[CancelToken], None], ok: CancelToken) -> None:
        for wait_s in (1.0, 2.0):
            try:
                action(ok)
                return
            except (DeviceUnreachableError, DeviceBusyError):
                if self._run.around.ctx.token.cancelled:
                    ok.wait(0.3)
                else:
                    self._observatory.clock.sleep(wait_s, ok)
        action(ok)

    def _lamp_off_again(self, cancel: CancelToken) -> None:
        panel = self._panel
        if panel is None or not panel.info.has_lamp or not self._lamp_was_used:
            return
        panel.set_brightness(0, cancel)
        self.brightness = 0

    def _cover_as_before(self, cancel: CancelToken) -> None:
        before = self._before.cover
        if self._panel is None or before not in (CoverState.OPEN, CoverState.CLOSED):
            return
        if self._panel.status().cover is not before:
            self._panel.move_cover(open_it=before is CoverState.OPEN, cancel=cancel)

    def _cooler_as_before(self, cancel: CancelToken) -> None:
        self.cooler.put_back(self._before)

    def _focus_as_before(self, cancel: CancelToken) -> None:
        self.around.focus_back(self._before.focus_position, cancel)

    def _pointing_as_before(self, cancel: CancelToken) -> None:
        if not self._run.around.ctx.token.cancelled:
            self.telescope.back(self._before.pointing_deg, cancel)

    def _filter_as_before(self, cancel: CancelToken) -> None:
        wheel, slot = self._observatory.wheel, self._before.slot
        if wheel is not None and slot is not None:
            if wheel.position() == slot or self._run.around.ctx.token.cancelled:
                return
            wheel.move(slot, cancel)

    # Setting ----------------------------------------------------------------------------------

    def prepare(self, step: CaptureStep, brightness: int | None) -> None:
        """Bring everything to where this step wants it.

        Raises
        ------
        StepEnded, SequenceStopped, Cancelled, DeviceError
        """
        self.cooler.reach(step)
        if step.filter is not None:
            self.to_filter(step.filter)
        if step.kind.needs_light:
            if step.filter is not None:
                self.around.focus(step.filter)
            self.light(step, brightness)
        else:
            self.darken()

    def set_again(self, step: CaptureStep) -> None:
        """After a device was away: set everything for this step anew, believing nothing.

        Raises
        ------
        StepEnded, SequenceStopped, Cancelled, DeviceError
        """
        self.cooler.forget()
        self.prepare(step, self.brightness)

    def settle(self, step: CaptureStep) -> None:
        """Before a frame: the sensor is at its temperature, or is waited for."""
        if step.kind.needs_light:
            self.around.answer()
        if not self.cooler.is_reached(step):
            said = "The sensor left its temperature; waited until it was back."
            self._run.note(said, passing=True)
            # Whatever was asked or moved meanwhile: the light is set again.
            self.set_again(step)

    def filter_name(self, step: CaptureStep) -> str | None:
        """Return the name of the filter now in the beam, as it was last read."""
        return step.filter if self._observatory.wheel is None else self._filter_now or step.filter

    def to_filter(self, name: str) -> None:
        """Turn the wheel and read it back."""
        wheel = self._observatory.wheel
        if wheel is None:
            return
        if name not in wheel.filters:
            known = ", ".join(wheel.filters)
            raise StepEnded(f"The wheel has no filter {name}.", hint=f"It has {known}.")
        self._patience.persist("Filter wheel", lambda: self._turn(wheel, name))

    def _turn(self, wheel: FilterWheel, name: str) -> None:
        slot = wheel.filters.index(name)
        if wheel.position() != slot:
            self._run.activity(ActivityKind.MOVING, f"Turning to filter {name}", CHANGE_FILTER_S)
            wheel.move(slot, self._run.around.ctx.token)
        at = wheel.position()
        self._filter_now = _name_at(wheel, at)
        if at != slot:
            raise DeviceError(
                f"The filter wheel is not at {name} after it was turned there.",
                hint="Look whether the wheel is stuck, then retry.",
            )

    def darken(self) -> None:
        """Lamp off and sensor covered, by a device or by the operator's word."""
        self.set_lamp(0)
        panel = self._panel
        if panel is not None and panel.info.has_cover:
            self._move_cover(open_it=False)
        elif not self._run.around.info.has_shutter and not self._covered_by_hand:
            self._run.ask(
                QuestionKind.COVER,
                "Is the telescope covered? This camera has no shutter.",
                "Put the cap on, and switch lights off.",
                COVER_ANSWERS,
            )
            self._covered_by_hand = True

    def light(self, step: CaptureStep, brightness: int | None) -> None:
        """Light on the sensor: panel before the telescope and lit, or the way free for a lamp."""
        panel = self._panel
        if panel is not None and panel.info.has_cover:
            # The lamp of such a panel sits in its cover.
            self._move_cover(open_it=step.light is not LightSource.PANEL)
        elif self._covered_by_hand:
            what = f"the {step.light} before the telescope"
            if step.light is LightSource.SKY:
                what = "the way to the sky free"
            self._run.ask(
                QuestionKind.OPEN,
                f"Is the cap off and {what}?",
                "It was covered for the frames before.",
                OPEN_ANSWERS,
            )
            self._covered_by_hand = False
        if step.light is LightSource.PANEL:
            self.set_lamp(brightness if brightness is not None else 0)
        else:
            self.set_lamp(0)

    def cover_where_alone(self) -> bool:
        """Close a cover that moves by itself. Returns whether there is one."""
        panel = self._panel
        if panel is None or not panel.info.has_cover:
            return False
        self._move_cover(open_it=False)
        return True

    @property
    def can_darken_alone(self) -> bool:
        """Whether the sensor can be covered without the operator."""
        has_cover = self._panel is not None and self._panel.info.has_cover
        return has_cover or self._run.around.info.has_shutter or self._covered_by_hand

    def set_lamp(self, brightness: int) -> None:
        """Set the panel's lamp and read it back."""
        panel = self._panel
        if panel is None or not panel.info.has_lamp:
            if brightness > 0:
                raise StepEnded("No panel is connected.", hint="Connect it, or choose a lamp.")
            return
        self._patience.persist("Panel", lambda: self._light_panel(panel, brightness))

    def _light_panel(self, panel: FlatPanel, brightness: int) -> None:
        if panel.status().brightness == brightness:
            self.brightness = brightness
            return
        if brightness > 0:
            text = f"Panel to {number(brightness)} of {number(panel.info.max_brightness)}"
            self._run.activity(ActivityKind.MOVING, text, LAMP_SETTLE_S)
            self._lamp_was_used = True
        panel.set_brightness(brightness, self._run.around.ctx.token)
        self.brightness = panel.status().brightness
        if self.brightness != brightness:
            raise DeviceError(
                f"{panel.info.name} was set to {number(brightness)} and says "
                f"{number(self.brightness)}.",
                hint="Switch the panel off and on, then retry.",
            )

    def _move_cover(self, *, open_it: bool) -> None:
        panel = self._panel
        if panel is None:
            return
        self._patience.persist("Cover", lambda: self._move_cover_of(panel, open_it=open_it))

    def _move_cover_of(self, panel: FlatPanel, *, open_it: bool) -> None:
        wanted = CoverState.OPEN if open_it else CoverState.CLOSED
        self.cover = panel.status().cover
        if self.cover is wanted:
            return
        text = "Opening the cover" if open_it else "Closing the cover"
        self._run.activity(ActivityKind.MOVING, text, MOVE_COVER_S)
        panel.move_cover(open_it=open_it, cancel=self._run.around.ctx.token)
        self.cover = panel.status().cover
        if self.cover is not wanted:
            raise DeviceError(
                f"The cover of {panel.info.name} should be {wanted} and is {self.cover}.",
                hint="Look whether something blocks it, then retry.",
            )


def _name_at(wheel: FilterWheel, slot: int | None) -> str | None:
    known = slot is not None and 0 <= slot < len(wheel.filters)
    return wheel.filters[slot] if known and slot is not None else None
