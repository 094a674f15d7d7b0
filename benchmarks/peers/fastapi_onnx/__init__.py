"""FastAPI with both models in process, in ONNX Runtime."""
