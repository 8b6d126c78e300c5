"""Widgets in reference cycles die in the GUI thread only; it gets the interpreter soon."""

from __future__ import annotations

import gc
import sys
import threading
import types
import weakref

import pytest
from PySide6.QtCore import QObject

from calibstudio.gui.interpreter import MANY, GuiInterpreter


class Cycle(QObject):
    """An object that keeps itself alive until garbage is collected."""

    def __init__(self) -> None:
        super().__init__()
        self.me = self


def test_a_worker_does_not_collect_and_the_gui_thread_does(qtbot) -> None:
    interpreter = GuiInterpreter()
    interpreter.start()
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
        interpreter.stop()
    assert gc.isenabled()


def test_what_makes_a_collection_long_is_looked_at_once(qtbot, monkeypatch) -> None:
    interpreter = GuiInterpreter()
    interpreter.start()
    try:
        monkeypatch.setattr("calibstudio.gui.interpreter.TOO_LONG_S", 0.0)
        kept = [[] for _ in range(1_000)]

        interpreter._collect(2)

        assert gc.get_freeze_count() > len(kept)
    finally:
        interpreter.stop()
    assert gc.get_freeze_count() == 0


def test_what_a_module_leaves_behind_is_never_looked_at(qtbot, monkeypatch) -> None:
    interpreter = GuiInterpreter()
    interpreter.start()
    try:
        interpreter._on_look()
        before = gc.get_freeze_count()
        left_behind = [[] for _ in range(5_000)]
        monkeypatch.setitem(sys.modules, "a_large_module", types.ModuleType("a_large_module"))

        interpreter._on_look()

        assert gc.get_freeze_count() >= before + len(left_behind)
        assert gc.get_count()[0] < 5_000, "it is still to be looked at"
    finally:
        interpreter.stop()


@pytest.mark.parametrize("generation", [0, 1, 2])
def test_what_would_make_a_collection_long_is_not_looked_at_once(qtbot, generation: int) -> None:
    interpreter = GuiInterpreter()
    interpreter.start()
    looked: list[int] = []

    def note(_phase: str, info: dict[str, int]) -> None:
        looked.append(info["generation"])

    try:
        gc.freeze()
        kept = [[] for _ in range(MANY + 1_000)]
        gc.callbacks.append(note)

        interpreter._collect(generation)

        assert looked == []
        assert gc.get_freeze_count() > len(kept)
    finally:
        gc.callbacks.remove(note)
        interpreter.stop()


def test_workers_hand_on_the_interpreter_soon_while_the_window_is_up(qtbot) -> None:
    before = sys.getswitchinterval()
    interpreter = GuiInterpreter()
    interpreter.start()
    try:
        assert sys.getswitchinterval() <= 0.001 < before
    finally:
        interpreter.stop()
    assert sys.getswitchinterval() == before
