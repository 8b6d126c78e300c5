"""The nets under every test: no network, no home folder, no errors in the log, no window left."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

LOCAL = ("127.0.0.1", "::1", "localhost", "")


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

    left = [w for w in QApplication.topLevelWidgets() if w.isVisible()]
    for widget in left:
        widget.close()
    assert not left, f"windows left open: {left}"


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]
