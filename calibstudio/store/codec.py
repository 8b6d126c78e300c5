"""Values of the domain as plain text and JSON, exactly: what goes in comes back equal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from calibstudio.domain.header import HeaderValue
from calibstudio.domain.quality import Assessment, Finding, Metric, Verdict

_TUPLES = frozenset({"binning", "region", "shape"})
_DATES = frozenset({"night"})
_TIMES = frozenset({"observed_utc"})


def key_to_json(key: Mapping[str, HeaderValue]) -> str:
    """Write header values by JSON word as one line of ASCII JSON."""
    return json.dumps(
        {word: _plain(value) for word, value in key.items()},
        ensure_ascii=True,
        separators=(",", ":"),
    )


def key_from_json(text: str) -> dict[str, HeaderValue]:
    """Read what `key_to_json` wrote.

    Raises
    ------
    ValueError
        If it is not what that function writes.
    """
    plain = json.loads(text)
    if not isinstance(plain, dict):
        raise ValueError("not a key")
    return {word: _typed(word, value) for word, value in plain.items()}


def value_to_json(value: HeaderValue | None) -> str:
    """Write one header value as JSON; None for "unknown"."""
    return json.dumps(None if value is None else _plain(value))


def value_from_json(word: str, text: str) -> HeaderValue | None:
    """Read what `value_to_json` wrote for this word."""
    value = json.loads(text)
    return None if value is None else _typed(word, value)


def _plain(value: HeaderValue) -> Any:
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(value)
    return value


def _typed(word: str, value: Any) -> HeaderValue:
    if word in _TUPLES:
        return tuple(int(v) for v in value)
    if word in _TIMES:
        return utc_time(value)
    if word in _DATES:
        return date.fromisoformat(value)
    if not isinstance(value, (str, int, float)):
        raise ValueError(f"{word} is {value!r}")
    return value


def utc_text(moment: datetime) -> str:
    """Write a moment as FITS does: UTC, ISO, no zone letter; microseconds only where there are."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat()


def utc_time(text: str) -> datetime:
    """Read what `utc_text` wrote."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_microseconds(moment: datetime) -> int:
    """Return a moment as whole microseconds since 1970, UTC: compares without rounding."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_microseconds(value: int) -> datetime:
    """Read what `to_microseconds` wrote."""
    return _EPOCH + timedelta(microseconds=value)


def assessment_to_json(assessment: Assessment) -> str:
    """Write metrics and findings as JSON."""
    return json.dumps(
        {
            "metrics": [
                [
                    m.name,
                    m.label,
                    m.value,
                    m.unit,
                    m.verdict,
                    m.why,
                    m.warn,
                    m.bad,
                    m.decimals,
                ]
                for m in assessment.metrics
            ],
            "findings": [
                [f.verdict, f.title, f.what, f.cause, f.cure, f.metric] for f in assessment.findings
            ],
        },
        ensure_ascii=False,
    )


def assessment_from_json(text: str) -> Assessment:
    """Read what `assessment_to_json` wrote."""
    plain = json.loads(text)
    return Assessment(
        tuple(metric_of(row) for row in plain["metrics"]),
        tuple(finding_of(row) for row in plain["findings"]),
    )


def metric_of(row: Iterable[Any]) -> Metric:
    """Make a metric of its fields in order."""
    name, label, value, unit, verdict, why, warn, bad, decimals = row
    known = Verdict(verdict) if verdict else None
    return Metric(name, label, value, unit, known, why, warn, bad, decimals)


def finding_of(row: Iterable[Any]) -> Finding:
    """Make a finding of its fields in order."""
    verdict, title, what, cause, cure, metric = row
    return Finding(Verdict(verdict), title, what, cause, cure, metric)


def exact_ascii(text: str) -> str:
    """Write text with ASCII alone, so that `from_exact_ascii` gives it back: ``\\u03b1``."""
    escaped = text.replace("\\", "\\\\")
    escaped = re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\x{ord(m.group()):02x}", escaped)
    return escaped.encode("ascii", "backslashreplace").decode("ascii")


def from_exact_ascii(text: str) -> str:
    """Read what `exact_ascii` wrote."""

    def plain(match: re.Match[str]) -> str:
        code = match.group(1)
        return "\\" if code == "\\" else chr(int(code[1:], 16))

    return re.sub(
        r"\\(\\|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})",
        plain,
        text,
    )
