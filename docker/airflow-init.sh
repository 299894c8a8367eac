#!/usr/bin/env bash
# The first container of docker-compose.yaml that uses the database: checks what is in .env, then writes the
# administrator's password, the metadata database, and the connections to the target, where that runs, and of the user,
# where there are some. Safe to run again.
set -euo pipefail

refuse() {
    echo "$*" >&2
    exit 2
}

: "${AIRFLOW_ADMIN_PASSWORD:?set it in .env}"
if [[ ! $POSTGRES_PASSWORD =~ ^[A-Za-z0-9]+$ ]]; then
    refuse "POSTGRES_PASSWORD: only letters and digits are allowed: it is part of a URL. If this is the first start," \
        "change it in .env, then: docker compose down --volumes (this deletes what there is), and start again"
fi
if [[ ! $AIRFLOW__CORE__FERNET_KEY =~ ^[A-Za-z0-9_-]{43}=$ ]]; then
    refuse "AIRFLOW_FERNET_KEY: not 32 bytes in URL-safe base64; in .env, put the output of:" \
        "openssl rand -base64 32 | tr '+/' '-_'"
fi
# Quoted by Python, so that a password may hold any character.
(umask 077 && python -c 'import json, os; print(json.dumps({"admin": os.environ["AIRFLOW_ADMIN_PASSWORD"]}))' \
    >/opt/airflow/auth/passwords.json)

airflow db migrate
for connections in /keys/connections.json /secrets/connections.json; do
    if [[ -f $connections ]]; then
        airflow connections import "$connections" --overwrite
    fi
done
