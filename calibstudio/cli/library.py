"""`calibstudio library`: list, show, decide, verify, rebuild."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstudio.cli.frame import Outcome, Problem, add_actions
from calibstudio.cli.headers import table
from calibstudio.cli.library_args import (
    add_library_arguments,
    findings_json,
    findings_text,
    library_named,
    master_json,
    metrics_json,
    what_it_is,
)
from calibstudio.domain.errors import UsageError
from calibstudio.domain.header import json_value
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import kind_word
from calibstudio.domain.master import MasterRecord, ReviewState
from calibstudio.domain.paths import whole_path
from calibstudio.domain.quality import Verdict
from calibstudio.domain.verdicts import metric_text
from calibstudio.domain.wording import count

if TYPE_CHECKING:
    from calibstudio.services.library import Library, Review

ACTIONS = {
    "list": "all masters, or those that match",
    "show": "everything about masters",
    "approve": "say that masters are fit for use, also BAD ones",
    "reject": "say that masters must not be used",
    "retire": "take masters out of use; they stay for what was made with them",
    "restore": "take a rejection or retirement back",
    "verify": "check every master's file against its hash; moved files are found again",
    "export": "write a master as XISF; a bad-pixel map for Siril, PixInsight, as a table or mask",
    "rebuild": "make the database again from the masters' files and the journal",
}
DECISIONS = {
    "approve": "approved",
    "reject": "rejected",
    "retire": "retired",
    "restore": "restored",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    for name, sub in add_actions(parser, ACTIONS):
        add_library_arguments(sub)
        if name == "list":
            _add_filters(sub)
        elif name == "show" or name in DECISIONS:
            sub.add_argument("ids", nargs="+", metavar="ID", help="first letters of a master's id")
        elif name == "export":
            _add_export(sub)
        if name in DECISIONS:
            sub.add_argument("--reason", default="", help="why; kept with the decision")


def _add_filters(parser: argparse.ArgumentParser) -> None:
    for option, text in (
        ("kind", "bias, dark, 'dark flat', flat or another kind"),
        ("camera", "name of the camera"),
        ("filter", "name of the filter"),
        ("verdict", "GOOD, WARN or BAD"),
        ("state", "new, approved, rejected or retired"),
    ):
        parser.add_argument(f"--{option}", action="append", default=[], help=text)
    parser.add_argument("--search", default="", metavar="WORDS", help="words that must be found")


FORMS = ("siril", "pixinsight", "table", "mask", "xisf")


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="ID", help="first letters of the id of a master or bad-pixel map"
    )
    parser.add_argument("--as", required=True, choices=FORMS, dest="form", help="for whom")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="FILE",
        help="of a map: siril .lst, pixinsight .txt, table .csv or .ecsv, mask .fits; of a master: "
        "xisf .xisf",
    )


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Do what the action says."""
    from calibstudio.services.library import Library

    name = library_named(args)
    out = None if args.out is None else whole_path(args.out)
    if args.action == "rebuild":
        return _rebuild(ctx, name, out)
    with Library.open(name, out, create=False) as library:
        if args.action == "list":
            return _list(args, library)
        if args.action == "show":
            return _show(args.ids, library)
        if args.action == "export":
            return _export(args, library)
        if args.action == "verify":
            return _verify(ctx, library)
        return _decide(args, library)


def _list(args: argparse.Namespace, library: Library) -> Outcome:
    from calibstudio.domain.master_query import MasterQuery, MasterSort

    query = MasterQuery(
        kinds=tuple(kind.lower().removeprefix("master ") for kind in args.kind),
        cameras=tuple(args.camera),
        filters=tuple(args.filter),
        verdicts=tuple(_member(Verdict, v.upper(), "verdict") for v in args.verdict),
        states=tuple(_member(ReviewState, s.lower(), "state") for s in args.state),
        search=args.search,
        sort=MasterSort.KIND,
        descending=False,
    )
    records = library.masters(query)
    rows = [
        (
            r.id,
            r.verdict.value,
            _state(r),
            r.kind,
            str(r.values.get("camera") or "unknown camera"),
            what_it_is(r),
            count(r.n_combined, "frame"),
        )
        for r in records
    ]
    text = "\n".join([*table(rows, indent=""), f"{count(len(records), 'master')}."])
    return Outcome({"masters": [master_json(r) for r in records]}, text)


def _member(kind: Any, word: str, what: str) -> Any:
    try:
        return kind(word)
    except ValueError as error:
        words = ", ".join(member.value for member in kind)
        raise UsageError(f"{word} is no {what}.", hint=f"Use one of {words}.") from error


def _state(record: MasterRecord) -> str:
    return "" if record.state is ReviewState.NEW else record.state.value


def _show(ids: Sequence[str], library: Library) -> Outcome:
    records = [library.get(prefix) for prefix in ids]
    documents = [_details(record, library) for record in records]
    problems = [
        Problem(f"{record.path} is missing.", "Run calibstudio library verify.")
        for record in records
        if not record.path.is_file()
    ]
    text = "\n\n".join(_show_text(record, library) for record in records)
    return Outcome({"masters": documents}, text, problems)


