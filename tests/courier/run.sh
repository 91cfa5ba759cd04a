#!/usr/bin/env bash
# Verifies addresses and a phone number through a real mail server and a real webhook.
#
#   tests/courier/run.sh target/debug/muster
#
# Fails unless every check of verify.py passes.
set -euo pipefail

. "$(dirname "$0")/../kit/prelude.sh"
venv="$target/venv-courier"

install_python "$venv" "$here"

exec "$venv/bin/python" "$here/verify.py" "$muster"
