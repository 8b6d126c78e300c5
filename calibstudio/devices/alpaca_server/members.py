"""How a device says which members of the API it has: a table made from decorated methods."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeVar

from calibstudio.devices.alpaca_server.errors import BadRequestError

F = TypeVar("F", bound=Callable[..., Any])
Converter = Callable[[str], Any]

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_MARK = "_alpaca_member"


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a device, for GET or for PUT."""

    url_name: str
    is_write: bool
    parameters: Mapping[str, Converter]
    """Name as the API spells it, and what makes a value of its text."""
    offline: bool
    """Whether it may be used while the device is not connected."""


def get(url_name: str, *, offline: bool = False, **parameters: Converter) -> Callable[[F], F]:
    """Offer a method for GET; its keyword arguments are ``parameters``."""
    return _marked(Member(url_name, False, parameters, offline))


def put(url_name: str, *, offline: bool = False, **parameters: Converter) -> Callable[[F], F]:
    """Offer a method for PUT; its keyword arguments are ``parameters``."""
    return _marked(Member(url_name, True, parameters, offline))


def members_of(kind: type) -> dict[tuple[str, bool], tuple[Member, str]]:
    """Return the members of a class by (name in the URL, is it PUT), with the method's name."""
    found = {}
    for name in dir(kind):
        member = getattr(getattr(kind, name), _MARK, None)
        if isinstance(member, Member):
            found[member.url_name, member.is_write] = (member, name)
    return found


def arguments(member: Member, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a member's parameters.

    In the body of a PUT, names are told apart by case; in the query of a GET they are not.

    Raises
    ------
    BadRequestError
        One is missing, or is not of its type.
    """
    if not member.is_write:
        given = {name.lower(): value for name, value in given.items()}
    values = {}
    for name, convert in member.parameters.items():
        text = given.get(name if member.is_write else name.lower())
        if text is None:
            raise BadRequestError(f"The parameter {name} is missing.")
        try:
            values[name] = convert(text)
        except ValueError as error:
            raise BadRequestError(f"{name} must be {error}, not {text[:40]!r}.") from error
    return values


def truth(text: str) -> bool:
    """Read True or False, in any case."""
    match text.strip().lower():
        case "true":
            return True
        case "false":
            return False
    raise ValueError("True or False")


def whole(text: str) -> int:
    """Read a whole number of 32 bits."""
    if not _WHOLE.fullmatch(text.strip()) or not -(2**31) <= int(text) < 2**31:
        raise ValueError("a whole number")
    return int(text)


def unsigned(text: str) -> int:
    """Read a whole number from 0 to 4294967295."""
    if not _WHOLE.fullmatch(text.strip()) or not 0 <= int(text) < 2**32:
        raise ValueError("a whole number from 0 to 4294967295")
    return int(text)


def real(text: str) -> float:
    """Read a number with a decimal point, as every culture-invariant client writes it."""
    if not _REAL.fullmatch(text.strip()) or not isfinite(float(text)):
        raise ValueError("a number")
    return float(text)


def plain(text: str) -> str:
    """Take a text as it is."""
    return text


def _marked(member: Member) -> Callable[[F], F]:
    def mark(method: F) -> F:
        setattr(method, _MARK, member)
        return method

    return mark
