"""The end of long work is called out, and only that."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from calibstudio.gui.jobs.runner import JobRunner
from calibstudio.gui.notify import EndOfWork
from calibstudio.gui.settings_state import SettingsState
from calibstudio.services.settings import Settings


@pytest.mark.parametrize(
    ("took_s", "sound", "quiet", "beeps"),
    [(31, True, False, 1), (5, True, False, 0), (31, False, False, 0), (31, True, True, 0)],
)
def test_a_sound_ends_long_work_when_it_is_wanted(
    qtbot: QtBot, runner: JobRunner, took_s: float, sound: bool, quiet: bool, beeps: int
) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    now, heard = [100.0], []
    settings = SettingsState(Settings(sound=sound), lambda s: None)
    notifier = EndOfWork(
        [runner], settings, window, beep=lambda: heard.append(1), clock=lambda: now[0]
    )

    job = runner.submit("Stack", lambda ctx: None, quiet=quiet)
    now[0] += took_s
    with qtbot.waitSignal(runner.ended):
        pass

    assert len(heard) == beeps
    assert notifier.parent() is window
    assert job is not None
