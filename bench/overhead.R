# What a call costs: one element there and back, many trivial ones, a large
# vector, and elements of very unequal length; beside package parallel, and
# those peers that are installed.
#
#   Rscript bench/overhead.R [rounds]    (after `make install deps`, or: make bench)
#
# All candidates are there at once, idle but for the one whose turn it is.

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE),
  value = TRUE
)[1L])), "common.R"))

nodes <- 4L
rounds <- if (length(commandArgs(TRUE)) > 0L) as.integer(commandArgs(TRUE)[1L]) else 7L

describe_machine()

# ---- The candidates, started -------------------------------------------------

# Forked ones first: a peer's threads do not survive a fork.
suppressMessages(init_pool(nodes))
fork <- makeCluster(nodes, type = "FORK")
psock <- makeCluster(nodes, type = "PSOCK")
has_mirai <- installed("mirai")
has_future <- installed("future", "future.apply")
has_callr <- installed("callr")
has_clustermq <- installed("clustermq")
if (has_mirai) {
  invisible(mirai::daemons(nodes))
}
if (has_future) {
  options(parallelly.maxWorkers.localhost = c(Inf, Inf))
  future::plan(future::multisession, workers = nodes)
}
if (has_callr) {
  session <- callr::r_session$new()
}
if (has_clustermq) {
  options(clustermq.scheduler = "multiprocess")
  workers <- suppressMessages(clustermq::workers(nodes, reuse = TRUE, verbose = FALSE))
}

# A candidate that makes `times` calls in its turn and gives seconds a call.
repeated <- function(times, call, answer) {
  force(call)
  function() {
    seconds(call(), answer)
    seconds(for (i in seq_len(times)) call()) / times
  }
}

once <- function(call, answer) {
  force(call)
  function() seconds(call(), answer)
}

# The first candidate is what the others are compared with.
report <- function(title, candidates, show, rounds) {
  candidates <- Filter(Negate(is.null), candidates)
  first <- names(candidates)[1L]
  cat(title, ", medians of ", rounds, " rounds\n\n", sep = "")
  take_turns(candidates, 1L) # not counted: what is loaded and compiled once
  times <- take_turns(candidates, rounds)
  by <- vapply(names(candidates), function(name) ratio(times, name, first), 0)
  show_table(c(
    list(" " = names(candidates)), show(medians(times)),
    setNames(list(times_as(by)), paste("x", first))
  ))
  cat("\n")
  invisible(times)
}

# ---- One element -------------------------------------------------------------

one <- list(
  pool_lapply = repeated(500L, function() pool_lapply(1, identity), list(1)),
  "pool_call, all nodes" = repeated(100L, function() pool_call(identity, 1), rep(list(1), nodes)),
  "clusterCall(psock[1])" = repeated(300L, function() clusterCall(psock[1L], identity, 1), list(1)),
  "parLapply(psock)" = repeated(300L, function() parLapply(psock, 1, identity), list(1)),
  "clusterCall(fork[1])" = repeated(300L, function() clusterCall(fork[1L], identity, 1), list(1)),
  "parLapply(fork)" = repeated(300L, function() parLapply(fork, 1, identity), list(1)),
  "clusterCall(psock)" = repeated(
    100L, function() clusterCall(psock, identity, 1), rep(list(1), nodes)
  ),
  mirai = if (has_mirai) repeated(300L, function() mirai::mirai(1)[], 1),
  callr = if (has_callr) repeated(5L, function() session$run(function() 1), 1),
  future = if (has_future) repeated(5L, function() future::value(future::future(1)), 1),
  clustermq = if (has_clustermq) {
    repeated(2L, function() {
      clustermq::Q(function(x) x, 1, workers = workers, verbose = FALSE)
    }, list(1))
  }
)
one_times <- report("One element there and back",
  one, function(s) list("microseconds" = microseconds(s)), rounds
)

# ---- Many trivial elements ---------------------------------------------------

