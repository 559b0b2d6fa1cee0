# Every condition the package signals is made here.

#' Conditions of the pool
#'
#' Every error that the package signals itself inherits from `pool_error`,
#' `error` and `condition`, and from one of the classes below. Where the
#' `parallel` function that is mirrored signals an error too,
#' [conditionMessage()] is the same to the letter.
#'
#' - `pool_input_error`: a bad argument, found before any work. Fields
#'   `argument` (its name) and `value` (what was given).
#' - `pool_absent_error`: there is no pool.
#' - `pool_busy_error`: the pool was used, restarted or deleted from inside a
#'   call on it, for instance by a handler of a relayed warning; or while its nodes are at
#'   work for a [pool_cluster()] or for futures.
#' - `pool_cluster_error`: a [pool_cluster()] that was stopped, or made for a pool of another
#'   size or in another process; or that nothing was sent to.
#' - `pool_start_error`: a process could not be started, or ended too soon, or
#'   there was no memory to prepare a call. An existing pool is still there.
#'   Field `errno` (the system's error number, or 0).
#' - `pool_protocol_error`: a node sent what no node of this package sends. Field
#'   `errno`.
#' - `pool_serialize_error`: an object could not be sent or received. Fields
#'   `argument` (what it was) and `parent` (the original error).
#' - `pool_task_error`: tasks failed. Fields of the failed task with the lowest
#'   index: `parent` (the original condition, whole), `index`, `name`, `node`
#'   (its number), `traceback` (a character vector of calls, outermost first);
#'   and of all: `errors` (a list of conditions, in the order of their indices)
#'   and `results` (a list like the value of the call, `NULL` where a task
#'   failed).
#' - `pool_worker_error`: a task was lost with its node, once and `.retries` times
#'   more. Fields `index`, `name`, `node`, `status` (a string: how the node
#'   ended), `errors` and `results`. None of these where it is the function or its
#'   arguments that nodes die of, when they read them; of a [pool_cluster()] and of futures
#'   only `node` and `status`.
#' - `pool_timeout_error`: a task took longer than `.timeout` allows. Fields
#'   `index`, `name`, `node`, `errors` and `results`.
#'
#' Those of the storage functions are in [storage_conditions].
#'
#' A warning, `pool_name_warning`, when the package is loaded, is about another package of
#' the same name: see [pool-package].
#'
#' Warnings and messages of tasks are signalled again in the session, as the
#' conditions they were.
#'
#' @name pool_conditions
#' @aliases pool_error
#' @examples
#' init_pool(2)
#' e <- tryCatch(
#'   pool_lapply(c(a = 1, b = -1), function(x) if (x < 0) stop("negative") else x),
#'   pool_task_error = identity
#' )
#' conditionMessage(e)
#' e$name
#' e$parent
#' e$results
#' delete_pool()
NULL

pool_condition <- function(leaf, message, call = NULL, ...) {
  structure(
    class = c(leaf, "pool_error", "error", "condition"),
    list(message = message, call = call, ...)
  )
}

# The call of the exported function the user made; in a node, the task. Of a storage
# function only its name: among what it was given may be a secret.
user_call <- function() {
  n <- sys.nframe()
  k <- last_runner(n)
  while (k < n) {
    k <- k + 1L
    f <- sys.function(k)
    if (identical(f, foreach_backend)) {
      return(loop_call(sys.call(k - 1L)))
    }
    if (is_own(f) && !identical(f, pool_trace)) {
      k <- calling_frame(k)
      return(if (takes_secrets(f)) call_name(sys.call(k)) else shown_call(sys.call(k)))
    }
  }
  NULL
}

stop_input <- function(argument, value, ...) {
  stop(pool_condition("pool_input_error", paste0(...), user_call(),
    argument = argument, value = if (!holds_secret(value)) value
  ))
}

# By the functions that check arguments: R's own error would show the call.
stop_missing <- function(argument) {
  stop_input(argument, NULL, "'", argument, "' must be given")
}

stop_spool <- function(size) {
  stop(pool_condition("pool_transfer_error", paste0(
    "the session's temporary directory has no room for the ", format(size, scientific = FALSE),
    " bytes of a connection that is to be uploaded"
  ), user_call(), files = NULL))
}

stop_absent <- function() {
  stop(pool_condition("pool_absent_error", paste0(
    "the pool does not exist; call init_pool() to create it",
    if (in_node()) " (a task cannot use the session's pool, only one that it makes in its node)"
  ), user_call()))
}

