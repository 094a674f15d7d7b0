#!/usr/bin/env bash
# Rewrites every peer's requirements.txt from its requirements.in. Needs `uv`.
set -euo pipefail
cd "$(dirname "$0")"

for input in */requirements.in; do
  output="${input%.in}.txt"
  uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
    --no-emit-index-url --output-file "$output" "$input"
  # Which CUDA packages torch wants depends on the wheel: pip asks torch itself.
  sed -i -E '/^(nvidia-|cuda-|triton==)/d' "$output"
done
