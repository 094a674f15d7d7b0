"""The answers, as the OpenAPI page shows them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.trial import Track, Trial

Modality = Literal["text", "audio", "multimodal_fused", "text_only", "audio_only", "timeline"]

_TEXT_MODEL: dict[str, JsonValue] = {
    "name": "neurosense-starter-text",
    "version": "1",
    "weights": "starter",
}
_AUDIO_MODEL: dict[str, JsonValue] = {
    "name": "neurosense-starter-audio",
    "version": "1",
    "weights": "starter",
}
_TEXT_SCORES: dict[str, JsonValue] = {
    "JOY": 0.9,
    "NEUTRAL": 0.04,
    "SURPRISE": 0.03,
    "SADNESS": 0.01,
    "ANGER": 0.01,
    "FEAR": 0.005,
    "DISGUST": 0.005,
}
_AUDIO_SCORES: dict[str, JsonValue] = {"JOY": 0.5, "NEUTRAL": 0.3, "ANGER": 0.15, "SADNESS": 0.05}
_TEXT_EXAMPLE: dict[str, JsonValue] = {
    "id": "7d1c1a3e-5f0e-4a0e-9b57-0a8a2f9b6c11",
    "modality": "text",
    "top_emotion": "JOY",
    "confidence": 0.9,
    "all_scores": _TEXT_SCORES,
    "latency_ms": 12.5,
    "models": {"text": _TEXT_MODEL},
    "degraded": None,
    "warnings": [],
}
_FUSED_EXAMPLE: dict[str, JsonValue] = _TEXT_EXAMPLE | {
    "modality": "multimodal_fused",
    "confidence": 0.72,
    "all_scores": {
        "JOY": 0.72,
        "NEUTRAL": 0.157,
        "ANGER": 0.073,
        "SADNESS": 0.028,
        "SURPRISE": 0.0165,
        "FEAR": 0.00275,
        "DISGUST": 0.00275,
    },
    "models": {"text": _TEXT_MODEL, "audio": _AUDIO_MODEL},
    "fusion_weights": {"text": 0.55, "audio": 0.45},
    "sub_results": {
        "text": {"top_emotion": "JOY", "confidence": 0.9, "all_scores": _TEXT_SCORES},
        "audio": {"top_emotion": "JOY", "confidence": 0.5, "all_scores": _AUDIO_SCORES},
    },
}


class ModelInfo(BaseModel):
    """The model that answered for a branch."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="the checkpoint's id")
    version: str = Field(description="its version in Triton")
    weights: Literal["hub", "starter", "local"] = Field(
        description="published on the hub, the small ones that ship, or a folder's"
    )


class Degraded(BaseModel):
    """The modality that was sent but could not be used."""

    modality: Literal["text", "audio"]
    code: str = Field(description="as in an error's answer")
    reason: str


class SubResult(BaseModel):
    """A prediction: emotions in upper case, the likeliest first."""

    top_emotion: str = Field(examples=["JOY"])
    confidence: float = Field(description="the probability of `top_emotion`")
    all_scores: dict[str, float] = Field(
        description="probability of each emotion that the model can express, descending"
    )


class Answer(SubResult):
    """The prediction for one modality."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TEXT_EXAMPLE]})

    uncertain: bool | None = Field(
        default=None,
        exclude_if=lambda verdict: verdict is None,
        description="whether `confidence` is below NEUROSENSE_UNCERTAIN_BELOW; there only where "
        "that is set. `top_emotion` is the likeliest all the same",
    )
    id: UUID = Field(description="the row in the prediction log")
    modality: Modality
    latency_ms: float = Field(
        description="from the request's headers to the finished prediction; "
        "writing the log row comes after it"
    )
    models: dict[Literal["text", "audio"], ModelInfo] = Field(
        description="the model of each branch that ran"
    )
    track: Track = Field(
        default="current",
        exclude_if=lambda track: track == "current",
        description="`canary` where a version on trial answered; else it is not there",
    )
    degraded: Degraded | None = Field(description="what failed while the other modality worked")
    warnings: list[str] = Field(description="what a reader should know, such as a cut text")


class MultimodalAnswer(Answer):
    """The prediction for a sentence, a recording, or both."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FUSED_EXAMPLE]})

    fusion_weights: dict[Literal["text", "audio"], float] = Field(
        description="p = text · p(text) + audio · p(audio); 1 and 0 where one modality answers"
    )
    sub_results: dict[Literal["text", "audio"], SubResult] = Field(
        description="the prediction of each branch that ran"
    )


class Problem(BaseModel):
    """Every answer other than 200."""

    detail: str = Field(description="for people", examples=["send `text`, `audio` or both"])
    code: str = Field(description="for programs", examples=["nothing_to_analyze"])


class Root(BaseModel):
    """What this is."""

    service: str
    status: Literal["ok"]
    version: str = Field(description="of the HTTP contract")
    models: dict[Literal["text", "audio"], ModelInfo | None] = Field(
        description="what answers now; null for a branch that does not"
    )
    trial: Trial | None = Field(description="the version that is on trial beside them")


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]
    timestamp: datetime
    weights: dict[Literal["text", "audio"], str | None] = Field(
        description="hub, starter or local, by branch; null for a branch that does not answer"
    )
    needs_key: bool = Field(description="whether /analyze asks you for an API key")


class Live(BaseModel):
    """The probe's answer."""

    status: Literal["ok"]


class Ready(BaseModel):
    """Requests are answered."""

    status: Literal["ok"]
    log: Literal["ok", "degraded"] = Field(
        description="degraded: the database takes no rows, they wait on this machine's disk"
    )
