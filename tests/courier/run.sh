#!/usr/bin/env bash
# Verifies addresses and a phone number through a real mail server and a real webhook.
#
#   tests/courier/run.sh target/debug/muster
#
# Fails unless every check of verify.py passes.
set -euo pipefail

if [[ $# -ne 1 || ! -x $1 ]]; then
  echo "usage: $0 MUSTER, where MUSTER is the built program ('cargo test --workspace --no-run' builds it)" >&2
  exit 2
fi
muster="$(realpath "$1")"
here="$(cd "$(dirname "$0")" && pwd)"
target="$(realpath "${CARGO_TARGET_DIR:-$here/../../target}")"
venv="$target/venv-courier"

if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
  rm -rf "$venv"
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/requirements.txt"
fi

# Everything is on this machine, whatever proxy the packages came through.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
exec "$venv/bin/python" "$here/verify.py" "$muster"
