"""Makes the starter checkpoints servable without torch: their graphs and manifest.json.

Run it again whenever a starter's weights, or the way graphs are written, change.
"""

import argparse
import dataclasses
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, get_args

import onnx

from ensemble.audio import decode
from export import manifest as manifests
from export import onnx_file, parity
from export.build import describe, first_to_pass, write_int8
from export.calibrated import calibrate_starter
from export.checkpoint import read
from export.errors import ExportError
from export.fp16 import to_fp16
from export.gate import Gate, judge
from export.int8 import Kept
from export.manifest import Branch
from export.prepared import Prepared, RealInputs, prepare
from export.progress import Progress
from export.run import DEFAULT_TOLERANCE
from export.shared_weights import share
from export.starter import FILES, GRAPH, GRAPHS, STARTERS, WEIGHTS, name, revision
from export.text_branch import encoded


def pack(
    branch: Branch, folder: Path, tolerance: float, progress: Progress, judged: str = ""
) -> None:
    """Write the graphs and manifest.json beside the checkpoint in `folder`.

    Args:
        branch: text or audio.
        folder: the starter's.
        tolerance: how far a probability of graph.onnx may be off the checkpoint's.
        progress: is told each stage in a line.
        judged: real inputs to judge by, see `--text-data` and `--audio-data`; or empty.

    Raises:
        ExportError: the packed graph differs from the checkpoint; nothing is written.
    """
    progress(f"{folder}: running the checkpoint over the test cases")
    prepared = prepare(read(branch, folder))
    if judged:
        prepared = dataclasses.replace(prepared, real_inputs=_real_inputs(prepared, judged))
    with tempfile.TemporaryDirectory() as name_of_work:
        work = Path(name_of_work)
        shutil.copyfile(folder / WEIGHTS, work / WEIGHTS)
        onnx_file.write(prepared.make_graph(), prepared.input_names, work / "model.onnx")
        _share(work / "model.onnx", work / GRAPH)
        result = parity.check(work / GRAPH, prepared.rows, tolerance)
        gates = _others(prepared, work, progress)
        for precision, graph in GRAPHS.items():
            (folder / graph).unlink(missing_ok=True)
            if precision == "fp32" or gates[precision].passed:
                shutil.copyfile(work / graph, folder / graph)
    calibration = _fitted_for(folder)
    _describe(prepared, result, gates, folder)
    if calibration:
        calibrate_starter(folder, calibration)
    progress(f"off by {result.max_abs_diff:.1e} at most")


def _others(prepared: Prepared, work: Path, progress: Progress) -> dict[str, Gate]:
    """Write the graphs of lower precision, and return the gate of each, passed or not."""
    inputs = prepared.real_inputs

    def attempt(kept: Kept) -> Gate:
        write_int8(prepared, work / "model.onnx", kept)
        _share(work / "model.onnx", work / GRAPHS["int8"])
        return judge(work / GRAPH, work / GRAPHS["int8"], inputs.judged, inputs.data)

    gates = {"int8": first_to_pass(prepared.checkpoint.branch, attempt)}
    shutil.copyfile(work / GRAPH, work / GRAPHS["fp16"])
    gates["fp16"] = to_fp16(work / GRAPHS["fp16"], inputs, lambda _: None, gated=False)
    for precision, gate in gates.items():
        left_out = "" if gate.passed else ", so it is left out"
        progress(f"{precision}: {gate.summary}{left_out}")
    return gates


def _share(model: Path, packed: Path) -> None:
    """Write the graph with its weights taken from the file beside it where that has them."""
    graph = share(onnx.load(model), packed.with_name(WEIGHTS))
    packed.write_bytes(graph.SerializeToString(deterministic=True))


def _describe(
    prepared: Prepared, result: parity.Parity, gates: dict[str, Gate], folder: Path
) -> None:
    branch = prepared.checkpoint.branch
    files = [file for file in FILES[branch] if (folder / file).exists()]
    hashes = {file: manifests.sha256(folder / file) for file in files}
    manifest = dataclasses.replace(
        describe(prepared, result),
        name=name(branch),
        revision=revision(hashes),
        weights="starter",
        files=hashes,
        gates={precision: gate.figures() for precision, gate in gates.items()},
    )
    (folder / manifests.FILE_NAME).write_text(manifest.to_json(), encoding="utf-8")


def _fitted_for(folder: Path) -> dict[str, Any] | None:
    """Return the calibration that the folder's weights have, None where they are other ones."""
    try:
        manifest = manifests.read(folder)
    except (FileNotFoundError, ExportError):
        return None
    same = manifest.files.get(WEIGHTS) == manifests.sha256(folder / WEIGHTS)
    return manifest.calibration if same else None


def _real_inputs(prepared: Prepared, judged: str) -> RealInputs:
    """Return the usual inputs to calibrate with, and the named ones to judge by."""
    ours = prepared.real_inputs
    if prepared.tokenizer is not None:
        lines = Path(judged).read_text(encoding="utf-8").splitlines()
        texts = [line.split("\t")[0] for line in lines]
        return RealInputs(ours.calibration, encoded(prepared.tokenizer, texts), Path(judged).name)
    files = sorted(Path().glob(judged))
    clips = [decode(file.read_bytes()) for file in files]
    return RealInputs(ours.calibration, clips, f"{len(clips)} recordings, {Path(judged).name}")


def main(arguments: list[str] | None = None) -> None:
    """Pack the starters that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m export.pack", description=__doc__)
    parser.add_argument(
        "branches", nargs="*", default=get_args(Branch), help="text, audio; both if none is named"
    )
    parser.add_argument("--starters", type=Path, default=STARTERS, help="folder of the starters")
    parser.add_argument("--tolerance", type=float, default=DEFAULT_TOLERANCE)
    parser.add_argument(
        "--text-data", default="", help="judge by this file: a sentence a line, up to a tab"
    )
    parser.add_argument(
        "--audio-data", default="", help="judge by these recordings: a pattern, as 'clips/*'"
    )
    options = parser.parse_args(arguments)
    judged = {"text": options.text_data, "audio": options.audio_data}
    for branch in options.branches:
        pack(branch, options.starters / branch, options.tolerance, _say, judged[branch])


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
