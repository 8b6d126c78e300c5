"""`calibstudio qc`: measure and judge frames, sets and masters."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstudio.cli.frame import Outcome, Problem
from calibstudio.cli.headers import plain_key, table
from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.paths import whole_path
from calibstudio.domain.quality import Assessment, Finding, Metric, Verdict, worst
from calibstudio.domain.verdicts import metric_text
from calibstudio.domain.wording import count

if TYPE_CHECKING:
    from calibstudio.services.qc import JudgedSet, QcReport

MOST_TABLES = 4
"""More files than these are shown as one line each; --json and --report hold everything."""
UNREADABLE = "cannot be read"
IN_SHORT = ("level", "noise", "snr", "hot_pixels", "gradient")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="frames and masters")
    parser.add_argument(
        "--report", type=Path, metavar="OUT.html", help="also write one page with everything"
    )


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Judge, print, and make each BAD file a problem."""
    from calibstudio.services.qc import examine
    from calibstudio.services.qc_report import refuse_to_replace, write_report
    from calibstudio.services.rig_limits import limits_here

    paths = [whole_path(p) for p in args.files]
    target = None if args.report is None else whole_path(args.report)
    judging, writing = ctx.split(4, 1 if target else 0.001)
    if target is not None:
        refuse_to_replace(target)
    report = examine(judging, paths, rigs=limits_here())
    if not report.files and len(paths) == 1 and (report.unread or report.ignored):
        left = (*report.unread, *report.ignored)[0]
        raise FileProblemError(f"{left.path.name}: {left.reason}", hint="Name frames or masters.")
    if target is not None:
        write_report(writing, report, target)
    ctx.progress(1.0)
    document = _document(report)
    if target is not None:
        document["report"] = str(target)
    return Outcome(document, _text(report, target), _problems(report, paths))


def _document(report: QcReport) -> dict[str, Any]:
    files = [
        {
            "path": str(path),
            "kind": report.headers[path].kind_word if path in report.headers else None,
            **_judged(assessment),
        }
        for path, assessment in report.files.items()
    ]
    together: dict[str, Any] = {}
    if report.sets or report.across.metrics:
        kinds = list(dict.fromkeys(s.group.kind for s in report.sets))
        findings = [f for s in report.sets for f in s.assessment.findings]
        findings += report.across.findings
        together = {
            "kind": " and ".join(kinds),
            "verdict": worst([s.assessment.verdict for s in report.sets] + [report.across.verdict]),
            "metrics": _metrics(report.set_metrics()),
            "findings": [_finding(f) for f in findings],
            "groups": [_group(s) for s in report.sets],
        }
    left = [{"path": str(i.path), "reason": i.reason} for i in (*report.unread, *report.ignored)]
    return {"files": files, "set": together, "skipped": left}


def _group(judged: JudgedSet) -> dict[str, Any]:
    group = judged.group
    return {
        "id": group.id,
        "kind": group.kind,
        "key": plain_key(group.key),
        "frames": [str(path) for path in group.frames],
        "excluded": [{"path": str(p), "reason": why} for p, why in judged.left_out.items()],
        **_judged(judged.assessment),
    }


def _judged(assessment: Assessment) -> dict[str, Any]:
    return {
        "verdict": assessment.verdict,
        "metrics": _metrics(assessment.metrics),
        "findings": [_finding(f) for f in assessment.findings],
    }


def _metrics(metrics: Iterable[Metric]) -> dict[str, Any]:
    return {
        m.name: {"value": m.value, "unit": m.unit, "verdict": m.verdict, "why": m.why}
        for m in metrics
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.verdict,
        "title": finding.title,
        "what": finding.what,
        "cause": finding.cause,
        "cure": finding.cure,
        "metric": finding.metric,
    }


def _problems(report: QcReport, paths: list[Path]) -> list[Problem]:
    problems = [Problem(f"{item.path.name}: {item.reason}") for item in report.unread]
    named = set(paths)
    problems += [Problem(f"{i.path.name}: {i.reason}") for i in report.ignored if i.path in named]
    for path, assessment in report.files.items():
        if assessment.verdict is Verdict.BAD:
            problems.append(_problem(path.name, assessment))
    for judged in report.sets:
        if judged.assessment.verdict is Verdict.BAD:
            problems.append(_problem(judged.title, judged.assessment))
    if report.across.verdict is Verdict.BAD:
        problems.append(_problem("Darks of several exposures", report.across))
    return problems


def _problem(name: str, assessment: Assessment) -> Problem:
    worst_one = assessment.worst_finding
    if worst_one is None:
        return Problem(f"{name} is BAD: a metric is beyond its limit.")
    if worst_one.title == UNREADABLE:
        return Problem(worst_one.what, worst_one.cure)
    return Problem(f"{name} is BAD: {worst_one.what}", worst_one.cure)


def _text(report: QcReport, target: Path | None) -> str:
    blocks = []
    if len(report.files) <= MOST_TABLES:
        for path, assessment in report.files.items():
            kind = report.headers[path].kind_word or "unknown kind"
            title = f"{assessment.verdict}  {kind}  {path}"
            blocks.append(_full(title, report.without_repeats(path)))
    else:
        blocks.append(_short(report))
    for judged in report.sets:
        frames = count(len(judged.group.frames), "frame")
        together = f"{frames} together" if len(judged.group.frames) > 1 else frames
        title = f"{judged.assessment.verdict}  {judged.title}, {together}"
        blocks.append(_full(title, judged.assessment, report.said_once(judged)))
    if report.across.metrics:
        title = f"{report.across.verdict}  Darks of several exposures"
        blocks.append(_full(title, report.across))
    if target is not None:
        blocks.append(f"Written: {target}")
    return "\n\n".join(blocks)


def _full(title: str, assessment: Assessment, note: str = "") -> str:
    rows = [(m.label, metric_text(m), m.verdict or "", m.why) for m in assessment.metrics]
    lines = [title, *table(rows)]
    if note:
        lines.append(f"  {note}")
    for finding in assessment.findings:
        lines.append(f"  {finding.verdict} {finding.title}: {finding.what}")
        if finding.cause:
            lines.append(f"       Likely cause: {finding.cause}")
        if finding.cure:
            lines.append(f"       Cure: {finding.cure}")
    return "\n".join(lines)


def _short(report: QcReport) -> str:
    rows = []
    for path, assessment in report.files.items():
        numbers = [
            f"{m.label} {metric_text(m)}"
            for name in IN_SHORT
            if (m := assessment.metric(name)) is not None and m.value is not None
        ]
        kind = report.headers[path].kind_word or "unknown kind"
        rows.append((assessment.verdict.value, kind, path.name, ", ".join(numbers[:3])))
    lines = table(rows)
    for path, assessment in report.files.items():
        lines += [
            f"  {f.verdict} {path.name}: {f.title}. {f.what} {f.cure}".rstrip()
            for f in assessment.findings
        ]
    return "\n".join(lines)
