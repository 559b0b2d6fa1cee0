#!/usr/bin/env bash
# For scripts that compile the core by themselves: what libcurl and libcrypto
# need, as arrays of words.
# shellcheck disable=SC2034 # for whoever reads this in
read -ra library_flags < <(pkg-config --cflags libcurl libcrypto)
read -ra libraries < <(pkg-config --libs libcurl libcrypto)
