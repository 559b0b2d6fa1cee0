#!/usr/bin/env bash
# R CMD check --as-cran --no-manual on the package as it would be published. An
# error or a warning fails; notes are shown.
#
#   tools/check.sh BUILD_DIRECTORY
set -euo pipefail

cd "$(dirname "$0")/.."
# make's own flags and variables must not reach R's make.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
root=$PWD
rm -rf "$1/check"
mkdir -p "$1/check"
cd "$1/check"

# These ask servers that a build machine may not reach, and say nothing about
# the package itself; packages that are only suggested may be absent.
export _R_CHECK_CRAN_INCOMING_=false
export _R_CHECK_SYSTEM_CLOCK_=false
export _R_CHECK_FORCE_SUGGESTS_=false
# Spawning more than two workers is the package's business.
unset _R_CHECK_LIMIT_CORES_

# Of a copy: R CMD build copies all there is, build/ too, while others write there.
mkdir source
tar -C "$root" --exclude=./build --exclude=./.git -cf - . | tar -C source -xf -
if ! R CMD build source >build.log 2>&1; then
  cat build.log >&2
  exit 1
fi
R CMD check --as-cran --no-manual ./*.tar.gz </dev/null || true

log=$(echo ./*.Rcheck/00check.log)
status=$(tail -n 1 "$log")
printf '%s\n' "$status"
case $status in
*ERROR* | *WARNING*)
  shopt -s nullglob
  outputs=(./*.Rcheck/tests/*.fail)
  if grep -q 'can be installed .* ERROR' "$log"; then
    outputs+=(./*.Rcheck/00install.out)
  fi
  for out in "${outputs[@]}"; do
    printf '%s\n' "--- $out" >&2
    tail -n 100 "$out" >&2
  done
  exit 1
  ;;
Status:*) ;;
*)
  printf 'R CMD check did not finish\n' >&2
  exit 1
  ;;
esac
