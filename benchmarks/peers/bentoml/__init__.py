"""BentoML with adaptive batching and ONNX Runtime."""
