#!/usr/bin/env python3
"""Asks Triton for the emotion of a sentence and of a short sound: exits 0 if both answer.

    probe [http://127.0.0.1:8000]

Triton says that it is ready also when a step has died; only an answer shows that all steps work.
A busy server answers late: this is for health checks, which mark, not for what restarts.
"""

import io
import json
import sys
import urllib.request
import wave
from array import array

_TIMEOUT_S = 8.0  # for each of the two
_RATE_HZ = 16_000
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main() -> None:
    """Ask both branches; raises if one does not answer in time with seven probabilities."""
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    ask(url, "emotion_text", "TEXT", b"I am well.")
    ask(url, "emotion_audio", "AUDIO", sound())


def ask(url: str, model: str, name: str, content: bytes) -> None:
    """Send one element to a model (Triton's binary tensor extension); raises unless it answers."""
    element = len(content).to_bytes(4, "little") + content
    size = {"binary_data_size": len(element)}
    tensor = {"name": name, "shape": [1, 1], "datatype": "BYTES", "parameters": size}
    head = json.dumps({"inputs": [tensor], "outputs": [{"name": "PROBABILITIES"}]}).encode()
    request = urllib.request.Request(f"{url}/v2/models/{model}/infer", head + element)  # noqa: S310
    request.add_header("Inference-Header-Content-Length", str(len(head)))
    with _DIRECT.open(request, timeout=_TIMEOUT_S) as answer:
        [output] = json.load(answer)["outputs"]
    if len(output["data"]) != 7 or abs(sum(output["data"]) - 1) > 0.01:
        raise SystemExit(f"{model} answers {output['data']}")


def sound() -> bytes:
    """Return a quarter of a second of a quiet square wave, as a WAV file."""
    samples = array("h", [1000 if n % 80 < 40 else -1000 for n in range(_RATE_HZ // 4)])
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, _RATE_HZ, len(samples), "NONE", "not compressed"))
        writer.writeframes(samples.tobytes())
    return file.getvalue()


if __name__ == "__main__":
    main()
