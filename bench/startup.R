# From nothing to the first answer of all nodes, a second init_pool(), the end
# of a pool, and the private memory of nodes: beside package parallel, and those
# peers that are installed.
#
#   Rscript bench/startup.R [rounds]     (after `make install deps`, or: make bench)
#
# Every start is measured in a fresh R session, as its user meets it.

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE),
  value = TRUE
)[1L])), "common.R"))
source(beside("proc.R"))

nodes <- 10L
calls <- 20L # trivial ones, before memory is measured

# ---- The candidates ----------------------------------------------------------

# start(): starts the nodes and returns their process ids, their first answer.
# call(): a trivial call on every node. end(): ends them.
candidates <- list(
  pool = function() {
    list(
      start = function() {
        suppressMessages(init_pool(nodes))
        unlist(pool_call(Sys.getpid))
      },
      call = function() pool_call(function() 1),
      end = function() suppressMessages(delete_pool())
    )
  },
  "parallel PSOCK" = function() cluster("PSOCK"),
  "parallel FORK" = function() cluster("FORK"),
  # The least that any pool of forks can take: children that leave at once.
  "bound: ten bare forks" = function() {
    fork <- utils::getFromNamespace("mcfork", "parallel")
    leave <- utils::getFromNamespace("mcexit", "parallel")
    list(
      start = function() {
        for (i in seq_len(nodes)) {
          if (inherits(fork(TRUE), "masterProcess")) {
            leave(0L)
          }
        }
        NULL
      },
      call = function() NULL
    )
  },
  mirai = function() {
    list(
      start = function() {
        mirai::daemons(nodes)
        unlist(mirai::everywhere(Sys.getpid(), .min = nodes)[])
      },
      call = function() mirai::everywhere(1, .min = nodes)[],
      end = function() mirai::daemons(0L)
    )
  },
  callr = function() {
    sessions <- list()
    on_each <- function(f) {
      for (s in sessions) s$call(f)
      lapply(sessions, function(s) {
        s$poll_process(60000)
        s$read()$result
      })
    }
    list(
      start = function() {
        # All at once: one after another takes ten times as long.
        sessions <<- lapply(seq_len(nodes), function(i) callr::r_session$new(wait = FALSE))
        for (s in sessions) {
          while (s$get_state() == "starting") {
            s$poll_process(60000)
            s$read()
          }
        }
        unlist(on_each(Sys.getpid))
      },
      call = function() on_each(function() 1),
      end = function() for (s in sessions) s$close()
    )
  },
  future = function() {
    options(parallelly.maxWorkers.localhost = c(Inf, Inf))
    on_each <- function(f) {
      future.apply::future_lapply(seq_len(nodes), f, future.chunk.size = 1)
    }
    list(
      start = function() {
        future::plan(future::multisession, workers = nodes)
        if_all(on_each(function(i) Sys.getpid()))
      },
      call = function() on_each(function(i) 1),
      end = function() future::plan(future::sequential)
    )
  },
  clustermq = function() {
    options(clustermq.scheduler = "multiprocess")
    workers <- NULL
    on_each <- function(f) {
      clustermq::Q(f, seq_len(nodes), workers = workers, chunk_size = 1, verbose = FALSE)
    }
    list(
      start = function() {
        workers <<- suppressMessages(clustermq::workers(nodes, reuse = TRUE, verbose = FALSE))
        if_all(on_each(function(i) Sys.getpid()))
      },
      call = function() on_each(function(i) 1),
      end = function() suppressMessages(workers$cleanup())
    )
  }
)

# Two peers have no call on every node: ten elements may go to fewer, and then
# nothing is known of the others.
if_all <- function(pids) {
  check(length(pids) == nodes, "an element has no answer")
  if (anyDuplicated(pids)) NULL else unlist(pids)
}

cluster <- function(type) {
  cl <- NULL
  list(
    start = function() {
      cl <<- makeCluster(nodes, type = type)
      unlist(clusterCall(cl, Sys.getpid))
    },
    call = function() clusterCall(cl, function() 1),
    end = function() stopCluster(cl)
  )
}

