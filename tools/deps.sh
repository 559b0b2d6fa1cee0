#!/usr/bin/env bash
# Installs what the named needs ask for, and only what is missing: system
# packages through apt, when run by root on a system that has it, then R
# packages into a library of this source tree's own, and Azurite with npm.
#
#   tools/deps.sh BUILD_DIRECTORY NEED...
#
# A need is package, test, demo, doc, site, check, lint, valgrind or bench.
set -euo pipefail

cd "$(dirname "$0")/.."
# make's own flags and variables must not reach the makes of R and npm.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

# The last Azurite that runs on the Node.js of Debian's stable releases.
azurite=azurite@3.35.0

build=$1
shift
needs=" $* "
lib=$build/lib
mkdir -p "$lib"

# need | how to see that it is there | its Debian package | not needed when this
# R package is installed already (it is only compiled against)
system_table() {
  cat <<'TABLE'
any       command Rscript              r-base-core
any       header  R.h                  r-base-dev
any       command gcc                  gcc
any       command pkg-config           pkg-config
any       header  curl/curl.h          libcurl4-openssl-dev
any       header  openssl/evp.h        libssl-dev
any       header  lmdb.h               liblmdb-dev
any       header  libxml/parser.h      libxml2-dev           xml2
test      header  uv.h                 libuv1-dev            fs
test      command ps                   procps
test      command prlimit              util-linux
test      command script               bsdutils
test      command openssl              openssl
test      command node                 nodejs
test      command npm                  npm
demo      command node                 nodejs
demo      command npm                  npm
doc       header  uv.h                 libuv1-dev            fs
site      header  uv.h                 libuv1-dev            fs
site      header  fontconfig/fontconfig.h libfontconfig1-dev systemfonts
site      header  freetype2/ft2build.h libfreetype-dev       systemfonts
site      header  harfbuzz/hb.h        libharfbuzz-dev       textshaping
site      header  fribidi/fribidi.h    libfribidi-dev        textshaping
site      header  png.h                libpng-dev            ragg
site      header  tiff.h               libtiff-dev           ragg
site      header  jpeglib.h            libjpeg-dev           ragg
site      header  webp/encode.h        libwebp-dev           ragg
site      command pandoc               pandoc
site      command node                 nodejs
site      command npm                  npm
check     header  uv.h                 libuv1-dev            fs
check     command pandoc               pandoc
check     command qpdf                 qpdf
check     command checkbashisms        devscripts
lint      command clang-format         clang-format
lint      command clang-tidy           clang-tidy
lint      command cppcheck             cppcheck
lint      command shellcheck           shellcheck
format    command clang-format         clang-format
valgrind  command valgrind             valgrind
bench     command cmake                cmake                 nanonext
bench     header  zmq.h                libzmq3-dev           clustermq
bench     command node                 nodejs
bench     command npm                  npm
bench     command curl                 curl
bench     command nginx                nginx-light
TABLE
}

include_flags() {
  printf '%s\n' -I/usr/include/libxml2
  if command -v R >/dev/null; then
    R CMD config --cppflags | tr ' ' '\n'
  fi
}

is_there() {
  case $1 in
  command) command -v "$2" >/dev/null ;;
  header)
    command -v gcc >/dev/null &&
      printf '#include <%s>\n' "$2" |
      gcc "${flags[@]}" -E -x c - >/dev/null 2>&1
    ;;
  esac
}

# One line per installed R package.
installed() {
  if command -v Rscript >/dev/null; then
    R_LIBS=$lib Rscript --no-init-file -e 'writeLines(.packages(TRUE))'
  fi
}

missing_system_packages() {
  local need how what package unless
  while read -r need how what package unless; do
    if [[ $need != any && $needs != *" $need "* ]]; then
      continue
    fi
    if [[ -n $unless ]] && grep -qx "$unless" <<<"$have"; then
      continue
    fi
    is_there "$how" "$what" || printf '%s\n' "$package"
  done < <(system_table) | sort -u
}

mapfile -t flags < <(include_flags)
have=$(installed)
mapfile -t missing < <(missing_system_packages)
if ((${#missing[@]} > 0)); then
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    printf 'These system packages are needed (Debian names): %s\n' \
      "${missing[*]}" >&2
    exit 1
  fi
  printf 'Installing system packages: %s\n' "${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends "${missing[@]}" \
    </dev/null >/dev/null
fi

# shellcheck disable=SC2086 # the needs are words
R_LIBS=$PWD/$lib Rscript --no-save --no-restore tools/deps.R "$lib" $needs

if [[ $needs =~ \ (demo|test|site|bench)\  ]] &&
  [[ ! -x $build/azurite/node_modules/.bin/azurite-blob ]]; then
  printf 'Installing %s into %s/azurite\n' "$azurite" "$build"
  mkdir -p "$build/azurite"
  npm install --prefix "$build/azurite" --no-audit --no-fund --ignore-scripts \
    --no-package-lock --loglevel=error "$azurite" </dev/null
fi
