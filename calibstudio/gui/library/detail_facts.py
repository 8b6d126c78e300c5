"""The facts about a master that are always in sight, and the sentence of its verdict."""

from __future__ import annotations

from collections.abc import Mapping

from calibstudio.domain.kinds import BPM, kind_title
from calibstudio.domain.master import MasterRecord, ReviewState
from calibstudio.domain.measured_gain import GAIN_OF_FLAT
from calibstudio.domain.quality import Finding
from calibstudio.domain.wording import number
from calibstudio.gui.library.detail_columns import metric_text
from calibstudio.gui.library.table import REVIEW_WORDS

FACTS: Mapping[str, tuple[str, ...]] = {
    "flat": ("master_snr", "vignetting", "gradient", "dust", "rejected"),
    "bias": ("level", "unc_median", "noise", "read_noise", "row_structure", "rejected"),
    BPM: (),
}
"""The numbers that tell most about a kind, the others are in Metrics."""
_FACTS_OF_DARKS = ("level", "unc_median", "noise", "dark_current", "hot_pixel_count", "rejected")


def fact_rows(record: MasterRecord) -> list[tuple[str, str, str]]:
    """Return (name, value, where it comes from) of each fact."""
    is_map = record.kind == BPM
    frames = f"{number(record.n_combined)} of {number(record.n_frames)}"
    rows = [("Frames of the dark" if is_map else "Frames", frames, "")]
    for name in FACTS.get(record.kind, _FACTS_OF_DARKS):
        metric = record.assessment.metric(name)
        if metric is not None and metric.value is not None:
            rows.append((metric.label, metric_text(metric), metric.why))
    behind = record.assessment.metric(GAIN_OF_FLAT)
    if behind is not None and behind.value is not None:
        rows.append(("Gain", f"{metric_text(behind)} · {behind.why}", behind.why))
    used = ", ".join(kind_title(u.kind).lower() for u in record.used)
    files = "\n".join(f"{kind_title(u.kind)} {u.file}" for u in record.used)
    out = used or ("the bias" if record.bias_subtracted else "nothing")
    rows.append(("Made from", used, files) if is_map else ("Taken out", out, files))
    rows.append(("Recipe", record.recipe, ""))
    return rows


def deciding_finding(record: MasterRecord) -> Finding:
    """Return what decides about a master, with what a person said."""
    finding = record.assessment.worst_finding
    if finding is None:
        used = f"{record.n_combined} of {record.n_frames} frames"
        finding = Finding(record.verdict, "nothing wrong", f"{used} are in it.")
    if record.state is ReviewState.NEW:
        return finding
    said = f"{REVIEW_WORDS[record.state]} by a person"
    why = f": {record.state_reason.rstrip('.')}" if record.state_reason else ""
    what = f"{finding.what} {said}{why}.".strip()
    return Finding(finding.verdict, finding.title, what, finding.cause, finding.cure)
