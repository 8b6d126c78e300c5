"""Master files judged again from their planes: ours with all their facts, others with less."""

from __future__ import annotations

import numpy as np

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.header import FrameHeader, HeaderValue
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.quality import Assessment
from calibstudio.domain.thresholds import DEFAULT_THRESHOLDS, Thresholds
from calibstudio.imaging.quality import MasterContext, central_level, measure_master
from calibstudio.store.master_read import MasterFile, read_master
from calibstudio.store.pixels import read_image


def judge_master(
    header: FrameHeader,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    *,
    bias_level_adu: float | None = None,
) -> Assessment:
    """Measure and judge a master file of this program or of another.

    A master of ours is measured again with today's limits; what only its making could tell
    (the dark current against its bias) is kept from the file.

    Raises
    ------
    FileProblemError
        The file cannot be read.
    """
    if (header.software or "").startswith("CalibStudio"):
        try:
            # The hash only names the record, which is not used here: no need to read it through.
            file = read_master(header.path, sha256="0" * 64)
        except FileProblemError:
            pass  # Another program's use of our name: measured as any other master.
        else:
            return _judge_ours(file, header, thresholds, bias_level_adu)
    return _judge_other(header, thresholds, bias_level_adu)


def _judge_ours(
    file: MasterFile,
    header: FrameHeader,
    thresholds: Thresholds,
    bias_level_adu: float | None,
) -> Assessment:
    record = file.record
    used = [i for i in file.inputs if i.used]
    values = {**record.values, **record.key}
    context = MasterContext(
        n_frames=record.n_combined,
        unit=record.unit,
        bayer=header.bayer,
        exposure_s=_number(values.get("exposure_s")),
        sensor_temp_c=_number(values.get("sensor_temp_c")),
        set_temp_c=_number(values.get("set_temp_c")),
        egain_e_per_adu=_number(values.get("egain_e_per_adu")),
        bias_level_adu=bias_level_adu,
        bias_subtracted=record.bias_subtracted or record.dark_subtracted,
        input_levels_adu=tuple(i.level_adu for i in used if i.level_adu is not None),
    )
    judged = [
        measure_master(
            record.kind,
            file.image(name),
            file.plane("UNC", name),
            file.plane("CNT", name),
            context,
            thresholds,
        )
        for name in file.detectors
    ]
    worst = max(judged, key=lambda a: a.verdict.severity)
    return _with_stored(worst, record.assessment)


def _with_stored(fresh: Assessment, stored: Assessment) -> Assessment:
    """Take from the file what could not be measured again, with its findings."""
    metrics = []
    taken = set()
    for metric in fresh.metrics:
        kept = stored.metric(metric.name)
        if metric.value is None and kept is not None and kept.value is not None:
            metrics.append(kept)
            taken.add(metric.name)
        else:
            metrics.append(metric)
    names = {m.name for m in metrics}
    for metric in stored.metrics:
        if metric.name not in names:
            metrics.append(metric)
            taken.add(metric.name)
    findings = [*fresh.findings, *(f for f in stored.findings if f.metric in taken)]
    return Assessment(tuple(metrics), tuple(findings))


def _judge_other(
    header: FrameHeader, thresholds: Thresholds, bias_level_adu: float | None
) -> Assessment:
    image = read_image(header.path)
    unc = read_image(header.path, "UNC") if "UNC" in header.images else None
    unit = "adu"
    if header.kind == FrameKind.FLAT and _is_ratio(image, header.bayer):
        unit = ""
    subtracted = "bias" in header.calibrated.lower() or "dark" in header.calibrated.lower()
    context = MasterContext(
        n_frames=None,
        unit=unit,
        bayer=header.bayer,
        exposure_s=header.exposure_s,
        sensor_temp_c=header.sensor_temp_c,
        set_temp_c=header.set_temp_c,
        egain_e_per_adu=header.egain_e_per_adu,
        bias_level_adu=bias_level_adu,
        bias_subtracted=subtracted,
    )
    unc = unc if unc is not None and unc.shape == image.shape else None
    return measure_master(header.kind or "", image, unc, None, context, thresholds)


def _is_ratio(image: np.ndarray[tuple[int, int], np.dtype[np.float32]], bayer: str | None) -> bool:
    """Whether a flat was normalised to about 1 (programs that keep ADU have hundreds at least)."""
    return image.dtype.kind == "f" and 0.0 < central_level(image, bayer).value_adu < 10.0


def _number(value: HeaderValue | None) -> float | None:
    return float(value) if isinstance(value, int | float) else None
