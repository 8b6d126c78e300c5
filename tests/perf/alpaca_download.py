"""How long a large picture of an Alpaca camera takes, against the bare transfer of its bytes.

``.venv/bin/python tests/perf/alpaca_download.py [MEGAPIXELS] [json]``. The server is a process of
its own that sends prepared bytes; both clients run in fresh processes, so that their peak memory
is their own. Printed are the best of five times and the growth of the peak memory.
"""

from __future__ import annotations

import json
import multiprocessing as mp
import resource
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from calibstudio.devices.alpaca.address import ServerAddress
from calibstudio.devices.alpaca.line import Line, Patience
from calibstudio.devices.alpaca.picture import ACCEPT, Picture, image_bytes, plausible
from calibstudio.devices.alpaca.picture_json import image_json
from calibstudio.domain.jobs import CancelToken
from tests.helpers.fake_alpaca import image_bytes as packed

TIMES = 5


def shape_of(megapixels: float) -> tuple[int, int]:
    """(ny, nx) of about that many pixels, 3:2."""
    nx = round((1.5e6 * megapixels) ** 0.5)
    return round(nx / 1.5), nx


def serve(shape: tuple[int, int], as_json: bool, port: mp.Queue[int]) -> None:
    """Send the same picture for ever."""
    ny, nx = shape
    image = np.random.default_rng(1).integers(0, 65_536, (nx, ny), dtype=np.uint16)
    body = packed(image)
    kind = "application/imagebytes"
    if as_json:
        body = json.dumps({"Type": 2, "Rank": 2, "Value": image.tolist()}).encode()
        kind = "application/json"
    del image

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    port.put(server.server_port)
    server.serve_forever()


def bare(port: int, shape: tuple[int, int]) -> None:
    """Read the bytes into memory that is there, and nothing else."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/")
    response = connection.getresponse()
    buffer = bytearray(int(response.getheader("Content-Length") or 0))
    view, filled = memoryview(buffer), 0
    while read := response.readinto(view[filled:]):
        filled += read
    connection.close()
    assert filled == len(buffer)


def ours(port: int, shape: tuple[int, int]) -> None:
    """Fetch it as the camera does."""
    line = Line(ServerAddress("127.0.0.1", port), Patience())

    def refuse(member: str, number: int, message: object) -> Exception:
        return AssertionError(message)

    def take(response: HTTPResponse) -> Picture:
        check = plausible("Camera", shape)
        if response.headers.get_content_type() == "application/imagebytes":
            return image_bytes(response, "Camera", check, refuse)  # type: ignore[arg-type]
        return image_json(response, "Camera", shape, check, refuse)  # type: ignore[arg-type]

    picture = line.fetch("/", ACCEPT, take, limit_s=600.0, cancel=CancelToken())
    assert picture.data.shape == shape


def measure(
    client: Callable[[int, tuple[int, int]], None],
    port: int,
    shape: tuple[int, int],
    out: mp.Queue[tuple[float, float]],
) -> None:
    """Say the best time in seconds and the growth of the peak memory in bytes."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    best = float("inf")
    for _ in range(TIMES):
        began = time.perf_counter()
        client(port, shape)
        best = min(best, time.perf_counter() - began)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out.put((best, 1024.0 * (after - before)))


def main() -> None:
    """Compare."""
    numbers = [float(a) for a in sys.argv[1:] if a != "json"]
    shape, as_json = shape_of(numbers[0] if numbers else 61.2), "json" in sys.argv
    context = mp.get_context("spawn")
    ports, out = context.Queue(), context.Queue()
    server = context.Process(target=serve, args=(shape, as_json, ports), daemon=True)
    server.start()
    port = ports.get(timeout=600)
    results = {}
    for client in (bare, ours, bare, ours):
        worker = context.Process(target=measure, args=(client, port, shape, out))
        worker.start()
        seconds, grown = out.get(timeout=3000)
        worker.join()
        known = results.get(client.__name__, (float("inf"), 0.0))
        results[client.__name__] = (min(known[0], seconds), max(known[1], grown))
    server.terminate()
    frame = 2.0 * shape[0] * shape[1]
    print(f"{shape[1]} x {shape[0]}, frame {frame / 1e6:.0f} MB, {'JSON' if as_json else 'bytes'}")
    for name, (seconds, grown) in results.items():
        print(
            f"{name:5} {seconds:6.2f} s   peak +{grown / 1e6:6.0f} MB = {grown / frame:.2f} frames"
        )
    print(f"ratio {results['ours'][0] / results['bare'][0]:.2f}")


if __name__ == "__main__":
    main()
