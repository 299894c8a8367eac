#!/usr/bin/env bash
# Starts the target container: a PostgreSQL that its owner drives with pg_ctl, behind an sshd that stays in front, so
# that the container outlives every restart of the server. On first use it makes cluster, keys and password, and
# leaves in /keys what Airflow needs to come here: the user's key and both connections (own-volumes.sh hands them over).
set -euo pipefail

readonly BIN=/usr/lib/postgresql/15/bin HOME_DIR=/var/lib/postgresql KEYS=/keys
readonly DATA=$HOME_DIR/data KNOBS=$HOME_DIR/otterflow/knobs.conf LOG=$HOME_DIR/log/server.log

as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups --reset-env "$@"; }

sql() { as_postgres "$BIN/psql" --username=otterflow --dbname="$1" --no-align --tuples-only --quiet --command="$2"; }

make_database() {
    if [[ -z $(sql postgres "SELECT 1 FROM pg_database WHERE datname = 'bench'") ]]; then
        sql template1 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements'
        sql postgres 'CREATE DATABASE bench'
    fi
}

make_keys() {
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$KEYS/host_key"
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$KEYS/user_key"
}

make_cluster() {
    local password password_file
    password=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
    install -d -o postgres -g postgres -m 700 "$HOME_DIR" "$HOME_DIR/otterflow" "$HOME_DIR/log" "$HOME_DIR/snapshots"
    password_file=$HOME_DIR/initdb-password
    install -o postgres -g postgres -m 600 /dev/null "$password_file"
    printf '%s\n' "$password" >"$password_file"
    as_postgres "$BIN/initdb" --pgdata="$DATA" --username=otterflow --pwfile="$password_file" \
        --encoding=UTF8 --locale=C --auth-local=trust --auth-host=scram-sha-256 --no-instructions
    rm "$password_file"
    as_postgres tee -a "$DATA/postgresql.conf" >/dev/null <<CONF

listen_addresses = '127.0.0.1'
shared_preload_libraries = 'pg_stat_statements'
# Last, so that it wins over every line above.
include_if_exists = '$KNOBS'
CONF
    write_connections "$password"
}

write_connections() {
    local host_key
    host_key=$(cut -d ' ' -f 1,2 "$KEYS/host_key.pub")
    install -m 600 /dev/null "$KEYS/connections.json"
    cat >"$KEYS/connections.json" <<JSON
{
  "compose_target_ssh": {
    "conn_type": "ssh", "host": "target", "port": 22, "login": "postgres",
    "extra": {"key_file": "$KEYS/user_key", "host_key": "$host_key", "no_host_key_check": false,
              "look_for_keys": false, "cmd_timeout": null, "keepalive_interval": 15}
  },
  "compose_target_sql": {
    "conn_type": "postgres", "host": "127.0.0.1", "port": 5432, "login": "otterflow", "password": "$1",
    "schema": "bench"
  }
}
JSON
}

if [[ ! -e $KEYS/host_key ]]; then
    make_keys
fi
if [[ ! -e $DATA/PG_VERSION ]]; then
    make_cluster
fi
install -d -o postgres -g postgres -m 755 /var/run/postgresql
# sshd comes up even if the server does not start with the knobs it has: otterflow comes in that way to mend them.
if as_postgres "$BIN/pg_ctl" start -D "$DATA" -l "$LOG" -w; then
    make_database
else
    tail -n 20 "$LOG" >&2
fi
trap 'as_postgres "$BIN/pg_ctl" stop -D "$DATA" -m fast || true' EXIT
install -o postgres -g postgres -m 600 "$KEYS/user_key.pub" "$HOME_DIR/authorized_keys"
/usr/sbin/sshd -D -e -h "$KEYS/host_key" -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no \
    -o AuthorizedKeysFile="$HOME_DIR/authorized_keys" -o AllowUsers=postgres -o UsePAM=no -o MaxStartups=100 &
trap 'kill "$!"' TERM INT
wait "$!" || true
