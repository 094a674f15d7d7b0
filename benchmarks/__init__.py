"""Measurements of the running system; nothing here is needed to serve."""

import os

# ONNX Runtime reports its use to its maker from 1.29 on, by default. Read when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# As where it serves: serving/backends/onnxruntime/model.py.
os.environ.setdefault("ORT_ENABLE_CUDNN_FLASH_ATTENTION", "0")
