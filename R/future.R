# The pool as a backend of package future: plan(pool). A future is a letter (post.R) for
# whichever node is free.

#' Futures on the pool
#'
#' `plan(pool)` makes the pool what futures of package future run on, and with them all that
#' is built on futures: future.apply, furrr, doFuture, progressr.
#'
#' The pool that there is is used; where there is none, or one of fewer nodes than `workers`,
#' one is made, as [init_pool()] makes it. It stays when the plan changes.
#'
#' Nothing has to be sent to a node twice that other backends send once, and a future costs
#' less: nodes are there in milliseconds, large vectors are shared and not copied, and
#' `resolved()` asks nobody. Each future finds on its node what [pool_export()] has put there.
#' Variables that it makes in the global environment, and its random numbers, are gone when it
#' is over; what it changes there, and packages that it has loaded, stay.
#'
#' While futures run, the pool is busy for its own functions (`pool_busy_error`):
#' [delete_pool()] ends them.
#'
#' A future whose node dies is a `FutureInterruptError`, and the node is replaced:
#' [future::reset()] and another try will do. [future::cancel()] replaces the node.
#' Conditions of class `immediateCondition`, progress say, are signalled as soon as the future
#' is looked at.
#'
#' `pool_cluster()` serves futures too: `plan(cluster, workers = pool_cluster())`. `plan(pool)`
#' takes less than half the messages, and runs a future on whichever node is free.
#'
#' # Arguments of `plan(pool, workers = NULL, ...)`
#' - `workers`: how many futures run at a time; a number, a function that gives one, or
#'   `NULL`: as many as there are nodes, and where there is no pool,
#'   [parallelly::availableCores()].
#' - `...`: what all backends have: `gc`, `maxSizeOfObjects`, `interrupts`, `wait.timeout`.
#'
#' `pool` itself is only for [future::plan()], and not to be called.
#' @section Errors: those of package future; `pool_input_error` where `workers` is no number.
#' @source Package future; [future::FutureBackend()].
#' @examplesIf requireNamespace("future", quietly = TRUE)
#' library(future)
#' plan(pool, workers = 2)
#' f <- future(Sys.getpid())
#' value(f) == Sys.getpid()
#' plan(sequential)
#' delete_pool()
#' @name pool_future
NULL

# As future's own backends are: never called, its attributes are what counts.
pool_strategy <- function(..., workers = NULL) {
  # As plan() did it before there were other backends.
  stop_input("...", NULL, "pool() is for plan() of package future, 1.40.0 or later, and ",
    "not to be called"
  )
}

PoolFutureBackend <- function(workers = NULL, ...) {
  workers <- check_workers(workers)
  future_pool(workers)
  core <- future::MultiprocessFutureBackend(workers = workers, reg = "pool", ...)
  core[["launched"]] <- list() # and not collected
  core[["futureClasses"]] <- c("PoolFuture", core[["futureClasses"]])
  structure(core, class = c("PoolFutureBackend", class(core)))
}
attr(PoolFutureBackend, "tweakable") <- c(
  "workers", "earlySignal", "gc", "maxSizeOfObjects", "interrupts", "hooks", "wait.timeout",
  "wait.interval", "wait.alpha"
)

# ?pool is the package.
#' @rdname pool-package
#' @usage NULL
#' @export
pool <- structure(pool_strategy,
  class = c("pool", "multiprocess", "future", "function"), init = TRUE,
  factory = PoolFutureBackend, tweakable = attr(PoolFutureBackend, "tweakable")
)

check_workers <- function(workers) {
  if (is.function(workers)) {
    workers <- workers()
  }
  if (is.null(workers)) {
    workers <- if (pool_exists()) pool_size() else parallelly::availableCores()
  }
  if (!is.numeric(workers) || length(workers) != 1L || is.na(workers) || workers < 1 ||
    workers != trunc(workers) || workers > max_nodes) {
    stop_input("workers", workers, "'workers' must be a whole number from 1 to ", max_nodes,
      ", not ", given(workers)
    )
  }
  as.integer(workers)
}

# Others may have deleted it, or made a smaller one.
future_pool <- function(workers) {
  if (pool_size() < workers) {
    suppressMessages(init_pool(workers))
  }
}

launchFuture.PoolFutureBackend <- function(backend, future, ...) {
  future_room(backend)
  if (!pool_exists()) {
    future_pool(backend[["workers"]])
  }
  future[["letter"]] <- letter <- post_letter()
  letter$process <- Sys.getpid()
  post_send(letter, "future", list(
    future::getExpression(future, mc.cores = 1L), isTRUE(future[["gc"]])
  ))
  backend[["launched"]] <- c(backend[["launched"]], list(future))
  future_count(backend, "launched")
  future[["state"]] <- "running"
  future
}

# Waits until there are fewer at work than there may be.
future_room <- function(backend) {
  until <- seconds_now() + backend[["wait.timeout"]]
  while (length(running <- future_running(backend)) >= backend[["workers"]]) {
    left <- until - seconds_now()
    if (left <= 0) {
      stop(future::FutureError(paste0(
        "all ", backend[["workers"]], " workers have been busy for ",
        backend[["wait.timeout"]], " seconds"
      )))
    }
    post_wait(lapply(running, `[[`, "letter"), left)
    lapply(running, future_hear)
  }
}

# Those without a result.
future_running <- function(backend) {
  Filter(function(future) !future[["letter"]]$over, backend[["launched"]])
}

