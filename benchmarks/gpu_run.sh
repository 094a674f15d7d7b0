#!/bin/sh
# Measures models and service on an NVIDIA GPU, without a network, in a folder that
# gpu_folder.sh made. Options are those of `python -m benchmarks`; the same command again goes on
# where it was stopped. DEVICE=cpu rehearses it without a GPU.
set -eu
cd "$(dirname "$0")/.."
folder=$(cd .. && pwd)
if [ ! -d ../wheels ] || [ ! -d ../work ]; then
    echo "$folder lacks wheels or work: make it with make bench-gpu-folder" >&2
    exit 1
fi
if [ ! -e ../venv/done ]; then
    echo "installing the wheels (once) ..."
    "${PYTHON:-python3}" -m venv ../venv
    ../venv/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps \
        ../wheels/*.whl
    touch ../venv/done
fi
# What a GPU answers waits for decoders, and its products for batches; while one batch is copied,
# another is computed.
export NEUROSENSE_CLASSIFIER_INSTANCES="${NEUROSENSE_CLASSIFIER_INSTANCES:-2}"
export NEUROSENSE_AUDIO_BATCH_SIZE="${NEUROSENSE_AUDIO_BATCH_SIZE:-32}"
export NEUROSENSE_STEP_INSTANCES="${NEUROSENSE_STEP_INSTANCES:-$(($(nproc) / 2 + 1))}"
exec ../venv/bin/python -m benchmarks --device "${DEVICE:-cuda}" --precision fp16 \
    --only models,service,peers --work "$folder/work" --output "$folder/results" "$@"
