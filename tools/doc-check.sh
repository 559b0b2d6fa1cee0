#!/usr/bin/env bash
# Are man/ and NAMESPACE what the comments in R/ make today? Looks at a copy.
#
#   tools/doc-check.sh BUILD_DIRECTORY
set -euo pipefail

cd "$(dirname "$0")/.."
copy=$1/doc-check
rm -rf "$copy"
mkdir -p "$copy"
for part in DESCRIPTION NAMESPACE R man inst vignettes README.md; do
  if [[ -e $part ]]; then
    cp -pR "$part" "$copy/"
  fi
done
# Pages that no comment makes any more are removed by roxygen2.
if ! Rscript tools/doc.R "$copy" >"$copy/log" 2>&1; then
  cat "$copy/log" >&2
  exit 1
fi
if grep -E '^(x|!|✖|Warning) ' "$copy/log" >&2; then
  printf 'roxygen2 has something to say (above)\n' >&2
  exit 1
fi
if ! diff -ru man "$copy/man" || ! diff -u NAMESPACE "$copy/NAMESPACE"; then
  printf 'run make doc, and commit what it writes\n' >&2
  exit 1
fi
