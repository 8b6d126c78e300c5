"""Debian's INDI simulators behind a port of the loopback interface, and nothing else.

indiserver of INDI 1 listens on every interface and cannot be told otherwise. It therefore runs in a
network namespace of its own, where there is only a loopback interface; a socket file carries
connections out, and a port of this machine's loopback carries them on. The port is also where a
test can cut the line or let it fall silent.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from calibstudio.devices.indi.link import Patience
from calibstudio.domain.equipment import Site
from calibstudio.domain.sun import equatorial_deg, sidereal_deg

DRIVERS = (
    "indi_simulator_ccd",
    "indi_simulator_wheel",
    "indi_simulator_lightpanel",
    "indi_simulator_telescope",
    "indi_simulator_rotator",
    "indi_simulator_focus",
    "indi_simulator_dome",
    "indi_simulator_weather",
)
PORT = 7624
SOON = Patience(
    list_s=5.0,
    others_s=0.5,
    device_s=10.0,
    settle_s=0.1,
    differs_s=0.15,
    ask_s=1.0,
    lost_s=1.5,
    idle_s=1.5,
    readout_s=5.0,
)
"""Simulators answer at once."""
START_LIMIT_S = 20.0

_INSIDE = """
import os, signal, socket, subprocess, sys, threading
def end_with_the_tests():
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=end_with_the_tests, daemon=True).start()
path, port, *drivers = sys.argv[1:]
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
words = ["indiserver", "-p", port, "-u", path + ".abstract", *drivers]
server = subprocess.Popen(words, stdin=subprocess.DEVNULL)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
def pump(source, target):
    try:
        while part := source.recv(65536):
            target.sendall(part)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
while True:
    outer, _ = listener.accept()
    inner = socket.socket()
    try:
        inner.connect(("127.0.0.1", int(port)))
    except OSError:
        outer.close()
        continue
    inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for pair in ((outer, inner), (inner, outer)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"""


@functools.cache
def why_not() -> str:
    """Say why the simulators cannot be run here; empty: they can."""
    if sys.platform != "linux":
        return "INDI's simulators are run on Linux only"
    for program in ("indiserver", "unshare", "ip", *DRIVERS):
        if shutil.which(program) is None:
            return f"{program} is not installed (apt-get install indi-bin iproute2 util-linux)"
    tried = subprocess.run(
        ["unshare", "-rn", "true"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    return "" if tried.returncode == 0 else "this machine makes no network namespaces"


def _read_until(line: socket.socket, pattern: str) -> str:
    """Read until something of this pattern was said, and return it."""
    heard = ""
    while (found := re.search(pattern, heard, re.DOTALL)) is None:
        part = line.recv(65536).decode(errors="replace")
        if not part:
            raise RuntimeError(f"nothing like {pattern} was said")
        heard += part
    return found.group()


class IndiServer:
    """indiserver with its simulators; `port` is where a client finds it on this machine."""

    def __init__(self, drivers: Sequence[str] = DRIVERS) -> None:
        self._drivers = tuple(drivers)
        self._folder = tempfile.TemporaryDirectory(prefix="indi-")
        self._path = str(Path(self._folder.name) / "s")
        self._process: subprocess.Popen[bytes] | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()
        self.start()
        threading.Thread(target=self._accept, daemon=True, name="indi port").start()

    def start(self) -> None:
        """Start the server, again after `kill`."""
        Path(self._path).unlink(missing_ok=True)
        words = ["unshare", "-rn", sys.executable, "-c", _INSIDE, self._path, str(PORT)]
        self._process = subprocess.Popen(
            [*words, *self._drivers],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"HOME": self._folder.name},
            start_new_session=True,
        )
        ends = time.monotonic() + START_LIMIT_S
        while not self._answers():
            if time.monotonic() > ends or self._process.poll() is not None:
                self.kill()
                raise RuntimeError("INDI's simulators did not start")
            time.sleep(0.05)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            probe.connect(self._path)
            probe.sendall(b'<getProperties version="1.7"/>')
            return bool(probe.recv(64))
        return False

    def tell(self, device: str, name: str, **members: str | float) -> str:
        """Set a property as another program would; returns the server's answer."""
        kind = "Number" if all(isinstance(v, (int, float)) for v in members.values()) else "Switch"
        inner = "".join(f'<one{kind} name="{k}">{v}</one{kind}>' for k, v in members.items())
        order = f'<new{kind}Vector device="{device}" name="{name}">{inner}</new{kind}Vector>'
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(10.0)
            line.connect(self._path)
            line.sendall(b'<getProperties version="1.7"/>')
            _read_until(line, f'<def{kind}Vector device="{device}" name="{name}"')
            line.sendall(order.encode())
            return _read_until(line, f'<set{kind}Vector device="{device}" name="{name}".*?</set')

    def kill(self) -> None:
        """The power of the observatory's computer fails."""
        # Taken out first: another thread may start it again while this one waits for its end.
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if process.stdin is not None:
                process.stdin.close()
            process.wait(10.0)
        self.cut()

    def cut(self) -> None:
        """Cut every connection there is; new ones are taken."""
        with self._lock:
            ends, self._ends = self._ends, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def silence(self, silent: bool) -> None:
        """Let nothing through in either direction, without cutting the line."""
        (self._flows.clear if silent else self._flows.set)()

    def close(self) -> None:
        """End everything."""
        self._flows.set()
        self._listener.close()
        self.kill()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                outer, _ = self._listener.accept()
            except OSError:
                return
            outer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            inner = socket.socket(socket.AF_UNIX)
            try:
                inner.connect(self._path)
            except OSError:
                outer.close()
                inner.close()
                continue
            with self._lock:
                self._ends |= {outer, inner}
            for pair in ((outer, inner), (inner, outer)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                self._flows.wait()
                target.sendall(part)
        for end in (source, target):
            with self._lock:
                self._ends.discard(end)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


CAMERA, WHEEL, PANEL, MOUNT = (
    "CCD Simulator",
    "Filter Simulator",
    "Light Panel Simulator",
    "Telescope Simulator",
)
ROTATOR, FOCUSER, DOME, WEATHER = (
    "Rotator Simulator",
    "Focuser Simulator",
    "Dome Simulator",
    "Weather Simulator",
)


def set_up(server: IndiServer) -> None:
    """Make the simulators small and quick, and tell the mount where it stands."""
    for device in (CAMERA, WHEEL, PANEL, MOUNT):
        server.tell(device, "CONNECTION", CONNECT="On")
    for device in (CAMERA, PANEL, MOUNT):
        server.tell(device, "POLLING_PERIOD", PERIOD_MS=100)
    server.tell(CAMERA, "SIMULATOR_SETTINGS", SIM_XRES=512, SIM_YRES=512)
    server.tell(MOUNT, "GEOGRAPHIC_COORD", LAT=50.0, LONG=10.0, ELEV=300.0)
    # It slews at its own pace, and begins at the pole: it is told that it looks near the zenith.
    site = Site("", 50.0, 10.0)
    ra, dec = equatorial_deg(72.0, 103.0, sidereal_deg(datetime.now(UTC), 10.0), site)
    server.tell(MOUNT, "ON_COORD_SET", TRACK="Off", SLEW="Off", SYNC="On")
    server.tell(MOUNT, "EQUATORIAL_EOD_COORD", RA=ra / 15.0, DEC=dec)


@functools.cache
def shared_indi() -> IndiServer:
    """Return the server of this test process, set up; started when it is first asked for."""
    server = IndiServer()
    atexit.register(server.close)
    set_up(server)
    return server
