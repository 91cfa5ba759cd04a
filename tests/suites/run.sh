#!/usr/bin/env bash
# Runs two public SCIM conformance suites and the commands of a public client, each on a server with a database of its own.
#
#   tests/suites/run.sh target/debug/muster
#
# Fails unless every check of all passes; tally.py says how the reports are read.
set -euo pipefail

if [[ $# -ne 1 || ! -x $1 ]]; then
  echo "usage: $0 MUSTER, where MUSTER is the built program ('cargo test --workspace --no-run' builds it)" >&2
  exit 2
fi
muster="$(realpath "$1")"
here="$(cd "$(dirname "$0")" && pwd)"
target="$(realpath "${CARGO_TARGET_DIR:-$here/../../target}")"
venv="$target/venv"
reports="$target/suites"
mkdir -p "$reports"

if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt" || ! "$venv/bin/scim2" --help &>/dev/null; then
  rm -rf "$venv"
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/requirements.txt"
fi

# The server is on this machine, whatever proxy the packages came through.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

databases="$(mktemp -d)"
token="$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
server=

stop() {
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
  fi
}
trap 'stop; rm -rf "$databases"' EXIT

# Starts a server on an empty database and sets `base` to its SCIM base URL.
start() {
  : >"$reports/$1.stdout"
  MUSTER_BOOTSTRAP_TOKEN="$token" "$muster" serve --listen 127.0.0.1:0 --database "sqlite:$databases/$1.db" \
    >"$reports/$1.stdout" 2>"$reports/$1.log" &
  server=$!
  local url
  for _ in {1..300}; do
    url="$(sed -n 's|^muster listening on \(http://[^ ]*\).*|\1|p' "$reports/$1.stdout")"
    if [[ -n $url ]]; then
      base="$url/scim/v2"
      return 0
    fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo "$1: the server did not start" >&2
  cat "$reports/$1.stdout" "$reports/$1.log" >&2
  return 1
}

# Runs a suite on its own server, then counts what its report says.
suite() {
  local name="$1" status=0
  start "$name"
  "$name" >"$reports/$name.report" 2>"$reports/$name.errors" || status=$?
  stop
  if ! "$venv/bin/python" "$here/tally.py" "$name" "$reports/$name.report" "$status"; then
    failed=yes
    cat "$reports/$name.errors"
    echo "the server's log is $reports/$name.log"
  fi
}

scim2-tester() {
  SCIM_CLI_HEADERS="Authorization: Bearer $token" "$venv/bin/scim2" --url "$base" test
}

scim-sanity() {
  "$venv/bin/scim-sanity" probe "$base" --token "$token" --strict --i-accept-side-effects --json-output
}

scim2-cli() {
  SCIM_CLI_HEADERS="Authorization: Bearer $token" "$venv/bin/python" "$here/commands.py" "$venv/bin/scim2" "$base"
}

failed=no
suite scim2-tester
suite scim-sanity
suite scim2-cli
[[ $failed = no ]]
