"""The whole program: built without starting anything, shown, and closed in a moment."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from calibstudio.app import App, Options, build
from calibstudio.devices.rigs import open_rig
from calibstudio.domain.equipment import Observatory
from calibstudio.domain.errors import UsageError


def options(tmp_path: Path, **values: str) -> Options:
    return Options(
        rig=values.get("rig", "tiny"),
        settings_path=tmp_path / "settings.toml",
        data_folder=tmp_path / "data",
    )


def close(app: App) -> None:
    app.close()
    app.window.close_at_once()


def test_building_starts_nothing_and_shows_nothing(qapp: QApplication, tmp_path: Path) -> None:
    before = set(threading.enumerate())

    app = build(options(tmp_path))

    assert set(threading.enumerate()) <= before
    assert not app.window.isVisible()
    assert app.window.workspace is None
    assert list(tmp_path.iterdir()) == []
    close(app)


def test_an_unknown_rig_is_refused_and_one_of_the_settings_that_is_gone_is_not(
    qapp: QApplication, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="hubble"):
        build(options(tmp_path, rig="hubble"))

    (tmp_path / "settings.toml").write_text('rig = "hubble"\n')
    app = build(options(tmp_path, rig=""))

    assert app.context.equipment.observatory.camera.info.name == "Simulated 24 MP mono"
    close(app)


def test_a_complaint_about_the_settings_is_said(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('night_brightness = "bright"\n')
    app = build(options(tmp_path))
    said: list[str] = []
    app.context.toasts.said.connect(lambda t: said.append(t.text))

    with qtbot.waitSignal(app.window.first_painted):
        app.show()

    qtbot.waitUntil(lambda: bool(said))
    assert "night_brightness" in said[0]
    close(app)


def test_the_theme_of_the_settings_is_there_before_the_first_show(
    qapp: QApplication, tmp_path: Path
) -> None:
    (tmp_path / "settings.toml").write_text('theme = "night"\nnight_brightness = 50\n')

    app = build(options(tmp_path))

    assert qapp.palette().window().color().name() == "#040000"
    assert app.context.theme.night_brightness == 50
    app.context.theme.set_theme("dark")
    close(app)


def test_a_change_of_theme_is_written(qapp: QApplication, tmp_path: Path) -> None:
    app = build(options(tmp_path))

    app.context.theme.toggle_night()

    assert 'theme = "night"' in (tmp_path / "settings.toml").read_text()
    app.context.theme.toggle_night()
    close(app)


def test_the_library_of_the_command_line_counts_for_this_start_only(
    qapp: QApplication, tmp_path: Path
) -> None:
    wanted = Options(
        rig="tiny", library=str(tmp_path / "lib"), settings_path=tmp_path / "settings.toml"
    )
    app = build(wanted)

    app.context.settings.change(touch=True)
    library = app.context.open_library()

    assert library.folder == tmp_path / "lib"
    assert app.context.open_library() is library
    assert "library =" not in (tmp_path / "settings.toml").read_text()
    app.context.settings.change(library=str(tmp_path / "other"))
    assert app.context.open_library().folder == tmp_path / "other"
    close(app)


class _HangingCamera:
    """A camera whose driver never comes back from closing."""

    def __init__(self, camera: object) -> None:
        self._camera = camera
        self.hold = threading.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._camera, name)

    def close(self) -> None:
        self.hold.wait(30)


def test_closing_takes_five_seconds_at_most_even_when_everything_hangs(
    qapp: QApplication, tmp_path: Path
) -> None:
    def hanging(name: str) -> Observatory:
        from dataclasses import replace

        observatory = open_rig("tiny")
        return replace(observatory, camera=_HangingCamera(observatory.camera))

    app = build(options(tmp_path), open_rig=hanging)
    hold = threading.Event()
    app.context.background.submit("Hang", lambda ctx: hold.wait(30))

    started = time.monotonic()
    clean = app.close()

    assert not clean
    assert time.monotonic() - started < 5.0
    hold.set()
    app.context.equipment.observatory.camera.hold.set()  # type: ignore[attr-defined]
    assert app.context.background.shutdown()
    app.window.close_at_once()
