# Ten workers against two: more nodes than cores must not cost. The pool alone.
#
#   Rscript bench/workers.R [rounds]     (after `make install`, or: make bench)

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE),
  value = TRUE
)[1L])), "common.R"))
source(beside("works.R"))

rounds <- rounds_asked(3L)
describe_machine()

sizes <- c("pool, 2 workers" = 2L, "pool, 10 workers" = 10L)

# The nodes are new in each turn: those before them take a while to be gone, and
# the work is done once beforehand.
compare <- function(title, run, turns = rounds, unit = "ms") {
  times <- take_turns(lapply(sizes, function(size) {
    function() {
      suppressMessages(init_pool(size, restart = TRUE))
      Sys.sleep(0.3)
      for (i in 1:2) run()
      run()
    }
  }), turns, warm = FALSE)
  times <- add_times(title, times, turns, unit)
  goal(paste0(title, ": 10 workers / 2 workers"),
    ratio(times, "pool, 10 workers", "pool, 2 workers"),
    most = 1.1
  )
  cat("\n")
}

compare(
  "One element", repeated(function() pool_lapply(1, identity), list(1)),
  3L * rounds, "microseconds"
)

numbers <- 1:1000000
compare(
  "1,000,000 trivial elements",
  once(function() pool_lapply(numbers, trivial), lapply(numbers, trivial)), 3L * rounds
)

busy <- busy_for(20e-6)
elements <- 1:20000
compare(
  "20,000 elements of 20 microseconds",
  once(function() pool_lapply(elements, busy), lapply(elements, busy)), 3L * rounds
)

naps <- c(rep(0.005, 198L), rep(0.4, 2L))
compare(
  "198 naps of 5 ms, then 2 of 400 ms",
  once(function() pool_lapply(naps, nap), as.list(naps))
)

files <- transfer_files(function(...) mapply(..., SIMPLIFY = FALSE), 10000L)
compare(
  "pool_map() of 10,000 file names that its function's frame holds",
  once(function() transfer_files(pool_map, 10000L), files), 3L * rounds
)

export <- function() {
  large <- large_vector()
  seconds(pool_export("large", environment()))
}
compare("100 MB to each node", export, 5L * rounds)

back <- function(x) once(function() pool_lapply(list(x), identity), list(x))
compare("100 MB there and back", back(large_vector()))
compare("1,000,000 short strings there and back", back(short_strings()))
compare("30 columns x 1,000,000 rows there and back", back(wide_frame()))
compare("100,000 small lists there and back", back(small_lists()))

suppressMessages(delete_pool())
save_results()
