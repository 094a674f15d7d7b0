"""Ray Serve with dynamic request batching and ONNX Runtime."""
