"""What goes wrong in an Alpaca request, with the number that the published API gives it."""

from __future__ import annotations

from calibstudio.domain.errors import (
    CalibStudioError,
    DeviceBusyError,
    DeviceUnreachableError,
    UnsupportedRequestError,
)

NOT_IMPLEMENTED = 0x400
INVALID_VALUE = 0x401
VALUE_NOT_SET = 0x402
NOT_CONNECTED = 0x407
INVALID_OPERATION = 0x40B
ACTION_NOT_IMPLEMENTED = 0x40C
DRIVER_ERROR = 0x500


class AlpacaError(Exception):
    """The device cannot do what was asked: HTTP 200 with this number and message."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


class BadRequestError(Exception):
    """The request itself is malformed: HTTP 400 with this text."""


def not_implemented(what: str) -> AlpacaError:
    """The device does not have this member."""
    return AlpacaError(NOT_IMPLEMENTED, f"{what} is not implemented by this device.")


def as_alpaca(error: CalibStudioError) -> AlpacaError:
    """Say one of our failures with a number of the API."""
    number = DRIVER_ERROR
    if isinstance(error, UnsupportedRequestError):
        number = INVALID_VALUE
    elif isinstance(error, DeviceBusyError):
        number = INVALID_OPERATION
    elif isinstance(error, DeviceUnreachableError):
        number = NOT_CONNECTED
    return AlpacaError(number, f"{error} {error.hint}".strip())
