from typing import Any

import httpx

from api import openapi


def test_served_openapi_equals_the_file(client: httpx.Client) -> None:
    assert client.get("/openapi.json").json() == _file()
    assert openapi.PATH.read_text(encoding="utf-8") == openapi.rendered(), (
        "run `python -m api.openapi`"
    )


def test_endpoints_bodies_and_errors_are_there() -> None:
    paths = _file()["paths"]
    assert set(paths) == {
        "/", "/health", "/health/live", "/health/ready",
        "/analyze/text", "/analyze/audio", "/analyze/multimodal", "/analyze/batch",
        "/analyze/timeline",
        "/predictions", "/predictions/{prediction}", "/stats",
    }  # fmt: skip
    text = paths["/analyze/text"]["post"]
    assert "application/json" in text["requestBody"]["content"]
    for path in ("text", "audio", "multimodal", "batch", "timeline"):
        operation = paths[f"/analyze/{path}"]["post"]
        assert set(operation["responses"]) == {
            "200", "400", "401", "403", "408", "413", "415", "422", "429", "503", "504",
        }  # fmt: skip
        assert "multipart/form-data" in operation["requestBody"]["content"]
    assert "HTTPValidationError" not in _file()["components"]["schemas"]


def test_the_examples_add_up() -> None:
    example = _file()["components"]["schemas"]["MultimodalAnswer"]["examples"][0]
    parts, weights = example["sub_results"], example["fusion_weights"]
    for emotion, score in example["all_scores"].items():
        fused = sum(
            weights[branch] * parts[branch]["all_scores"].get(emotion, 0) for branch in weights
        )
        assert abs(score - fused) < 1e-9, emotion


def test_answers_have_the_documented_keys(client: httpx.Client) -> None:
    schema = _file()["components"]["schemas"]["Answer"]
    answer = client.post("/analyze/text", data={"text": "hm"}).json()
    assert set(answer) == set(schema["required"])
    assert set(schema["properties"]) - set(answer) == {
        "uncertain",
        "track",
    }  # only where there is one


def _file() -> dict[str, Any]:
    import json

    loaded: dict[str, Any] = json.loads(openapi.PATH.read_text(encoding="utf-8"))
    return loaded
