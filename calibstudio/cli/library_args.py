"""Arguments and words that commands about masters share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from calibstudio.cli.headers import plain_key
from calibstudio.domain.errors import UsageError
from calibstudio.domain.kinds import NO_FILTER, FrameKind, kind_word
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.quality import Assessment, Finding, Metric
from calibstudio.domain.wording import exposure, temperature

LIBRARY_VARIABLE = "CALIBSTUDIO_LIBRARY"


def add_library_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--library`` and ``--out``."""
    parser.add_argument(
        "--library",
        metavar="URL",
        help=f"folder, sqlite:///FILE or postgresql://...; else ${LIBRARY_VARIABLE}",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the masters (default: the library's; needed with PostgreSQL)",
    )


def library_named(args: argparse.Namespace) -> str:
    """Return what ``--library`` or the environment says.

    Raises
    ------
    UsageError
        Neither says anything.
    """
    name = args.library or os.environ.get(LIBRARY_VARIABLE)
    if not name:
        raise UsageError(
            "No library was named.", hint=f"Give --library DIR, or set {LIBRARY_VARIABLE}."
        )
    return str(name)


def metrics_json(metrics: Iterable[Metric]) -> dict[str, Any]:
    """Metrics by name, as JSON carries them."""
    return {
        m.name: {"value": m.value, "unit": m.unit, "verdict": m.verdict, "why": m.why}
        for m in metrics
    }


def findings_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings, as JSON carries them."""
    words = ("verdict", "title", "what", "cause", "cure", "metric")
    return [{word: getattr(f, word) for word in words} for f in findings]


def master_json(record: MasterRecord) -> dict[str, Any]:
    """A master as it is in the library, without its measurements."""
    return {
        "id": record.id,
        "sha256": record.sha256,
        "path": str(record.path),
        "kind": kind_word(record.kind, is_master=True),
        "key": plain_key(record.key),
        "n_frames": record.n_frames,
        "n_combined": record.n_combined,
        "verdict": record.verdict,
        "state": record.state,
        "state_reason": record.state_reason,
    }


def what_it_is(record: MasterRecord) -> str:
    """Say in a few words what a master is: ``Ha · 13.8 s · gain 100 · −10.0 °C``."""
    values = record.values
    words: list[str] = []
    if record.kind not in NO_FILTER:
        words += [str(values["filter"])] if "filter" in values else []
    time, gain = values.get("exposure_s"), values.get("gain")
    if record.kind != FrameKind.BIAS and isinstance(time, (int, float)):
        words.append(exposure(float(time)))
    if isinstance(gain, (int, float)):
        words.append(f"gain {gain:g}")
    for word in ("set_temp_c", "sensor_temp_c"):
        value = values.get(word)
        if isinstance(value, (int, float)):
            words.append(temperature(float(value)))
            break
    if "night" in values:
        words.append(str(values["night"]))
    return " · ".join(words)


def findings_text(assessment: Assessment, indent: str) -> list[str]:
    """Write each finding with its cause and cure."""
    lines = []
    for finding in sorted(assessment.findings, key=lambda f: -f.verdict.severity):
        lines.append(f"{indent}{finding.verdict.value}: {finding.what}")
        if finding.cause:
            cause = finding.cause.rstrip(".")
            lines.append(f"{indent}  Likely cause: {cause[:1].lower()}{cause[1:]}.")
        if finding.cure:
            lines.append(f"{indent}  {finding.cure}")
    return lines
