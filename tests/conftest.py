"""The nets under every test: no network, no home folder, no errors in the log, no window left."""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# No deadline: how long an example takes says how busy the machine is. Where a change is judged
# the examples are always the same; new ones are looked for where somebody can mend what they find.
settings.register_profile("calibstudio", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("calibstudio")

LOCAL = ("127.0.0.1", "::1", "localhost", "")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile what a fresh checkout has not compiled yet, so that no test waits for it."""
    from calibstudio.devices.simulator.render import warm_up
    from calibstudio.imaging.kernels import warm_kernels

    warm_kernels()
    warm_up()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that ends the program's crash file also ends pytest's: a crash must name its test."""
    if not faulthandler.is_enabled():
        faulthandler.enable(sys.__stderr__)


@pytest.fixture(autouse=True)
def _home_is_temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> None:
    """Settings, caches, logs and data of a test never touch those of the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        (home / name.lower()).mkdir()
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    monkeypatch.delenv("CALIBSTUDIO_LIBRARY", raising=False)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: Any) -> None:
    """A connection to another machine fails the test; this machine itself is allowed."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in LOCAL:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _no_error_in_the_log(request: Any, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """An ERROR in the log fails the test, unless it is marked `expects_error_log`."""
    yield
    if request.node.get_closest_marker("expects_error_log"):
        return
    errors = [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.ERROR]
    assert not errors, f"errors in the log: {errors}"


@pytest.fixture(autouse=True)
def _no_window_left(request: Any) -> Iterator[None]:
    """A window that is still open after a GUI test fails it: usually a lambda keeps it alive."""
    yield
    if "qtbot" not in request.fixturenames and "qapp" not in request.fixturenames:
        return
    from PySide6.QtWidgets import QApplication

    # Widgets in reference cycles must die here: a later collection may run in a worker's thread,
    # and Qt does not survive that.
    gc.collect()
    left = [w for w in QApplication.topLevelWidgets() if w.isVisible()]
    for widget in left:
        widget.close()
    assert not left, f"windows left open: {left}"


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]
