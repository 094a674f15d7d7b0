"""Measurements of the running system; nothing here is needed to serve."""
