#!/usr/bin/env bash
# Runs tests/valgrind.R under valgrind, the forked workers included. Each
# process writes a log of its own, empty if it did nothing wrong; a worker
# leaves by a signal, so only a log tells of its errors.
#
#   tools/valgrind.sh BUILD_DIRECTORY [FILTER]
#
# With a filter ("." for all): those files of the test suite instead, each in a
# process of its own. They take some thirty times as long, so tests that look at
# a clock may fail; the logs alone count then.
set -euo pipefail

cd "$(dirname "$0")/.."
logs=$PWD/$1/valgrind
rm -rf "$logs"
mkdir -p "$logs"

under_valgrind() {
  R -d "valgrind -q --error-exitcode=99 --leak-check=full \
    --errors-for-leak-kinds=definite --show-leak-kinds=definite \
    --child-silent-after-fork=no --suppressions=tools/valgrind.supp \
    --log-file=$logs/%p.log" \
    --vanilla --no-echo -f "$1" </dev/null
}

status=0
if [[ -z ${2:-} ]]; then
  under_valgrind tests/valgrind.R || status=$?
else
  for file in tests/testthat/test-*.R; do
    name=$(basename "$file" .R)
    if [[ ${name#test-} =~ $2 ]]; then
      FILTER="^${name#test-}\$" under_valgrind tools/test.R || true
    fi
  done
fi

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
