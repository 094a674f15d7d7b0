"""The public face: HTTP in front of Triton, and a row in Postgres for every prediction."""

VERSION = "0.1.0"
"""The version of the HTTP contract (not of the package)."""
