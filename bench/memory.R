# What nodes hold when they are idle and after an export of 100 MB, and what
# processor time an idle pool takes: beside package parallel, and those peers
# that are installed.
#
#   Rscript bench/memory.R [rounds]      (after `make install deps`, or: make bench)
#
# Every candidate is measured in a fresh R session of its own.

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE),
  value = TRUE
)[1L])), "common.R"))
source(beside("peers.R"))
source(beside("proc.R"))
source(beside("works.R"))

nodes <- 4L
idle <- 10 # seconds

# ---- One candidate, in a fresh session ---------------------------------------

# What a session takes that has no nodes at all: looking after a rest is not free.
alone <- "bound: a session alone"

measures <- c("held", "pss", "grown", "nodes", "session")

# Megabytes that the nodes have for their own, or share by a descriptor; with
# their part of all that they share; what the first has grown by after the
# export; milliseconds that nodes, and the session, compute while nothing is asked
# of them. The pool's template counts as a node.
measure_one <- function(name) {
  if (name == alone) {
    value <- large_vector() # as large a session as the others'
    return(c(NA, NA, NA, computed_idle(Sys.getpid())))
  }
  invisible(lapply(needs[[name]], loadNamespace))
  peer <- start_peers(nodes, setdiff(names(starters), name))[[name]]
  pids <- unlist(peer$all(Sys.getpid))
  check(length(unique(pids)) == nodes, "a node did not answer")
  if (name == "pool") {
    pids <- c(pids, parent_of(pids[1L]))
  }
  for (i in 1:5) {
    peer$all(function() 1)
  }
  look <- function() sum(large)
  environment(look) <- globalenv()
  value <- large_vector()
  held <- memory_held(pids)
  values <- c(held, smaps(pids, "^Pss:"))

  peer$give(value)
  check(all(unlist(peer$all(look)) == sum(value)), "a node has something else")
  values <- c(values, memory_held(pids) - held)

  values <- c(values, computed_idle(pids))
  end_peers(list(peer))
  values
}

# Milliseconds that nodes and session compute in so many seconds of rest.
computed_idle <- function(pids) {
  gc(FALSE)
  for (rest in c(0, 0, 0, idle)) { # a few to compile it
    begin <- c(computed(pids), computed(Sys.getpid()))
    Sys.sleep(rest)
    spent <- c(computed(Sys.getpid()), computed(pids))[2:1] - begin
  }
  spent
}

# ---- All of them, in turn ----------------------------------------------------

main <- function(rounds) {
  describe_machine()
  # Those that have a call which reaches every node.
  names <- c("pool", "parallel FORK", "parallel PSOCK", "mirai", "callr", "shard", alone)
  names <- Filter(function(name) installed(needs[[name]]), names)
  found <- take_turns(lapply(setNames(nm = names), function(name) {
    function() setNames(run_afresh("--one", shQuote(name)), measures)
  }), rounds, warm = FALSE, patience = Inf)
  row <- function(title, measure, unit, names = setdiff(colnames(found), alone), compare = TRUE) {
    values <- array(found[, names, measure], c(rounds, length(names)), list(NULL, names))
    by <- vapply(names, function(name) if (compare) ratio(values, name, "pool") else NA_real_, 0)
    add_row(title, medians(values), by, unit, rounds)
    median(values[, "pool"])
  }
  row(sprintf("Memory of %d idle nodes, private or shared by a descriptor", nodes), "held", "MB")
  note("With the pool's template, one more process.")
  row(sprintf("Proportional memory (PSS) of %d idle nodes", nodes), "pss", "MB")
  note("What is shared is counted in parts: of a fork's memory, that with the session.")
  title <- sprintf("Memory of %d nodes grows, by 100 MB exported", nodes)
  grown <- row(title, "grown", "MB")
  note("Private or shared by a descriptor, after every node has made the sum of it.")
  goal(title, grown, most = 150, unit = " MB")
  cat("\n")
  rest <- sprintf("Processor time of %s while idle for %d s", c("nodes", "the session"), idle)
  goal(rest[1L], row(rest[1L], "nodes", "ms"), most = 0, unit = " ms")
  cat("\n")
  of_session <- row(rest[2L], "session", "ms", colnames(found), compare = FALSE)
  note(
    "One rest each; part of it is what it takes a session to look at itself, as the row of a ",
    "session alone shows."
  )
  goal(rest[2L], of_session, most = 5, unit = " ms")
  save_results()
}

arguments <- commandArgs(TRUE)
if (identical(arguments[1L], "--one")) {
  cat(measure_one(arguments[2L]), "\n")
} else {
  main(rounds_asked(1L))
}
