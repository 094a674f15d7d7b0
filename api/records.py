"""What the log answers when it is asked: pages of predictions, and statistics."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, field_validator

from api.schemas import Degraded, Modality, ModelInfo

LoggedTrack = Literal["current", "canary", "shadow"]
Bucket = Literal["minute", "hour", "day"]


class Record(BaseModel):
    """A prediction as it was stored; the analysed text is not shown, even where it is kept."""

    id: UUID
    created_at: datetime
    modality: Modality
    top_emotion: str
    confidence: float
    all_scores: dict[str, float]
    latency_ms: float
    fusion_weights: dict[Literal["text", "audio"], float]
    degraded: Degraded | None
    models: dict[Literal["text", "audio"], ModelInfo]
    request_id: str | None
    recording_id: UUID | None = Field(description="of a segment: its recording's prediction")
    start_s: float | None = Field(description="where it begins in the recording")
    end_s: float | None = Field(description="and where it ends")
    track: LoggedTrack = Field(description="whose it is; nobody was given a shadow's")
    shadow_of: UUID | None = Field(description="of a shadow's: the prediction that was given")

    @field_validator("all_scores")
    @classmethod
    def _descending(cls, scores: dict[str, float]) -> dict[str, float]:
        return dict(sorted(scores.items(), key=lambda item: -item[1]))  # jsonb keeps no order


class Page(BaseModel):
    """Predictions, the newest first."""

    predictions: list[Record]
    next_cursor: str | None = Field(description="of the next page; null after the last one")


class Latency(BaseModel):
    """Percentiles in milliseconds; null where there was nothing."""

    p50: float | None
    p95: float | None
    p99: float | None


class Counts(BaseModel):
    """How many predictions, and how they divide; of recordings, their segments."""

    total: int
    recordings: int = Field(
        description="long recordings and live streams that ended then. What each comes to as a "
        "whole is in no other figure, unless `modality=timeline` asks for nothing else"
    )
    degraded: int
    latency_ms: Latency
    emotions: dict[str, int] = Field(description="by top emotion")
    modalities: dict[str, int]
    models: dict[str, int] = Field(
        description="by `branch name version (weights)`; a fused prediction counts for two"
    )


class Slice(Counts):
    """The predictions from `start` until the next slice's."""

    start: datetime


class Stats(Counts):
    """The predictions from `since` until `until`."""

    since: datetime
    until: datetime
    bucket: Bucket
    over_time: list[Slice] = Field(description="oldest first; slices without predictions left out")

    @classmethod
    def of(cls, whole: Counts, **more: Any) -> "Stats":
        """Return the whole with its slices."""
        return cls(**whole.model_dump(), **more)
