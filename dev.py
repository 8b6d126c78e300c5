#!/usr/bin/env python3
"""Set up and run CalibStudio from a checkout, or set up and run its tests.

    python3 dev.py run [ARGUMENTS]    the program; ARGUMENTS as for `calibstudio`
    python3 dev.py test [ARGUMENTS]   the tests; ARGUMENTS as for pytest
    python3 dev.py check              ruff, mypy and the layers
    python3 dev.py wheel              build the wheel into dist/
    python3 dev.py lock               resolve what pyproject.toml asks for into requirements.lock
    python3 dev.py setup              only set up

Needs Python 3.11 to 3.13 with pip and, on Debian, nothing else: the virtual environment in
.venv and missing system libraries are taken care of (without root it prints the one line
that installs them).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "calibstudio.stamp"
EXIT_UNAVAILABLE = 69
EXIT_READER_GONE = 141


def main(arguments: list[str]) -> int:
    """Run one of the commands above and return its exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    command, rest = arguments[0], arguments[1:]
    steps: dict[str, Callable[[list[str]], int]] = {
        "run": run,
        "test": test,
        "check": check,
        "wheel": wheel,
        "lock": lock,
        "setup": lambda rest: 0,
    }
    if command not in steps:
        print(f"dev.py: there is no command {command!r}. See python3 dev.py --help.")
        return 2
    check_python()
    install_system_libraries(window=command in ("run", "setup"))
    set_up()
    return steps[command](rest)


def run(arguments: list[str]) -> int:
    """Start the program, in the folder it was called from."""
    return become([str(PYTHON), "-m", "calibstudio", *arguments])


def test(arguments: list[str]) -> int:
    """Run the tests without a screen, as many at once as there are processors.

    A file's tests stay together: they share what is slow to start.
    """
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    os.chdir(ROOT)
    at_once = ["-n", "auto", "--maxprocesses", "8", "--dist", "loadfile"]
    return become([str(PYTHON), "-m", "pytest", *at_once, *arguments])


def check(arguments: list[str]) -> int:
    """Run every static check, and say which failed."""
    commands = {
        "ruff check": ["ruff", "check", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "mypy": ["mypy"],
        "import-linter": ["lint-imports"],
    }
    failed = [name for name, words in commands.items() if call([str(BIN / words[0]), *words[1:]])]
    print(f"Failed: {', '.join(failed)}" if failed else "All checks passed.")
    return 1 if failed else 0


def wheel(arguments: list[str]) -> int:
    """Build the wheel with the tools of the lock file, without a network."""
    words = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(ROOT / "dist"), str(ROOT)]
    return call([str(PYTHON), *words])


def lock(arguments: list[str]) -> int:
    """Pin every dependency with its hashes, for each Python and system, naming no address."""
    words = ["pip", "compile", "pyproject.toml", "--group", "test", "--universal", "--quiet"]
    words += ["--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"]
    words += ["--no-header", "--no-annotate", "--output-file", LOCK.name]
    return call([str(BIN / "uv"), *words, *arguments])


def check_python() -> None:
    """Stop with a sentence when this Python cannot carry the program."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        found = ".".join(map(str, sys.version_info[:2]))
        stop(
            f"CalibStudio needs Python 3.11 to 3.13; this is {found}. Run dev.py with one of them."
        )


def install_system_libraries(*, window: bool) -> None:
    """Install what Qt needs from the system when root, else print the line that does."""
    sys.path.insert(0, str(ROOT))
    from calibstudio.services import system_check

    missing = system_check.missing_libraries(window=window)
    if not missing:
        return
    line = system_check.install_command(missing)
    if not (line.startswith("apt-get") and os.geteuid() == 0):
        stop(
            f"Qt needs system libraries that are missing here. Run this line, then again:\n  {line}"
        )
    print(f"Installing system libraries: {' '.join(sorted(set(missing.values())))}", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=False, env=environment)
    if subprocess.run(line.split(), check=False, env=environment).returncode:
        stop(f"The system libraries could not be installed. Run this line to see why:\n  {line}")


def set_up() -> None:
    """Make or bring up to date the virtual environment; immediate when nothing changed."""
    fingerprint = hashlib.sha256(
        LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes() + sys.version.encode()
    ).hexdigest()
    if STAMP.exists() and STAMP.read_text() == fingerprint and PYTHON.exists():
        return
    print("Setting up .venv (once; one to three minutes)", flush=True)
    if not PYTHON.exists():
        # --without-pip: Debian keeps ensurepip in a package of its own.
        must([sys.executable, "-m", "venv", "--without-pip", str(VENV)])
    installer = fast_installer()
    must([*installer, "install", "--require-hashes", "-r", str(LOCK)])
    must([*installer, "install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    STAMP.write_text(fingerprint)
    print("Ready.", flush=True)


def fast_installer() -> list[str]:
    """Return uv's pip inside the environment, or pip itself where uv is not to be had."""
    pip = [sys.executable, "-m", "pip", "--python", str(PYTHON), "--disable-pip-version-check"]
    if not (BIN / "uv").exists():
        found = subprocess.run([*pip, "install", "-q", "uv"], check=False, capture_output=True)
        if found.returncode:
            if b"No module named pip" in found.stderr:
                stop("Python's pip is missing. Run: apt-get install -y python3-pip")
            return pip
    os.environ["VIRTUAL_ENV"] = str(VENV)
    return [str(BIN / "uv"), "pip", "--quiet"] if (BIN / "uv").exists() else pip


def must(words: list[str]) -> None:
    """Run a command; stop with its name when it fails."""
    if call(words):
        stop(f"Setting up failed in: {' '.join(words)}")


def call(words: list[str]) -> int:
    """Run a command in the checkout and return its exit code."""
    return subprocess.run(words, cwd=ROOT, check=False).returncode


def become(words: list[str]) -> int:
    """Turn into this command, so that signals reach it; where that is not possible, run it."""
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(words[0], words)
    return subprocess.run(words, check=False).returncode


def stop(sentence: str) -> None:
    """Say why it cannot go on, and end."""
    print(sentence, file=sys.stderr)
    raise SystemExit(EXIT_UNAVAILABLE)


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output is gone (`| head`): end quietly, also when Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = EXIT_READER_GONE
    raise SystemExit(code)
