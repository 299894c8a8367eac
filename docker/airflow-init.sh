#!/usr/bin/env bash
# The first container of docker-compose.yaml: the administrator's password, the metadata database, and the connections
# to the target, where that runs. Safe to run again.
set -euo pipefail

: "${AIRFLOW_ADMIN_PASSWORD:?set it in .env}"
# Quoted by Python, so that a password may hold any character.
(umask 077 && python -c 'import json, os; print(json.dumps({"admin": os.environ["AIRFLOW_ADMIN_PASSWORD"]}))' \
    >/opt/airflow/auth/passwords.json)

airflow db migrate
if [[ -f /keys/connections.json ]]; then
    airflow connections import /keys/connections.json --overwrite
fi
