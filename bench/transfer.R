# Large objects: to every node, and there and back; beside package parallel, and
# those peers that are installed.
#
#   Rscript bench/transfer.R [rounds]    (after `make install deps`, or: make bench)

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE),
  value = TRUE
)[1L])), "common.R"))
source(beside("peers.R"))
source(beside("works.R"))

nodes <- 4L
rounds <- rounds_asked(3L)
describe_machine()
peers <- start_peers(nodes)

# What any way of sharing memory has to do: put the bytes there.
fresh <- "C: memcpy into a fresh memfd"
copies <- Filter(Negate(is.null), setNames(lapply(
  c("fresh", "recycled", "warm"), function(figure) in_c("copies", figure)
), c(fresh, "C: the same into pages that are there", "C: the same into pages that are mapped")))

# ---- 100 MB to every node ----------------------------------------------------

look <- function() sum(large)
environment(look) <- globalenv()

# Seconds of the export, and with the sum that each node makes of it. The vector
# is new in each turn: nothing can be known of it.
exported <- function(give, peer) {
  function() {
    value <- large_vector()
    begin <- now()
    taken <- seconds(give(value))
    sums <- peer$all(look)
    read <- now() - begin
    check(all(unlist(sums) == sum(value)), "a node has something else")
    c(taken, read)
  }
}
times <- take_turns(c(
  per_peer(peers, "give", exported),
  lapply(copies, function(copy) function() c(copy(), NA))
), rounds)
export <- add_times(sprintf("100 MB to each of %d nodes", nodes), times[, , 1L], rounds)
note(
  "shard's nodes have nothing yet: they map the segment when they are told of it. The others not ",
  "named have no call that reaches every node."
)
goal_time(export, fresh, 1.5)
cat("\n")
add_times(sprintf("100 MB to each of %d nodes, and its sum back", nodes), times[, , 2L], rounds)
for (peer in peers) {
  if (!is.null(peer$give)) {
    peer$give(0)
  }
}

# ---- There and back ----------------------------------------------------------

there_and_back <- function(make, f) {
  function(one, peer) {
    function() {
      x <- make()
      seconds(one(f, x), list(f(x)))
    }
  }
}

modify <- function(x) {
  x[1L] <- 0
  x
}
measure(
  "100 MB there and back", per_peer(peers, "one", there_and_back(large_vector, identity)), rounds
)
back <- measure("100 MB there and back, modified", c(
  per_peer(peers, "one", there_and_back(large_vector, modify)), copies[1L]
), rounds)
goal_time(back, fresh, 3)
cat("\n")

objects <- list(
  "1,000,000 short strings there and back" = short_strings(),
  "30 columns x 1,000,000 rows there and back" = wide_frame(),
  "100,000 small lists there and back" = small_lists()
)
for (title in names(objects)) {
  x <- objects[[title]]
  goal_fastest(measure(
    title, per_peer(peers, "one", there_and_back(function() x, identity)),
    rounds
  ))
  cat("\n")
}

end_peers(peers)
save_results()
