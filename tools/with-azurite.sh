#!/usr/bin/env bash
# Runs a command beside a blob and a queue service on this machine, Azurite,
# which end with it, whatever way it ends. The command finds their ports in
# AZURITE_PORT and AZURITE_QUEUE_PORT.
#
#   tools/with-azurite.sh BUILD_DIRECTORY COMMAND...
set -euo pipefail

programs=$(cd "$1" && pwd)/azurite/node_modules/.bin
shift
location=$(mktemp -d)
servers=()
command=
# shellcheck disable=SC2317 # the trap below calls it
stop() {
  local pid
  for pid in $command "${servers[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$location"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Port 0: a free one, which it then names. It keeps everything in memory, and
# so refuses a --location; what it might write all the same goes to where it is.
start() { # SERVICE
  mkdir "$location/$1"
  : >"$location/$1/log"
  (
    cd "$location/$1"
    exec "$programs/azurite-$1" "--$1Port" 0 --inMemoryPersistence \
      --skipApiVersionCheck --disableTelemetry --silent >log 2>&1 </dev/null
  ) &
  servers+=($!)
}

port_of() { # SERVICE PID
  local port=
  for _ in {1..300}; do
    port=$(sed -nE 's/.*successfully listens on .*:([0-9]+)$/\1/p' "$location/$1/log")
    if [[ -n $port ]] || ! kill -0 "$2" 2>/dev/null; then
      break
    fi
    sleep 0.1
  done
  if [[ -z $port ]]; then
    printf 'Azurite did not start:\n' >&2
    cat "$location/$1/log" >&2
    exit 1
  fi
  printf '%s\n' "$port"
}

start blob
start queue
AZURITE_PORT=$(port_of blob "${servers[0]}")
AZURITE_QUEUE_PORT=$(port_of queue "${servers[1]}")
AZURITE_PROGRAMS=$programs # for tests that start one of their own
export AZURITE_PORT AZURITE_QUEUE_PORT AZURITE_PROGRAMS

# In the background, so that a signal is acted on while it runs.
"$@" </dev/null &
command=$!
status=0
wait "$command" || status=$?
command=
exit "$status"