stop_serialize <- function(what, parent) {
  message <- if (what == "the result of a node") {
    paste0(what, " could not be received: ", conditionMessage(parent))
  } else {
    paste0(what, " cannot be sent to a node: ", conditionMessage(parent))
  }
  stop(pool_condition("pool_serialize_error", message, user_call(),
    argument = what, parent = parent
  ))
}

# Called from C: an operation failed, with errno `error` (0: no system call).
throw_failure <- function(what, error, text) {
  why <- if (nzchar(text)) paste0(": ", text) else ""
  if (what == "absent") {
    stop_absent()
  }
  leaf <- "pool_start_error"
  message <- switch(what,
    template = paste0("the process that nodes are forked from failed", why),
    worker = paste0("a node cannot be started", why),
    directory = paste0("no temporary directory can be made", why),
    setup = paste(
      "nodes that take the place of one that died die themselves of what",
      "pool_export() and pool_evalq() told all nodes"
    ),
    call = paste0("the call cannot be prepared", why),
    deadly = {
      leaf <- "pool_worker_error"
      "nodes die of the function or its arguments before they come to any element"
    },
    http = {
      leaf <- "pool_http_error"
      paste0("the connections to a storage service cannot be used", why)
    },
    transfer = paste0("the transfers cannot be prepared", why),
    key = stop_input("key", NULL, "'key' is not in base64, as the key of a storage account is"),
    digest = paste0("libcrypto cannot make a digest", why),
    busy = {
      leaf <- "pool_busy_error"
      busy_message()
    },
    answer = {
      leaf <- "pool_protocol_error"
      paste0("a node gave an answer that makes no sense", why)
    }
  )
  stop(pool_condition(leaf, message, user_call(), errno = error))
}

# Called when a replacement has gone through its set-up with an error.
warn_setup <- function() {
  warning("a node that took the place of one that died could not repeat all ",
    "that pool_export() and pool_evalq() told the others",
    call. = FALSE
  )
}

# How a process ended, from its wait status (WIFEXITED and so on).
status_text <- function(status) {
  signal <- bitwAnd(status, 127L)
  if (status == -1L) {
    "left without a trace"
  } else if (signal == 0L) {
    paste("quit with status", bitwAnd(bitwShiftR(status, 8L), 255L))
  } else {
    paste("was killed by signal", signal)
  }
}

# One failed element as a condition. `failure` is as C gives it: a list of
# index, node, parent, traceback, status.
task_condition <- function(failure, names, call) {
  index <- failure$index
  if (index <= .Machine$integer.max) {
    index <- as.integer(index)
  }
  name <- if (!is.null(names)) names[[index]]
  if (isTRUE(failure$expired)) {
    pool_condition("pool_timeout_error",
      paste0("element ", index, " took longer than '.timeout' allows"), call,
      index = index, name = name, node = failure$node
    )
  } else if (is.null(failure$parent)) {
    status <- status_text(failure$status)
    pool_condition("pool_worker_error",
      paste0(
        "element ", index, " was lost: node ", failure$node, " ", status
      ), call,
      index = index, name = name, node = failure$node, status = status
    )
  } else {
    pool_condition("pool_task_error", conditionMessage(failure$parent), call,
      parent = failure$parent, index = index, name = name,
      node = failure$node, traceback = failure$traceback
    )
  }
}

# The failures of a call as conditions, in the order of elements.
task_conditions <- function(failures, names) {
  failures <- as.list(failures)
  indices <- vapply(failures, `[[`, 0, "index")
  lapply(failures[order(indices)], task_condition, names, user_call())
}

# The results, conditions in the place of what failed.
with_conditions <- function(failures, results) {
  errors <- task_conditions(failures, names(results))
  results[vapply(errors, `[[`, 0, "index")] <- errors
  results
}

# Signals the failures of a call. `count` says what the message counts.
stop_tasks <- function(failures, results, count = c("nodes", "elements")) {
  errors <- task_conditions(failures, names(results))
  n <- switch(match.arg(count),
    nodes = length(unique(vapply(errors, `[[`, 0L, "node"))),
    elements = length(errors)
  )
  e <- errors[[1L]]
  # To the letter what parallel's checkForRemoteErrors() says.
  e$message <- if (n == 1L) {
    paste0("one node produced an error: ", e$message)
  } else {
    paste0(n, " nodes produced errors; first error: ", e$message)
  }
  e$errors <- errors
  e$results <- results
  stop(e)
}

# Signals again what tasks signalled. `notes` has, for each claim, the last one
# first, a list of lists of place and condition.
relay <- function(notes) {
  for (claim in rev(as.list(notes))) {
    for (note in claim) {
      condition <- note[[2L]]
      if (inherits(condition, "message")) {
        message(condition)
      } else {
        warning(condition)
      }
    }
  }
}
