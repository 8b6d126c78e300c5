"""Updates that arrive together are made one by one; the newest of a name counts."""

from __future__ import annotations

from PySide6.QtCore import QTimer

from calibstudio.gui.one_by_one import OneByOne


def test_a_timer_comes_in_between_two_updates(qtbot) -> None:
    updates, order = OneByOne(), []
    timer = QTimer()
    timer.setInterval(0)
    timer.timeout.connect(lambda: order.append("timer"))
    timer.start()
    for name in ("histogram", "history", "cooler"):
        updates.later(name, lambda name=name: order.append(name))

    qtbot.waitUntil(lambda: "cooler" in order)

    made = [name for name in order if name != "timer"]
    assert made == ["histogram", "history", "cooler"]
    for first, second in (("histogram", "history"), ("history", "cooler")):
        assert "timer" in order[order.index(first) : order.index(second)]


def test_the_newest_of_a_name_replaces_the_one_that_waits(qtbot) -> None:
    updates, made = OneByOne(), []
    for k in range(5):
        updates.later("histogram", lambda k=k: made.append(k))
    updates.later("history", lambda: made.append("history"))

    qtbot.waitUntil(lambda: "history" in made)

    assert made == [4, "history"]


def test_an_update_that_fails_does_not_stop_the_others(qtbot) -> None:
    updates, made = OneByOne(), []

    def fail() -> None:
        raise ValueError("no such picture")

    updates.later("picture", fail)
    updates.later("history", lambda: made.append("history"))

    with qtbot.captureExceptions() as caught:
        qtbot.waitUntil(lambda: bool(made))

    assert [str(error[1]) for error in caught] == ["no such picture"]


def test_what_is_forgotten_is_not_made(qtbot) -> None:
    updates, made = OneByOne(), []
    updates.later("history", lambda: made.append("history"))
    updates.forget()
    updates.later("picture", lambda: made.append("picture"))

    qtbot.waitUntil(lambda: bool(made))

    assert made == ["picture"]
