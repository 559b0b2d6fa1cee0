# Large vectors: what is of a megabyte or more, and how to see how it travelled.

# The fewest elements of a megabyte.
least <- c(logical = 2^18, integer = 2^18, double = 2^17, complex = 2^16, raw = 2^20)

# Values that a careless copy would lose: a NaN with bits of its own, -0.
odd_values <- function(type) {
  bits <- as.raw(c(0x21, 0x43, 0x65, 0x07, 0, 0, 0xf8, 0x7f))
  payload <- readBin(bits, "double", endian = "little")
  switch(type,
    logical = c(TRUE, NA, FALSE),
    integer = c(1L, NA, -.Machine$integer.max, 0L, 77L),
    double = c(1.5, NA, NaN, payload, -0, Inf, -Inf, 5e-324, 0),
    complex = complex(
      real = c(1, NA, -0, payload, 2), imaginary = c(-0, 1, NaN, 0, Inf)
    ),
    raw = as.raw(c(255, 0:250))
  )
}

large <- function(type, n = least[[type]]) rep_len(odd_values(type), n)

# R's own description of an object says how its data is kept.
described <- function(x) utils::capture.output(.Internal(inspect(x)))[[1]]
environment(described) <- globalenv() # it is run by nodes, too

is_mapped <- function(x) grepl("pool: mapped", described(x), fixed = TRUE)

over_socket <- function() identical(getOption("pool.transport"), "socket")

skip_if_no_memory <- function() {
  skip_if(over_socket(), "nothing is shared over the socket")
  skip_if(!dir.exists("/proc/self/fd"), "no memory can be shared here")
}

# There and back by every way that leads to a node.
expect_there_and_back <- function(x, label) {
  ways <- list(
    "an element" = pool_lapply(list(x, 1), identity)[[1]],
    "the only element" = pool_lapply(list(x), identity)[[1]],
    "an element of a map" = pool_map(at_top(function(a, b) b), 1:2, list(0, x))[[2]],
    "a constant argument" = pool_lapply(1:2, at_top(function(i, x) x), x)[[2]],
    "an argument of all nodes" = pool_call(at_top(function(x) x), x)[[2]],
    "an export" = {
      pool_export("x", environment())
      pool_evalq(x)[[1]]
    }
  )
  for (way in names(ways)) {
    expect(exactly(ways[[way]], x), paste0(label, " as ", way, " is not what it was"))
  }
}

# ---- what processes have open, and in memory ----

descriptors <- function(pids) {
  vapply(pids, function(pid) length(list.files(file.path("/proc", pid, "fd"))), 1L)
}

# Mappings of shared memory, those of closed descriptors too.
mappings <- function(pids) {
  vapply(pids, function(pid) {
    sum(grepl("memfd:pool", readLines(file.path("/proc", pid, "maps")), fixed = TRUE))
  }, 1L)
}

# Megabytes: what a process has to itself, and its share of what it has not.
in_memory <- function(pids, what) {
  vapply(pids, function(pid) {
    lines <- readLines(file.path("/proc", pid, "smaps_rollup"))
    line <- grep(paste0("^", what, ":"), lines, value = TRUE)
    as.numeric(gsub("[^0-9]", "", line)) / 1024
  }, 1)
}

collect_everywhere <- function() {
  gc()
  pool_call(at_top(function() {
    gc()
    NULL
  }))
  invisible(gc())
}
