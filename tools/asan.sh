#!/usr/bin/env bash
# Runs the test suite with a package that was compiled for the address and the
# undefined-behaviour sanitizer (tools/asan.mk).
#
#   tools/asan.sh BUILD_DIRECTORY
#
# A report by any process, also by a forked worker that nobody waits for, goes
# to a file of its own, and any such file is a failure.
set -euo pipefail

cd "$(dirname "$0")/.."
build=$PWD/$1
reports=$build/asan/reports
rm -rf "$reports"
mkdir -p "$reports"

# R itself is not compiled so: its runtime has to be there before R starts.
runtime=$(gcc -print-file-name=libasan.so)
# Every process that a test starts inherits it. One cannot bear that: ps, of
# Debian 12 at least, waits for ever for a lock when it sets up its messages.
mkdir -p "$build/asan/bin"
printf '#!/bin/sh\nunset LD_PRELOAD\nexec %s "$@"\n' "$(command -v ps)" \
  >"$build/asan/bin/ps"
chmod +x "$build/asan/bin/ps"
export PATH=$build/asan/bin:$PATH
# R leaks at exit by design; its own handler of SIGSEGV finds stack overflows.
# What is too large to allocate is an R error; a warning of it is written too.
# Tests look at how much memory processes have: freed memory is not kept long.
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
ASAN_OPTIONS+=:quarantine_size_mb=32
ASAN_OPTIONS+=:log_path=$reports/report
export UBSAN_OPTIONS=print_stacktrace=1:log_path=$reports/report
export R_LIBS=$build/asan/lib:$build/lib

status=0
R CMD env LD_PRELOAD="$runtime" "$(R RHOME)/bin/exec/R" --no-save --no-restore \
  --no-echo -f tools/test.R </dev/null || status=$?

shopt -s nullglob
for report in "$reports"/report*; do
  grep -qv 'WARNING: AddressSanitizer failed to allocate' "$report" || continue
  printf '%s\n' "--- $(basename "$report")" >&2
  cat "$report" >&2
  status=1
done
exit "$status"
