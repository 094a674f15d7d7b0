"""How right the models are: labelled data in, scores with intervals, plots and temperatures out."""

import os

# ONNX Runtime reports its use to its maker from 1.29 on, by default. Read when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
