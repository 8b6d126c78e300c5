"""Which recipe masters are made by: the shipped ones, and one from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from calibstudio.domain.errors import CalibStudioError
from calibstudio.domain.recipe import Recipe
from calibstudio.gui.sheet import file_dialog
from calibstudio.gui.theme import ThemeState
from calibstudio.gui.widgets.fields import ComboField
from calibstudio.store.recipes import load_recipe, shipped_recipes

FROM_FILE = "file"
_FIRST = "default"


class RecipeChoice(ComboField):
    """A list of recipes; the last entry asks for a file.

    Signals
    -------
    recipe_chosen(object)
        The operator chose another `Recipe`.
    """

    recipe_chosen = Signal(object)

    def __init__(
        self,
        theme: ThemeState,
        report: Callable[[Exception], object],
        parent: QWidget | None = None,
    ) -> None:
        """``report`` says what is wrong with a file."""
        super().__init__(theme, name="Recipe", parent=parent)
        self._report = report
        self._files: list[Path] = []
        self._now = _FIRST
        self.file_dialog: QFileDialog | None = None
        self.setFixedWidth(184)
        self._fill()
        self.chosen.connect(self._on_chosen)

    def _fill(self) -> None:
        names = sorted(shipped_recipes(), key=lambda name: (name != _FIRST, name))
        options: list[tuple[object, str]] = [(name, f"Recipe {name}") for name in names]
        options += [(str(file), f"Recipe {file.stem}") for file in self._files]
        self.set_options([*options, (FROM_FILE, "Recipe from file…")], self._now)

    @Slot(object)
    def _on_chosen(self, value: object) -> None:
        if value == FROM_FILE:
            self.set_value(self._now)
            self._ask()
        else:
            self.use(str(value))

    def _ask(self) -> None:
        dialog = file_dialog(
            self._theme, self.window(), "Open a recipe", filters="Recipes (*.toml)"
        )
        dialog.fileSelected.connect(self.use)
        self.file_dialog = dialog
        dialog.open()

    @Slot(str)
    def use(self, name_or_file: str) -> None:
        """Read a recipe and offer it; one with mistakes is said and not taken."""
        try:
            recipe: Recipe = load_recipe(name_or_file)
        except CalibStudioError as error:
            self._report(error)
            self.set_value(self._now)
            return
        if name_or_file not in shipped_recipes() and Path(name_or_file) not in self._files:
            self._files.append(Path(name_or_file))
        self._now = name_or_file
        self._fill()
        self.setToolTip(recipe.description or recipe.name)
        self.recipe_chosen.emit(recipe)
