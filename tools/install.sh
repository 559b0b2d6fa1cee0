#!/usr/bin/env bash
# Installs the package of this source tree into a library.
#
#   tools/install.sh BUILD_DIRECTORY LIBRARY [OPTION...]
#
# The options are those of R CMD INSTALL.
#
# It is compiled in a copy, so that nothing is left between the sources. The
# copy's object files are kept from one run to the next while no header and no
# Makevars has changed: R's make rules do not know what a file includes.
set -euo pipefail

cd "$(dirname "$0")/.."
# make's own flags and variables must not reach R's make.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

build=$1
lib=$2
shift 2
copy=$build/pool
log=$build/install.log
mkdir -p "$copy/src" "$lib"

# What every object file may depend on, besides its own source.
fingerprint() {
  cat src/*.h src/Makevars* "${R_MAKEVARS_USER:-/dev/null}" 2>/dev/null | cksum
}

find "$copy" -mindepth 1 -maxdepth 1 ! -name src -exec rm -rf {} +
find "$copy/src" -maxdepth 1 -type f ! -name '*.o' -delete
for part in DESCRIPTION NAMESPACE LICENSE NEWS.md R inst man configure cleanup; do
  if [[ -e $part ]]; then
    cp -pR "$part" "$copy/"
  fi
done
find src -maxdepth 1 -type f ! -name '*.o' ! -name '*.so' \
  -exec cp -p {} "$copy/src/" \;
if [[ $(fingerprint) != "$(cat "$build/fingerprint" 2>/dev/null)" ]]; then
  rm -f "$copy"/src/*.o
  fingerprint >"$build/fingerprint"
fi

MAKE="make -j$(getconf _NPROCESSORS_ONLN)"
export MAKE
if ! R CMD INSTALL --no-multiarch --library="$lib" "$@" "$copy" >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
# The compiler's warnings are worth seeing even where all went well.
grep -E -A 4 'warning:' "$log" >&2 || true
