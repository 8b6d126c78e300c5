"""How soon the window is painted, beside a bare Qt window in the same run.

    .venv/bin/python tests/perf/start_time.py [ROUNDS]

Starts whole processes, in turn, and prints Markdown. The disk is warm after the first round, which
is not counted. Works without a screen (offscreen) and with one.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date

BARE = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget
class Window(QWidget):
    def paintEvent(self, event):
        print("window painted", file=sys.stderr, flush=True)
        QTimer.singleShot(0, app.quit)
app = QApplication([])
window = Window()
window.show()
app.exec()
"""
COMMANDS = {
    "a bare Qt window": [sys.executable, "-c", BARE],
    "CalibStudio": [sys.executable, "-m", "calibstudio", "gui", "--smoke", "--log-level", "info"],
}


def seconds_to_paint(command: list[str], environment: dict[str, str]) -> float:
    """Start a process and return how long it takes until it says that it was painted."""
    start = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        painted = None
        for line in process.stderr:
            if "window painted" in line and painted is None:
                painted = time.perf_counter() - start
    if painted is None:
        raise SystemExit(f"{command[1:3]} never painted its window")
    return painted


def main() -> None:
    """Run and report."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    found: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home}
        if not environment.get("DISPLAY"):
            environment["QT_QPA_PLATFORM"] = "offscreen"
        for number in range(rounds + 1):
            for name, command in COMMANDS.items():
                seconds = seconds_to_paint(command, environment)
                if number:
                    found[name].append(seconds)
    print(
        f"First paint, {date.today()}, {platform.machine()}, Python {platform.python_version()}\n"
    )
    print("| | shortest [s] | median [s] |\n|---|---|---|")
    for name, times in found.items():
        print(f"| {name} | {min(times):.2f} | {statistics.median(times):.2f} |")
    ratio = statistics.median(found["CalibStudio"]) / statistics.median(found["a bare Qt window"])
    print(f"\nCalibStudio takes {ratio:.1f} times a bare window; 1.5 s is the limit.")


if __name__ == "__main__":
    main()