future_count <- function(backend, what) {
  counters <- backend[["counters"]]
  counters[[what]] <- counters[[what]] + 1L
  backend[["counters"]] <- counters
}

resolved.PoolFuture <- function(x, ...) {
  if (NextMethod()) {
    return(TRUE)
  }
  future_owner(x)
  letter <- x[["letter"]]
  post_wait(list(letter), 0)
  future_hear(x)
  if (letter$over) {
    future_collect(x)
    NextMethod() # signals what is to be signalled early
  }
  letter$over
}

result.PoolFuture <- function(future, ...) {
  if (is.null(future[["result"]])) {
    future_owner(future)
    letter <- future[["letter"]]
    while (!letter$over) {
      post_wait(list(letter))
      future_hear(future)
    }
    future_collect(future)
  }
  result <- future[["result"]]
  if (inherits(result, "FutureError")) {
    stop(result)
  }
  result
}

future_owner <- function(future) {
  if (!identical(future[["letter"]]$process, Sys.getpid())) {
    stop(future::FutureError(
      paste(future_name(future), "can be asked for by the process only that has made it"),
      future = future
    ))
  }
}

future_name <- function(future) {
  label <- future[["label"]]
  paste0("future (", if (is.null(label)) "without a label" else sQuote(label), ")")
}

# What its node has told before it was over: signalled, and not again with its value.
future_hear <- function(future) {
  letter <- future[["letter"]]
  while (length(letter$told) > 0L) {
    condition <- letter$told[[1L]]
    letter$told <- letter$told[-1L]
    future[["told"]] <- c(future[["told"]], list(list(condition = condition, signaled = 1L)))
    if (inherits(condition, "warning")) {
      warning(condition)
    } else if (inherits(condition, "message")) {
      message(condition)
    } else {
      signalCondition(condition)
    }
  }
}

# The result, or a FutureError in its place.
future_collect <- function(future) {
  if (!is.null(future[["result"]])) {
    return()
  }
  letter <- future[["letter"]]
  result <- if (is.null(letter$failure)) letter$value else future_failure(future, letter)
  if (inherits(result, "FutureResult")) {
    result[["conditions"]] <- c(future[["told"]], result[["conditions"]])
    future[["state"]] <- "finished"
  } else if (!future[["state"]] %in% c("canceled", "interrupted")) {
    future[["state"]] <- "failed"
  }
  future[["result"]] <- result
  letter$value <- NULL
  backend <- future[["backend"]]
  backend[["launched"]] <- Filter(function(f) !identical(f, future), backend[["launched"]])
  future_count(backend, "finished")
  if (inherits(result, "FutureResult")) {
    backend[["runtime"]] <- backend[["runtime"]] + (result[["finished"]] - result[["started"]])
  }
}

future_failure <- function(future, letter) {
  e <- letter_failure(letter)
  name <- future_name(future)
  if (!inherits(e, "pool_worker_error")) {
    return(future::FutureError(paste0(name, ": ", conditionMessage(e)), future = future))
  }
  if (future[["state"]] == "canceled") {
    future::FutureCanceledError(paste(name, "was cancelled"), future = future)
  } else {
    future[["state"]] <- "interrupted"
    future::FutureInterruptError(paste0(
      name, " was lost with ", if (e$node > 0L) paste("node", e$node) else "its node", ", which ",
      e$status, ": to run it again, reset() it"
    ), future = future)
  }
}

interruptFuture.PoolFutureBackend <- function(backend, future, ...) {
  if (isTRUE(backend[["interrupts"]])) {
    post_kill(future[["letter"]])
    future[["state"]] <- "interrupted"
  }
  future
}

# The pool stays: it is not the plan's alone.
stopWorkers.PoolFutureBackend <- function(backend, interrupt = TRUE, ...) {
  post_come()
  running <- future_running(backend)
  letters <- lapply(running, `[[`, "letter")
  post_drop(letters)
  lapply(letters, post_lose)
  lapply(running, future_collect)
  backend[["launched"]] <- list()
  TRUE
}

nbrOfWorkers.PoolFutureBackend <- function(evaluator) evaluator[["workers"]]

nbrOfFreeWorkers.PoolFutureBackend <- function(evaluator, background = FALSE, ...) {
  if (!is.null(the$post)) {
    post_settle()
  }
  evaluator[["workers"]] - length(future_running(evaluator))
}

listFutures.PoolFutureBackend <- function(backend, ...) {
  futures <- backend[["launched"]]
  rows <- data.frame(
    counter = vapply(futures, function(f) as.integer(f[["uuid"]][[2L]]), 0L),
    start = vapply(futures, function(f) as.numeric(f[["start"]]), 0),
    label = vapply(futures, function(f) as.character(f[["label"]] %||% NA), ""),
    resolved = vapply(futures, future::resolved, NA)
  )
  rows$future <- lapply(futures, list)
  rows
}

# Of nodes: how conditions that are to be signalled at once are sent.
getFutureBackendConfigs.PoolFuture <- function(future, ...) {
  conditions <- future[["conditions"]]
  classes <- attr(conditions, "immediateConditionClasses", exact = TRUE) %||%
    "immediateCondition"
  if (is.null(conditions) || length(classes) == 0L) {
    return(list())
  }
  handlers <- lapply(classes, function(class) node_tell)
  names(handlers) <- classes
  list(capture = list(immediateConditionHandlers = handlers))
}
