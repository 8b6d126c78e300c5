"""Make a master again from what it says about itself, and say whether it is the same (E12)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.grouping import Group, LeftOut
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import BPM
from calibstudio.domain.master import MasterRecord
from calibstudio.domain.wording import count
from calibstudio.services.library import Library
from calibstudio.services.map_provenance import MapProvenance, read_map_provenance
from calibstudio.services.master_choice import only_detectors
from calibstudio.services.master_images import Makes
from calibstudio.services.master_parts import Chosen, Limits, Surroundings
from calibstudio.services.master_subtract import ScaledBy, Subtraction
from calibstudio.services.provenance import File, Provenance, as_it_was, read_provenance
from calibstudio.services.rebuild_compare import differences
from calibstudio.store.master_read import MasterFile, read_master
from calibstudio.store.publish import sha256_of

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A master that was made again."""

    path: Path
    identical: bool
    """To the byte."""
    differences: tuple[str, ...] = ()
    """What differs, one sentence each; also why it could not be made."""
    missing: tuple[str, ...] = ()
    """Names of files that were not found with the bytes they had."""

    @property
    def sentence(self) -> str:
        """The result in words."""
        if self.identical:
            return f"{self.path.name} was made again and is the same to the byte."
        what = "cannot be made again" if self.missing else "was made again and differs"
        return f"{self.path.name} {what}: {' '.join(self.differences)}"


def rebuild_master(
    ctx: JobContext,
    path: Path,
    folders: Sequence[Path],
    *,
    library: Library | None = None,
    memory_bytes: int | None = None,
    threads: int | None = None,
) -> Rebuilt:
    """Make a master again in a temporary folder and compare it; nothing of it is kept.

    Parameters
    ----------
    path
        A master that this program made.
    folders
        Where its frames and masters are looked for, with the folder of the master itself.
    library
        Knows where frames were when the master was made, and other masters.

    Raises
    ------
    FileProblemError
        The master cannot be read, or does not say how it was made.
    Cancelled
        If asked to stop; nothing is left behind.
    """
    finding, making, comparing = ctx.split(1, 6, 1)
    master = read_master(path)
    of_map = made = None
    if master.record.kind == BPM:
        of_map = read_map_provenance(master.provenance, path.name)
        wanted = _wanted_for_map(master, of_map)
    else:
        made = read_provenance(master.provenance, path.name)
        wanted = _wanted(master, made)
    found = find_files(finding, wanted, [*folders, path.parent], library)
    lost = [file for file in wanted if file.sha256 not in found]
    if lost:
        return Rebuilt(path, False, (_about_lost(lost, folders),), tuple(f.name for f in lost))
    with tempfile.TemporaryDirectory(prefix="calibstudio-") as temporary:
        folder = Path(temporary)
        if made is not None:
            limits = Limits(memory_bytes, threads)
            again = _make(making, master, made, found, folder, limits)
        elif of_map is not None:
            again = _make_map(making, master, of_map, found, folder)
        comparing.progress(0.1, f"Comparing {path.name}")
        said = differences(path, again)
    return Rebuilt(path, not said, said)


def _wanted(master: MasterFile, made: Provenance) -> list[File]:
    """Every file that is needed, each once."""
    files = [File(r.file, r.sha256) for r in master.inputs if r.used]
    files += [File(u.file, u.sha256) for u in master.record.used]
    files += [made.mask] if made.mask is not None else []
    return list({file.sha256: file for file in files}.values())


def _wanted_for_map(map_: MasterFile, made: MapProvenance) -> list[File]:
    """Its masters, and the frames of its dark where they were looked at."""
    files = [File(u.file, u.sha256) for u in map_.record.used]
    if made.with_frames:
        files += [File(r.file, r.sha256) for r in map_.inputs if r.used]
    return list({file.sha256: file for file in files}.values())


