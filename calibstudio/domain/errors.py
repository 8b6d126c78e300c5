"""Foreseen failures, in words a user can act on."""


class Cancelled(Exception):
    """The user asked to stop. Not an error: let it pass, clean up in ``finally``."""


class CalibStudioError(Exception):
    """A foreseen failure.

    Parameters
    ----------
    message
        What happened, in one plain sentence that names the thing it happened to.
    hint
        What the user can do next. Empty when there is nothing useful to say.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(CalibStudioError):
    """The command or the request itself is wrong; nothing was done. Exit code 2."""


class FileProblemError(CalibStudioError):
    """A file cannot be read, is broken, or is not what it claims to be. The rest goes on."""


class WriteProblemError(CalibStudioError):
    """A file could not be written: disk full, no permission, or the name is taken."""


class CalibrationError(CalibStudioError):
    """The frames do not allow what was asked (too few, too different, wrong algebra)."""


class LibraryError(CalibStudioError):
    """The master library cannot do what was asked."""


class DeviceError(CalibStudioError):
    """Something about equipment."""


class DeviceBusyError(DeviceError):
    """The device is doing something else: wait and try again."""


class DeviceUnreachableError(DeviceError):
    """The device does not answer: reconnect."""


class UnsupportedRequestError(DeviceError):
    """The device cannot do this: change the request. Nothing was done."""


class ExposureFailedError(DeviceError):
    """The exposure ended without a usable picture: take it again."""
