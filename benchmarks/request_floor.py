"""The least seconds that this machine's hardware allows for a mean request of the mix."""

from statistics import fmean
from typing import Any, get_args

from tokenizers import Tokenizer
from transformers import AutoConfig

from benchmarks.floors import Peaks, floor_s
from benchmarks.http_requests import realistic_requests
from benchmarks.inputs import read_sentences
from benchmarks.operations import work
from benchmarks.prepare import BEST, Prepared
from ensemble.clips import SAMPLE_RATE_HZ
from export.manifest import Branch


def request_floor_s(prepared: Prepared, peaks: Peaks) -> float:
    """Return the mean floor of a sentence plus that of a clip, at the served precisions.

    Raises:
        KeyError: no peak was measured for one of them.
    """
    return sum(
        fmean(_floors_s(branch, prepared, peaks, lengths))
        for branch, lengths in _lengths(prepared).items()
    )


def _floors_s(branch: Branch, prepared: Prepared, peaks: Peaks, lengths: list[int]) -> list[float]:
    config: Any = AutoConfig.from_pretrained(prepared.checkpoints[branch].folder)
    precision = prepared.manifests(BEST)[branch].precision
    return [floor_s(work(branch, config, length), peaks, precision) for length in lengths]


def _lengths(prepared: Prepared) -> dict[Branch, list[int]]:
    """Return tokens and samples of the inputs that the load generator sends."""
    file = prepared.checkpoints["text"].folder / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(file))
    seconds = [request.audio_seconds for request in realistic_requests("multimodal")]
    found = {
        "text": [len(tokenizer.encode(sentence).ids) for sentence in read_sentences()],
        "audio": [round(one * SAMPLE_RATE_HZ) for one in seconds],
    }
    return {branch: found[branch] for branch in get_args(Branch)}
