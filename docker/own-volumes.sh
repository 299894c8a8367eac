#!/usr/bin/env bash
# Hands the volumes to the user of the Airflow containers, as root, before any of them starts: what an earlier
# AIRFLOW_UID has written is of mode 600 or 700. The host key in /keys stays root's.
set -euo pipefail

if [[ ! ${AIRFLOW_UID:-} =~ ^[0-9]+$ ]]; then
    echo "AIRFLOW_UID: '${AIRFLOW_UID:-}' is no user's number; in .env, put the output of: id -u" >&2
    exit 2
fi
chown --recursive --no-dereference "$AIRFLOW_UID:0" /opt/airflow/logs /opt/airflow/auth /opt/airflow/otterflow
for file in /keys/user_key /keys/connections.json; do
    if [[ -e $file ]]; then
        chown "$AIRFLOW_UID:0" "$file"
    fi
done
