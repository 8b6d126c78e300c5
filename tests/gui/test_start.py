"""Starting and ending: what is imported, how soon it is painted, how it closes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = ("astropy", "photutils", "scipy", "sqlalchemy", "alembic", "numba", "llvmlite", "pyqtgraph")
"""Imported by jobs, or by workspaces after the first paint; never on the way to the window."""

WINDOW = [sys.executable, "-m", "calibstudio", "gui"]


@pytest.fixture
def environment(tmp_path: Path, checkout: Path) -> dict[str, str]:
    """Where a subprocess finds the program and keeps its settings."""
    return os.environ | {
        "QT_QPA_PLATFORM": "offscreen",
        "PYTHONPATH": str(checkout),
        "HOME": str(tmp_path),
    }


def test_the_window_is_built_without_heavy_imports(environment: dict[str, str]) -> None:
    code = "import sys; from calibstudio.app import build; build(); print(*sorted(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )

    imported = {name.split(".")[0] for name in done.stdout.split()}
    assert imported.isdisjoint(HEAVY), sorted(imported & set(HEAVY))


def test_nothing_heavy_is_imported_before_the_first_paint(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *WINDOW[1:], "--smoke", "--log-level", "debug"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )

    before, painted, _ = done.stderr.partition("window painted")
    assert painted
    imported = set(re.findall(r"^import time: .*\| +([\w.]+)$", before, re.MULTILINE))
    assert {"PySide6.QtWidgets", "calibstudio.gui.main_window"} <= imported
    tops = {name.split(".")[0] for name in imported}
    assert tops.isdisjoint({*HEAVY, "pyqtgraph"}), sorted(tops & {*HEAVY, "pyqtgraph"})


def test_the_command_line_never_imports_qt(environment: dict[str, str]) -> None:
    code = "import sys; import calibstudio.cli.main; print(*sorted(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )

    assert "PySide6" not in done.stdout


def test_the_window_opens_paints_closes_by_itself_and_leaves_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = environment | {"TMPDIR": str(temporary)}
    done = subprocess.run(
        [*WINDOW, "--smoke"], env=environment, capture_output=True, text=True, timeout=50
    )

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_closes_it_within_five_seconds(
    environment: dict[str, str], number: signal.Signals, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [*WINDOW, "--log-level", "debug"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "window painted" in line:
            break

    started = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=10)

    assert process.returncode == 130
    assert time.monotonic() - started < 5.0
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--rig", "hubble"], r"There is no rig called hubble\."),
        (["nowhere"], r"There is no folder nowhere"),
    ],
)
def test_wrong_arguments_are_said_in_a_sentence(
    environment: dict[str, str], arguments: list[str], sentence: str
) -> None:
    done = subprocess.run(
        [*WINDOW, *arguments], env=environment, capture_output=True, text=True, timeout=50
    )

    assert done.returncode == 2
    assert re.search(sentence, done.stderr)
    assert "Traceback" not in done.stderr


def test_without_a_screen_it_says_so(environment: dict[str, str]) -> None:
    blind = {
        k: v
        for k, v in environment.items()
        if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }

    done = subprocess.run(WINDOW, env=blind, capture_output=True, text=True, timeout=50)

    assert done.returncode == 2
    assert "There is no screen here" in done.stderr
