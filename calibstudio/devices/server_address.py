"""Host and port of a server of equipment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class ServerAddress:
    """Where a server listens. IPv6 hosts are kept without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_server(text: str, default_port: int) -> ServerAddress | None:
    """Read ``HOST[:PORT]``, IPv6 hosts in brackets; None when it is no such address."""
    host, port_text = _split_port(text)
    port = number(port_text) if port_text is not None else default_port
    is_host = bool(host) and not any(c.isspace() or c in "/?#@[]" for c in host)
    if not is_host or port is None or not 0 < port < 65_536:
        return None
    return ServerAddress(host, port)


def number(text: str) -> int | None:
    """Read a whole number from 0 on, in plain digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


def _split_port(place: str) -> tuple[str, str | None]:
    if place.startswith("["):
        host, bracket, tail = place[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            return "", None
        return host, tail[1:] if tail else None
    if place.count(":") > 1:
        return place, None
    host, colon, port = place.partition(":")
    return host, port if colon else None
