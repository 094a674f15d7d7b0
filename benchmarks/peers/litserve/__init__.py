"""LitServe with dynamic batching and ONNX Runtime."""
