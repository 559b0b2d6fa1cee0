# Many elements: what a pool of two nodes makes of two cores, beside package
# parallel, and those peers that are installed.
#
#   Rscript bench/throughput.R [rounds]  (after `make install deps`, or: make bench)

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE),
  value = TRUE
)[1L])), "common.R"))
source(beside("peers.R"))
source(beside("works.R"))

nodes <- 2L
rounds <- rounds_asked(5L)
describe_machine()
peers <- start_peers(nodes)

# Every peer that has an lapply(), with the same one.
many <- function(title, x, f, rounds, also = NULL, but = character()) {
  answer <- lapply(x, f)
  candidates <- c(
    per_peer(peers, "each", function(each, peer) once(function() each(x, f), answer), but),
    list("serial: lapply" = once(function() lapply(x, f), answer)), also
  )
  measure(sprintf("%s, %d nodes", title, nodes), candidates, rounds)
}

# ---- Trivial elements --------------------------------------------------------

many("10,000 trivial elements", 1:10000, trivial, min(rounds, 3L))

million <- many("1,000,000 trivial elements", 1:1000000, trivial, min(rounds, 3L),
  but = c("mirai", "clustermq")
)
note(
  "mirai and clustermq are left out: by the row of 10,000 they would take minutes."
)
goal_time(million, "serial: lapply", 0.7)
cat("\n")

# ---- Elements of 20 microseconds ---------------------------------------------

# Two forks of the session that begin at the same moment, do half of it each and
# send nothing back: what two processes can do here at all.
bare_forks <- function(x, f) {
  half <- seq_len(length(x) %/% 2L)
  run <- function(x, begin) {
    lapply(x[1:100], f) # the pages it writes to are its own from now on
    while (now() < begin) NULL
    lapply(x, f)
    now() - begin
  }
  function() {
    begin <- now() + 0.05
    max(unlist(mccollect(list(mcparallel(run(x[half], begin)), mcparallel(run(x[-half], begin))))))
  }
}

busy <- busy_for(20e-6)
x <- 1:20000
bound <- "bound: two bare forks"
short <- many("20,000 elements of 20 microseconds", x, busy, rounds,
  also = setNames(list(bare_forks(x, busy)), bound), but = c("mirai", "clustermq")
)
note(
  "The bare forks do half each and send nothing back; mirai and clustermq are left out as above."
)
goal_time(short, "serial: lapply", 0.55)
cat(sprintf(
  "        (%s / serial: lapply: %s)\n", bound, figures(ratio(short, bound, "serial: lapply"))
))

end_peers(peers)
save_results()
