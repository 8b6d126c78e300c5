"""The verdict on some files as one page of HTML that any browser shows, now and in ten years.

Self-contained: no script, no picture or style from elsewhere. Every value is escaped, because
headers and file names may hold anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

import numpy as np

from calibstudio import __version__
from calibstudio.domain.errors import CalibStudioError, WriteProblemError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import kind_title
from calibstudio.domain.quality import Assessment, Finding, Metric, Verdict, worst
from calibstudio.domain.verdicts import metric_text
from calibstudio.domain.wording import count, number, significant
from calibstudio.imaging.display_numbers import Histogram, bars, data_range, region_histogram
from calibstudio.services.judge import read_pixels
from calibstudio.services.qc import QcReport
from calibstudio.store.publish import publish_file

MOST_HISTOGRAMS = 100
_WIDTH, _HEIGHT = 640, 160
N_BARS = 256


def write_report(ctx: JobContext, report: QcReport, target: Path) -> None:
    """Write the page; it appears whole or not at all, and replaces nothing.

    Raises
    ------
    WriteProblemError
        The name is taken, or the folder cannot be written.
    Cancelled
        When asked to stop.
    """
    refuse_to_replace(target)
    page = render_report(ctx, report)
    publish_file(target, lambda path: path.write_text(page, encoding="utf-8", newline="\n"))


def refuse_to_replace(target: Path) -> None:
    """Raise `WriteProblemError` when the name is taken: said before long work, too."""
    if target.exists():
        raise WriteProblemError(
            f"{target} exists already and is not overwritten.", hint="Choose another name."
        )


def render_report(ctx: JobContext, report: QcReport) -> str:
    """Return the page."""
    verdict = worst(
        [a.verdict for a in report.files.values()]
        + [s.assessment.verdict for s in report.sets]
        + [report.across.verdict]
    )
    parts = [_summary(report, verdict)]
    for judged in report.sets:
        several = " together" if len(judged.group.frames) > 1 else ""
        title = f"{judged.title} · {count(len(judged.group.frames), 'frame')}{several}"
        parts.append(_section(title, report.said_once(judged), judged.assessment, ""))
    if report.across.metrics:
        parts.append(_section("Darks of several exposures", "", report.across, ""))
    for i, path in enumerate(report.files):
        ctx.progress(i / len(report.files), f"Drawing {path.name}")
        header = report.headers[path]
        picture = _picture(report, path) if i < MOST_HISTOGRAMS else ""
        word = kind_title(header.kind_word or "unknown kind")
        parts.append(
            _section(f"{word} · {path.name}", str(path), report.without_repeats(path), picture)
        )
    parts.append(_unread(report))
    ctx.progress(1.0)
    return _PAGE.replace("@BODY@", "\n".join(parts)).replace("@VERSION@", escape(__version__))


def _summary(report: QcReport, verdict: Verdict) -> str:
    files = count(len(report.files), "file")
    by_verdict = ", ".join(
        f"{sum(a.verdict is v for a in report.files.values())} {v}" for v in Verdict
    )
    return f"<h1>{_badge(verdict)} Quality of {escape(files)}</h1><p>{escape(by_verdict)}</p>"


def _badge(verdict: Verdict) -> str:
    shape = {Verdict.GOOD: "✓", Verdict.WARN: "▲", Verdict.BAD: "✕"}[verdict]
    return f'<span class="badge {verdict.value.lower()}">{shape} {verdict.value}</span>'


def _section(title: str, subtitle: str, assessment: Assessment, picture: str) -> str:
    parts = [f"<section><h2>{_badge(assessment.verdict)} {_safe(title)}</h2>"]
    if subtitle:
        parts.append(f"<p class='path'>{_safe(subtitle)}</p>")
    parts += [_card(finding) for finding in assessment.findings]
    parts.append(picture)
    parts.append(_table(assessment.metrics))
    parts.append("</section>")
    return "\n".join(part for part in parts if part)


def _card(finding: Finding) -> str:
    lines = [
        f"<div class='card {finding.verdict.value.lower()}'>",
        f"<b>{finding.verdict.value} · {_safe(finding.title)}</b><br>{_safe(finding.what)}",
    ]
    if finding.cause:
        lines.append(f"<br><i>Likely cause:</i> {_safe(finding.cause)}")
    if finding.cure:
        lines.append(f"<br><i>Cure:</i> {_safe(finding.cure)}")
    return "".join([*lines, "</div>"])


def _table(metrics: Iterable[Metric]) -> str:
    rows = [
        "<tr><th>Metric</th><th class='n'>Value</th><th>Verdict</th><th>Limit and source</th></tr>"
    ]
    for metric in metrics:
        verdict = metric.verdict.value if metric.verdict is not None else ""
        rows.append(
            f"<tr><td>{_safe(metric.label)}</td><td class='n'>{_safe(metric_text(metric))}</td>"
            f"<td class='{verdict.lower()}-text'>{verdict}</td><td>{_safe(metric.why)}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>"


def _unread(report: QcReport) -> str:
    rows = [
        f"<tr><td>{_safe(str(item.path))}</td><td>{_safe(item.reason)}</td></tr>"
        for item in (*report.unread, *report.ignored)
    ]
    if not rows:
        return ""
    return f"<section><h2>Not judged</h2><table>{''.join(rows)}</table></section>"


def _safe(text: str) -> str:
    """Escape, and drop what no page may hold (undecodable bytes of names, control characters)."""
    shown = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return escape("".join(c if c.isprintable() or c in " \u202f" else "\ufffd" for c in shown))


def _picture(report: QcReport, path: Path) -> str:
    """Return the histogram as inline SVG; nothing when the pixels cannot be read."""
    header = report.headers[path]
    try:
        pixels = read_pixels(header)
    except CalibStudioError:
        return ""
    return histogram_svg(region_histogram(pixels), saturation_adu=header.saturation_adu)


def histogram_svg(found: Histogram, *, saturation_adu: float | None = None) -> str:
    """Return a histogram with logarithmic counts, its median and its ends, as inline SVG.

    Nothing for a picture without a value.
    """
    if not found.total:
        return ""
    shown = bars(found, *data_range(found), N_BARS)
    counts = np.log10(shown.counts + 1.0)
    top = float(counts.max()) or 1.0
    low, high = float(shown.edges[0]), float(shown.edges[-1])
    points = [f"0,{_HEIGHT}"]
    for i, value in enumerate(counts):
        x0, x1 = (i * _WIDTH / len(counts), (i + 1) * _WIDTH / len(counts))
        y = _HEIGHT * (1.0 - 0.95 * float(value) / top)
        points += [f"{x0:.1f},{y:.1f}", f"{x1:.1f},{y:.1f}"]
    points.append(f"{_WIDTH},{_HEIGHT}")
    median = found.quantile(0.5)
    marks = "".join(
        f"<line x1='{x:.1f}' x2='{x:.1f}' y1='0' y2='{_HEIGHT}' class='{name}'/>"
        for name, level in (("median", median), ("saturation", saturation_adu))
        if level is not None and low <= level <= high
        for x in [(level - low) / (high - low) * _WIDTH]
    )
    words = f"{_ends(low)} to {_ends(high)} ADU, median {significant(median)}; counts log"
    return (
        f"<figure><svg viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img' aria-label='Histogram'>"
        f"<polygon points='{' '.join(points)}'/>{marks}</svg>"
        f"<figcaption>{_safe(words)}</figcaption></figure>"
    )


def _ends(value: float) -> str:
    return number(value) if abs(value) >= 100 else significant(value)


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><title>CalibStudio quality report</title>
<style>
:root{color-scheme:dark}
body{background:#0B0D10;color:#E3E6EA;font:14px/1.5 system-ui,sans-serif;margin:24px auto;
max-width:1000px;padding:0 16px;font-variant-numeric:tabular-nums}
h1{font-size:20px}h2{font-size:16px;margin:0 0 8px}
section{background:#12151A;border:1px solid #272D35;border-radius:6px;padding:16px;margin:16px 0}
.path,figcaption,footer{color:#929BA8;font-size:12px;overflow-wrap:anywhere;margin:0 0 8px}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:4px 8px;border-bottom:1px solid #272D35;vertical-align:top}
th{color:#929BA8;font-weight:500}.n{text-align:right;white-space:nowrap}
.badge{font-size:12px;border-radius:3px;padding:2px 6px}
.good{background:#10251F;color:#4CC7A4}.warn{background:#2A220F;color:#EDB741}
.bad{background:#2E1714;color:#FF8270}
.good-text{color:#4CC7A4}.warn-text{color:#EDB741}.bad-text{color:#FF8270}
.card{border-left:4px solid;border-radius:4px;padding:8px 12px;margin:8px 0}
.card i{color:#E3E6EA}figure{margin:8px 0}svg{width:100%;background:#0B0D10}
polygon{fill:#74B4F4;fill-opacity:.45;stroke:#74B4F4}
line{stroke:#AEB6C1;stroke-dasharray:2 3}line.saturation{stroke:#FF8270}
@media print{:root{color-scheme:light}body,section,svg{background:#fff;color:#15191E}}
</style></head><body>
@BODY@
<footer>CalibStudio @VERSION@</footer>
</body></html>
"""
