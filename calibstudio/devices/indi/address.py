"""Where an INDI server is, and which of its cameras is meant."""

from __future__ import annotations

from urllib.parse import unquote

from calibstudio.devices.server_address import ServerAddress, parse_server
from calibstudio.domain.errors import UsageError

SCHEME = "indi://"
DEFAULT_PORT = 7624


def parse_address(text: str) -> tuple[ServerAddress, str]:
    """Read ``[indi://]HOST[:PORT][/CAMERA NAME]``, IPv6 hosts in brackets.

    Returns
    -------
    server, camera
        The name is empty when the text has none.

    Raises
    ------
    UsageError
        It is no such address.
    """
    place, _, camera = text.strip().removeprefix(SCHEME).partition("/")
    server = parse_server(place, DEFAULT_PORT)
    if server is None:
        raise UsageError(
            f"“{text}” is not the address of an INDI server.",
            hint="Write it as host:port or host:port/camera name, for example 192.168.1.20:7624.",
        )
    return server, unquote(camera).strip("/ ")
