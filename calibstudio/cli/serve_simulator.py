"""`calibstudio serve-simulator`: the simulated observatory as Alpaca devices."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
from datetime import UTC, datetime
from math import inf
from typing import Any

from calibstudio.cli.frame import Outcome, say_problem, write_json
from calibstudio.devices.alpaca_server.server import LOOPBACK, USUAL_PORT, AlpacaServer
from calibstudio.devices.simulator.camera import RENDER_THREAD
from calibstudio.devices.simulator.faults import FAULT_KINDS
from calibstudio.devices.simulator.observatory import (
    PRESETS,
    SimulatedObservatory,
    simulated_observatory,
)
from calibstudio.devices.simulator.serving import TRUTH_PATH, extras_of, make_faults
from calibstudio.devices.simulator.truth_document import truth_document
from calibstudio.domain.errors import UsageError
from calibstudio.domain.faults import FULL_DISK, parse_fault, spelling
from calibstudio.domain.jobs import JobContext

PREPARING = "preparing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    parser.add_argument(
        "--port", type=int, default=USUAL_PORT, help=f"0 for any free one ({USUAL_PORT})"
    )
    parser.add_argument(
        "--address", default=LOOPBACK, help=f"where to listen ({LOOPBACK}: this machine only)"
    )
    parser.add_argument("--seed", type=int, default=1, help="same seed, same pixels (1)")
    parser.add_argument(
        "--preset", choices=list(PRESETS), default=next(iter(PRESETS)), help="the camera"
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        metavar="X",
        help="seconds of the observatory in a real second, or max (1)",
    )
    parser.add_argument(
        "--start", type=_moment, metavar="UTC", help="what its clock shows first (now)"
    )
    parser.add_argument("--cover-open", action="store_true", help="begin with an open cover")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="FAULT[:NUMBER[,NUMBER]]",
        help=f"put something out of order; may be repeated. {_faults_in_words()}",
    )
    parser.add_argument(
        "--truth",
        action="store_true",
        help="print the truth as JSON (noise, gain, dark current, dust ...) and serve nothing",
    )
    parser.add_argument(
        "--no-discovery", action="store_true", help="do not answer those who search the network"
    )


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Serve until interrupted, or only tell the truth."""
    observatory = simulated_observatory(
        args.preset,
        seed=args.seed,
        speed=args.speed,
        start=args.start,
        cover_open=args.cover_open,
    )
    if observatory.faults is not None:
        make_faults(observatory.faults, _of_devices(args.fault))
    if args.truth:
        document = truth_document(observatory)
        observatory.close()
        return Outcome(document, json.dumps(document, indent=1, ensure_ascii=False))
    options: dict[str, Any] = {"discovery_port": None} if args.no_discovery else {}
    try:
        server = AlpacaServer(
            observatory,
            address=args.address,
            port=args.port,
            extras=extras_of(observatory),
            **options,
        )
        with server:
            _announce(server, observatory, args)
            _prepare()
            while True:
                ctx.token.wait(3600.0)
    finally:
        observatory.close()
        if ctx.token.cancelled:
            _end_without_waiting()


def _announce(
    server: AlpacaServer, observatory: SimulatedObservatory, args: argparse.Namespace
) -> None:
    """Say once what is served: one line, or one document."""
    if args.json:
        write_json(
            {
                "url": server.url,
                "address": server.address,
                "port": server.port,
                "discovery": server.can_be_discovered,
                "preset": args.preset,
                "seed": args.seed,
                "faults": args.fault,
                "truth": server.url + TRUTH_PATH,
                "devices": [
                    {"type": kind.lower(), "number": number, "name": name, "unique_id": unique_id}
                    for kind, number, name, unique_id in server.devices
                ],
            }
        )
        return
    kinds = ", ".join(kind.lower() for kind, _, _, _ in server.devices)
    found = "" if server.can_be_discovered else " It cannot be discovered: type the address."
    faulty = f"Out of order: {', '.join(args.fault)}. " if args.fault else ""
    print(
        f"{observatory.camera.info.name}, seed {args.seed}, at {server.url}: {kinds}. "
        f"{faulty}Ctrl+C ends it.{found}",
        flush=True,
    )


def _faults_in_words() -> str:
    """All faults as they are typed, for --help."""
    known = (spelling(kind) for kind in FAULT_KINDS if kind.word != FULL_DISK)
    return f"One of {', '.join(known)}".replace("%", "%%")


def _of_devices(faults: list[str]) -> list[str]:
    """Refuse what a server of devices cannot have."""
    for text in faults:
        if parse_fault(text, FAULT_KINDS)[0] == FULL_DISK:
            raise UsageError(
                "A full disk is a fault of the program that writes the frames, not of a device.",
                hint="Choose it in the window, under Faults of the simulated observatory.",
            )
    return faults


def _end_without_waiting() -> None:
    """End the process when a picture is still being rendered, or its loops compiled.

    Python would wait for these threads, which takes seconds, and may crash under them.
    """
    if not any(t.name.startswith((PREPARING, RENDER_THREAD)) for t in threading.enumerate()):
        return
    say_problem("Stopped. What was complete is kept.")
    logging.shutdown()
    sys.stdout.flush()
    os._exit(130)


def _prepare() -> None:
    """Compile the pixel loops beside the serving, so that the first exposure does not wait."""

    def warm() -> None:
        from calibstudio.devices.simulator.render import warm_up

        warm_up()

    threading.Thread(target=warm, name=PREPARING, daemon=True).start()


def _speed(text: str) -> float:
    value = inf if text == "max" else float(text)
    if not value > 0.0:
        raise argparse.ArgumentTypeError("the speed must be above 0, or max")
    return value


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time such as 2026-04-17T22:00"
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
