"""Pictures as JSON, from servers that know no ImageBytes: numbers are read as they come.

A parser for everything would need 45 bytes of memory for each pixel and a minute for a large
picture. This one knows the one form there is: ``{..., "Value": [[...], ...], ...}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstudio.devices.alpaca import values
from calibstudio.devices.alpaca.failures import BadReplyError
from calibstudio.devices.alpaca.picture import Picture, Refuse, Turner, broken_off
from calibstudio.domain.errors import ExposureFailedError

_CHUNK = 4_000_000
_VALUE = re.compile(rb'"Value"\s*:\s*(\[|null)')
_MAX_HEAD = 100_000


def image_json(
    response: HTTPResponse,
    name: str,
    wanted: tuple[int, int],
    check: Callable[[int, int, int], None],
    refuse: Refuse,
) -> Picture:
    """Read an ImageArray reply in JSON to its end.

    Parameters
    ----------
    wanted
        (ny, nx) that was asked for.
    check
        Called with nx, ny, planes as they came.

    Raises
    ------
    DriverError, BadReplyError, ExposureFailedError
        As for `picture.image_bytes`.
    """
    head = b""
    while (found := _VALUE.search(head)) is None or found.group(1) != b"[":
        part = response.read(_CHUNK)
        head += part
        if not part or len(head) > _CHUNK + _MAX_HEAD:
            raise _without_value(name, head, refuse)
    _raise_error_in(head[: found.start()], refuse)
    body = head[found.end(1) :]
    rank = 3 if body.lstrip()[1:].lstrip()[:1] == b"[" else 2
    reader = _Columns(name, wanted, check, rank)
    reader.feed(body)
    while not reader.ended:
        part = response.read(_CHUNK)
        if not part:
            raise broken_off(name, reader.columns, wanted[1], "columns")
        reader.feed(part)
    tail = reader.tail
    while len(tail) < _MAX_HEAD and (part := response.read(_MAX_HEAD)):
        tail += part
    _raise_error_in(tail, refuse)
    return reader.finished()


def _without_value(name: str, head: bytes, refuse: Refuse) -> Exception:
    """A reply that has no picture in it is an error, or nonsense."""
    try:
        document = json.loads(head)
    except ValueError:
        document = None
    if isinstance(document, dict) and (number := values.whole(document.get("ErrorNumber"))):
        return refuse("imagearray", number, document.get("ErrorMessage"))
    return BadReplyError(f"{name} sent a reply without a picture in it.")


def _raise_error_in(text: bytes, refuse: Refuse) -> None:
    found = re.search(rb'"ErrorNumber"\s*:\s*(-?\d{1,9})', text)
    if found is not None and int(found.group(1)):
        said = re.search(rb'"ErrorMessage"\s*:\s*"((?:[^"\\]|\\.)*)"', text)
        message = said.group(1).decode("utf-8", "replace") if said else ""
        raise refuse("imagearray", int(found.group(1)), message)


class _Columns:
    """Cuts the text of nested lists into whole columns of numbers."""

    def __init__(
        self,
        name: str,
        wanted: tuple[int, int],
        check: Callable[[int, int, int], None],
        rank: int,
    ) -> None:
        self._name, self._wanted, self._check, self._rank = name, wanted, check, rank
        closing = rb"\]" if rank == 2 else rb"\]\s*\]"
        self._end = re.compile(closing + rb"\s*\]")
        self._between = re.compile(closing + rb"\s*,")
        self._turner: Turner | None = None
        self._text = b""
        self.columns = 0
        self.ended = False
        self.tail = b""

    def feed(self, part: bytes) -> None:
        """Take more of the text. A column ends with as many brackets as it has depth."""
        text = self._text + part
        if (end := self._end.search(text)) is not None:
            self.ended, self.tail = True, text[end.end() :]
            self._take(text[: end.end()])
            return
        cut = max((found.end() for found in self._between.finditer(text)), default=0)
        self._text = text[cut:]
        if cut:
            self._take(text[:cut])

    def finished(self) -> Picture:
        """Return the picture."""
        if self._turner is None:
            raise broken_off(self._name, 0, self._wanted[1], "columns")
        if self.columns != self._wanted[1]:
            self._check(self.columns, self._turner.shape[0], self._turner.planes)
        return self._turner.finished()

    def _take(self, text: bytes) -> None:
        """Read whole columns."""
        if self._rank == 2:
            n = text.count(b"]") - (1 if self.ended else 0)
        else:
            n = len(re.findall(rb"\]\s*\]", text))
        numbers = self._numbers(text)
        if n <= 0 or numbers.size % n:
            raise self._crooked()
        per_column = numbers.size // n
        if self._turner is None:
            ny = self._wanted[0]
            planes = per_column // ny if self._rank == 3 and per_column % ny == 0 else 1
            rows = per_column // planes
            self._check(self._wanted[1], rows, planes)
            self._turner = Turner(self._name, (rows, self._wanted[1]), planes)
        if per_column != self._turner.values_per_column:
            raise self._crooked()
        self.columns += n
        self._turner.add(numbers)

    def _numbers(self, text: bytes) -> NDArray[Any]:
        flat = text.translate(_BRACKETS_TO_SPACE).strip(b" ,\r\n\t")
        is_real = b"." in flat or b"e" in flat or b"E" in flat
        try:
            numbers = np.fromstring(flat, dtype=np.float64 if is_real else np.int64, sep=",")
        except (ValueError, DeprecationWarning) as error:
            raise self._crooked() from error
        # It stops at what is no number.
        if numbers.size != flat.count(b",") + 1:
            raise self._crooked()
        return numbers

    def _crooked(self) -> ExposureFailedError:
        return ExposureFailedError(
            f"{self._name} sent a picture whose columns do not fit together.",
            hint="Take it again; when it comes back, restart the driver.",
        )


_BRACKETS_TO_SPACE = bytes.maketrans(b"[]", b"  ")
