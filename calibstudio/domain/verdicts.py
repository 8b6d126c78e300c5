"""Numbers become verdicts: the words for each metric, and the likely cause and cure by kind."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from calibstudio.domain.quality import Assessment, Finding, Metric, Verdict
from calibstudio.domain.thresholds import Limit
from calibstudio.domain.verdict_words import advice, words
from calibstudio.domain.wording import EN_DASH, NARROW, count, quantity, significant


def quantity_text(value: float, unit: str, decimals: int | None) -> str:
    """Write a measured value: fixed decimals where given, else four significant digits."""
    if decimals is not None:
        return quantity(value, unit, decimals)
    text = significant(value)
    return f"{text}{NARROW}{unit}" if unit else text


def flats_missing(snr: float, n_frames: int, wanted_snr: float) -> int:
    """Return how many more flats bring the master to a signal to noise, at least 1.

    The noise of a mean falls with the square root of the number: N' = N (wanted / now)^2.
    """
    return max(1, math.ceil(n_frames * (wanted_snr / snr) ** 2) - n_frames)


def more_flats(snr: float, n_frames: int, wanted_snr: float, *, least: int = 0) -> str:
    """Say how many more flats bring the master to a signal to noise, and what they give.

    ``least``: so many are needed in any case. One advice: the larger number serves both.
    Written as ``16 more flats: noise 0.16 % instead of 0.20 %.``
    """
    more = max(least, flats_missing(snr, n_frames, wanted_snr))
    then = snr * math.sqrt((n_frames + more) / n_frames)
    flats = count(more, "more flat", "more flats")
    now_text, then_text = (quantity(100.0 / s, "%", 2) for s in (snr, then))
    return f"{flats}: noise {then_text} instead of {now_text}."


def metric_text(metric: Metric) -> str:
    """Write the value of a metric with its unit; an en dash when it was not measured."""
    if metric.value is None:
        return EN_DASH
    return quantity_text(metric.value, metric.unit, metric.decimals)


@dataclass(slots=True)
class Judge:
    """Collects metrics of one thing and words the findings that follow from them."""

    kind: str
    metrics: list[Metric] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(
        self,
        name: str,
        value: float,
        limit: Limit | None = None,
        *,
        note: str = "",
        missing: str = "the values are not finite",
        unit: str | None = None,
        where: str = "",
        what: str | None = None,
        title: str | None = None,
        cause: str | None = None,
        cure: str | None = None,
    ) -> Verdict | None:
        """Add a metric; with a limit it is judged, and WARN or BAD becomes a finding.

        A value that is not a number counts as not measured, with ``missing`` as the reason.
        ``where`` (``channel R``, ``column 512``) is added to the finding's sentence; ``what``
        replaces it, where metric, value and limit are said better in other words.
        """
        entry = words(name)
        unit = entry.unit if unit is None else unit
        if not math.isfinite(value):
            self.missing(name, missing)
            return None
        if limit is None:
            self.metrics.append(
                Metric(name, entry.label, value, unit, why=note, decimals=entry.decimals)
            )
            return None
        verdict = limit.judge(value)
        warn, bad, side = limit.side(value)
        broken = bad if verdict is Verdict.BAD else warn
        edge = broken if broken is not None else bad
        limit_text = "" if edge is None else quantity_text(edge, unit, entry.decimals)
        by = f" by {limit.source}" if limit.source else ""
        limit_text = f"{limit_text}{by}" if limit_text else ""
        why = _why(verdict, limit_text, side, note)
        if verdict is Verdict.GOOD and limit.is_two_sided:
            why = f"Within {_range_text(limit, unit, entry.decimals)}{by}. {note}".strip()
        self.metrics.append(
            Metric(name, entry.label, value, unit, verdict, why, warn, bad, entry.decimals)
        )
        if verdict is not Verdict.GOOD:
            default = advice(name, self.kind, side)
            place = f" ({where})" if where else ""
            text = quantity_text(value, unit, entry.decimals)
            sentence = f"{entry.label} {text}{place}, limit {limit_text}."
            self.findings.append(
                Finding(
                    verdict,
                    title or default.title,
                    sentence if what is None else what,
                    default.cause if cause is None else cause,
                    default.cure if cure is None else cure,
                    name,
                )
            )
        return verdict

    def missing(self, name: str, why: str) -> None:
        """Add a metric that could not be measured, with what it needs, as a sentence part."""
        entry = words(name)
        sentence = f"{entry.label} not measured: {why.rstrip('.')}."
        self.metrics.append(Metric(name, entry.label, None, entry.unit, why=sentence))

    def find(
        self,
        verdict: Verdict,
        title: str,
        what: str,
        *,
        cause: str = "",
        cure: str = "",
        metric: str = "",
    ) -> None:
        """Add a finding that no single limit gives."""
        self.findings.append(Finding(verdict, title, what, cause, cure, metric))

    def result(self) -> Assessment:
        """Return what was collected."""
        return Assessment(tuple(self.metrics), tuple(self.findings))


def _range_text(limit: Limit, unit: str, decimals: int | None) -> str:
    """Write what is good: ``20 % – 70 %``."""
    low = limit.warn_below if limit.warn_below is not None else limit.bad_below
    high = limit.warn_above if limit.warn_above is not None else limit.bad_above
    ends = [quantity_text(end, unit, decimals) for end in (low, high) if end is not None]
    return f" {EN_DASH} ".join(ends)


def _why(verdict: Verdict, limit_text: str, side: str, note: str) -> str:
    if not limit_text:
        return note
    if verdict is Verdict.GOOD:
        said = f"Within the limit of {limit_text}."
    else:
        said = f"{'Above' if side == 'above' else 'Below'} the limit of {limit_text}."
    return f"{said} {note}".strip()
