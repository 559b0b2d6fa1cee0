#!/usr/bin/env bash
# Runs tests/valgrind.R under valgrind, the forked workers included. Each
# process writes a log of its own, empty if it did nothing wrong; a worker
# leaves by a signal, so only a log tells of its errors.
#
#   tools/valgrind.sh BUILD_DIRECTORY
set -euo pipefail

cd "$(dirname "$0")/.."
logs=$PWD/$1/valgrind
rm -rf "$logs"
mkdir -p "$logs"

status=0
R -d "valgrind -q --error-exitcode=99 --leak-check=full \
  --errors-for-leak-kinds=definite --show-leak-kinds=definite \
  --child-silent-after-fork=no --suppressions=tools/valgrind.supp \
  --log-file=$logs/%p.log" \
  --vanilla --no-echo -f tests/valgrind.R </dev/null || status=$?

# Errors have "==" in front; "--" are remarks, such as that this valgrind does
# not know pidfd_open(2), without which the pool works too.
for log in "$logs"/*.log; do
  if grep -q '^==' "$log"; then
    printf '%s\n' "--- $(basename "$log")" >&2
    cat "$log" >&2
    status=99
  fi
done
exit "$status"
