#!/bin/sh
# Makes a folder with everything that `benchmarks/gpu_run.sh` needs on a machine with an NVIDIA GPU
# and without a network: gpu_folder.sh FOLDER. Several GB.
# The Python there must be of the same minor version as .venv's here.
set -eu
folder=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
onnxruntime='onnxruntime-gpu[cuda,cudnn]==1.31.1' # built for CUDA 13, as is torch on PyPI

echo "code ..."
rm -rf "$folder/code" && mkdir "$folder/code"
git archive HEAD | tar -x -C "$folder/code"

echo "wheels, among them torch and CUDA's libraries (several GB; what is there is kept) ..."
cat requirements/run.txt requirements/export.txt requirements/bench.txt \
    | grep -v '^onnxruntime==' > "$folder/requirements.txt"
"$python" -m pip wheel --wheel-dir "$folder/wheels" --find-links "$folder/wheels" \
    "$onnxruntime" -r "$folder/requirements.txt"
"$python" -m pip wheel --wheel-dir "$folder/wheels" --find-links "$folder/wheels" --no-deps \
    -r requirements/triton.txt

if ls "$folder"/wheels/torch-*cpu* > /dev/null 2>&1; then
    echo "WARNING: pip's index here gives a torch without CUDA, which can only rehearse" >&2
fi

echo "checkpoints and graphs, fp32 and fp16 (minutes; what is there is kept) ..."
(cd "$folder/code" && "$OLDPWD/$python" -c "
from pathlib import Path
from benchmarks.prepare import prepare
prepare(Path('$folder/work'), print, 'fp16')")
echo "Ready. There: sh $(basename "$folder")/code/benchmarks/gpu_run.sh"