def _details(record: MasterRecord, library: Library) -> dict[str, Any]:
    return {
        **master_json(record),
        "values": {word: json_value(value) for word, value in record.values.items()},
        "unit": record.unit,
        "bias_subtracted": record.bias_subtracted,
        "dark_subtracted": record.dark_subtracted,
        "observed_first_utc": _when(record.observed_first_utc),
        "observed_last_utc": _when(record.observed_last_utc),
        "added_utc": _when(record.added_utc),
        "recipe": record.recipe,
        "software": record.software,
        "metrics": metrics_json(record.assessment.metrics),
        "findings": findings_json(record.assessment.findings),
        "used": [{"kind": u.kind, "file": u.file, "sha256": u.sha256} for u in record.used],
        "inputs": [
            {
                "file": row.file,
                "sha256": row.sha256,
                "observed_utc": _when(row.observed_utc),
                "exposure_s": row.exposure_s,
                "sensor_temp_c": row.sensor_temp_c,
                "level_adu": row.level_adu,
                "scale": row.scale,
                "rejected_fraction": row.rejected_fraction,
                "used": row.used,
                "reason": row.reason,
            }
            for row in library.inputs(record.sha256)
        ],
        "decisions": [
            {"what": d.what, "state": d.state, "reason": d.reason, "at_utc": _when(d.at)}
            for d in library.history(record.sha256)
        ],
    }


def _when(moment: Any) -> Any:
    return None if moment is None else json_value(moment)


def _show_text(record: MasterRecord, library: Library) -> str:
    kind = kind_word(record.kind, is_master=True)
    state = f" · {_state(record)}" if _state(record) else ""
    lines = [
        f"{kind[:1].upper()}{kind[1:]} · {what_it_is(record)}",
        f"  {record.verdict.value}{state} · {record.id}",
        f"  {record.path}",
        f"  {record.n_combined} of {count(record.n_frames, 'frame')} combined, "
        f"recipe {record.recipe}, {record.software}",
    ]
    lines += [f"  {u.kind} taken out: {u.file}" for u in record.used]
    lines += findings_text(record.assessment, "  ")
    rows = [(m.label, metric_text(m), m.verdict or "", m.why) for m in record.assessment.metrics]
    lines += ["", *table(rows), ""]
    for row in library.inputs(record.sha256):
        said = "used" if row.used else "left out"
        lines.append(f"  {row.file}: {said}{f'. {row.reason}' if row.reason else ''}")
    for decision in library.history(record.sha256):
        why = f": {decision.reason}" if decision.reason else ""
        lines.append(f"  {_when(decision.at)} {decision.what}{why}")
    return "\n".join(lines)


def _decide(args: argparse.Namespace, library: Library) -> Outcome:
    decide: Callable[[Sequence[str], str], Review] = getattr(library, args.action)
    review = decide(args.ids, args.reason)
    records = [library.get(change.sha256) for change in review.changes]
    document = {
        "changed": [
            {**master_json(record), "before": change.before}
            for record, change in zip(records, review.changes, strict=True)
        ]
    }
    lines = [
        f"{record.path.name}: {DECISIONS[args.action]} (was {change.before.value})."
        for record, change in zip(records, review.changes, strict=True)
    ]
    return Outcome(document, "\n".join(lines))


def _export(args: argparse.Namespace, library: Library) -> Outcome:
    from calibstudio.services.defect_export import export_defects
    from calibstudio.store.defect_lists import ListForm

    record = library.get(args.id)
    if args.form == "xisf":
        from calibstudio.services.xisf_export import export_xisf

        files = export_xisf(record, whole_path(args.output))
        document = {"master": master_json(record), "as": "xisf", "files": [str(f) for f in files]}
        return Outcome(document, "\n".join(str(f) for f in files))
    files = export_defects(record, ListForm(args.form), whole_path(args.output))
    document = {"map": master_json(record), "as": args.form, "files": [str(f) for f in files]}
    return Outcome(document, "\n".join(str(f) for f in files))


def _verify(ctx: JobContext, library: Library) -> Outcome:
    from calibstudio.services.library_care import FileState, verify

    found = verify(ctx, library)
    document = {
        "files": [
            {
                "id": one.record.id,
                "path": str(one.record.path),
                "state": one.state,
                "detail": one.sentence,
            }
            for one in found
        ]
    }
    wrong = [one for one in found if one.state in (FileState.CHANGED, FileState.MISSING)]
    problems = [
        Problem(one.sentence, "Restore it from a backup, or build it again.") for one in wrong
    ]
    lines = [one.sentence for one in found if one.state is FileState.MOVED]
    sound = sum(one.state is FileState.SOUND for one in found)
    lines.append(f"{sound} of {count(len(found), 'master')} are as they were made.")
    return Outcome(document, "\n".join(lines), problems)


def _rebuild(ctx: JobContext, name: str, out: Path | None) -> Outcome:
    from calibstudio.services.library_care import rebuild

    found = rebuild(ctx, name, out)
    document = {
        "masters": found.n_masters,
        "decisions": found.n_decisions,
        "left_out": [{"path": str(e.path), "reason": e.reason} for e in found.left_out],
    }
    problems = [Problem(f"{e.path.name}: {e.reason}") for e in found.left_out]
    text = (
        f"{count(found.n_masters, 'master')} and {count(found.n_decisions, 'decision')} "
        "are in the library again."
    )
    return Outcome(document, text, problems)
