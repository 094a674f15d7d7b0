#!/bin/sh
# Starts Triton with its administration (models, shared memory, tracing, logging) closed to
# all but who sends the key of TRITON_CONTROL_KEY_FILE; without that file, to everybody.
# The header is `neurosense-control`, over gRPC `triton-grpc-protocol-neurosense-control`.
set -eu
if [ -n "${TRITON_CONTROL_KEY_FILE:-}" ]; then
    key="$(cat "$TRITON_CONTROL_KEY_FILE")"
else
    key="$(head -c 32 /dev/urandom | sha256sum | cut -c 1-64)"
fi
if [ "${#key}" -lt 32 ]; then
    echo "TRITON_CONTROL_KEY_FILE: a key of 32 characters or more is needed" >&2
    exit 1
fi
# Where TensorRT, if it is asked for, keeps its engines (serving/accelerators.py).
mkdir -p /tmp/tensorrt || echo "/tmp/tensorrt cannot be made: TensorRT would not start" >&2
closed="model-repository,shared-memory,trace,logging:neurosense-control=$key"
exec tritonserver "--http-restricted-api=$closed" "--grpc-restricted-protocol=$closed" "$@"
