"""Writing a bad-pixel map for another program, from the window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QStandardPaths
from PySide6.QtWidgets import QFileDialog, QWidget

from calibstudio.domain.errors import UsageError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.wording import count
from calibstudio.gui.context import GuiContext
from calibstudio.gui.sheet import file_dialog

FILTERS = (
    "Siril, bad-pixel list (*.lst);;PixInsight, defect list (*.txt);;"
    "Table (*.csv *.ecsv);;FITS mask (*.fits)"
)
FORMS = {
    ".lst": "siril",
    ".txt": "pixinsight",
    ".csv": "table",
    ".ecsv": "table",
    ".fits": "mask",
    ".fit": "mask",
    ".fts": "mask",
}
"""The form that a file's ending asks for."""


def ask_where(context: GuiContext, parent: QWidget, record: MasterRecord) -> QFileDialog:
    """Let the operator name a file; its ending says for whom the list is."""
    dialog = file_dialog(
        context.theme,
        parent,
        "Export the bad-pixel map",
        start=start_folder(context),
        save=True,
        filters=FILTERS,
    )
    dialog.setDefaultSuffix("lst")
    endings = {"Siril": "lst", "PixInsight": "txt", "Table": "csv", "FITS": "fits"}
    dialog.filterSelected.connect(
        lambda text: dialog.setDefaultSuffix(endings[str(text).split(",")[0].split(" ")[0]])
    )
    dialog.selectFile("bad_pixels")
    dialog.fileSelected.connect(lambda path: export_map(context, record, Path(path)))
    dialog.open()
    return dialog


def start_folder(context: GuiContext) -> Path:
    """Return where an export begins: where the last one went, else the documents folder."""
    last = context.settings.current.export_folder
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    places = [Path(text) for text in (last, documents) if text]
    return next((place for place in places if place.is_dir()), Path.home())


def export_map(context: GuiContext, record: MasterRecord, path: Path) -> None:
    """Write the list in the background, and say where it is."""
    form = FORMS.get(path.suffix.lower())
    if form is None:
        context.problems.report(
            UsageError(
                f"{path.name}: it is not clear for whom the list is.",
                hint="End the name with .lst (Siril), .txt (PixInsight), .csv or .fits.",
            )
        )
        return

    context.settings.change(export_folder=str(path.parent))

    def work(ctx: JobContext) -> tuple[Path, ...]:
        from calibstudio.services.defect_export import export_defects
        from calibstudio.store.defect_lists import ListForm

        return export_defects(record, ListForm(form), path)

    job = context.background.submit(f"Export {path.name}", work, quiet=True)
    job.succeeded.connect(
        lambda files: context.toasts.say(
            f"{path.name} was written."
            if len(files) == 1
            else f"{count(len(files), 'file')} were written.",
            "good",
            hint=str(path.parent),
        )
    )
    job.failed.connect(context.problems.report)
