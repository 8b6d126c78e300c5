"""`calibstudio discover`: equipment on the network."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from calibstudio.cli.frame import Outcome, Problem
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.wording import count

NOTHING = (
    "No equipment answered.\n"
    "Servers in other networks, or without discovery, are found with --address HOST:PORT.\n"
    "INDI servers are asked on this computer only; others with --address too.\n"
    "ASCOM drivers of Windows answer once ASCOM Remote is running on that computer."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    parser.add_argument(
        "--address", default="", metavar="HOST:PORT", help="look at this server only"
    )


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Look, and list what answered.

    Raises
    ------
    UsageError, DeviceError
        The address is none, or nobody answers there.
    Cancelled
    """
    from calibstudio.devices.discovery import discover

    found = discover(args.address, ctx.token)
    rows = [
        (d.protocol, f"{d.address}:{d.port}", d.type, str(d.number), d.name) for d in found.devices
    ]
    document = {
        "devices": [
            {
                "protocol": d.protocol,
                "address": d.address,
                "port": d.port,
                "type": d.type,
                "number": d.number,
                "name": d.name,
            }
            for d in found.devices
        ]
    }
    text = _table(rows) + f"\n{count(len(rows), 'device')}" if rows else NOTHING
    return Outcome(document, text, [Problem.of(error) for error in found.problems])


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
