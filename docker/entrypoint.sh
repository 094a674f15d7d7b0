#!/bin/sh
# Takes the database's password from a file, as Docker, Compose and Kubernetes hand out
# secrets; libpq reads PGPASSWORD where DATABASE_URL holds no password.
set -eu
if [ -n "${PGPASSWORD_FILE:-}" ]; then
    PGPASSWORD="$(cat "$PGPASSWORD_FILE")"
    export PGPASSWORD
fi
exec "$@"
