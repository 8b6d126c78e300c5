"""What goes wrong between us and an Alpaca device, as our own errors.

Everything that leaves this package is a `DeviceError` of `calibstudio.domain.errors` (or
`Cancelled`). The two classes here tell apart what the caller inside the package must know.
"""

from __future__ import annotations

from alpaca.exceptions import (
    InvalidValueException,
    NotConnectedException,
    NotImplementedException,
    OperationCancelledException,
    ValueNotSetException,
)

from calibstudio.domain.errors import DeviceError, DeviceUnreachableError

NOT_IMPLEMENTED = NotImplementedException("").number
INVALID_VALUE = InvalidValueException("").number
VALUE_NOT_SET = ValueNotSetException("").number
NOT_CONNECTED = NotConnectedException("").number
OPERATION_CANCELLED = OperationCancelledException("").number

CHECK_SERVER = "Check that its server is running and that the network reaches it, then retry."
CHECK_DRIVER = "Look at the driver’s own window or log, then connect the device again."


class DriverError(DeviceError):
    """The driver answered that it will not, or cannot.

    Attributes
    ----------
    number
        The error number of ASCOM, 0x400 to 0xFFF; 0 where the server only said HTTP 4xx or 5xx.
    status
        The HTTP status.
    """

    def __init__(self, message: str, *, number: int, status: int = 200, hint: str = "") -> None:
        super().__init__(message, hint=hint or CHECK_DRIVER)
        self.number = number
        self.status = status

    @property
    def is_not_there(self) -> bool:
        """Whether the device simply has no such member."""
        return self.number == NOT_IMPLEMENTED or (
            self.number == 0 and self.status in (400, 404, 405, 500, 501)
        )


class BadReplyError(DeviceError):
    """The server answered something that is not Alpaca: HTML, no value, the wrong type."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint=CHECK_DRIVER)


class NotConnectedError(DeviceUnreachableError):
    """The server is there, and says that it has no connection to its device."""


def silent(name: str, detail: str) -> DeviceUnreachableError:
    """It does not answer: refused, reset, timed out."""
    return DeviceUnreachableError(f"{name} does not answer ({detail}).", hint=CHECK_SERVER)
