"""What is installed, what is missing or unwise, and the command that mends it."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from calibstudio import __version__
from calibstudio.domain.quality import Verdict
from calibstudio.domain.wording import file_size
from calibstudio.services import system_check
from calibstudio.services.logs import log_folder

_NAME = re.compile(r"[A-Za-z0-9._-]+")
LITTLE_DISK = 5e9
"""A night of 24 MP darks and flats is some 5 GB."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what it is, what was found, and the cure when it is not good."""

    name: str
    verdict: Verdict
    found: str
    cure: str = ""


def examine(data_folder: Path | None = None) -> list[Check]:
    """Look at everything the program needs from this system. Takes about a second."""
    return [
        _python(),
        *_packages(),
        _qt_pair(),
        _qt_libraries(),
        _screen(),
        _processors(),
        _kernel_cache(),
        _folder("Log folder", log_folder()),
        _folder("Data folder", data_folder or Path.home()),
    ]


def _python() -> Check:
    version = sys.version.split()[0]
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    cure = "" if good else "Use Python 3.11, 3.12 or 3.13."
    found = f"CalibStudio {__version__} on Python {version}"
    return Check("Program", Verdict.GOOD if good else Verdict.BAD, found, cure)


def _packages() -> list[Check]:
    checks = []
    for name in _dependencies():
        try:
            found, verdict, cure = importlib.metadata.version(name), Verdict.GOOD, ""
        except importlib.metadata.PackageNotFoundError:
            found, verdict = "missing", Verdict.BAD
            cure = f"python -m pip install {name}"
        checks.append(Check(name, verdict, found, cure))
    return checks


def _dependencies() -> list[str]:
    """The libraries that the installed program asks for, in its own order."""
    asked = importlib.metadata.requires("calibstudio") or []
    names = (_NAME.match(requirement) for requirement in asked if "extra ==" not in requirement)
    return [name[0] for name in names if name is not None]


def _qt_pair() -> Check:
    """PySide6 6.12 on Python 3.11 and older aborts after some thousand calls (PYSIDE-3474)."""
    name = "Qt with this Python"
    try:
        version = importlib.metadata.version("PySide6-Essentials")
    except importlib.metadata.PackageNotFoundError:
        return Check(name, Verdict.BAD, "PySide6 is missing", "python -m pip install calibstudio")
    if sys.version_info < (3, 12) and version.startswith("6.12."):
        cure = 'python -m pip install "PySide6-Essentials<6.12"'
        return Check(name, Verdict.BAD, f"PySide6 {version} aborts on Python 3.11", cure)
    return Check(name, Verdict.GOOD, f"PySide6 {version}, no known fault")


def _qt_libraries() -> Check:
    name = "System libraries"
    missing = system_check.missing_libraries(window=not system_check.is_offscreen())
    if missing:
        cure = system_check.install_command(missing)
        return Check(name, Verdict.BAD, f"missing: {', '.join(sorted(missing))}", cure)
    return Check(name, Verdict.GOOD, "all there")


def _screen() -> Check:
    if not system_check.has_screen():
        cure = "Only the window needs one: xvfb-run -a calibstudio, or set DISPLAY."
        return Check("Screen", Verdict.WARN, "none (DISPLAY is not set)", cure)
    found = "offscreen" if system_check.is_offscreen() else os.environ.get("DISPLAY") or "there"
    return Check("Screen", Verdict.GOOD, found)


def _processors() -> Check:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        memory = f", memory {file_size(size)}"
    return Check("Processor", Verdict.GOOD, f"{cores} cores{memory}")


def _kernel_cache() -> Check:
    name = "Compiled kernels"
    try:
        from calibstudio.imaging.kernels import kernels_cached

        cached = kernels_cached()
    except ImportError as error:
        cure = "python -m pip install numba"
        return Check(name, Verdict.BAD, f"cannot be compiled: {error}", cure)
    if cached:
        return Check(name, Verdict.GOOD, "there, nothing is to be compiled")
    found = "none yet; compiled once, in the background or at the first stack (some seconds)"
    return Check(name, Verdict.GOOD, found)


def _folder(name: str, folder: Path) -> Check:
    """Whether the nearest existing folder above takes files, and how much."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        cure = f"Give yourself the right to write there: chmod u+w {existing}"
        return Check(name, Verdict.BAD, f"{folder}: {error.strerror or error}", cure)
    free = shutil.disk_usage(existing).free
    if free < LITTLE_DISK:
        cure = "Free some space, or choose another folder."
        return Check(name, Verdict.WARN, f"{folder}, only {file_size(free)} free", cure)
    return Check(name, Verdict.GOOD, f"{folder}, {file_size(free)} free")
