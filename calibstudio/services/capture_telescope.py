"""Pointing the telescope for flats of the sky, a little elsewhere for each frame, and back."""

from __future__ import annotations

from math import cos, radians, sin

from calibstudio.domain.capture import ActivityKind
from calibstudio.domain.equipment import Mount
from calibstudio.domain.errors import UnsupportedRequestError
from calibstudio.domain.jobs import CancelToken
from calibstudio.domain.plan import CapturePlan, LightSource
from calibstudio.domain.sun import sun_horizontal_deg
from calibstudio.domain.twilight import anti_solar
from calibstudio.domain.wording import number
from calibstudio.services.capture_patience import Patience
from calibstudio.services.capture_run import SequenceRun

DITHER_DEG = 0.012
"""43 seconds of arc: more than the image of any star that matters."""
GOLDEN_DEG = 137.508
SAFE_SUN_DEG = 10.0
"""With the Sun higher, the telescope is left where it is."""
BACK_WITHIN_DEG = 0.05


class Telescope:
    """The mount of a sequence, where there is one and the sky is its light."""

    def __init__(self, run: SequenceRun, plan: CapturePlan) -> None:
        self._run = run
        wants_sky = any(step.light is LightSource.SKY for step in plan.steps)
        self._mount: Mount | None = run.around.observatory.mount if wants_sky else None
        self._patience = Patience(run)
        self._was_moved = False

    def pointing_deg(self) -> tuple[float, float] | None:
        """Return altitude and azimuth now; None where the telescope is not moved at all."""
        if self._mount is None:
            return None
        status = self._mount.status()
        return status.altitude_deg, status.azimuth_deg

    def point(self, number_: int) -> None:
        """Point away from the Sun near the zenith, beside where the last frames were taken.

        Frame after frame on a spiral, so that no two have their stars in the same place.
        A mount that is parked or cannot do this stays, and that is noted.

        Raises
        ------
        StepEnded, SequenceStopped, Cancelled
        """
        mount, site = self._mount, self._run.around.observatory.site
        if mount is None or site is None:
            return
        sun_altitude, sun_azimuth = sun_horizontal_deg(self._run.around.now(), site)
        if sun_altitude > SAFE_SUN_DEG:
            return
        if self._patience.persist("Mount", mount.status).parked:
            self._stay("The mount is parked: the telescope stays where it points.")
            return
        altitude, azimuth = anti_solar(sun_azimuth)
        reach, turn = DITHER_DEG * number_**0.5, radians(GOLDEN_DEG * number_)
        altitude += reach * cos(turn)
        azimuth = (azimuth + reach * sin(turn) / cos(radians(altitude))) % 360.0
        if not self._was_moved:
            where = f"altitude {number(altitude)}°, azimuth {number(azimuth)}°"
            self._run.activity(ActivityKind.MOVING, f"Pointing away from the Sun: {where}")
        self._was_moved = True
        token = self._run.around.ctx.token
        try:
            self._patience.persist("Mount", lambda: mount.slew(altitude, azimuth, token))
        except UnsupportedRequestError as error:
            self._stay(f"{error} The telescope stays where it points.")

    def back(self, pointing_deg: tuple[float, float] | None, cancel: CancelToken) -> None:
        """Point to where the telescope looked before the sequence, if it was moved."""
        mount = self._mount
        if mount is None or pointing_deg is None or not self._was_moved:
            return
        now = mount.status()
        away = max(abs(now.altitude_deg - pointing_deg[0]), abs(now.azimuth_deg - pointing_deg[1]))
        if not now.parked and away > BACK_WITHIN_DEG:
            mount.slew(*pointing_deg, cancel)

    def was_moved_before(self) -> None:
        """Know that a sequence that was cut off may have moved the telescope."""
        self._was_moved = self._mount is not None

    def _stay(self, text: str) -> None:
        self._run.note(text)
        self._mount = None
