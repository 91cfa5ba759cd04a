# What the scripts that hold a built Muster to other people's programs begin with: the program and where files go, packages
# from PyPI, and a server that listens. To be sourced, with the script's own arguments.
#
# Sets `muster`, `here` (the script's folder) and `target`.

if [[ $# -ne 1 || ! -x $1 ]]; then
  echo "usage: $0 MUSTER, where MUSTER is the built program ('cargo test --workspace --no-run' builds it)" >&2
  exit 2
fi
muster="$(realpath "$1")"
here="$(cd "$(dirname "$0")" && pwd)"
target="$(realpath "${CARGO_TARGET_DIR:-$(dirname "${BASH_SOURCE[0]}")/../../target}")"

# Every server is on this machine, whatever proxy the packages came through.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

# Makes the virtual environment $1 with the packages of the folder $2, unless it has them; a program of theirs that no
# longer runs, $3, makes it anew.
install_python() {
  local venv="$1" wanted="$2/requirements.txt"
  if cmp -s "$wanted" "$venv/requirements.txt" && { [[ $# -lt 3 ]] || "$venv/bin/$3" --help &>/dev/null; }; then
    return 0
  fi
  rm -rf "$venv"
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
  cp "$wanted" "$venv/requirements.txt"
}

# Starts a server on the database $1, and waits until it listens; its output goes to the files $2 and $3. Sets `server`, its
# process id, and `url`.
start_server() {
  : >"$2" # what a server before said there
  "$muster" serve --listen 127.0.0.1:0 --database "$1" >"$2" 2>"$3" &
  server=$!
  for _ in {1..300}; do
    url="$(sed -n 's|^muster listening on \(http://[^ ]*\).*|\1|p' "$2")"
    [[ -z $url ]] || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo "the server did not start" >&2
  cat "$2" "$3" >&2
  return 1
}

# Stops it, if there is one.
stop_server() {
  [[ -n ${server:-} ]] || return 0
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
}
