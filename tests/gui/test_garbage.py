"""Widgets in reference cycles are collected in the GUI thread, never in a worker's."""

from __future__ import annotations

import gc
import threading
import weakref

from PySide6.QtCore import QObject

from calibstudio.gui.garbage import GuiGarbage


class Cycle(QObject):
    """An object that keeps itself alive until garbage is collected."""

    def __init__(self) -> None:
        super().__init__()
        self.me = self


def test_a_worker_does_not_collect_and_the_gui_thread_does(qtbot) -> None:
    garbage = GuiGarbage()
    garbage.start()
    try:
        gone = weakref.ref(Cycle())
        died_in: list[threading.Thread] = []
        weakref.finalize(gone(), lambda: died_in.append(threading.current_thread()))

        worker = threading.Thread(target=lambda: [[] for _ in range(200_000)])
        worker.start()
        worker.join()
        assert gone() is not None, "it was collected in the worker"

        kept = [[] for _ in range(5_000)]
        qtbot.waitUntil(lambda: gone() is None, timeout=10_000)
        assert died_in == [threading.main_thread()]
        assert len(kept) == 5_000
    finally:
        garbage.stop()
    assert gc.isenabled()


def test_what_makes_a_collection_long_is_looked_at_once(qtbot, monkeypatch) -> None:
    garbage = GuiGarbage()
    garbage.start()
    try:
        monkeypatch.setattr("calibstudio.gui.garbage.TOO_LONG_S", 0.0)
        kept = [[] for _ in range(1_000)]

        garbage._collect(2)

        assert gc.get_freeze_count() > len(kept)
    finally:
        garbage.stop()
    assert gc.get_freeze_count() == 0
