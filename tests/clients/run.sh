#!/usr/bin/env bash
# Runs vendors' own clients against a server: Python ones from PyPI, those for Node from npm.
#
#   tests/clients/run.sh target/debug/muster
#
# Every *.py and *.mjs here but the two that count is a client's checks; each says how many passed.
set -euo pipefail

. "$(dirname "$0")/../kit/prelude.sh"
work="$target/clients"
mkdir -p "$work"

install_python "$work/venv" "$here"
if ! cmp -s "$here/package.json" "$work/node_modules/package.json"; then
  rm -rf "$work/node_modules"
  cp "$here/package.json" "$work/"
  npm install --prefix "$work" --silent --no-audit --no-fund --no-package-lock
  cp "$here/package.json" "$work/node_modules/package.json"
fi
cp "$here"/*.py "$here"/*.mjs "$work/"

database="$(mktemp -d)"
MUSTER_TOKEN="$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
export MUSTER_TOKEN
trap 'stop_server; rm -rf "$database"' EXIT
MUSTER_BOOTSTRAP_TOKEN="$MUSTER_TOKEN" \
  start_server "sqlite:$database/muster.db" "$work/server.stdout" "$work/server.log"
export MUSTER_BASE="$url"

failed=no
for client in "$work"/*.py "$work"/*.mjs; do
  case "$(basename "$client")" in
    checks.*) continue ;;
    *.py) program="$work/venv/bin/python" ;;
    *) program=node ;;
  esac
  timeout 120 "$program" "$client" || failed=yes
done
[[ $failed = no ]] || { echo "the server's log is $work/server.log" >&2; exit 1; }
