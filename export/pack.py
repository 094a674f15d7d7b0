"""Makes the starter checkpoints servable without torch: graph.onnx and manifest.json.

Run it again whenever a starter's weights, or the way graphs are written, change.
"""

import argparse
import dataclasses
import shutil
import sys
import tempfile
from pathlib import Path
from typing import get_args

import onnx

from export import manifest as manifests
from export import onnx_file, parity
from export.build import describe
from export.checkpoint import read
from export.hub_progress import Progress
from export.manifest import Branch, Manifest
from export.prepared import prepare
from export.run import DEFAULT_TOLERANCE
from export.shared_weights import share
from export.starter import FILES, GRAPH, STARTERS, WEIGHTS, name, revision


def pack(branch: Branch, folder: Path, tolerance: float, progress: Progress) -> Manifest:
    """Write graph.onnx and manifest.json beside the checkpoint in `folder`.

    Raises:
        ExportError: the packed graph differs from the checkpoint; nothing is written.
    """
    progress(f"{folder}: running the checkpoint over the test cases")
    prepared = prepare(read(branch, folder))
    with tempfile.TemporaryDirectory() as name_of_work:
        work = Path(name_of_work)
        onnx_file.write(prepared.make_graph(), prepared.input_names, work / "model.onnx")
        packed = share(onnx.load(work / "model.onnx"), folder / WEIGHTS)
        (work / GRAPH).write_bytes(packed.SerializeToString(deterministic=True))
        shutil.copyfile(folder / WEIGHTS, work / WEIGHTS)
        result = parity.check(work / GRAPH, prepared.rows, tolerance)
        shutil.copyfile(work / GRAPH, folder / GRAPH)
    hashes = {file: manifests.sha256(folder / file) for file in FILES[branch]}
    manifest = dataclasses.replace(
        describe(prepared, result),
        name=name(branch),
        revision=revision(hashes),
        weights="starter",
        files=hashes,
    )
    (folder / manifests.FILE_NAME).write_text(manifest.to_json(), encoding="utf-8")
    size_mb = (folder / GRAPH).stat().st_size / 1e6
    progress(f"{folder / GRAPH}: {size_mb:.2f} MB, off by {result.max_abs_diff:.1e} at most")
    return manifest


def main(arguments: list[str] | None = None) -> None:
    """Pack the starters that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m export.pack", description=__doc__)
    parser.add_argument(
        "branches", nargs="*", default=get_args(Branch), help="text, audio; both if none is named"
    )
    parser.add_argument("--starters", type=Path, default=STARTERS, help="folder of the starters")
    parser.add_argument("--tolerance", type=float, default=DEFAULT_TOLERANCE)
    options = parser.parse_args(arguments)
    for branch in options.branches:
        pack(branch, options.starters / branch, options.tolerance, _say)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
