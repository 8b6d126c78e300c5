"""The order in which filters get their twilight: as measured on this rig, else as is usual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from calibstudio.domain.plan import CameraSettings, CapturePlan, CaptureStep, LightSource
from calibstudio.domain.twilight import Twilight, in_order_of_light
from calibstudio.services.trained import TrainedStore

USUAL = {
    Twilight.DUSK: "usual: narrow and blue first",
    Twilight.DAWN: "usual: broad first",
}


@dataclass(frozen=True, slots=True)
class LightOrder:
    """Filters in the order they are taken, and where the order comes from."""

    filters: tuple[str, ...]
    why: str
    """``as measured 2026-04-16``, ``as trained on the panel``, ``usual: narrow and blue first``."""


def light_order(
    filters: Sequence[str],
    twilight: Twilight,
    settings: CameraSettings,
    trained: TrainedStore | None,
) -> LightOrder:
    """Return filters as the light wants them.

    By the rates of earlier twilights where two filters or more have one; else by those of the
    panel, whose light is another, but comes through the same filters; else by their names.
    """
    names = tuple(filters)
    usual = LightOrder(in_order_of_light(names, twilight), USUAL[twilight])
    if trained is None or len(names) < 2:
        return usual
    sky = {n: r for n, r in trained.sky_rates(settings).items() if n in names}
    if len(sky) >= 2:
        rates = {n: r.rate_adu_per_s for n, r in sky.items()}
        why = f"as measured {max(r.at for r in sky.values()):%Y-%m-%d}"
    else:
        rates = {n: r for n, r in trained.panel_rates(settings).items() if n in names}
        why = "as trained on the panel"
        if len(rates) < 2:
            return usual
    guessed = [n for n in names if n not in rates]
    if guessed:
        why += f"; {', '.join(guessed)} as usual"
    return LightOrder(in_order_of_light(names, twilight, rates), why)


def measured_e(
    trained: TrainedStore | None, settings: CameraSettings, e_per_adu: float
) -> dict[str, float]:
    """Return by filter the electrons per second over the law's brightness, as far as measured."""
    if trained is None:
        return {}
    return {n: r.rate_adu_per_s * e_per_adu for n, r in trained.sky_rates(settings).items()}


def in_measured_order(plan: CapturePlan, trained: TrainedStore | None) -> CapturePlan:
    """Return a plan whose flats of the sky are in the order of the light, as far as measured.

    Flats with the same settings and end of the night change places with each other only.
    """
    steps = list(plan.steps)
    groups: dict[tuple[CameraSettings, Twilight], list[int]] = {}
    for i, step in enumerate(steps):
        if step.light is LightSource.SKY and step.twilight is not None and step.filter:
            groups.setdefault((step.settings, step.twilight), []).append(i)
    for (settings, twilight), places in groups.items():
        by_filter = {steps[i].filter or "": steps[i] for i in places}
        if len(by_filter) == len(places):
            order = light_order(tuple(by_filter), twilight, settings, trained)
            for i, name in zip(places, order.filters, strict=True):
                steps[i] = by_filter[name]
    return replace(plan, steps=tuple(_sources_first(steps)))


def _sources_first(steps: Sequence[CaptureStep]) -> list[CaptureStep]:
    """Return steps so that each follows the one its exposure comes from."""
    done: set[str] = set()
    ordered: list[CaptureStep] = []
    waiting = list(steps)
    while waiting:
        ready = next(
            (s for s in waiting if s.exposure_from is None or s.exposure_from in done), waiting[0]
        )
        waiting.remove(ready)
        ordered.append(ready)
        done.add(ready.id)
    return ordered
