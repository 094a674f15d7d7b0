"""FastAPI with both models in process, as PyTorch pipelines."""
