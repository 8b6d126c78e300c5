"""`calibstudio rigs`: which devices, optics and site belong together, under a name."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstudio.cli.frame import Outcome, Problem, add_actions
from calibstudio.cli.rig_values import HOW, forget, set_values, value_lines, values_json
from calibstudio.domain.equipment import Optics, Site
from calibstudio.domain.errors import UsageError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.rig import SIMULATED, DeviceRef, Rig, Role, focus_of_words, focus_words
from calibstudio.domain.wording import count

if TYPE_CHECKING:
    from calibstudio.services.rigs import Rigs

ACTIONS = {
    "list": "all rigs",
    "show": "everything about a rig",
    "add": "make a rig of the equipment at an address, from a file, or simulated",
    "set": "state what the driver does not say of its camera, and its own limits of quality",
    "forget": "take away learned values, by their numbers in show",
    "focus": "say where the focuser stands for flats of each filter",
    "rename": "give a rig another name; what it learned goes with it",
    "copy": "copy a rig under a free name",
    "remove": "remove a rig; its file is kept aside, and add --file brings it back",
    "export": "write a rig to a file, for another computer",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    for name, sub in add_actions(parser, ACTIONS):
        if name != "list":
            sub.add_argument("name", metavar="NAME", help="name of the rig")
        if name == "rename":
            sub.add_argument("new_name", metavar="NEW", help="its new name")
        elif name == "focus":
            sub.add_argument(
                "focus",
                nargs="+",
                metavar="FILTER=POSITION",
                help="in steps of the focuser; FILTER= takes its position out",
            )
        elif name == "export":
            sub.add_argument("file", type=Path, metavar="FILE", help="where to write it")
        elif name == "set":
            sub.add_argument("values", nargs="+", metavar="KEY=VALUE", help=HOW)
        elif name == "forget":
            sub.add_argument("which", nargs="+", type=int, metavar="NUMBER", help="as in show")
        elif name == "add":
            _add_adding(sub)


def _add_adding(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--address",
        action="append",
        metavar="[PROTOCOL://]HOST:PORT[/CAMERA]",
        help="the first camera, wheel, panel, telescope and so on there, or the camera of this "
        "number or name; PROTOCOL is alpaca or indi, without it both are asked; give it again for "
        "more servers",
    )
    source.add_argument("--simulated", metavar="PRESET", help="a simulated observatory")
    source.add_argument("--file", type=Path, metavar="FILE", help="the file of a rig")
    parser.add_argument("--telescope", metavar="NAME", help="what the optics are called")
    parser.add_argument("--focal-length", type=float, metavar="MM", help="of the optics")
    parser.add_argument("--aperture", type=float, metavar="MM", help="of the optics")
    parser.add_argument(
        "--site",
        metavar="NAME,LATITUDE,LONGITUDE[,ELEVATION[,ZONE]]",
        help="where it stands: degrees north and east, metres, Europe/Berlin",
    )


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """List or change the rigs.

    Raises
    ------
    UsageError, DeviceError, FileProblemError, WriteProblemError
    Cancelled
    """
    rigs = _rigs()
    if args.action == "list":
        return _list(rigs)
    if args.action == "add":
        return _add(args, rigs, ctx)
    if args.action == "set":
        changed = set_values(rigs, args.name, args.values)
        return Outcome(rig_json(changed), rig_words(changed))
    if args.action == "forget":
        left, said = forget(rigs, args.name, args.which)
        return Outcome(rig_json(left), said)
    if args.action == "rename":
        renamed = rigs.rename(args.name, args.new_name)
        return Outcome(rig_json(renamed), f"{args.name} is now called {renamed.name}.")
    if args.action == "focus":
        focused = _focused(rigs.get(args.name), args.focus)
        rigs.save(focused)
        return Outcome(rig_json(focused), rig_words(focused))
    if args.action == "copy":
        copied = rigs.duplicate(args.name)
        return Outcome(rig_json(copied), f"Copied as {copied.name}.")
    if args.action == "remove":
        kept = rigs.delete(args.name)
        text = f"Removed {args.name}. Its file is kept: {kept}"
        return Outcome({"removed": args.name, "file": str(kept.absolute())}, text)
    if args.action == "export":
        rigs.export(args.name, args.file)
        return Outcome({"written": str(args.file.absolute())}, f"Written: {args.file}")
    rig = rigs.get(args.name)
    trained = _trained(rig)
    words = [f"  flat {t['filter'] or 'no filter'}: {t['exposure_s']:g} s" for t in trained]
    text = "\n".join([rig_words(rig), *words])
    return Outcome(rig_json(rig) | ({"trained_flats": trained} if trained else {}), text)


def _rigs() -> Rigs:
    from calibstudio.devices.simulator.observatory import PRESETS
    from calibstudio.services.rigs import rigs_here

    return rigs_here(tuple(PRESETS))


def _trained(rig: Rig) -> list[dict[str, Any]]:
    """The trained flats of a rig, as JSON carries them."""
    from calibstudio.services.settings import data_folder
    from calibstudio.services.trained import TrainedStore

    return [
        {k: v for k, v in asdict(value.key).items() if v is not None}
        | {
            "filter": value.key.filter,
            "exposure_s": value.exposure_s,
            "signal_adu": value.signal_adu,
            "at": value.at.isoformat(),
        }
        for value in TrainedStore.for_rig(data_folder(), rig.name).values()
    ]


def _list(rigs: Rigs) -> Outcome:
    found = rigs.list()
    lines = [rig_line(rig) for rig in found.rigs]
    lines.append(count(len(found.rigs), "rig"))
    if not found.rigs:
        lines.append("Make one with calibstudio rigs add NAME --address alpaca://HOST:PORT.")
    document = {"rigs": [rig_json(rig) for rig in found.rigs], "folder": str(rigs.folder)}
    return Outcome(document, "\n".join(lines), [Problem(text) for text in found.problems])


def _add(args: argparse.Namespace, rigs: Rigs, ctx: JobContext) -> Outcome:
    rigs.check_free(args.name)
    problems: list[Problem] = []
    if args.file is not None:
        read = rigs.read_file(args.file)
        rig = replace(read.rig, name=args.name)
        problems = [Problem(f"{args.file}: {text}.") for text in read.complaints]
    elif args.simulated is not None:
        rig = _simulated(args.name, args.simulated)
    else:
        from calibstudio.devices.rig_choice import rig_at

        rig = rig_at(args.name, args.address, ctx.token)
    rig = replace(rig, optics=_optics(args, rig.optics), site=_site(args.site) or rig.site)
    rigs.save(rig, new=True)
    return Outcome(rig_json(rig), rig_words(rig), problems)


def _simulated(name: str, preset: str) -> Rig:
    from calibstudio.devices.simulator.observatory import PRESETS

    if preset not in PRESETS:
        raise UsageError(
            f"There is no simulated observatory {preset}.", hint=f"There are: {', '.join(PRESETS)}."
        )
    return Rig(name, (DeviceRef(SIMULATED, "camera", preset),))


def _focused(rig: Rig, words: list[str]) -> Rig:
    """Change where the focuser stands for filters."""
    try:
        changed = {**rig.focus, **focus_of_words(",".join(words))}
        return replace(rig, focus={k: v for k, v in changed.items() if v is not None})
    except ValueError as error:
        raise UsageError(f"{error}.", hint="FILTER= takes a position out.") from error


def _optics(args: argparse.Namespace, before: Optics | None) -> Optics | None:
    if args.telescope is None and args.focal_length is None and args.aperture is None:
        return before
    for value, word in ((args.focal_length, "focal length"), (args.aperture, "aperture")):
        if value is not None and not 0 < value < 1e6:
            raise UsageError(f"The {word} cannot be {value:g} mm.", hint="Give millimetres.")
    base = before or Optics(telescope="")
    return Optics(
        base.telescope if args.telescope is None else args.telescope,
        base.focal_length_mm if args.focal_length is None else args.focal_length,
        base.aperture_mm if args.aperture is None else args.aperture,
    )


def _site(text: str | None) -> Site | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    hint = "Write NAME,LATITUDE,LONGITUDE, for example Backyard,52.52,13.40,40,Europe/Berlin."
    try:
        elevation = float(parts[3]) if len(parts) > 3 else 0.0
        site = Site(
            parts[0],
            float(parts[1]),
            float(parts[2]),
            elevation,
            parts[4] if len(parts) > 4 else None,
        )
    except (ValueError, IndexError) as error:
        raise UsageError(f"“{text}” is no site.", hint=hint) from error
    if not (-90 <= site.latitude_deg <= 90 and -180 <= site.longitude_deg <= 360):
        raise UsageError(f"“{text}” is no place on Earth.", hint=hint)
    return site


def rig_json(rig: Rig) -> dict[str, Any]:
    """A rig as JSON carries it."""
    document: dict[str, Any] = {
        "name": rig.name,
        "simulated": rig.is_simulated,
        "devices": [_device_json(device) for device in rig.devices],
    }
    if rig.focus:
        document["focus"] = dict(rig.focus)
    if rig.learned:
        document["learned"] = [
            {k: v for k, v in asdict(one).items() if v is not None} | {"at": one.at.isoformat()}
            for one in rig.learned
        ]
    if limits := rig.thresholds.to_dict():
        document["thresholds"] = limits
    document["knows"] = values_json(rig)
    for name, part in (("optics", rig.optics), ("site", rig.site)):
        if part is not None:
            document[name] = {k: v for k, v in asdict(part).items() if v is not None}
    return document


def _device_json(device: DeviceRef) -> dict[str, Any]:
    row = {"role": str(device.role)} | asdict(device)
    return {key: value for key, value in row.items() if value not in ("", None)}


def rig_line(rig: Rig) -> str:
    """A rig in one line."""
    camera = "no camera" if rig.camera is None else rig.camera.title
    more = len(rig.devices) - 1
    return f"{rig.name}: {camera}" + (f" and {count(more, 'more device')}" if more > 0 else "")


def rig_words(rig: Rig) -> str:
    """A rig for people."""
    lines = [rig.name]
    for role in Role:
        for device in rig.of_role(role):
            place = f"{device.protocol} {device.server}".strip()
            lines.append(f"  {role:<14}{device.title} ({place})")
    if rig.optics is not None:
        o = rig.optics
        parts = [o.telescope or "unnamed"]
        parts += [f"{o.focal_length_mm:g} mm"] if o.focal_length_mm else []
        parts += [f"aperture {o.aperture_mm:g} mm"] if o.aperture_mm else []
        lines.append(f"  {'optics':<14}{', '.join(parts)}")
    if rig.site is not None:
        s = rig.site
        lines.append(f"  {'site':<14}{s.name}, {s.latitude_deg:g}° N {s.longitude_deg:g}° E")
    if rig.focus:
        lines.append(f"  {'focus':<14}{focus_words(rig.focus)}")
    from calibstudio.services.rig_learning import learned_words

    lines += value_lines(rig)
    rows = enumerate(learned_words(rig), 1)
    lines += [f"  learned {i}: {name}: {value}" for i, (name, value) in rows]
    return "\n".join(lines)
