#!/usr/bin/env bash
# Runs two public SCIM conformance suites and the commands of a public client, each on a server with a database of its own.
#
#   tests/suites/run.sh target/debug/muster
#
# Fails unless every check of all passes; tally.py says how the reports are read.
set -euo pipefail

. "$(dirname "$0")/../kit/prelude.sh"
venv="$target/venv"
reports="$target/suites"
mkdir -p "$reports"

install_python "$venv" "$here" scim2

databases="$(mktemp -d)"
token="$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
export MUSTER_BOOTSTRAP_TOKEN="$token"
trap 'stop_server; rm -rf "$databases"' EXIT

# Runs a suite on its own server, then counts what its report says.
suite() {
  local name="$1" status=0
  start_server "sqlite:$databases/$name.db" "$reports/$name.stdout" "$reports/$name.log"
  base="$url/scim/v2"
  "$name" >"$reports/$name.report" 2>"$reports/$name.errors" || status=$?
  stop_server
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