def _make_map(
    ctx: JobContext,
    map_: MasterFile,
    made: MapProvenance,
    found: Mapping[str, Path],
    folder: Path,
) -> Path:
    """Make the map below a folder, from the files that were found."""
    from calibstudio.services.master_defects import Sources, make_map, overscan_of

    reading, making = ctx.split(1, 6)
    names = {u.sha256: u.file for u in map_.record.used}

    def master(sha256: str | None) -> MasterFile | None:
        if sha256 is None:
            return None
        place = _under_its_name(found[sha256], names[sha256], folder / "masters" / sha256[:8])
        return read_master(place, sha256=sha256)

    dark, bias, flat = (master(one) for one in (made.dark, made.bias, made.flat))
    assert dark is not None
    paths = [found[r.sha256] for r in map_.inputs if r.used] if made.with_frames else []
    headers = _headers(reading, paths)
    sources = Sources(
        dark.record,
        None if bias is None else bias.record,
        None if flat is None else flat.record,
        tuple(only_detectors(headers[path]) for path in paths),
        overscan_of(dark.record, made.recipe),
        made.egain_e_per_adu,
    )
    again = make_map(making, sources, dark.inputs, made.recipe, folder / "map")
    if again is None:
        raise FileProblemError(f"{map_.path.name} has no detector any more.", hint="")
    return again[0].path


def find_files(
    ctx: JobContext, wanted: Sequence[File], folders: Iterable[Path], library: Library | None
) -> dict[str, Path]:
    """Find files by SHA-256: first where they were, then those of the same name, then any of all.

    A file is read only where its name or its size make it likely.
    """
    found: dict[str, Path] = {}
    if library is not None:
        for file in wanted:
            for place in library.places_of(file.sha256):
                if file.sha256 not in found and _is(place, file.sha256):
                    found[file.sha256] = place
    by_name: dict[str, list[Path]] = {}
    for folder in dict.fromkeys(folders):
        places = [folder] if folder.is_file() else sorted(folder.rglob("*"))
        for place in places:
            if place.is_file():
                by_name.setdefault(place.name, []).append(place)
    left = [file for file in wanted if file.sha256 not in found]
    for i, file in enumerate(left):
        ctx.progress(i / max(1, len(left)), f"Looking for {file.name}")
        for place in by_name.get(file.name, ()):
            if _is(place, file.sha256):
                found[file.sha256] = place
                break
    _find_renamed(ctx, [f for f in left if f.sha256 not in found], by_name, found)
    return found


def _find_renamed(
    ctx: JobContext,
    left: Sequence[File],
    by_name: Mapping[str, Sequence[Path]],
    found: dict[str, Path],
) -> None:
    """Read the files with the endings of those that are still missing."""
    hashes = {file.sha256 for file in left}
    endings = {Path(file.name).suffix.lower() for file in left}
    for places in by_name.values():
        for place in places:
            if not hashes:
                return
            if place.suffix.lower() not in endings:
                continue
            ctx.progress(0.9, f"Looking at {place.name}")
            try:
                digest = sha256_of(place)
            except OSError:
                continue
            if digest in hashes:
                found[digest] = place
                hashes.discard(digest)


def _is(place: Path, sha256: str) -> bool:
    try:
        return place.is_file() and sha256_of(place) == sha256
    except OSError:
        return False


def _about_lost(lost: Sequence[File], folders: Sequence[Path]) -> str:
    names = ", ".join(file.name for file in lost[:_MOST_NAMED])
    if len(lost) > _MOST_NAMED:
        names += f" and {count(len(lost) - _MOST_NAMED, 'other file')}"
    where = "" if folders else " Name the folders they are in."
    is_, has = ("is", "has") if len(lost) == 1 else ("are", "have")
    return f"{names} {is_} missing or {has} changed since.{where}"


