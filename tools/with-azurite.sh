#!/usr/bin/env bash
# Runs a command beside a blob service on this machine, Azurite, which ends with
# it, whatever way it ends. The command finds the port in AZURITE_PORT.
#
#   tools/with-azurite.sh BUILD_DIRECTORY COMMAND...
set -euo pipefail

program=$(cd "$1" && pwd)/azurite/node_modules/.bin/azurite-blob
shift
location=$(mktemp -d)
: >"$location/log"
server=
command=
# shellcheck disable=SC2317 # the trap below calls it
stop() {
  local pid
  for pid in $command $server; do
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
(
  cd "$location"
  exec "$program" --blobPort 0 --inMemoryPersistence \
    --skipApiVersionCheck --disableTelemetry --silent >log 2>&1 </dev/null
) &
server=$!

port=
for _ in {1..300}; do
  port=$(sed -nE 's/.*successfully listens on .*:([0-9]+)$/\1/p' "$location/log")
  if [[ -n $port ]] || ! kill -0 "$server" 2>/dev/null; then
    break
  fi
  sleep 0.1
done
if [[ -z $port ]]; then
  printf 'Azurite did not start:\n' >&2
  cat "$location/log" >&2
  exit 1
fi

# In the background, so that a signal is acted on while it runs.
AZURITE_PORT=$port "$@" </dev/null &
command=$!
status=0
wait "$command" || status=$?
command=
exit "$status"
