#!/usr/bin/env bash
# Rewrites requirements/*.txt from pyproject.toml's ranges and the *.in files. Needs `uv`.
set -euo pipefail
cd "$(dirname "$0")"

compile() {  # compile OUT INPUT...: exact versions for Python 3.11 and 3.12
  uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
    --no-emit-index-url --output-file "$@"
}

only_new() {  # only_new FILE BASE...: drop the lines that the base files hold already
  local file=$1; shift
  sort -u "$@" | grep -vxFf - "$file" > "$file.new" || true
  mv "$file.new" "$file"
}

compile run.txt ../pyproject.toml
compile export.txt --extra export --constraint run.txt ../pyproject.toml
# Which CUDA packages torch wants depends on the wheel: pip asks torch itself.
sed -i -E '/^(nvidia-|cuda-|triton==)/d' export.txt
only_new export.txt run.txt
compile bench.txt --extra bench --constraint run.txt --constraint export.txt ../pyproject.toml
sed -i -E '/^(nvidia-|cuda-|triton==|neurosense-triton)/d' bench.txt
only_new bench.txt run.txt export.txt
compile dev.txt --extra dev --constraint run.txt --constraint export.txt --constraint bench.txt \
  ../pyproject.toml
sed -i '/^pip==/d' dev.txt  # pip-audit's; the environment has its own
only_new dev.txt run.txt export.txt bench.txt
for image in api ui steps; do
  compile "$image.txt" --constraint run.txt "$image.in"
done