def _make(
    ctx: JobContext,
    master: MasterFile,
    made: Provenance,
    found: Mapping[str, Path],
    folder: Path,
    limits: Limits,
) -> Path:
    """Build the master below a folder, from the files that were found."""
    from calibstudio.services.judge_sets import judge_set_alone_and_beside
    from calibstudio.services.master_build import build_master

    reading, setting, building = ctx.split(1, 2, 6)
    frames = [
        _under_its_name(found[r.sha256], r.file, folder / "frames" / str(i))
        if r.used
        else folder / "frames" / str(i) / r.file
        for i, r in enumerate(master.inputs)
    ]
    chosen = _chosen(reading, master, made, frames)
    used = tuple(h.path for h in chosen.headers)
    records = {u.sha256: read_master(found[u.sha256]).record for u in master.record.used}
    subtraction = _subtraction(made, used, records)
    alone, _ = judge_set_alone_and_beside(
        setting,
        replace(chosen.group, frames=used),
        {h.path: h for h in chosen.headers},
        biases=(),
        bias_level_adu=subtraction.pedestal_adu,
        overscan=chosen.overscan,
        thresholds=made.thresholds,
    )
    around = Surroundings(subtraction=subtraction, alone=alone, thresholds=made.thresholds)
    recipe = made.recipe
    if made.mask is not None:
        mask = _under_its_name(found[made.mask.sha256], made.mask.name, folder / "mask")
        recipe = replace(recipe, flat=replace(recipe.flat, mask=str(mask)))
    return build_master(building, chosen, around, recipe, folder / "master", limits)[0].path


def _under_its_name(place: Path, name: str, folder: Path) -> Path:
    """Return a path to a file under the name it had; frames are known by their names."""
    if place.name == name:
        return place
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / Path(name).name
    try:
        target.symlink_to(place)
    except OSError:
        shutil.copyfile(place, target)
    return target


def _headers(ctx: JobContext, paths: Sequence[Path]) -> dict[Path, FrameHeader]:
    from calibstudio.services.import_frames import scan

    return {h.path: h for h in scan(ctx, paths, cache=False).headers} if paths else {}


def _chosen(
    ctx: JobContext, master: MasterFile, made: Provenance, frames: Sequence[Path]
) -> Chosen:
    """Return the frames as they were chosen, with the levels and reasons that were written."""
    rows = list(zip(master.inputs, frames, made.frames, strict=True))
    read = _headers(ctx, [path for row, path, _ in rows if row.used])
    makes = Makes.of([path for row, path, _ in rows if row.used], made.recipe.overscan)
    headers = []
    offered: dict[Path, FrameHeader] = {}
    for row, path, said in rows:
        if row.used:
            if path not in read:
                raise FileProblemError(f"{path} cannot be read any more.", hint="Look at the file.")
            offered[path] = as_it_was(read[path], said)
            headers.append(makes.treated(offered[path]))
        else:
            offered[path] = FrameHeader(
                path,
                observed_utc=row.observed_utc,
                exposure_s=row.exposure_s,
                sensor_temp_c=row.sensor_temp_c,
            )
    record = master.record
    group = Group(record.id, record.kind, record.key, tuple(frames))
    return Chosen(
        group,
        tuple(headers),
        offered,
        made.images,
        {path: row.sha256 for row, path, _ in rows if row.sha256},
        {path: row.level_adu for row, path, _ in rows if row.level_adu is not None},
        tuple(LeftOut(path, row.reason) for row, path, _ in rows if not row.used),
        made.notes,
        overscan=makes.overscan,
        overscan_adu={p: x for p, v in makes.looks.items() if (x := v.overscan_adu) is not None},
        kept=makes.kept,
        words=makes.words(made.images),
    )


def _subtraction(
    made: Provenance, used: Sequence[Path], records: Mapping[str, MasterRecord]
) -> Subtraction:
    by_frame = {p: records[sha] for p, (sha, _, _) in zip(used, made.taken, strict=True) if sha}
    scaled = {
        p: ScaledBy(records[sha], factor)
        for p, (_, sha, factor) in zip(used, made.taken, strict=True)
        if sha
    }
    return Subtraction(
        by_frame, scaled, made.bias_out, made.dark_out, made.sentences, made.findings
    )
