#!/usr/bin/env bash
# Installs what otterflow's demo and tests need and this machine lacks: Debian or Ubuntu packages, and the virtual
# environment .venv with exactly the versions of the lock. A second run changes nothing and needs no network.
#
#   stack/setup.sh                 for the demo
#   DBMS=mariadb stack/setup.sh    for the demo on MariaDB
#   stack/setup.sh --dev           for tests and lint as well
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly VENV=.venv
readonly OLDEST_POSTGRES=12
POLICY=/usr/sbin/policy-rc.d # Debian asks it before a package starts a service
readonly POLICY_MARK='# made by otterflow while it installs packages'

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

has_postgres() {
    local bin version
    for bin in /usr/lib/postgresql/*/bin; do
        version=$(basename "$(dirname "$bin")")
        if [[ -x $bin/initdb && $version =~ ^[0-9]+$ && $version -ge $OLDEST_POSTGRES ]]; then
            return 0
        fi
    done
    command -v initdb >/dev/null
}

# mariadbd lies in /usr/sbin, which an ordinary user has not always on the PATH.
has_mariadb() { [[ -x /usr/sbin/mariadbd ]] || command -v mariadbd >/dev/null; }

has_sshd() { [[ -x /usr/sbin/sshd ]] || command -v sshd >/dev/null; }

# Whether Airflow 3.3 runs on this Python.
python_fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }

# The first Python that fits (3.11 to 3.13), or nothing.
find_python() {
    local name
    for name in "${PYTHON:-python3.11}" python3.12 python3.13 python3; do
        if command -v "$name" >/dev/null && python_fits "$name"; then
            command -v "$name"
            return
        fi
    done
}

missing_packages() {
    local python
    has_postgres || echo postgresql
    if [[ $1 == dev || ${DBMS:-} == mariadb ]]; then
        has_mariadb || echo mariadb-server
    fi
    has_sshd || echo openssh-server
    command -v ssh-keygen >/dev/null || echo openssh-client
    command -v setpriv >/dev/null || echo util-linux
    command -v useradd >/dev/null || [[ -x /usr/sbin/useradd ]] || echo passwd
    command -v sudo >/dev/null || echo sudo
    command -v sysbench >/dev/null || echo sysbench
    python=$(find_python)
    if [[ -z $python ]]; then
        echo python3 python3-venv
    elif [[ ! -x $VENV/bin/python ]] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo python3-venv
    fi
    if [[ $1 == dev ]]; then
        command -v shellcheck >/dev/null || echo shellcheck
        command -v chromium >/dev/null || echo chromium
        [[ -e /usr/share/i18n/locales/de_DE ]] || echo locales
    fi
}

# The tests have a server that speaks German. Slim images leave the catalogs of other languages out of every package,
# their folders too.
readonly GERMAN=/usr/share/locale/de/LC_MESSAGES

packages_without_german() {
    local bin version
    for bin in /usr/lib/postgresql/*/bin; do
        version=$(basename "$(dirname "$bin")")
        if [[ -x $bin/postgres && ! -e $GERMAN/postgres-$version.mo ]] &&
            dpkg -s "postgresql-$version" >/dev/null 2>&1; then
            echo "postgresql-$version"
        fi
    done
}

as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif [[ -t 0 ]]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

# Runs apt-get so that it asks nothing, and so that no package starts its service: otterflow starts its own servers.
quiet_apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        -o "DPkg::Options::=--path-include=$GERMAN/*" "$@"
}

# Runs a command while no package may start its service. Only one otterflow at a time does that on a machine: the first
# to end would take the policy away from the others. A policy that is somebody else's is left as it is; one of ours that
# an interrupted run has left counts as ours, and goes in the end, however the command ends.
without_services() (
    if [[ -e $POLICY ]] && ! grep -qsF "$POLICY_MARK" "$POLICY"; then
        "$@"
        return
    fi
    exec {lock}<"$(dirname "$POLICY")"
    flock "$lock"
    trap 'as_root rm -f "$POLICY"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" | as_root tee "$POLICY" >/dev/null || exit
    as_root chmod 755 "$POLICY" || exit
    "$@"
)

# With our policy left behind by a run that was killed, no package that anybody installs would start its service.
remove_left_policy() {
    if grep -qsF "$POLICY_MARK" "$POLICY"; then
        without_services true || fail "$POLICY is left from a run that was killed; remove it"
    fi
}

update_and_install() { quiet_apt update && quiet_apt install --yes --no-install-recommends "$@"; }

install_packages() {
    local status=0
    command -v apt-get >/dev/null || fail "this machine has no apt-get; install by hand: $*"
    if [[ $EUID -ne 0 ]] && ! command -v sudo >/dev/null; then
        fail "not root, and sudo is not installed; ask an administrator to run: apt-get install $*"
    fi
    say "installing with apt-get: $* (their services are not started)"
    as_root mkdir -p "$GERMAN"
    without_services update_and_install "$@" || status=$?
    [[ $status -eq 0 ]] ||
        fail "apt-get ended with exit code $status; is the network there, and are you allowed to install?"
}

install_python_packages() {
    local python stamp wanted lock
    local -a locks=(requirements.txt) arguments=()
    python=$(find_python)
    [[ -n $python ]] ||
        fail "no Python 3.11 to 3.13 was found; install one and name it: PYTHON=/path/to/python3.11 make setup"
    if [[ $1 == dev ]]; then
        locks+=(requirements-dev.txt)
    fi
    if [[ -e $VENV ]] && ! python_fits "$VENV/bin/python"; then
        say "$VENV was made with a Python that is gone or does not fit; making it anew"
        rm -rf "$VENV"
    fi
    if [[ ! -x $VENV/bin/python ]]; then
        say "making $VENV with $("$python" --version)"
        "$python" -m venv "$VENV"
    fi
    stamp=$VENV/installed-$1
    wanted=$(cat "${locks[@]}" | sha256sum)
    if [[ -f $stamp && $(<"$stamp") == "$wanted" ]]; then
        return
    fi
    say "installing the Python packages of ${locks[*]} into $VENV"
    for lock in "${locks[@]}"; do
        arguments+=(-r "$lock")
    done
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "${arguments[@]}"
    "$VENV/bin/python" -m pip check --disable-pip-version-check
    printf '%s\n' "$wanted" >"$stamp"
}

main() {
    local kind=run
    local -a missing
    if [[ ${1:-} == --dev ]]; then
        kind=dev
    fi
    remove_left_policy
    read -r -a missing <<<"$(missing_packages "$kind" | tr '\n' ' ')"
    if [[ ${#missing[@]} -gt 0 ]]; then
        install_packages "${missing[@]}"
    fi
    if [[ $kind == dev ]]; then
        read -r -a missing <<<"$(packages_without_german | tr '\n' ' ')"
        if [[ ${#missing[@]} -gt 0 ]]; then
            install_packages --reinstall "${missing[@]}"
        fi
    fi
    install_python_packages "$kind"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    main "$@"
fi
