#!/usr/bin/env bash
# Sends what the OpenAPI document allows, and what it does not, to every operation, and holds each answer against the
# document: no fault of the server, no status, media type or body that the document does not have.
#
#   tests/openapi/run.sh target/debug/muster
#
# What is sent is the same every time, and the time is bounded. What is about one user or group is sent to one that is
# there. Revoking tokens is left out, as it would revoke the one that is used; and so are SCIM's paths under /scim, which
# are those under /scim/v2. 501 is the answer to what is not offered, and documented where it is given.
set -euo pipefail

. "$(dirname "$0")/../kit/prelude.sh"
venv="$target/venv-openapi"
reports="$target/openapi"
mkdir -p "$reports"

install_python "$venv" "$here" st

home="$(mktemp -d)"
trap 'stop_server; rm -rf "$home"' EXIT
database="sqlite:$home/muster.db"
token="$("$muster" token create --tenant default --name schemathesis --scope full --profile strict --database "$database" | tail -1)"
export MUSTER_TOKEN="$token"
"$muster" import "$here/directory.jsonl" --database "$database"
start_server "$database" "$reports/server.out" "$reports/server.log"

cd "$home"
status=0
"$venv/bin/st" --config-file "$here/schemathesis.toml" run "$url/openapi.json" --header "Authorization: Bearer $token" \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
  --exclude-path '/admin/v1/tokens/{id}' --exclude-path-regex '^/scim(/[^v]|$)' \
  --phases examples,coverage,fuzzing --max-examples 10 --max-time 60 --continue-on-failure \
  --generation-deterministic --no-shrink --workers 1 --request-timeout 20 --suppress-health-check all \
  --warnings off --no-color >"$reports/report.txt" 2>&1 || status=$?
tail -n 25 "$reports/report.txt"
if [[ $status -ne 0 ]]; then
  echo "the whole report is $reports/report.txt, the server's log $reports/server.log" >&2
  exit 1
fi
echo "suite schemathesis: 1 passed, 0 failed"
