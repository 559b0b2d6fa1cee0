#!/usr/bin/env bash
# For scripts that compile the core by themselves: what it and its libraries
# need, as arrays of words.
# shellcheck disable=SC2034 # for whoever reads this in
read -ra library_flags < <(pkg-config --cflags libcurl libcrypto lmdb)
read -ra libraries < <(pkg-config --libs libcurl libcrypto lmdb)
libraries+=(-lpthread)
