#!/usr/bin/env bash
# Examines two SCIM servers that are not ours, and compares what is found with what was found before.
#
#   tests/suites/others.sh target/debug/muster             fails on any difference from others/*.found
#   UPDATE_EXPECT=1 tests/suites/others.sh target/debug/muster    writes them anew; read each line against the RFC
#
# scim2-server comes from PyPI, scimmy from npm; where npm is missing, scimmy is left out.
set -euo pipefail

. "$(dirname "$0")/../kit/prelude.sh"
here="$here/others"
work="$target/others"
mkdir -p "$work"
token="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
servers=()
trap 'for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done' EXIT

# A port that nobody listens on, and that was not handed out before.
port() {
  local port
  for port in $(shuf -i 20000-40000 -n 50); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# Waits until a server answers.
answers() {
  for _ in {1..150}; do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    sleep 0.2
  done
  echo "no server on port $1; its log is in $work" >&2
  return 1
}

install_scimmy() {
  if ! cmp -s "$here/package.json" "$work/package.json"; then
    cp "$here/package.json" "$work/package.json"
    (cd "$work" && npm install --silent --no-fund --no-audit) || { rm "$work/package.json"; return 1; }
  fi
  cp "$here/scimmy.mjs" "$work/scimmy.mjs"
}

# Examines a server and prints what it breaks, one requirement a line.
examine() {
  local status=0
  "$muster" check "$2" --token "$token" --format markdown >"$work/$1.report" || status=$?
  [[ $status -le 1 ]] || return "$status"
  awk -F' *[|] *' '$4 ~ /^(FAIL|warning|not reached)$/ { print $2, $4 }' "$work/$1.report" >"$work/$1.found"
}

compare() {
  local differing passed
  [[ -z ${UPDATE_EXPECT:-} ]] || cp "$work/$1.found" "$here/$1.found"
  if differing="$(diff "$here/$1.found" "$work/$1.found")"; then
    differing=
  fi
  passed="$(grep -c '| pass |' "$work/$1.report")"
  if [[ -n $differing ]]; then
    echo "$1: < was found before, > is found now; the report is $work/$1.report"
    echo "$differing"
    failed=yes
  fi
  echo "suite examiner-on-$1: $passed passed, $(grep -c '^[<>]' <<<"$differing" || true) failed"
}

failed=no
install_python "$work/venv" "$here"
scim2="$(port)"
"$work/venv/bin/scim2-server" --port "$scim2" --bearer-token "$token" --precis >"$work/scim2-server.log" 2>&1 &
servers+=($!)
answers "$scim2"
examine scim2-server "http://127.0.0.1:$scim2/v2" &
examining=$!
if command -v npm >/dev/null; then
  install_scimmy
  scimmy="$(port)"
  (cd "$work" && exec node scimmy.mjs "$scimmy" "$token") >"$work/scimmy.log" 2>&1 &
  servers+=($!)
  answers "$scimmy"
  examine scimmy "http://127.0.0.1:$scimmy/scim"
  compare scimmy
else
  echo "without npm, scimmy is left out"
fi
wait "$examining"
compare scim2-server
[[ $failed = no ]]
