"""Verdicts: what was measured, against which limit, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """GOOD, WARN or BAD, in words a user of any screen or terminal sees."""

    GOOD = "GOOD"
    WARN = "WARN"
    BAD = "BAD"

    @property
    def severity(self) -> int:
        """0 for GOOD, 1 for WARN, 2 for BAD."""
        return ("GOOD", "WARN", "BAD").index(self.value)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the most severe; GOOD when there is none."""
    return max(verdicts, key=lambda v: v.severity, default=Verdict.GOOD)


@dataclass(frozen=True, slots=True)
class Metric:
    """One number about a frame, a set or a master.

    A metric that could not be measured has value ``None`` and says why; it is never zero.
    """

    name: str
    """JSON name, for example ``read_noise``."""
    label: str
    """What the screen calls it, for example ``Read noise``."""
    value: float | None
    unit: str
    verdict: Verdict | None = None
    """``None``: informative, or not measured."""
    why: str = ""
    """One sentence: the limit it was judged by, or why it was not measured."""
    warn: float | None = None
    bad: float | None = None
    decimals: int | None = None
    """Decimals to show; None lets the wording choose four significant digits."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something worth a sentence. ``what`` names metric, value and limit."""

    verdict: Verdict
    title: str
    """Two or three words, for example ``light leak``."""
    what: str
    cause: str = ""
    cure: str = ""
    metric: str = ""
    """Name of the `Metric` it judges; empty when it is about something else."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """All numbers about one thing, and the verdict that follows from them."""

    metrics: tuple[Metric, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of its findings and metrics."""
        of_metrics = (m.verdict for m in self.metrics if m.verdict is not None)
        return worst([*of_metrics, *(f.verdict for f in self.findings)])

    @property
    def worst_finding(self) -> Finding | None:
        """The finding that decides, the first among equals; None when there is none."""
        return max(self.findings, key=lambda f: f.verdict.severity, default=None)

    def metric(self, name: str) -> Metric | None:
        """Return the metric of this name, or None."""
        return next((m for m in self.metrics if m.name == name), None)

    def value(self, name: str) -> float | None:
        """Return the value of this metric, or None when it is absent or not measured."""
        metric = self.metric(name)
        return None if metric is None else metric.value
