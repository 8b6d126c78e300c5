"""What the frames' own verdicts say about their set."""

from __future__ import annotations

from collections.abc import Sequence

from calibstudio.domain.quality import Assessment, Verdict
from calibstudio.domain.thresholds import Thresholds
from calibstudio.domain.verdicts import Judge
from calibstudio.domain.wording import count


def bad_frames(judged: Sequence[Assessment]) -> dict[int, str]:
    """Return the frames that are BAD by themselves, by position, with the reason."""
    return {
        i: f"BAD by itself. {_why(a)}" for i, a in enumerate(judged) if a.verdict is Verdict.BAD
    }


def add_frames_judged(
    judge: Judge,
    names: Sequence[str],
    judged: Sequence[Assessment],
    kept: Sequence[int],
    limits: Thresholds,
) -> None:
    """Judge a set by its frames: BAD when most of them are, WARN when most that are left are."""
    bad = [i for i, a in enumerate(judged) if a.verdict is Verdict.BAD]
    share = 100.0 * len(bad) / len(judged)
    first = judged[bad[0]].worst_finding if bad else None
    what = ""
    if bad:
        several = "are BAD by themselves" if len(bad) > 1 else "is BAD by itself"
        what = f"{len(bad)} of {count(len(judged), 'frame')} {several}: {_listed(names, bad)}."
        what += f" {_why(judged[bad[0]])}"
    judge.add(
        "bad_frames",
        share,
        limits.bad_frames,
        what=what.strip(),
        cause=first.cause if first else None,
        cure=first.cure if first else None,
    )
    warned = [i for i in kept if judged[i].verdict is Verdict.WARN]
    if 2 * len(warned) <= len(kept):
        return
    finding = judged[warned[0]].worst_finding
    what = f"{len(warned)} of {count(len(kept), 'frame')} left: {_listed(names, warned)}."
    judge.find(
        Verdict.WARN,
        finding.title if finding else "frames to look at",
        f"WARN for {what} {_why(judged[warned[0]])}".strip(),
        cause=finding.cause if finding else "",
        cure=finding.cure if finding else "",
    )


def _why(assessment: Assessment) -> str:
    finding = assessment.worst_finding
    return finding.what if finding is not None else ""


def _listed(names: Sequence[str], positions: Sequence[int]) -> str:
    more = " and others" if len(positions) > 3 else ""
    return ", ".join(names[i] for i in positions[:3]) + more
