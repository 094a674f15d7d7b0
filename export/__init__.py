"""Checkpoints to versions that Triton serves: ONNX graph, parity gate, atomic publishing.

`export.publish`, `export.starter` and `export.hub` need neither torch nor transformers, so
that serving runs without them; `export.run`, `export.pack` and `export.full_size` do.
"""

import os

# ONNX Runtime reports its use to its maker from 1.29 on, by default. Read when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
