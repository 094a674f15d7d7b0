"""Breaks the running service in every way that is promised to be survived, and counts."""
