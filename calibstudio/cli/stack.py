"""`calibstudio stack`: combine files as they are into one image."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from calibstudio.cli.arguments import memory_size
from calibstudio.cli.frame import Outcome, Problem
from calibstudio.domain.errors import CalibStudioError, UsageError
from calibstudio.domain.jobs import JobContext, import_giving_way
from calibstudio.domain.overscan import IfWrong, OverscanLevel, OverscanOf, OverscanSettings
from calibstudio.domain.paths import whole_path
from calibstudio.domain.recipe import (
    Combine,
    Floor,
    Normalization,
    Rejection,
    StackSettings,
    Weight,
)

_LEAVE_OUT, _STOP = "leave-out", "stop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path, help="frames of one size")
    parser.add_argument(
        "-o",
        "--out",
        required=True,
        type=Path,
        metavar="OUT",
        help="FITS file to write; never replaced",
    )
    _add_rule(parser)
    _add_levels(parser)
    _add_running(parser)


def _add_choice(parser: argparse._ActionsContainer, option: str, usual: StrEnum, text: str) -> None:
    """Declare an option that takes the words of an enumeration."""
    parser.add_argument(
        option, choices=[one.value for one in type(usual)], default=usual.value, help=text
    )


def _add_rule(parser: argparse.ArgumentParser) -> None:
    """Declare what is rejected and kept."""
    _add_choice(
        parser,
        "--combine",
        Combine.MEAN,
        "how the kept values of a pixel become one (default: mean)",
    )
    _add_choice(
        parser,
        "--reject",
        Rejection.AUTO,
        "which values are left out (default: auto, by the number of frames)",
    )
    parser.add_argument(
        "--low",
        type=float,
        metavar="X",
        help="lower limit: sigmas (sigma, mad, winsorized, linear-fit), values (minmax), "
        "fraction (percentile), outlier fraction (esd)",
    )
    parser.add_argument(
        "--high", type=float, metavar="X", help="upper limit; for esd the significance"
    )
    parser.add_argument(
        "--iterations",
        type=int,
        metavar="N",
        help="rounds of rejection (default: until nothing more is rejected)",
    )
    parser.add_argument(
        "--min-keep",
        type=int,
        default=3,
        metavar="N",
        help="values that are kept at every pixel (default: 3)",
    )
    parser.add_argument(
        "--cutoff",
        type=_cutoff,
        default=None,
        metavar="X|none",
        help="winsorized: values further out become the median first, in sigmas",
    )


def _add_levels(parser: argparse.ArgumentParser) -> None:
    """Declare what is done to each frame before, and how much it counts."""
    _add_choice(
        parser,
        "--normalize",
        Normalization.NONE,
        "bring frames to one level first: multiplicative for flats (default: none)",
    )
    _add_overscan(parser)
    _add_choice(
        parser,
        "--floor",
        Floor.AUTO,
        "least sigma of a rule: noise, that of one frame as the frames show it, at least one "
        "code; none; auto (default), where the rule is chosen by the number of frames, noise for "
        "bias, dark and dark-flat frames and one code for all others, as masters have it",
    )
    _add_choice(
        parser,
        "--weight",
        Weight.NONE,
        "how much each frame counts in the mean (default: none, all the same)",
    )
    parser.add_argument(
        "--maps",
        action="store_true",
        help="also write how many values were rejected at each pixel: REJ_LOW and REJ_HIGH",
    )
    parser.add_argument(
        "--subtract",
        type=Path,
        metavar="FILE",
        help="bias or dark that is taken out of every frame first",
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    """Declare what is done about broken files, and what the work may take."""
    parser.add_argument(
        "--broken",
        choices=(_LEAVE_OUT, _STOP),
        default=_LEAVE_OUT,
        help="a frame that is cut off, gone or of another size, also while it is read: go on "
        "without it and say so, or stop (default: leave-out)",
    )
    parser.add_argument(
        "--memory",
        type=memory_size,
        metavar="SIZE",
        help="most memory, as 2G or 500M (default: 1G)",
    )
    parser.add_argument(
        "--threads", type=_threads, metavar="N", help="worker threads (default: all processors)"
    )


def _add_overscan(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("overscan")
    _add_choice(
        group,
        "--overscan",
        OverscanLevel.NONE,
        "take the level of the overscan out of every frame first; fit: a polynomial along "
        "the rows (default: none)",
    )
    _add_choice(
        group,
        "--overscan-of",
        OverscanOf.ROW,
        "a level for each row, or one for the whole (default: row)",
    )
    group.add_argument(
        "--overscan-order", type=int, default=2, metavar="N", help="degree of the polynomial (2)"
    )
    group.add_argument("--trim", action="store_true", help="cut away what is no picture")
    group.add_argument(
        "--biassec",
        default="",
        metavar="[X1:X2,Y1:Y2]",
        help="where the overscan is (default: BIASSEC of the header)",
    )
    group.add_argument(
        "--datasec",
        default="",
        metavar="[X1:X2,Y1:Y2]",
        help="where the data is (default: TRIMSEC or DATASEC of the header)",
    )
    _add_choice(
        group,
        "--if-wrong",
        IfWrong.LEAVE_OUT,
        "frames with wrong sections: leave them out, or use all untrimmed",
    )


def run(args: argparse.Namespace, ctx: JobContext) -> Outcome:
    """Combine, and make each file that was left out a problem."""
    import_giving_way("calibstudio.services.stack")
    from calibstudio.services.stack import stack_files
    from calibstudio.services.stack_headers import floor_word
    from calibstudio.services.stack_summary import summary

    files = [whole_path(path) for path in args.files]
    overscan, by_rig = _by_rig(_overscan(args), files)
    report = stack_files(
        ctx,
        files,
        whole_path(args.out),
        _settings(args),
        overscan=overscan,
        subtract=None if args.subtract is None else whole_path(args.subtract),
        stop_at_broken=args.broken == _STOP,
        memory_bytes=args.memory,
        threads=args.threads,
    )
    document = {
        "output": str(report.output),
        "n_frames": report.n_frames,
        "n_rejected_low": report.n_rejected_low,
        "n_rejected_high": report.n_rejected_high,
        "seconds": round(report.seconds, 3),
        "megapixels": report.megapixels,
        "images": [
            {
                "name": name,
                "combine": one.settings.combine.value,
                "reject": one.settings.reject.value,
                "low": one.settings.low,
                "high": one.settings.high,
                "unit": said.unit,
                "floor": floor_word(one),
                "floor_adu": one.floor_adu or None,
                "n_held": one.n_held,
                "expected_share_low": one.expected_low,
                "expected_share_high": one.expected_high,
            }
            for (name, one), said in zip(report.images, report.headers, strict=True)
        ],
        "frames": [
            {
                "path": str(frame.path),
                "rejected_low": frame.rejected_low,
                "rejected_high": frame.rejected_high,
                "share_low": frame.rejected_low / max(1, frame.n_values),
                "share_high": frame.rejected_high / max(1, frame.n_values),
                "expected_share": frame.expected / max(1, frame.n_values),
                "weight": frame.weight,
                "marked": frame.marked,
            }
            for frame in report.frames
        ],
    }
    problems = [Problem(one.message, one.hint) for one in report.skipped]
    if by_rig:
        document["sections"] = list(by_rig)
    return Outcome(document, "\n".join([summary(report), *by_rig]), problems)


def _settings(args: argparse.Namespace) -> StackSettings:
    try:
        return StackSettings(
            combine=Combine(args.combine),
            reject=Rejection(args.reject),
            low=args.low,
            high=args.high,
            iterations=args.iterations,
            min_keep=args.min_keep,
            cutoff=args.cutoff,
            normalize=Normalization(args.normalize),
            floor=Floor(args.floor),
            weight=Weight(args.weight),
            maps=args.maps,
        )
    except ValueError as error:
        raise UsageError(
            f"These settings do not fit together: {error}.", hint="See calibstudio stack --help."
        ) from error


def _overscan(args: argparse.Namespace) -> OverscanSettings:
    try:
        return OverscanSettings(
            OverscanLevel(args.overscan),
            OverscanOf(args.overscan_of),
            args.overscan_order,
            args.trim,
            args.biassec,
            args.datasec,
            IfWrong(args.if_wrong),
        )
    except ValueError as error:
        raise UsageError(
            f"These settings of the overscan do not fit: {error}.",
            hint="See calibstudio stack --help.",
        ) from error


def _by_rig(
    overscan: OverscanSettings, files: Sequence[Path]
) -> tuple[OverscanSettings, tuple[str, ...]]:
    """Return the settings with the sections that the rig of the frames states, and its words.

    Where only some frames say them, those count: the others are left out with their reason.
    """
    from calibstudio.services.import_frames import read_one
    from calibstudio.services.rig_limits import limits_here
    from calibstudio.services.rig_overscan import with_stated_sections

    if not overscan.active:
        return overscan, ()
    limits = limits_here()
    if not any(r.knows.bias_section or r.knows.data_section for r in limits.rigs):
        return overscan, ()
    headers = []
    for path in files:
        try:
            headers.append(read_one(path))
        except CalibStudioError:
            continue  # it is said where it is stacked
    return with_stated_sections(overscan, headers, limits)


def _cutoff(text: str) -> float:
    """Read the cut-off; infinite stands for ``none``, also where the rule is automatic."""
    if text.strip().lower() == "none":
        return math.inf
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of sigmas nor none")
    return value


def _threads(text: str) -> int:
    """Read a number of threads."""
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of threads")
    return int(text)
