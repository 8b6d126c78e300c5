"""How long a frame of 24 megapixels takes over HTTP, beside the bare transfer of as many bytes.

python -m tests.perf.served_frame

"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time

from tests.helpers.served import served

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
REPEATS = 5


def seconds_of_frames(port: int) -> list[float]:
    """Take one frame and fetch it several times."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    path = "/api/v1/camera/0"
    begin = (("connected", "Connected=true"), ("startexposure", "Duration=0&Light=false"))
    for member, form in begin:
        connection.request("PUT", f"{path}/{member}", form, FORM)
        connection.getresponse().read()
    while True:
        connection.request("GET", f"{path}/imageready")
        if json.loads(connection.getresponse().read())["Value"]:
            break
        time.sleep(0.02)
    found = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        wanted = {"Accept": "application/imagebytes"}
        connection.request("GET", f"{path}/imagearray", headers=wanted)
        answer = connection.getresponse()
        fetch(answer.readinto, int(answer.headers["Content-Length"]))
        answer.read()
        found.append(time.perf_counter() - begun)
    connection.close()
    return found


def seconds_of_bytes(size: int) -> list[float]:
    """Send as many bytes through a socket, without anything around them."""
    data = memoryview(bytes(size))
    found = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def send() -> None:
            for _ in range(REPEATS):
                with server.accept()[0] as connection:
                    connection.sendall(data)

        threading.Thread(target=send, daemon=True).start()
        for _ in range(REPEATS):
            begun = time.perf_counter()
            with socket.create_connection(server.getsockname()) as client:
                fetch(client.recv_into, size)
            found.append(time.perf_counter() - begun)
    return found


def fetch(read_into, size: int) -> None:
    """Read so many bytes into one buffer."""
    view = memoryview(bytearray(size))
    done = 0
    while done < size:
        done += read_into(view[done:])


def main() -> None:
    """Print both."""
    with served("mono24") as (server, _):
        frames = seconds_of_frames(server.port)
    bare = seconds_of_bytes(44 + 2 * 24_000_000)
    print(f"24 MP over HTTP  {min(frames):.3f} s (best of {REPEATS})")
    print(f"bare transfer    {min(bare):.3f} s")
    print(f"ratio            {min(frames) / min(bare):.2f}")


if __name__ == "__main__":
    main()
