"""What GUI tests are built on: a theme, a real context with a small simulated observatory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QSettings
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QApplication, QWidget

from calibstudio.app import LibraryOpener, doors_of, simulated_rigs
from calibstudio.devices.rigs import open_rig
from calibstudio.gui.context import GuiContext
from calibstudio.gui.equipment_state import EquipmentState
from calibstudio.gui.jobs.runner import JobRunner
from calibstudio.gui.problems import ProblemReporter
from calibstudio.gui.rigs.connection import RigConnection
from calibstudio.gui.settings_state import SettingsState
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.toasts import Toasts
from calibstudio.services.rigs import Rigs
from calibstudio.services.settings import Settings


@pytest.fixture(autouse=True)
def _layout_is_temporary(tmp_path: Path) -> None:
    """Qt keeps the first path it saw: say it anew for each test."""
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path / "qt"))


@pytest.fixture
def theme(qapp: QApplication) -> Iterator[ThemeState]:
    """The dark theme, applied to the application."""
    state = ThemeState()
    state.attach(qapp)
    yield state
    qapp.setStyleSheet("")


@pytest.fixture
def runner(qapp: QApplication) -> Iterator[JobRunner]:
    """Two threads."""
    made = JobRunner(max_threads=2)
    yield made
    assert made.shutdown()


@pytest.fixture
def context(theme: ThemeState, tmp_path: Path) -> Iterator[GuiContext]:
    """A whole context with the smallest simulated camera; nothing is started."""
    settings = Settings(
        frames_folder=tmp_path / "frames", library=str(tmp_path / "library"), rig="tiny"
    )
    state = SettingsState(settings, lambda s: None)
    library = LibraryOpener(lambda: state.current.library)
    camera_jobs, background = JobRunner(max_threads=1), JobRunner(max_threads=2)
    equipment = EquipmentState(open_rig("tiny"), interval_s=0.02)
    problems, toasts = ProblemReporter(), Toasts()
    rigs = Rigs(tmp_path / "rigs", data_folder=tmp_path / "data")
    made = GuiContext(
        theme=theme,
        settings=state,
        camera_jobs=camera_jobs,
        background=background,
        equipment=equipment,
        problems=problems,
        toasts=toasts,
        connection=RigConnection(
            doors_of(rigs),
            jobs=camera_jobs,
            background=background,
            equipment=equipment,
            settings=state,
            problems=problems,
            toasts=toasts,
            rigs=rigs,
        ),
        open_library=library,
        data_folder=tmp_path / "data",
        rigs=simulated_rigs(),
    )
    yield made
    made.equipment.stop()
    assert made.camera_jobs.shutdown()
    assert made.background.shutdown()
    made.equipment.observatory.close()
    library.close()


def pixels(picture: QPixmap | QImage | QWidget) -> NDArray[np.uint8]:
    """Return a picture, or what a widget looks like, as (rows, columns, RGB)."""
    if isinstance(picture, QWidget):
        picture = picture.grab()
    image = picture.toImage() if isinstance(picture, QPixmap) else picture
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    rows = np.frombuffer(image.constBits(), np.uint8)
    rows = rows.reshape(image.height(), image.bytesPerLine() // 4, 4)[:, : image.width()]
    return rows[:, :, 2::-1].copy()


@pytest.fixture
def is_red_only() -> Callable[[QWidget], bool]:
    """Whether every pixel of a widget is (R, 0, 0) with R up to 204."""

    def look(widget: QWidget) -> bool:
        rgb = pixels(widget)
        wrong = (rgb[..., 0] > 204) | (rgb[..., 1] > 0) | (rgb[..., 2] > 0)
        places, colours = np.argwhere(wrong)[:3].tolist(), rgb[wrong][:3].tolist()
        assert not wrong.any(), f"{int(wrong.sum())} pixels, first at {places}: {colours}"
        return True

    return look
