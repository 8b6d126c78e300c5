"""A small INDI server with a camera, a wheel, a light box and a dust cap, and faults to order.

It speaks the protocol over a socket of this machine, so that tests run where INDI is not installed,
and does what real drivers were seen to do and INDI's own simulators do not.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from calibstudio.devices.server_address import ServerAddress

CAMERA, WHEEL, LAMP, CAP = "Fake CCD", "Fake Wheel", "Fake Lamp", "Fake Cap"
NX, NY = 96, 80
FULL_ADU = 65_535
MOVE_S = 0.3

Values = dict[str, str]


@dataclass
class Vector:
    """A property of a driver. ``limits`` by member, for numbers."""

    kind: str
    values: Values
    state: str = "Idle"
    perm: str = "rw"
    limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


Handler = Callable[["FakeIndi", str, Values], None]


class FakeIndi:
    """The server. ``faults`` takes over a property: called in place of what is usual."""

    def __init__(self, *, capture_formats: bool = False) -> None:
        self.faults: dict[tuple[str, str], Handler] = {}
        self.picture: Callable[[FakeIndi, Values], bytes] = usual_picture
        self.noise = np.random.default_rng(3)
        self.orders: list[tuple[str, str, Values]] = []
        self._lock = threading.RLock()
        self._devices: dict[str, dict[str, Vector]] = _devices(capture_formats)
        self._clients: set[socket.socket] = set()
        self._timers: dict[str, threading.Timer] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.server = ServerAddress("127.0.0.1", self._listener.getsockname()[1])
        self._listen()

    @property
    def url(self) -> str:
        return f"indi://{self.server}"

    def come_back(self) -> None:
        """Start it again after `close`: its drivers have lost their devices."""
        for vectors in self._devices.values():
            vectors["CONNECTION"].values |= {"CONNECT": "Off", "DISCONNECT": "On"}
            for vector in vectors.values():
                vector.state = "Idle"
        self._listener = socket.create_server((self.server.host, self.server.port))
        self._listen()

    def _listen(self) -> None:
        threading.Thread(target=self._accept, daemon=True, name="fake INDI").start()

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # or the port stays taken while it listens
        self._listener.close()
        with self._lock:
            for timer in self._timers.values():
                timer.cancel()
        self.cut()

    def cut(self) -> None:
        """Cut every line; new ones are taken."""
        with self._lock:
            clients, self._clients = self._clients, set()
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()

    # What drivers do --------------------------------------------------------------------------

    def vector(self, device: str, name: str) -> Vector:
        return self._devices[device][name]

    def values(self, device: str, name: str) -> Values:
        return dict(self.vector(device, name).values)

    def put(self, device: str, name: str, state: str, values: Values | None = None) -> None:
        """Set a property, and tell every client."""
        with self._lock:
            vector = self.vector(device, name)
            vector.state = state
            vector.values |= values or {}
            self._say(_set_xml(device, name, vector))

    def say(self, device: str, message: str) -> None:
        """Tell the driver's user something."""
        self._say(f'<message device="{device}" message="{message}"/>')

    def later(self, key: str, seconds: float, act: Callable[[], None]) -> None:
        """Do something after a while; a new one of the same key takes its place."""
        with self._lock:
            self.forget(key)
            timer = threading.Timer(seconds, act)
            timer.daemon = True
            self._timers[key] = timer
            timer.start()

    def forget(self, key: str) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def send_picture(self, content: bytes, ending: str = ".fits") -> None:
        """Send a BLOB, as a camera does at the end of an exposure."""
        encoded = base64.b64encode(content).decode()
        self._say(
            f'<setBLOBVector device="{CAMERA}" name="CCD1" state="Ok"><oneBLOB name="CCD1" '
            f'size="{len(content)}" format="{ending}">{encoded}</oneBLOB></setBLOBVector>'
        )

    def delete(self, device: str, name: str) -> None:
        """A property is no more."""
        self._say(f'<delProperty device="{device}" name="{name}"/>')

    def take(self, device: str, name: str, values: Values) -> None:
        """What a well-behaved driver does with new values."""
        vector = self.vector(device, name)
        for member, value in values.items():
            low, high = vector.limits.get(member, (-np.inf, np.inf))
            if vector.kind == "Number" and not low <= float(value) <= high:
                self.put(device, name, "Alert")
                return
        act = _ACTS.get((device, name))
        if act is not None:
            act(self, name, values)
        else:
            self.put(device, name, "Ok", values)

    # The protocol -----------------------------------------------------------------------------

    def _accept(self) -> None:
        listener = self._listener
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._clients.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        parser = ET.XMLPullParser(events=("start", "end"))
        parser.feed("<root>")
        depth = 0
        with client, contextlib.suppress(OSError):
            while part := client.recv(65_536):
                parser.feed(part)
                for event, element in parser.read_events():
                    depth += 1 if event == "start" else -1
                    if event == "end" and depth == 1:
                        self._heard(client, element)
        with self._lock:
            self._clients.discard(client)

    def _heard(self, client: socket.socket, element: ET.Element) -> None:
        if element.tag == "getProperties":
            with self._lock:
                for device, vectors in self._devices.items():
                    for name, vector in vectors.items():
                        client.sendall(_def_xml(device, name, vector).encode())
        elif element.tag.startswith("new"):
            device, name = element.get("device", ""), element.get("name", "")
            values = {m.get("name", ""): (m.text or "").strip() for m in element}
            self.orders.append((device, name, values))
            self.faults.get((device, name), lambda s, n, v: s.take(device, n, v))(
                self, name, values
            )

    def _say(self, text: str) -> None:
        with self._lock:
            for client in tuple(self._clients):
                try:
                    client.sendall(text.encode())
                except OSError:
                    self._clients.discard(client)


