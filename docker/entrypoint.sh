#!/bin/sh
# Takes secrets from files, as Docker, Compose and Kubernetes hand them out: the database's
# password (libpq reads PGPASSWORD where DATABASE_URL holds none) and the page's API key.
set -eu
if [ -n "${PGPASSWORD_FILE:-}" ]; then
    PGPASSWORD="$(cat "$PGPASSWORD_FILE")"
    export PGPASSWORD
fi
if [ -n "${PAGE_KEY_FILE:-}" ]; then
    NEUROSENSE_PAGE_KEY="$(cat "$PAGE_KEY_FILE")"
    export NEUROSENSE_PAGE_KEY
fi
exec "$@"
