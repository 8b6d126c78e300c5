"""The rigs of this computer: list, find, save, rename, duplicate, delete and bring back."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

from calibstudio.domain.errors import FileProblemError, UsageError, WriteProblemError
from calibstudio.domain.rig import Rig, checked_rig_name
from calibstudio.services.answers import answers_path
from calibstudio.services.trained import trained_path
from calibstudio.store.rig_file import ReadRig, RigFolder, read_rig, rig_text
from calibstudio.store.settings_file import read_text, replace_text

REMOVED = "removed"
"""Folder of the rigs that were deleted."""
NO_RIGS = "Make one with calibstudio rigs add NAME, or in the settings under Equipment."


@dataclass(frozen=True, slots=True)
class RigList:
    """All rigs by name, and a sentence for everything in the folder that could not be used."""

    rigs: tuple[Rig, ...] = ()
    problems: tuple[str, ...] = ()


class Rigs:
    """The rigs in one folder. Reads it each time: it may be edited by hand meanwhile.

    Parameters
    ----------
    folder
        Where the files are; made when the first is written.
    data_folder
        Where learned values are kept by the name of the rig; they follow a new name.
    reserved
        Names that mean something else, as those of the simulated observatories.
    """

    def __init__(
        self, folder: Path, *, data_folder: Path | None = None, reserved: tuple[str, ...] = ()
    ) -> None:
        self._files = RigFolder(folder)
        self._data_folder = data_folder
        self._reserved = frozenset(name.casefold() for name in reserved)
        self._lock = threading.RLock()

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._files.folder

    def list(self) -> RigList:
        """Return every rig that can be read."""
        found, problems = self._files.read()
        said = [*problems]
        rigs: dict[str, Rig] = {}
        for path, read in found.items():
            said += [f"{path}: {text}." for text in read.complaints]
            if read.rig.name.casefold() in rigs:
                said.append(f"{path} is left out: there is another rig called {read.rig.name}.")
                continue
            rigs[read.rig.name.casefold()] = read.rig
        return RigList(tuple(rigs[key] for key in sorted(rigs)), tuple(said))

    def find(self, name: str) -> Rig | None:
        """Return the rig of a name, in any case of its letters; None when there is none."""
        return next((r for r in self.list().rigs if r.name.casefold() == name.casefold()), None)

    def get(self, name: str) -> Rig:
        """Return the rig of a name.

        Raises
        ------
        UsageError
            There is none.
        """
        rig = self.find(name)
        if rig is None:
            names = ", ".join(r.name for r in self.list().rigs)
            hint = f"There are: {names}." if names else NO_RIGS
            raise UsageError(f"There is no rig called {name}.", hint=hint)
        return rig

    def save(self, rig: Rig, *, new: bool = False) -> None:
        """Write a rig in the place of the one of its name.

        Parameters
        ----------
        new
            Whether it must not be there yet.

        Raises
        ------
        UsageError
            The name is taken or means something else.
        WriteProblemError
        """
        with self._lock:
            if new:
                self.check_free(rig.name)
            self._files.write(self._path(rig.name), rig)

    def rename(self, name: str, new_name: str) -> Rig:
        """Give a rig another name; what it learned goes with it.

        Raises
        ------
        UsageError, WriteProblemError
        """
        with self._lock:
            rig = self.get(name)
            if new_name.casefold() != rig.name.casefold():
                self.check_free(new_name)
            path = self._path(rig.name)
            renamed = _named(rig, new_name)
            self._files.write(path, renamed)
            self._move_learned(rig.name, new_name)
            return renamed

    def duplicate(self, name: str) -> Rig:
        """Copy a rig under a free name; it has yet to learn.

        Raises
        ------
        UsageError, WriteProblemError
        """
        with self._lock:
            rig = self.get(name)
            taken = {r.name.casefold() for r in self.list().rigs}
            number, free = 2, f"{rig.name[:70]} 2"
            while free.casefold() in taken:
                number += 1
                free = f"{rig.name[:70]} {number}"
            copied = _named(rig, free)
            self.save(copied, new=True)
            return copied

    def delete(self, name: str) -> Path:
        """Put the file of a rig aside and return it: `restore` brings it back.

        What the rig learned is kept.

        Raises
        ------
        UsageError, WriteProblemError
        """
        with self._lock:
            path = self._path(self.get(name).name)
            aside = self.folder / REMOVED
            number, kept = 1, aside / path.name
            while kept.exists():
                number += 1
                kept = aside / f"{path.stem}_{number}{path.suffix}"
            try:
                aside.mkdir(exist_ok=True)
                return path.rename(kept)
            except OSError as error:
                raise WriteProblemError(
                    f"{path} could not be moved aside: {error.strerror or error}.",
                    hint="Look at the permissions of its folder.",
                ) from error

    def restore(self, kept: Path) -> Rig:
        """Bring a deleted rig back.

        Raises
        ------
        FileProblemError
            The file is gone.
        UsageError
            There is another rig of its name meanwhile.
        WriteProblemError
        """
        with self._lock:
            rig = self.read_file(kept).rig
            self.save(rig, new=True)
            kept.unlink(missing_ok=True)
            return rig

    def export(self, name: str, path: Path) -> None:
        """Write a rig to a file of its own.

        Raises
        ------
        UsageError
            There is no such rig, or there is a file already.
        WriteProblemError
        """
        rig = self.get(name)
        if path.exists():
            raise UsageError(f"{path} is there already.", hint="Choose another name.")
        replace_text(path, rig_text(rig))

    def read_file(self, path: Path) -> ReadRig:
        """Read the file of a rig, which may come from elsewhere; nothing is saved.

        Raises
        ------
        FileProblemError
            It is not there, or no rig.
        """
        text = read_text(path)
        if text is None:
            raise FileProblemError(f"{path} cannot be read.", hint="Look whether it exists.")
        try:
            return read_rig(text)
        except ValueError as error:
            raise FileProblemError(
                f"{path} is not the file of a rig: {error}.",
                hint="calibstudio rigs export NAME FILE writes such a file.",
            ) from error

    def check_free(self, name: str) -> None:
        """Look whether a rig may be called so.

        Raises
        ------
        UsageError
            It is no name, or taken.
        """
        try:
            checked_rig_name(name)
        except ValueError as error:
            raise UsageError(f"“{name}” cannot be the name of a rig: {error}.") from error
        if name.casefold() in self._reserved:
            raise UsageError(
                f"“{name}” is the name of a simulated observatory.", hint="Choose another name."
            )
        if self.find(name) is not None:
            raise UsageError(
                f"There is a rig called {name} already.",
                hint="Choose another name, or remove that one first.",
            )

    def _path(self, name: str) -> Path:
        return self._files.path_for(name, self._files.read()[0])

    def _move_learned(self, before: str, after: str) -> None:
        if self._data_folder is None:
            return
        for path_of in (trained_path, answers_path):
            old, new = (path_of(self._data_folder, name) for name in (before, after))
            if old.exists() and not new.exists():
                old.rename(new)


def _named(rig: Rig, name: str) -> Rig:
    try:
        return replace(rig, name=name)
    except ValueError as error:
        raise UsageError(f"“{name}” cannot be the name of a rig: {error}.") from error


def rigs_here(
    reserved: tuple[str, ...] = (), settings: Path | None = None, data: Path | None = None
) -> Rigs:
    """Return the rigs of this system, in a folder beside its settings. Makes no folder.

    Parameters
    ----------
    reserved
        See `Rigs`.
    settings, data
        File of the settings and folder of the data, where they are not the usual ones.
    """
    from calibstudio.services.settings import data_folder, settings_path

    folder = (settings or settings_path()).parent / "rigs"
    return Rigs(folder, data_folder=data or data_folder(), reserved=reserved)