n <- 10000L
numbers <- seq_len(n)
same <- as.list(numbers)
many <- list(
  pool_lapply = once(function() pool_lapply(numbers, identity), same),
  lapply = once(function() lapply(numbers, identity), same),
  "parLapply(psock)" = once(function() parLapply(psock, numbers, identity), same),
  "parLapply(fork)" = once(function() parLapply(fork, numbers, identity), same),
  mclapply = once(function() mclapply(numbers, identity, mc.cores = nodes), same),
  mirai_map = if (has_mirai) once(function() mirai::mirai_map(numbers, identity)[], same),
  future_lapply = if (has_future) {
    once(function() future.apply::future_lapply(numbers, identity), same)
  },
  clustermq = if (has_clustermq) {
    once(function() {
      clustermq::Q(function(x) x, numbers, workers = workers, verbose = FALSE)
    }, same)
  }
)
report(sprintf("%d trivial elements, %d nodes", n, nodes),
  many, function(s) list("ms" = milliseconds(s)), rounds
)

# ---- A large vector ----------------------------------------------------------

large <- runif(12.5e6)
large_answer <- list(large)
back <- list(
  pool_lapply = once(function() pool_lapply(list(large), identity), large_answer),
  "clusterCall(psock[1])" = once(function() clusterCall(psock[1L], identity, large), large_answer),
  "clusterCall(fork[1])" = once(function() clusterCall(fork[1L], identity, large), large_answer),
  mirai = if (has_mirai) once(function() mirai::mirai(identity(x), x = large)[], large),
  callr = if (has_callr) once(function() session$run(identity, list(large)), large)
)
report("100 MB there and back",
  back, function(s) list("ms" = milliseconds(s)), rounds
)

# ---- 100 MB to every node ----------------------------------------------------

exported <- function(export, look) {
  function() {
    taken <- seconds(export())
    check(all(unlist(look()) == sum(large)), "a node has something else")
    taken
  }
}
look <- function() sum(large)
environment(look) <- globalenv()
report(
  sprintf("100 MB to each of %d nodes", nodes),
  list(
    pool_export = exported(function() pool_export("large"), function() pool_call(look)),
    "clusterExport(psock)" = exported(
      function() clusterExport(psock, "large"), function() clusterCall(psock, look)
    ),
    "clusterExport(fork)" = exported(
      function() clusterExport(fork, "large"), function() clusterCall(fork, look)
    )
  ),
  function(s) list("ms" = milliseconds(s)), min(rounds, 5L)
)

# ---- Unequal elements --------------------------------------------------------

# The long ones come last and together: the worst case for shares that are dealt
# out beforehand.
naps <- c(rep(0.005, 198L), rep(0.4, 2L))
nap <- function(s) {
  Sys.sleep(s)
  s
}
environment(nap) <- globalenv()
awake <- as.list(naps)
unequal <- list(
  pool_lapply = once(function() pool_lapply(naps, nap), awake),
  "parLapply(psock)" = once(function() parLapply(psock, naps, nap), awake),
  "parLapplyLB(psock)" = once(function() parLapplyLB(psock, naps, nap), awake),
  "clusterApplyLB(psock)" = once(function() clusterApplyLB(psock, naps, nap), awake),
  mirai_map = if (has_mirai) once(function() mirai::mirai_map(naps, nap)[], awake),
  future_lapply = if (has_future) once(function() future.apply::future_lapply(naps, nap), awake)
)
report(
  sprintf("198 naps of 5 ms, then 2 of 400 ms, %d nodes (least possible: %.0f ms)",
    nodes, 1e3 * (198 * 0.005 / nodes + 0.4)
  ),
  unequal, function(s) list("ms" = milliseconds(s)), min(rounds, 5L)
)

# ---- Goals -------------------------------------------------------------------

goal("one element, clusterCall(psock[1]) / pool_lapply",
  ratio(one_times, "clusterCall(psock[1])", "pool_lapply"),
  least = 3
)
goal("one element, parLapply(psock) / pool_lapply",
  ratio(one_times, "parLapply(psock)", "pool_lapply"),
  least = 3
)

suppressMessages(delete_pool())
stopCluster(psock)
stopCluster(fork)
Sys.sleep(0.5) # parallel complains at its end of children that are still leaving
if (has_mirai) {
  invisible(mirai::daemons(0L))
}
if (has_future) {
  future::plan(future::sequential)
}
if (has_callr) {
  session$close()
}
if (has_clustermq) {
  suppressMessages(workers$cleanup())
  Sys.sleep(2) # it complains at its end of workers that are still leaving
}
