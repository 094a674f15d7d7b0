"""perf_analyzer's loads against a running Triton, with the batches that it formed meanwhile."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

from benchmarks import inputs
from benchmarks.analyzer import Load, PerfAnalyzer
from benchmarks.analyzer_files import analyzer_libraries
from benchmarks.inputs import Clip
from benchmarks.report import Measurement
from benchmarks.server import Server, mean_batches


class Analysis:
    """Measures loads one after another, all with the same inputs."""

    def __init__(
        self, server: Server, libraries: Path, sentences: Sequence[str], clips: Sequence[Clip]
    ) -> None:
        self._server = server
        self._analyzer = PerfAnalyzer(server.url, server.protocol, libraries)
        self._sentences = sentences
        self._clips = clips

    def measure(self, load: Load) -> Measurement:
        """Run a load.

        Raises:
            AnalyzerError: perf_analyzer failed.
        """
        with tempfile.TemporaryDirectory(prefix="neurosense-bench-") as folder:
            input_data = Path(folder) / "inputs.json"
            inputs.write_input_data(input_data, load.model, self._sentences, self._clips)
            before = self._server.counts()
            latency = self._analyzer.measure(load, input_data)
        mean_s = fmean(clip.seconds for clip in self._clips)
        return Measurement(
            model=load.model,
            concurrency=load.concurrency,
            latency=latency,
            batches=mean_batches(before, self._server.counts()),
            protocol=self._server.protocol,
            rate_per_s=load.rate_per_s,
            # Over a whole cycle of the inputs: a short window has longer or shorter clips.
            audio_s_per_s=None if load.model == "emotion_text" else mean_s * latency.per_second,
        )


@contextmanager
def analysis(server: Server, sentences: Sequence[str], clips: Sequence[Clip]) -> Iterator[Analysis]:
    """Give an analysis of a server."""
    with analyzer_libraries() as libraries:
        yield Analysis(server, libraries, sentences, clips)