needs <- list(
  mirai = "mirai", callr = "callr",
  future = c("future", "future.apply"), clustermq = "clustermq"
)

# ---- One start, in a fresh session -------------------------------------------

measures <- c("start", "again", "end", "private", "template")

# Seconds to the first answers, of a second init_pool() with a call on all
# nodes, and of ending; megabytes of the nodes, and of the pool's template.
measure_one <- function(name) {
  invisible(lapply(needs[[name]], loadNamespace))
  candidate <- candidates[[name]]()
  values <- c(start = NA, again = NA, end = NA, private = NA, template = NA)
  values[["start"]] <- seconds(pids <- candidate$start())
  check(is.null(pids) || length(unique(pids)) == nodes, "a node did not answer")
  check(!Sys.getpid() %in% pids, "the session itself answered")
  if (name == "pool") {
    again <- vapply(1:5, function(i) {
      seconds({
        init_pool(nodes)
        pids <<- unlist(pool_call(Sys.getpid))
      })
    }, 0)
    check(length(unique(pids)) == nodes, "a node did not answer again")
    values[["again"]] <- median(again)
  }
  for (i in seq_len(calls)) {
    candidate$call()
  }
  values[["private"]] <- private_dirty(pids)
  if (name == "pool") {
    values[["template"]] <- private_dirty(parent_of(pids[1L]))
  }
  if (!is.null(candidate$end)) {
    values[["end"]] <- seconds(candidate$end())
  }
  if (name == "clustermq") {
    Sys.sleep(2) # it complains at its end of workers that are still leaving
  }
  values
}

# ---- All of them, in turn ----------------------------------------------------

main <- function(rounds) {
  describe_machine()
  has <- vapply(names(candidates), function(name) installed(needs[[name]]), NA)
  present <- names(candidates)[has]
  starters <- lapply(setNames(nm = present), function(name) {
    function() setNames(run_afresh("--one", shQuote(name)), measures)
  })
  found <- take_turns(starters, rounds, warm = FALSE, patience = Inf)
  times <- function(measure) array(found[, , measure], dim(found)[1:2], dimnames(found)[1:2])
  row <- function(title, measure, scale, unit) {
    values <- times(measure)
    values <- values[, !apply(is.na(values), 2L, all), drop = FALSE]
    by <- vapply(colnames(values), function(name) ratio(values, name, "pool"), 0)
    add_row(title, scale * medians(values), by, unit, rounds)
  }
  least <- function(title, measure, candidate, bound) {
    goal(sprintf("%s: %s / pool", title, candidate), ratio(times(measure), candidate, "pool"),
      least = bound, title = title, candidate = candidate, at = bound
    )
  }

  start <- sprintf("%d nodes, to the first answer of all", nodes)
  row(start, "start", 1e3, "ms")
  least(start, "start", "parallel PSOCK", 30)
  least(start, "start", "parallel FORK", 4)
  forks <- "bound: ten bare forks"
  cat(sprintf(
    "        (parallel FORK / %s: %s)\n", forks,
    figures(ratio(times("start"), "parallel FORK", forks))
  ))
  goal("second init_pool() and a call on all nodes", 1e3 * median(times("again")[, "pool"]),
    most = 30, unit = " ms"
  )
  cat("\n")
  row(sprintf("%d nodes, to end them", nodes), "end", 1e3, "ms")
  memory <- sprintf("%d nodes, their private memory", nodes)
  row(memory, "private", 1, "MB")
  template <- median(times("template")[, "pool"])
  note("The pool's template, one more process: ", figures(template), " MB.")
  least(memory, "private", "parallel PSOCK", 15)
  save_results()
}

arguments <- commandArgs(TRUE)
if (identical(arguments[1L], "--one")) {
  cat(measure_one(arguments[2L]), "\n")
} else {
  main(rounds_asked(3L))
}
