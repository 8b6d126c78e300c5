"""What every workspace is handed: the program's long-lived objects, made in `calibstudio.app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calibstudio.gui.equipment_state import EquipmentState
from calibstudio.gui.jobs.runner import JobRunner
from calibstudio.gui.problems import ProblemReporter
from calibstudio.gui.rigs.connection import RigConnection
from calibstudio.gui.settings_state import SettingsState
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.toasts import Toasts

if TYPE_CHECKING:
    from calibstudio.services.library import Library


@dataclass(frozen=True, slots=True)
class RigChoice:
    """Equipment that can be opened by name."""

    name: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class GuiContext:
    """Everything a workspace may use. Nothing here is global; tests build their own."""

    theme: ThemeState
    settings: SettingsState
    """``settings.current`` is the value, ``settings.change(theme="night")`` writes it."""
    camera_jobs: JobRunner
    """One thread: every call to the camera, the wheel, the panel and the mount."""
    background: JobRunner
    """Reading, combining, measuring, writing, scanning. Never talks to a device."""
    equipment: EquipmentState
    problems: ProblemReporter
    """``problems.report(error)``: the one way an error reaches the user."""
    toasts: Toasts
    """``toasts.say("Six masters imported.", "good")``."""
    open_library: Callable[[], Library]
    """Gives the open master library; slow the first time, so only inside a job. Do not close it."""
    data_folder: Path
    """Where the program keeps what is neither a frame nor a setting."""
    connection: RigConnection
    """Connects and disconnects rigs, and says what became of each device."""
    rigs: tuple[RigChoice, ...] = ()
    """Simulated observatories."""
    library_now: Callable[[], str] | None = None
    """Folder or URL of the library that `open_library` opens; None: that of the settings."""

    @property
    def library(self) -> str:
        """Folder or URL of the library that is shown: masters go there and nowhere else."""
        return self.settings.current.library if self.library_now is None else self.library_now()

    @property
    def rig_name(self) -> str:
        """What opens the same equipment again: the rig that is open, else that of the settings.

        The command line may have opened another rig than that of the settings.
        """
        rig = self.equipment.observatory.rig
        return self.settings.current.rig if rig is None else rig.name
