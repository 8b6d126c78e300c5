"""The steps of a plan with what each costs: on the last page of every wizard."""

from __future__ import annotations

from dataclasses import dataclass

from calibstudio.domain.equipment import CameraInfo
from calibstudio.domain.kinds import kind_title
from calibstudio.domain.outlook import StepCost, step_costs
from calibstudio.domain.plan import CapturePlan, Search
from calibstudio.domain.wording import NARROW, count, duration, exposure, file_size, temperature
from calibstudio.gui.capture.framed_table import FramedTable
from calibstudio.gui.capture.words import binning_words
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.table import Column, RecordTableModel, TableView


@dataclass(frozen=True, slots=True)
class Line:
    """One row."""

    order: int
    cost: StepCost


def exposure_words(cost: StepCost) -> str:
    """Say an exposure: as it is, as expected, or that it is searched."""
    if cost.is_guess:
        return "searched"
    said = exposure(cost.exposure_s)
    searched = cost.step.search is Search.EXPOSURE or cost.step.exposure_from is not None
    return f"≈{NARROW}{said}" if searched else said


def _settings(line: Line) -> str:
    settings = line.cost.step.settings
    parts = [] if settings.set_temp_c is None else [temperature(settings.set_temp_c)]
    parts.append(binning_words(settings.binning))
    return ", ".join(parts)


COLUMNS: tuple[Column[Line], ...] = (
    Column("Order", lambda r: r.order, str, align="right", width=60),
    Column("Step", lambda r: kind_title(r.cost.step.kind), width=110, strong=True),
    Column("Filter", lambda r: r.cost.step.filter or "", width=90),
    Column("Exposure", lambda r: exposure_words(r.cost), align="right", width=110),
    Column("Good frames", lambda r: r.cost.step.count, str, align="right", width=110),
    Column("Time", lambda r: duration(r.cost.seconds), align="right", width=120),
    Column("Disk", lambda r: file_size(r.cost.bytes), align="right", width=100),
    Column("Temperature, binning", _settings, width=120),
)
_ORDER, _FILTER, _SETTINGS = 0, 2, 7


class PlanTable(FramedTable):
    """What happens after Start, in order."""

    def __init__(self, theme: ThemeState) -> None:
        self._compact, self._has_filters, self._is_uniform = False, True, True
        self._model: RecordTableModel[Line] = RecordTableModel(
            COLUMNS, key=lambda line: line.cost.step.id
        )
        table = TableView(theme, self._model, name="Steps of the plan", row_height=32)
        super().__init__(theme, "What happens, in order", table, most_rows=14)

    def show_plan(
        self, plan: CapturePlan, info: CameraInfo, exposures_s: dict[str, float] | None = None
    ) -> None:
        """Show the steps of a plan; ``exposures_s`` by step id are what is expected."""
        costs = step_costs(plan, info, exposures_s=exposures_s)
        self._has_filters = any(c.step.filter for c in costs)
        self._is_uniform = len({c.step.settings for c in costs}) == 1
        self._model.set_records([Line(i, cost) for i, cost in enumerate(costs, start=1)])
        self.note.setText(count(len(costs), "step"))
        self._hide_what_says_nothing()
        self.fit()

    def set_compact(self, compact: bool) -> None:
        """Less room: the order goes, it is that of the rows."""
        self._compact = compact
        self._hide_what_says_nothing()

    def _hide_what_says_nothing(self) -> None:
        hidden = set() if self._has_filters else {_FILTER}
        if self._compact:
            hidden.add(_ORDER)
            if self._is_uniform:
                hidden.add(_SETTINGS)
        self.set_hidden(hidden)
