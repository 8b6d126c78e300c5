"""A PostgreSQL server of the tests' own: an empty cluster in a folder, on one port of loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "astro"


def server_programs() -> Path | None:
    """Return the folder of ``initdb`` and ``pg_ctl``; None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda f: f.parent.name)
    return next((f for f in reversed(folders) if (f / "initdb").is_file()), None)


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Run a server; gives the URL of it without a database, as ``postgresql://USER@HOST:PORT``."""
    programs = server_programs()
    assert programs is not None
    # Not pytest's folder: the server's user could not enter it, and its socket's path has a limit.
    home = Path(tempfile.mkdtemp(prefix="calibstudio-pg-"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(home, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    def call(*words: str) -> None:
        subprocess.run([*as_user, *words], check=True, capture_output=True, cwd=home, timeout=50)

    data, port = str(home / "data"), _free_port()
    options = f"-p {port} -h 127.0.0.1 -k {home} -F -c max_connections=20 -c shared_buffers=16MB"
    control = str(programs / "pg_ctl")
    try:
        initdb = str(programs / "initdb")
        call(initdb, "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        call(control, "-D", data, "-o", options, "-l", str(home / "log"), "-w", "start")
        yield f"postgresql://{USER}@127.0.0.1:{port}"
        call(control, "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