# Pictures -------------------------------------------------------------------------------------


def fits(data: np.ndarray, **cards: object) -> bytes:
    """Return a FITS file of raw counts; three dimensions are colour planes."""
    header = {"SIMPLE": "T", "BITPIX": 16, "NAXIS": data.ndim}
    header |= {f"NAXIS{i + 1}": n for i, n in enumerate(reversed(data.shape))}
    header |= {"BZERO": 32768, "BSCALE": 1, **cards}
    text = "".join(f"{key:<8}= {value!s:>20}".ljust(80) for key, value in header.items())
    text += "END".ljust(80)
    body = (data.astype(np.int32) - 32768).astype(">i2").tobytes()
    return text.ljust(-(-len(text) // 2880) * 2880).encode() + body.ljust(
        -(-len(body) // 2880) * 2880, b"\0"
    )


def usual_counts(server: FakeIndi) -> np.ndarray:
    frame = {k: int(float(v)) for k, v in server.values(CAMERA, "CCD_FRAME").items()}
    binning = int(float(server.values(CAMERA, "CCD_BINNING")["HOR_BIN"]))
    controls = server.values(CAMERA, "CCD_CONTROLS")
    shape = (frame["HEIGHT"] // binning, frame["WIDTH"] // binning)
    level = 200.0 + 10.0 * float(controls["Offset"])
    return np.clip(server.noise.normal(level, 8.0, shape), 0, FULL_ADU).round()


def usual_picture(server: FakeIndi, order: Values) -> bytes:
    return fits(usual_counts(server), EXPTIME=order["CCD_EXPOSURE_VALUE"])


# Devices --------------------------------------------------------------------------------------


def _expose(server: FakeIndi, name: str, values: Values) -> None:
    seconds = float(values["CCD_EXPOSURE_VALUE"])
    if server.values(CAMERA, "CCD_FRAME_TYPE")["FRAME_BIAS"] == "On":
        seconds = 0.001
    order = {"CCD_EXPOSURE_VALUE": f"{seconds:g}"}
    server.put(CAMERA, name, "Busy", order)

    def end() -> None:
        server.send_picture(server.picture(server, order))
        server.put(CAMERA, name, "Ok", {"CCD_EXPOSURE_VALUE": "0"})

    server.later("exposure", seconds, end)


def _abort(server: FakeIndi, name: str, values: Values) -> None:
    server.forget("exposure")
    server.put(CAMERA, "CCD_EXPOSURE", "Idle", {"CCD_EXPOSURE_VALUE": "0"})
    server.put(CAMERA, name, "Ok", {"ABORT": "Off"})


def _cool(server: FakeIndi, name: str, values: Values) -> None:
    target = float(values["CCD_TEMPERATURE_VALUE"])
    server.put(CAMERA, "CCD_COOLER", "Ok", {"COOLER_ON": "On", "COOLER_OFF": "Off"})
    server.put(CAMERA, name, "Busy")

    def step() -> None:
        now = float(server.values(CAMERA, name)["CCD_TEMPERATURE_VALUE"])
        next_c = now + float(np.clip(target - now, -0.5, 0.5))
        server.put(CAMERA, "CCD_COOLER_POWER", "Ok", {"CCD_COOLER_VALUE": "40"})
        reached = next_c == target
        server.put(
            CAMERA, name, "Ok" if reached else "Busy", {"CCD_TEMPERATURE_VALUE": f"{next_c}"}
        )
        if not reached:
            server.later("cooler", 0.2, step)

    server.later("cooler", 0.2, step)


def _turn(server: FakeIndi, name: str, values: Values) -> None:
    server.put(WHEEL, name, "Busy")
    server.later("wheel", MOVE_S, lambda: server.put(WHEEL, name, "Ok", values))


def _move_cap(server: FakeIndi, name: str, values: Values) -> None:
    server.put(CAP, name, "Busy", values)
    server.later("cap", MOVE_S, lambda: server.put(CAP, name, "Ok"))


def _halt_cap(server: FakeIndi, name: str, values: Values) -> None:
    server.forget("cap")
    server.put(CAP, "CAP_PARK", "Alert", {"PARK": "Off", "UNPARK": "Off"})
    server.put(CAP, name, "Ok")


_ACTS: dict[tuple[str, str], Handler] = {
    (CAMERA, "CCD_EXPOSURE"): _expose,
    (CAMERA, "CCD_ABORT_EXPOSURE"): _abort,
    (CAMERA, "CCD_TEMPERATURE"): _cool,
    (WHEEL, "FILTER_SLOT"): _turn,
    (CAP, "CAP_PARK"): _move_cap,
    (CAP, "CAP_ABORT"): _halt_cap,
}


def _number(**members: tuple[float, float, float]) -> Vector:
    """Members as (value, low, high)."""
    return Vector(
        "Number",
        {name: f"{value:g}" for name, (value, _, _) in members.items()},
        limits={name: (low, high) for name, (_, low, high) in members.items()},
    )


def _switch(*members: str, on: str = "", labels: dict[str, str] | None = None) -> Vector:
    values = {name: "On" if name == on else "Off" for name in members}
    return Vector("Switch", values, labels=labels or {})


def _text(**members: str) -> Vector:
    return Vector("Text", members)


def _driver(interface: int) -> dict[str, Vector]:
    return {
        "CONNECTION": _switch("CONNECT", "DISCONNECT", on="DISCONNECT"),
        "DRIVER_INFO": _text(
            DRIVER_EXEC="fake", DRIVER_VERSION="1.2", DRIVER_INTERFACE=str(interface)
        ),
    }


def _devices(capture_formats: bool) -> dict[str, dict[str, Vector]]:
    camera = _driver(2) | {
        "CCD_INFO": _number(
            CCD_MAX_X=(NX, 1, 16_000), CCD_MAX_Y=(NY, 1, 16_000),
            CCD_PIXEL_SIZE=(3.76, 1, 40), CCD_BITSPERPIXEL=(16, 8, 64),
        ),
        "CCD_EXPOSURE": _number(CCD_EXPOSURE_VALUE=(1, 0.001, 3600)),
        "CCD_ABORT_EXPOSURE": _switch("ABORT"),
        "CCD_FRAME": _number(
            X=(0, 0, NX - 1), Y=(0, 0, NY - 1), WIDTH=(NX, 1, NX), HEIGHT=(NY, 1, NY),
        ),
        "CCD_BINNING": _number(HOR_BIN=(1, 1, 3), VER_BIN=(1, 1, 3)),
        "CCD_FRAME_TYPE": _switch(
            "FRAME_LIGHT", "FRAME_BIAS", "FRAME_DARK", "FRAME_FLAT", on="FRAME_LIGHT",
        ),
        "CCD_CONTROLS": _number(Gain=(100, 0, 570), Offset=(8, 0, 80)),
        "CCD_TEMPERATURE": _number(CCD_TEMPERATURE_VALUE=(15, -40, 40)),
        "CCD_COOLER": _switch("COOLER_ON", "COOLER_OFF", on="COOLER_OFF"),
        "CCD_COOLER_POWER": _number(CCD_COOLER_VALUE=(0, 0, 100)),
        "CCD_TRANSFER_FORMAT": _switch("FORMAT_FITS", "FORMAT_NATIVE", on="FORMAT_NATIVE"),
        "UPLOAD_MODE": _switch("UPLOAD_CLIENT", "UPLOAD_LOCAL", on="UPLOAD_LOCAL"),
        "CCD_CFA": _text(CFA_OFFSET_X="1", CFA_OFFSET_Y="0", CFA_TYPE="RGGB"),
        "SERIAL_NUMBER": _text(SN="0123abcd"),
        "CCD1": Vector("BLOB", {"CCD1": ""}, perm="ro"),
    }  # fmt: skip
    if capture_formats:
        camera["CCD_CAPTURE_FORMAT"] = _switch(
            "ASI_IMG_RAW8", "ASI_IMG_RGB24", "ASI_IMG_RAW16", on="ASI_IMG_RGB24",
            labels={"ASI_IMG_RAW8": "Raw 8 bit", "ASI_IMG_RAW16": "Raw 16 bit"},
        )  # fmt: skip
    return {
        CAMERA: camera,
        WHEEL: _driver(16)
        | {
            "FILTER_SLOT": _number(FILTER_SLOT_VALUE=(1, 1, 5)),
            "FILTER_NAME": _text(A="L", B="R", C="", D="L"),
        },
        LAMP: _driver(1024)
        | {
            "FLAT_LIGHT_CONTROL": _switch("FLAT_LIGHT_ON", "FLAT_LIGHT_OFF", on="FLAT_LIGHT_OFF"),
            "FLAT_LIGHT_INTENSITY": _number(FLAT_LIGHT_INTENSITY_VALUE=(0, 0, 255)),
        },
        CAP: _driver(512)
        | {
            "CAP_PARK": _switch("PARK", "UNPARK", on="PARK"),
            "CAP_ABORT": _switch("ABORT"),
        },
    }


def _members(vector: Vector, tag: str, *, limits: bool) -> str:
    def one(name: str, value: str) -> str:
        extra = ""
        if limits and vector.kind == "Number":
            low, high = vector.limits[name]
            extra = f' format="%g" min="{low:g}" max="{high:g}" step="1"'
        if limits:
            extra += f' label="{vector.labels.get(name, name)}"'
        return f'<{tag}{vector.kind} name="{name}"{extra}>{value}</{tag}{vector.kind}>'

    return "".join(one(name, value) for name, value in vector.values.items())


def _def_xml(device: str, name: str, vector: Vector) -> str:
    rule = ' rule="OneOfMany"' if vector.kind == "Switch" else ""
    head = f'device="{device}" name="{name}" state="{vector.state}" perm="{vector.perm}"{rule}'
    inner = _members(vector, "def", limits=True)
    return f"<def{vector.kind}Vector {head}>{inner}</def{vector.kind}Vector>"


def _set_xml(device: str, name: str, vector: Vector) -> str:
    head = f'device="{device}" name="{name}" state="{vector.state}"'
    inner = _members(vector, "one", limits=False)
    return f"<set{vector.kind}Vector {head}>{inner}</set{vector.kind}Vector>"
