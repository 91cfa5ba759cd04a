#!/usr/bin/env bash
# Runs vendors' own clients against a server: Python ones from PyPI, those for Node from npm.
#
#   tests/clients/run.sh target/debug/muster
#
# Every *.py and *.mjs here but the two that count is a client's checks; each says how many passed.
set -euo pipefail

if [[ $# -ne 1 || ! -x $1 ]]; then
  echo "usage: $0 MUSTER, where MUSTER is the built program ('cargo test --workspace --no-run' builds it)" >&2
  exit 2
fi
muster="$(realpath "$1")"
here="$(cd "$(dirname "$0")" && pwd)"
target="$(realpath "${CARGO_TARGET_DIR:-$here/../../target}")"
work="$target/clients"
mkdir -p "$work"

if ! cmp -s "$here/requirements.txt" "$work/venv/requirements.txt"; then
  rm -rf "$work/venv"
  "${PYTHON:-python3}" -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$work/venv/requirements.txt"
fi
if ! cmp -s "$here/package.json" "$work/node_modules/package.json"; then
  rm -rf "$work/node_modules"
  cp "$here/package.json" "$work/"
  npm install --prefix "$work" --silent --no-audit --no-fund --no-package-lock
  cp "$here/package.json" "$work/node_modules/package.json"
fi
cp "$here"/*.py "$here"/*.mjs "$work/"

# The server is on this machine, whatever proxy the packages came through.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

database="$(mktemp -d)"
MUSTER_TOKEN="$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
export MUSTER_TOKEN
MUSTER_BOOTSTRAP_TOKEN="$MUSTER_TOKEN" "$muster" serve --listen 127.0.0.1:0 \
  --database "sqlite:$database/muster.db" >"$work/server.stdout" 2>"$work/server.log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$database"' EXIT
for _ in {1..300}; do
  MUSTER_BASE="$(sed -n 's|^muster listening on \(http://[^ ]*\).*|\1|p' "$work/server.stdout")"
  [[ -z $MUSTER_BASE ]] || break
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
if [[ -z $MUSTER_BASE ]]; then
  echo "the server did not start" >&2
  cat "$work/server.stdout" "$work/server.log" >&2
  exit 1
fi
export MUSTER_BASE

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
