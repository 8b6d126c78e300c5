"""What is said of single frames in the header of a combination."""

from __future__ import annotations

from pathlib import Path

from calibstudio.domain.recipe import Weight
from calibstudio.domain.wording import significant
from calibstudio.imaging.combine import CombineReport


def about_frames(report: CombineReport, where: str = "") -> list[str]:
    """Say how frames were weighted, and which of them lost more than noise explains.

    ``where`` (`` of SCI2``) names the image, where a file has several.
    """
    said = []
    if report.weighted:
        by_noise = report.settings.weight is Weight.NOISE
        how = "inverse variance of its noise" if by_noise else "exposure"
        weights = [frame.weight for frame in report.frames]
        ends = f"{significant(min(weights), 3)} to {significant(max(weights), 3)}"
        said.append(f"Each frame{where} counts by the {how}: weights from {ends}.")
    elif report.settings.weight is not Weight.NONE:
        said.append(f"All frames{where} have the same weight.")
    pixels = report.shape[0] * report.shape[1]
    for frame in report.marked:
        low, high = 100 * frame.rejected_low / pixels, 100 * frame.rejected_high / pixels
        said.append(
            f"{Path(frame.name).name}{where} lost {low:.1f} % of its values low and {high:.1f} % "
            f"high; noise alone gives {100 * report.expected_share:.2f} %."
        )
    return said
