"""The clock of a real observatory: that of this computer."""

from __future__ import annotations

from datetime import UTC, datetime

from calibstudio.domain.jobs import CancelToken


class SystemClock:
    """Real time. See `Clock` for what its methods promise."""

    @property
    def speed(self) -> float:
        """One second is one second."""
        return 1.0

    def now(self) -> datetime:
        """UTC, timezone-aware."""
        return datetime.now(UTC)

    def sleep(self, seconds: float, cancel: CancelToken) -> None:
        """Wait; raises `Cancelled` at once when asked to stop."""
        cancel.check()
        cancel.wait(seconds)
