#!/bin/sh
# The project's command, in images that hold its code and no installed package of it.
PYTHONPATH=/app exec python -m serving.cli "$@"
