"""Checkpoints to versions that Triton serves: ONNX graph, parity gate, atomic publishing.

`export.publish`, `export.starter` and `export.hub` need neither torch nor transformers, so
that serving runs without them; `export.run`, `export.pack` and `export.full_size` do.
"""
