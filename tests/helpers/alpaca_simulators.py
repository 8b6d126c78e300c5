"""`alpaca-simulators` of PyPI as a subprocess on a free port of this machine.

An Alpaca server that nobody here wrote. Its camera would ask a star catalogue over the internet,
so it is given a small one of its own; its Sun is the real one.
"""

from __future__ import annotations

import atexit
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests
import yaml

from calibstudio.devices.server_address import ServerAddress

_START_S = 50.0
# It ends when its standard input does: also when the tests are killed. Its Sun needs no newer
# Earth data from the internet.
_PROGRAM = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from astropy.utils import iers
iers.conf.auto_download, iers.conf.auto_max_age = False, None
iers.conf.iers_degraded_accuracy = "warn"
from alpaca_simulators.run_simulator import main
main()
"""
PLAIN, NAMED, UNCOOLED = 0, 1, 2
"""Camera 0 has no gain to set, as its own is off by one; camera 1 has its named gains."""


class Simulators:
    """A running server; made once and shared, as it takes seconds to start."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="alpaca-simulators-")
        folder = Path(self._folder.name)
        self.server = ServerAddress("127.0.0.1", _free_port())
        self._config = folder / "rig.yaml"
        self._config.write_text(yaml.safe_dump(_config(folder)))
        self._log = (folder / "log").open("w")
        atexit.register(self.stop)
        self.start()

    def start(self) -> None:
        """Start the process, also again at the same port, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                sys.executable, "-c", _PROGRAM, "--host", "127.0.0.1",
                "--port", str(self.server.port), "--config", str(self._config),
            ],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HOME": self._folder.name},
        )  # fmt: skip
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self._process.kill()
        self._process.wait(5)
        if self._process.stdin is not None:
            self._process.stdin.close()

    @property
    def url(self) -> str:
        """Where its own, not Alpaca, switches are."""
        return f"http://{self.server}"

    def put(self, path: str, **values: Any) -> None:
        """Set something beside our driver."""
        requests.put(f"{self.url}{path}", data=values, timeout=10).raise_for_status()

    def sunlight(self, on: bool) -> None:
        """Let its Sun light the sky, or not."""
        requests.put(f"{self.url}/sunlight", params={"state": on}, timeout=10).raise_for_status()

    def stop(self) -> None:
        """End it, and see that it ended. Safe to call twice."""
        atexit.unregister(self.stop)
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._log.close()
        self._folder.cleanup()

    def _wait(self) -> None:
        ends = time.monotonic() + _START_S
        while time.monotonic() < ends:
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection((self.server.host, self.server.port), 1.0).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self._log.flush()
        raise AssertionError(f"did not start: {Path(self._log.name).read_text()[-2000:]}")


_shared: Simulators | None = None


def shared_simulators() -> Simulators:
    """The one server of this test run; ends with it."""
    global _shared
    if _shared is None:
        _shared = Simulators()
    return _shared


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _config(folder: Path) -> dict[str, Any]:
    import alpaca_simulators

    template = Path(alpaca_simulators.__file__).parent / "config" / "template.yaml"
    config: dict[str, Any] = yaml.safe_load(template.read_text())
    devices = config["devices"]
    camera = devices["camera"][0]
    camera |= {
        "cameraxsize": 320, "cameraysize": 240, "numx": 320, "numy": 240,
        "exposuremin": 0.001, "canasymmetricbin": False, "maxbinx": 4, "maxbiny": 4,
        "ccdtemperature": 15.0, "setccdtemperature": 15.0, "cooling_time": 20,
    }  # fmt: skip
    devices["camera"] = {
        PLAIN: camera | {"gains": []},
        NAMED: camera | {"name": "Named Gains", "sensortype": 2, "bayeroffsetx": 1},
        UNCOOLED: camera | {"name": "Uncooled", "cansetccdtemperature": False, "gains": []},
    }
    panel = devices["covercalibrator"][0] | {"interfaceversion": 2}
    devices["covercalibrator"] = {
        0: panel | {"calibratorstate": 1},
        1: panel | {"name": "Cover only", "calibratorstate": 0},
        2: panel | {"name": "Nothing", "calibratorstate": 0, "coverstate": 0},
    }
    telescope = devices["telescope"][0]
    # Its frames are kept by what they depend on, pointing included: equal ones would be given
    # again. A telescope that drifts never points twice to the same place.
    config |= {"bad_tracking": True, "bad_tracking_rate": 0.01, "image_cache_entries": 1}
    telescope |= {
        "atpark": False, "athome": False, "last_slew_time": time.time(), "rightascension": 6.0,
        "declination": 40.0, "slew_rate": 60.0, "tracking": True, "focallength": 1.0,
    }  # fmt: skip
    config["tap_source"] = f"sqlite:///{_stars(folder / 'stars.sqlite')}"
    return config


def _stars(path: Path) -> Path:
    with sqlite3.connect(path) as db:
        db.execute(
            "create table gaia_sources (source_id integer, ra real, dec real, pmra real, "
            "pmdec real, phot_g_mean_mag real)"
        )
        db.execute("insert into gaia_sources values (1, 10.0, -80.0, 0.0, 0.0, 12.0)")
    db.close()
    return path
