#!/usr/bin/env bash
# Compiles each tests/c/test_*.c with the core, under the address and the
# undefined-behaviour sanitizer, and runs it. A test prints nothing and exits
# with 0 when all is well.
#
#   tools/ctest.sh BUILD_DIRECTORY
set -euo pipefail

cd "$(dirname "$0")/.."
out=$1/ctest
rm -rf "$out"
mkdir -p "$out"

# shellcheck disable=SC2054 # the commas are the compiler's
flags=(-std=c11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer -Wall -Wextra
  -iquote src -fsanitize=address,undefined -fno-sanitize-recover=undefined)
# shellcheck source=tools/libraries.sh
. tools/libraries.sh
limit=120 # seconds for one test

shopt -s nullglob
tests=(tests/c/test_*.c)
core=()
for file in src/*.c; do
  case $(basename "$file") in
  r_*.c | init.c) ;;
  *) core+=("$file") ;;
  esac
done
if ((${#tests[@]} == 0)); then
  printf 'no test in tests/c\n' >&2
  exit 1
fi

# Named without .c, so that one word serves for the source and the object.
mkdir "$out/src"
printf '%s\n' "${core[@]%.c}" |
  xargs -P "$(getconf _NPROCESSORS_ONLN)" -I{} \
    gcc "${flags[@]}" "${library_flags[@]}" -c {}.c -o "$out/{}.o"

failed=0
for test in "${tests[@]}"; do
  name=$(basename "$test" .c)
  status=0
  gcc "${flags[@]}" "$test" "$out"/src/*.o -o "$out/$name" "${libraries[@]}" \
    >"$out/$name.log" 2>&1 || status=$?
  if ((status == 0)); then
    timeout -k 5 "$limit" "$out/$name" </dev/null \
      >>"$out/$name.log" 2>&1 || status=$?
  fi
  if ((status == 0)) && [[ ! -s $out/$name.log ]]; then
    printf 'ok      %s\n' "$name"
  else
    printf 'FAILED  %s (status %s)\n' "$name" "$status"
    cat "$out/$name.log"
    failed=$((failed + 1))
  fi
done
printf '%s C tests, %s failed\n' "${#tests[@]}" "$failed"
exit $((failed > 0))
