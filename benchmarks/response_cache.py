"""`python -m benchmarks.response_cache`: what Triton's response cache saves, and what it costs.

Two Tritons serve the same weights, one of them with a cache. Both are asked the same, one request
at a time: first what neither has seen, then, the one with the cache, the same again.
"""

import shutil
import statistics
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, get_args

import typer

from benchmarks.command import say
from benchmarks.grpc_load import Asked, waits_ms
from benchmarks.inputs import cut_clips, read_sentences
from benchmarks.prepare import BEST, prepare
from benchmarks.server import triton_on_free_ports
from benchmarks.tables import markdown
from export.manifest import Branch, Manifest
from serving.repository import render
from serving.settings import Settings

_PREPARED = Path(".neurosense") / "bench"
_CACHE_MB = 64
_REQUESTS = 16
_CLIP_S = 4.0
_COLUMNS = ("one request at a time", "without a cache", "with one, asked first", "asked again")


def unseen(branch: Branch, number: int) -> list[Asked]:
    """Return requests that no other round sends: of 3 to 60 words, or clips of 4 s."""
    if branch == "text":
        sentences = read_sentences()[:_REQUESTS]
        return [Asked(f"{sentence} {number}", None) for sentence in sentences]
    clips = cut_clips(seed=number, count=_REQUESTS, seconds=(_CLIP_S, _CLIP_S))
    return [Asked(None, clip) for clip in clips]


def measure(plain: str, cached: str, rounds: int) -> list[tuple[str, ...]]:
    """Return a table's rows: for each branch, the median milliseconds of a request's answer."""
    rows = []
    for branch in get_args(Branch):
        found: list[tuple[float, float, float]] = []
        for number in range(rounds):
            requests = unseen(branch, number)
            urls = (plain, cached, cached)
            without, first, again = (statistics.median(waits_ms(url, requests)) for url in urls)
            found.append((without, first, again))
            say(f"{branch}, round {number + 1} of {rounds}: {without:.1f}, {first:.1f}, "
                 f"{again:.1f} ms")  # fmt: skip
        medians = [statistics.median(column) for column in zip(*found, strict=True)]
        rows.append((branch, *(f"{ms:.2f} ms" for ms in medians)))
    return rows


def rendered(repository: Path, folder: Path, served: Mapping[Branch, Manifest], mb: int) -> Path:
    """Return a copy of the same versions, whose ensembles keep answers if `mb` is not 0."""
    shutil.copytree(repository, folder)
    render(folder, served, Settings(response_cache_mb=mb), gpu=False)
    return folder


def _main(rounds: Annotated[int, typer.Option(help="of all three, in turn")] = 5) -> None:
    """Compare a Triton that keeps answers with one that does not, on models of full size."""
    prepared = prepare(_PREPARED.absolute(), say)
    served = prepared.manifests(BEST)
    with tempfile.TemporaryDirectory(prefix="cache-", dir=prepared.work) as work, ExitStack() as up:

        def url(mb: int) -> str:
            say(f"starting a Triton with a cache of {mb} MB ...")
            folder = rendered(prepared.repository(BEST), Path(work) / str(mb), served, mb)
            triton = triton_on_free_ports(folder, Path(work) / f"{mb}.log", response_cache_mb=mb)
            return up.enter_context(triton).grpc_url

        print(markdown(_COLUMNS, measure(url(0), url(_CACHE_MB), rounds)))


if __name__ == "__main__":
    typer.run(_main)
