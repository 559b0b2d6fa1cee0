#!/usr/bin/env bash
# Compiles the fuzz harness, tests/fuzz/*.c, with the core, under the address and
# the undefined-behaviour sanitizer, and runs it. A finding is printed, and left
# in BUILD_DIRECTORY/fuzz for `fuzz replay FILE`.
#
#   tools/fuzz.sh BUILD_DIRECTORY
#
#   INPUTS=n     so many of them, of all targets together
#   SEED=n       the same ones again
#   TARGET=name  of that one alone
set -euo pipefail

cd "$(dirname "$0")/.."
out=$1/fuzz
rm -rf "$out"
mkdir -p "$out/src" "$out/tests/fuzz"

# shellcheck disable=SC2054 # the commas are the compiler's
flags=(-std=c11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer -Wall -Wextra
  -Wconversion -Werror -iquote src -fsanitize=address,undefined
  -fno-sanitize-recover=undefined)

# shellcheck source=tools/libraries.sh
. tools/libraries.sh

# What tests/fuzz/world.c makes up, so that no process, no descriptor and no
# moment is a real one.
made_up=(malloc calloc realloc free
  io_close io_pair io_recv io_recv_fd io_send io_send_fd io_wait
  poll clock_gettime shm_create shm_adopt shm_map shm_release mmap
  kill sigqueue waitpid fork tmpdir_remove link_recv
  proc_fork proc_watch proc_watch_children proc_drain proc_adopt_orphans
  proc_bury_all proc_leave)

sources=(tests/fuzz/*.c)
for file in src/*.c; do
  case $(basename "$file") in
  r_*.c | init.c) ;;
  *) sources+=("$file") ;;
  esac
done

# Named without .c, so that one word serves for the source and the object.
printf '%s\n' "${sources[@]%.c}" |
  xargs -P "$(getconf _NPROCESSORS_ONLN)" -I{} \
    gcc "${flags[@]}" "${library_flags[@]}" -c {}.c -o "$out/{}.o"
gcc "${flags[@]}" "${made_up[@]/#/-Wl,--wrap=}" \
  "$out"/tests/fuzz/*.o "$out"/src/*.o -o "$out/fuzz" "${libraries[@]}"

exec "$out/fuzz" run "${INPUTS:-10000000}" "${SEED:-$(date +%s)}" "$out" \
  ${TARGET:+"$TARGET"}
