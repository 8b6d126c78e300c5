"""The project keeps its own promises: lock, layers, README, versions, forms."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys

import pytest

# The lock of `calibstudio` and what dev.py does with it must not name any registry's address.


def test_the_lock_names_no_address_and_every_pin_has_a_hash(checkout):
    text = (checkout / "requirements.lock").read_text()
    pins = re.findall(r"^[a-zA-Z0-9_.-]+==.*$", text, re.M)
    assert "http" not in text
    assert len(pins) > 30
    assert all("\\" in pin for pin in pins)


def test_qt_is_not_the_version_that_aborts_on_this_python():
    version = importlib.metadata.version("PySide6-Essentials")
    assert not (sys.version_info < (3, 12) and version.startswith("6.12.")), "PYSIDE-3474"


def test_qt_keeps_none(qtbot):
    """Guards against PYSIDE-3474: calls that return nothing must not use up references to None."""
    from PySide6.QtWidgets import QLabel

    label = QLabel()
    qtbot.addWidget(label)
    before = sys.getrefcount(None)
    for _ in range(500):
        label.update()
    assert sys.getrefcount(None) > before - 250


def test_the_layers_hold(checkout):
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as m; m()"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_two_commands_of_the_readme_are_those_of_dev_py(checkout):
    readme = (checkout / "README.md").read_text()
    assert re.search(r"^python3 dev\.py run$", readme, re.M)
    assert re.search(r"^python3 dev\.py test$", readme, re.M)
    assert "python3 dev.py test" in (checkout / ".ci" / "run").read_text()


def test_every_command_of_the_readme_is_understood(checkout, capsys):
    from calibstudio.cli import main as cli

    lines = re.findall(r"^calibstudio (.*)$", (checkout / "README.md").read_text(), re.M)
    assert lines
    for line in lines:
        words = line.split("#")[0].split()
        actions = words[1:2] if words[0] in ("library", "rigs") else []
        known = cli.run([words[0], *actions, "--help"])
        options = capsys.readouterr().out
        assert known == 0, line
        for option in (w for w in words[1:] if w.startswith("--")):
            assert option in options, f"{option} in README is not an option of {words[0]}"


@pytest.mark.parametrize("folder", ["calibstudio", "tests", "resources", "packaging", "ui"])
def test_nothing_in_the_project_names_a_path_of_a_machine(checkout, folder):
    told = re.compile(r"(?<![\w.])/(work|home|root|tmp/bash_jobs)/\w")
    for file in (checkout / folder).rglob("*"):
        if file.suffix in (".py", ".md", ".toml", ".ui", ".svg", ".sh") and file.is_file():
            text = file.read_text(encoding="utf-8", errors="replace")
            found = told.search(text)
            assert found is None or file.name == "test_project.py", f"{file}: {found}"
