"""What the Python steps of the ensemble compute: NumPy only, no Triton import."""
