"""The tables of the library's database.

A master's own file says everything about it; the tables are a copy that can be searched, plus
what is not in any file: decisions, corrections, regroupings and remembered hashes. Times are
whole microseconds since 1970 in UTC, so that they compare without rounding.
"""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Double, ForeignKey, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """All tables. Constraints have names, so that migrations can change them anywhere."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {float: Double()}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class MasterRow(Base):
    """One master file."""

    __tablename__ = "masters"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    path: Mapped[str] = mapped_column(Text)
    """Below the library's folder with ``/``, else absolute."""
    kind: Mapped[str] = mapped_column(String(80), index=True)
    camera: Mapped[str | None] = mapped_column(Text, index=True)
    filter: Mapped[str | None] = mapped_column(Text)
    exposure_s: Mapped[float | None]
    gain: Mapped[float | None]
    offset_setting: Mapped[float | None]
    set_temp_c: Mapped[float | None]
    sensor_temp_c: Mapped[float | None]
    binning: Mapped[str | None] = mapped_column(String(20))
    night: Mapped[date | None] = mapped_column(index=True)
    n_frames: Mapped[int]
    n_combined: Mapped[int]
    unit: Mapped[str] = mapped_column(String(20))
    bias_subtracted: Mapped[bool]
    dark_subtracted: Mapped[bool]
    first_us: Mapped[int | None] = mapped_column(BigInteger)
    last_us: Mapped[int | None] = mapped_column(BigInteger)
    verdict: Mapped[str] = mapped_column(String(4))
    state: Mapped[str] = mapped_column(String(10), index=True)
    state_reason: Mapped[str] = mapped_column(Text)
    recipe: Mapped[str] = mapped_column(Text)
    software: Mapped[str] = mapped_column(Text)
    key_json: Mapped[str] = mapped_column(Text)
    values_json: Mapped[str] = mapped_column(Text)
    assessment_json: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text)
    """Everything that a search looks through, case folded."""
    added_us: Mapped[int] = mapped_column(BigInteger, index=True)
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    file_mtime_ns: Mapped[int] = mapped_column(BigInteger)

    inputs: Mapped[list[InputRow]] = relationship(
        cascade="all, delete-orphan", order_by="InputRow.ordinal", lazy="raise"
    )
    used: Mapped[list[UsedRow]] = relationship(
        cascade="all, delete-orphan", order_by="UsedRow.ordinal", lazy="selectin"
    )


class InputRow(Base):
    """One frame that was offered to a master."""

    __tablename__ = "master_inputs"

    master_id: Mapped[int] = mapped_column(
        ForeignKey("masters.id", ondelete="CASCADE"), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    file: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    observed_us: Mapped[int | None] = mapped_column(BigInteger)
    exposure_s: Mapped[float | None]
    sensor_temp_c: Mapped[float | None]
    level_adu: Mapped[float | None]
    scale: Mapped[float | None]
    rejected_fraction: Mapped[float | None]
    used: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)


class UsedRow(Base):
    """One master that went into another."""

    __tablename__ = "master_used"

    master_id: Mapped[int] = mapped_column(
        ForeignKey("masters.id", ondelete="CASCADE"), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(80))
    file: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64), index=True)


class DecisionRow(Base):
    """What a person decided about a master, in order. A copy of the journal."""

    __tablename__ = "decisions"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    """Of the master; the decision outlives its file."""
    what: Mapped[str] = mapped_column(String(20))
    """``approved``, ``rejected``, ``retired``, ``restored``, ``undone``."""
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(Text)
    at_us: Mapped[int] = mapped_column(BigInteger)


class CorrectionRow(Base):
    """One header value of a frame, corrected by hand. The frame itself stays as it is."""

    __tablename__ = "header_corrections"
    __table_args__ = (UniqueConstraint("path", "file_bytes", "word"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    word: Mapped[str] = mapped_column(String(40))
    """JSON word."""
    value_json: Mapped[str] = mapped_column(Text)
    """``null``: known to be unknown."""
    reason: Mapped[str] = mapped_column(Text)
    at_us: Mapped[int] = mapped_column(BigInteger)


class RegroupingRow(Base):
    """What was changed by hand about the group of a frame: the difference to the automatic one."""

    __tablename__ = "regroupings"
    __table_args__ = (UniqueConstraint("path", "file_bytes", "what"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    what: Mapped[str] = mapped_column(String(20))
    """``moved``, ``split``, ``merged``, ``excluded``."""
    detail_json: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    at_us: Mapped[int] = mapped_column(BigInteger)


class FileHashRow(Base):
    """SHA-256 of a file as it was with this size and time, so that it is computed once."""

    __tablename__ = "file_hashes"

    path: Mapped[str] = mapped_column(Text, primary_key=True)
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    file_mtime_ns: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))


class RequestRow(Base):
    """One calibration request."""

    __tablename__ = "calibration_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    wish_json: Mapped[str] = mapped_column(Text)
    """What is asked for: number, exposure, filter, camera settings."""
    priority: Mapped[int]
    state: Mapped[str] = mapped_column(String(10), index=True)
    reason: Mapped[str] = mapped_column(Text)
    policy: Mapped[str] = mapped_column(Text)
    item: Mapped[str] = mapped_column(Text)
    night: Mapped[date | None]
    created_us: Mapped[int] = mapped_column(BigInteger)
    changed_us: Mapped[int] = mapped_column(BigInteger)
    sequence: Mapped[str] = mapped_column(Text)
