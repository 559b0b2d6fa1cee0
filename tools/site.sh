#!/usr/bin/env bash
# The site, by pkgdown, into BUILD_DIRECTORY/site. What its pages load is in it:
# Bootstrap and Font Awesome come with R packages, the scripts that pkgdown would
# download come from the npm registry, into the cache where it looks first.
#
#   tools/site.sh BUILD_DIRECTORY
set -euo pipefail

cd "$(dirname "$0")/.."
# make's own flags and variables must not reach the makes of R and npm.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
build=$(cd "$1" && pwd)
modules=$build/site-npm/node_modules
export R_USER_CACHE_DIR=$build/site-cache

# name in pkgdown | its version there | npm package | files
assets() {
  cat <<'TABLE'
headroom      0.11.0 headroom.js@0.11.0     headroom.js/dist/headroom.min.js headroom.js/dist/jQuery.headroom.min.js
clipboard.js  2.0.11 clipboard@2.0.11       clipboard/dist/clipboard.min.js
search        1.0.0  fuse.js@6.4.6          fuse.js/dist/fuse.min.js
search        1.0.0  autocomplete.js@0.38.0 autocomplete.js/dist/autocomplete.jquery.min.js
search        1.0.0  mark.js@8.11.1         mark.js/dist/mark.min.js
TABLE
}

if [[ ! -d $modules/mark.js ]]; then
  mkdir -p "$build/site-npm"
  mapfile -t packages < <(assets | awk '{ print $3 }')
  npm install --prefix "$build/site-npm" --no-audit --no-fund --ignore-scripts \
    --no-package-lock --loglevel=error "${packages[@]}" </dev/null
fi
cache=$R_USER_CACHE_DIR/R/pkgdown
rm -rf "$cache"
while read -r name version _ files; do
  mkdir -p "$cache/$name/$version"
  for file in $files; do
    cp "$modules/$file" "$cache/$name/$version/"
  done
done < <(assets)
mkdir -p "$cache/bootstrap-toc/1.0.1"
cp tools/site/toc.js "$cache/bootstrap-toc/1.0.1/bootstrap-toc.min.js"

# A copy: pkgdown leaves things where it works.
copy=$build/site-source
rm -rf "$copy" "$build/site"
mkdir -p "$copy"
cp -pR DESCRIPTION NAMESPACE LICENSE NEWS.md README.md _pkgdown.yml pkgdown R man vignettes "$copy/"
[[ ! -d inst ]] || cp -pR inst "$copy/"
mkdir -p "$copy/bench"
cp -p bench/*.png "$copy/bench/"
SITE=$build/site Rscript tools/site.R "$copy"
tools/site-check.sh "$build/site"
