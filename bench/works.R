# What the benchmarks have done: data, and functions that need nothing but their
# arguments. These live in the global environment, so nothing goes along with
# them to a node.

# ---- Work --------------------------------------------------------------------

trivial <- compiler::cmpfun(function(x) x + 1)

# Pure R work of about so many seconds, whatever it is given: found by measuring.
busy_for <- function(duration) {
  work <- function(loops) {
    busy <- function(i) {
      total <- 0
      for (k in seq_len(LOOPS)) total <- total + k
      total + i
    }
    body(busy) <- do.call(substitute, list(body(busy), list(LOOPS = loops)))
    environment(busy) <- globalenv()
    compiler::cmpfun(busy)
  }
  takes <- function(loops) {
    busy <- work(loops)
    median(replicate(9L, seconds(lapply(1:1000, busy)))) / 1000
  }
  loops <- 1000
  for (i in 1:3) {
    loops <- max(1, round(loops * duration / takes(loops)))
  }
  work(loops)
}

nap <- function(s) {
  Sys.sleep(s)
  s
}

# When the last of some naps ends, each begun by the first that is free.
list_schedule <- function(naps, nodes) {
  free <- numeric(nodes)
  for (s in naps) {
    first <- which.min(free)
    free[first] <- free[first] + s
  }
  max(free)
}

# AzureStor's transfers of many files: the function that is mapped is made in a
# frame that holds all their names, so they travel with it wherever it goes.
# `most`: how many of them are mapped.
transfer_files <- function(map, n, most = n) {
  container <- list(url = "http://127.0.0.1/container", key = NULL)
  src <- sprintf("data/2024/measurements/part-%06d.csv", seq_len(n))
  dest <- sprintf("backup/measurements/part-%06d.csv", seq_len(n))
  some <- seq_len(most)
  map(function(s, d, ...) paste(s, "to", container$url, d), src[some], dest[some])
}

# ---- Data --------------------------------------------------------------------

# 100 MB that nobody has seen before.
large_vector <- local({
  base <- NULL
  function() {
    if (is.null(base)) {
      base <<- runif(12.5e6)
    }
    base + runif(1)
  }
})

short_strings <- function(n = 1e6) paste0("id", sample.int(n))

wide_frame <- function(rows = 1e6) {
  column <- function(i) {
    switch(1L + i %% 6L,
      runif(rows), rnorm(rows), as.numeric(seq_len(rows)), sample.int(rows),
      sample(c(TRUE, FALSE, NA), rows, TRUE),
      sample(c("red", "green", "blue"), rows, TRUE)
    )
  }
  as.data.frame(setNames(lapply(1:30, column), sprintf("column%02d", 1:30)))
}

small_lists <- function(n = 1e5) {
  lapply(seq_len(n), function(i) {
    list(id = i, value = i / 7, name = "a name", flags = c(TRUE, FALSE))
  })
}
