"""What other masters around add to the judgement of a master: kept by the library, not the file.

A master's file says what follows from its own frames and from what was taken out of them, so that
the same frames give the same bytes whatever else a library holds. A bias gives a dark its dark
current and a flat's photon transfer its read noise: that is judged when the master is filed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from calibstudio.domain.quality import Assessment, Finding, Metric


@dataclass(frozen=True, slots=True)
class Beside:
    """Metrics and findings that a library has beside those of a master's file."""

    metrics: tuple[Metric, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def assessment(self) -> Assessment:
        """The same, as it is stored."""
        return Assessment(self.metrics, self.findings)


def beside_of(own: Assessment, whole: Assessment, bias: str = "") -> Beside:
    """Return what a judgement with more around says beyond the master's own.

    Parameters
    ----------
    bias
        Name of the master bias that it was judged beside; the metrics say it.
    """
    before = {m.name: m for m in own.metrics}
    changed = [m for m in whole.metrics if before.get(m.name) != m]
    names = {m.name for m in changed}
    findings = [f for f in whole.findings if f.metric in names or f not in own.findings]
    if bias:
        changed = [replace(m, why=f"{m.why} Beside {bias}.".strip()) for m in changed]
    return Beside(tuple(changed), tuple(findings))


def judged_beside(known: Assessment, more: Beside) -> Assessment:
    """Return a judgement with what was found beside it.

    Numbers that were measured before and cannot be now stay: a later run without bias frames does
    not forget the gain that an earlier one measured.
    """
    new = {m.name: m for m in more.metrics if m.value is not None or known.value(m.name) is None}
    metrics = [new.pop(m.name, m) for m in known.metrics]
    names = {m.name for m in more.metrics if m in (*metrics, *new.values())}
    titles = {f.title for f in more.findings if not f.metric}
    kept = [f for f in known.findings if not (f.metric in names if f.metric else f.title in titles)]
    added = [f for f in more.findings if not f.metric or f.metric in names]
    return Assessment((*metrics, *new.values()), (*kept, *added))
