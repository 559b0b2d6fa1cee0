#!/usr/bin/env bash
# Every linter, one after the other; all of them run, then the failed are named.
#
#   tools/lint.sh BUILD_DIRECTORY
set -euo pipefail

cd "$(dirname "$0")/.."
shopt -s nullglob
out=$1/lint
mkdir -p "$out"
cores=$(getconf _NPROCESSORS_ONLN)

core=()
glue=()
for file in src/*.c; do
  case $(basename "$file") in
  r_*.c | init.c) glue+=("$file") ;;
  *) core+=("$file") ;;
  esac
done
shell=(tools/*.sh .ci/run configure cleanup)
# shellcheck source=tools/libraries.sh
. tools/libraries.sh

# The core is compiled without R's headers in reach; they count as the system's
# in the glue, where their own warnings do not interest.
posix=(-std=c11 -D_GNU_SOURCE "${library_flags[@]}")
r_flags=(-DR_NO_REMAP -DSTRICT_R_HEADERS)
for flag in $(R CMD config --cppflags); do
  case $flag in
  -I*) r_flags+=(-isystem "${flag#-I}") ;;
  *) r_flags+=("$flag") ;;
  esac
done
strict=(-O1 -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wundef -Wvla
  -Wmissing-prototypes -Wstrict-prototypes -Wno-cast-function-type -Werror
  -fanalyzer)

each() { # FILE... -- COMMAND...: the command on each file
  local files=()
  while [[ $1 != -- ]]; do
    files+=("$1")
    shift
  done
  shift
  ((${#files[@]} == 0)) || printf '%s\n' "${files[@]}" |
    xargs -P "$cores" -I{} "$@"
}

layers() { tools/layers.sh; }
compiler() {
  each "${core[@]}" -- \
    gcc "${posix[@]}" "${strict[@]}" -c {} -o /dev/null &&
    each "${glue[@]}" -- \
      gcc "${posix[@]}" "${strict[@]}" "${r_flags[@]}" -c {} -o /dev/null
}
tidy() {
  # The count of warnings in the system's headers interests nobody.
  each "${core[@]}" "${glue[@]}" -- \
    clang-tidy --quiet {} -- "${posix[@]}" "${r_flags[@]}" \
    2> >(grep -vE '^[0-9]+ warnings? generated|^Suppressed' >&2)
}
check_c() {
  # No thread calls readdir() here, and a local name that is also a function's
  # is no mistake in so small a file.
  cppcheck --std=c11 --library=posix \
    --enable=warning,performance,portability,style \
    --suppress=missingIncludeSystem --suppress=readdirCalled \
    --suppress=shadowFunction --inline-suppr --error-exitcode=1 -q src
}
check_shell() { shellcheck "${shell[@]}"; }
check_r() { Rscript tools/lint.R; }

failed=()
for linter in layers compiler tidy check_c check_shell check_r; do
  printf '== %s\n' "$linter"
  "$linter" || failed+=("$linter")
done
if ((${#failed[@]} > 0)); then
  printf 'failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
