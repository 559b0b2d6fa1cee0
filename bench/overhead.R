# What a call costs: one element there and back, and AzureStor's way to call:
# many elements, of a function that brings along what it does not use; beside
# package parallel, and those peers that are installed.
#
#   Rscript bench/overhead.R [rounds]    (after `make install deps`, or: make bench)
#
# All candidates are there at once, idle but for the one whose turn it is.

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE),
  value = TRUE
)[1L])), "common.R"))
source(beside("peers.R"))
source(beside("works.R"))

rounds <- rounds_asked(5L)
describe_machine()

# ---- One element, one node ---------------------------------------------------

peers <- start_peers(1L)
psock <- makeCluster(1L, type = "PSOCK")
ping_pong <- "C: blocking socketpair ping-pong"

one <- measure("One element there and back, 1 node", c(
  per_peer(peers, "one", function(one, peer) {
    repeated(function() one(identity, 1), list(1))
  }),
  list(
    "parallel PSOCK, parLapply" = repeated(function() parLapply(psock, 1, identity), list(1))
  ),
  setNames(list(in_c("sockets")), ping_pong),
  list("C: spinning ping-pong in shared memory" = in_c("spinning"))
), rounds, unit = "microseconds")
note(
  "The ping-pongs are of two C processes, each pinned to a core of its own. parallel's row is ",
  "clusterCall(), which does less than parLapply()."
)
goal_time(one, ping_pong, 0.5)
goal_time(one, "parallel PSOCK", 0.1)
goal_time(one, "parallel FORK", 0.1)
cat("\n")

# The same on a machine that has something else to do.
busy <- parallel::mcparallel(repeat NULL, silent = TRUE)
one <- measure(
  "One element there and back, beside a busy process",
  per_peer(peers, "one", function(one, peer) {
    repeated(function() one(identity, 1), list(1))
  }, but = c("callr", "future", "clustermq", "shard", "mclapply")),
  rounds, unit = "microseconds"
)
tools::pskill(busy$pid, tools::SIGKILL)
invisible(suppressWarnings(parallel::mccollect(busy)))
goal_fastest(one)
cat("\n")

# Calls one after the other find both sides awake; a call now and then does not.
rested <- function(one, peer) {
  function() {
    mean(replicate(10L, {
      Sys.sleep(0.02)
      seconds(one(identity, 1), list(1))
    }))
  }
}
measure(
  "One element there and back, after 20 ms of rest",
  per_peer(peers, "one", rested, but = c("callr", "future", "clustermq", "shard")),
  rounds, unit = "microseconds"
)

stopCluster(psock)
end_peers(peers)

# ---- The shape of AzureStor's calls ------------------------------------------

files <- 10000L
count <- format(files, big.mark = ",")
few <- 100L
answer <- transfer_files(function(...) mapply(..., SIMPLIFY = FALSE), files)

# All are there, but for a pool that is made in the clock's time, as AzureStor
# does it. Those that send the function with every element would take minutes.
whole <- function(map, peer) once(function() transfer_files(map, files), answer)
part <- function(map, peer) {
  function() {
    seconds(transfer_files(map, files, few), answer[seq_len(few)]) * files / few
  }
}
with_pool <- function(f, ...) {
  init_pool(10)
  pool_map(f, ...)
}
from_nothing <- function() {
  suppressMessages({
    delete_pool()
    seconds(transfer_files(with_pool, files), answer)
  })
}

peers <- start_peers(10L, but = c("callr", "shard"))
by_element <- c("parallel FORK", "parallel PSOCK", "mirai")
azure <- measure(sprintf("pool_map() of %s file names that its function's frame holds", count), c(
  per_peer(peers, "map", whole, but = by_element),
  list("pool, with init_pool(10)" = from_nothing),
  per_peer(peers[names(peers) %in% by_element], "map", part)
), min(rounds, 3L))
note(
  "parallel and mirai send the function, and so all names, with every element: their times are ",
  files / few, " times those of ", few, " elements. callr and shard map no function of two ",
  "arguments."
)
goal(sprintf("pool_map() of %s file names, with init_pool(10)", count),
  median(azure[, "pool, with init_pool(10)"]),
  most = 0.5, unit = " s"
)
end_peers(peers)
save_results()
