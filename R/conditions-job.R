# The conditions of jobs and queues.

#' Errors of jobs
#'
#' They inherit from `pool_job_error`, and so from `pool_error` (see
#' [pool_conditions]). Field `id`: the job, or `NULL`.
#'
#' - `pool_job_error` itself: the store failed, for instance because a disk is full or a
#'   directory cannot be written to; or a supervisor could not be started. Field `errno`
#'   (the system's error number, or 0).
#' - `pool_job_exists_error`: the id is taken.
#' - `pool_job_absent_error`: there is no such job, or no such file in it.
#' - `pool_job_format_error`: what is there is no job, or one of a newer version of the
#'   package, or one of a loop where it is to be a cluster, or the other way round.
#' - `pool_job_corrupt_error`: what is there was damaged. Field `task`, where it is the
#'   result of one.
#' - `pool_job_unfinished_error`: results were asked for that are not there yet. Fields
#'   `missing` (how many) and `results` (a list, `NULL` where there is none).
#' - `pool_job_task_error`: tasks failed, or were lost with their nodes. Fields `errors`
#'   (a list of conditions, in the order of their tasks), `results` and, of the first
#'   one, `parent` (the original condition), `task` and `traceback`.
#' - `pool_queue_empty_error`: there is nothing in the queue.
#'
#' @name job_conditions
#' @examples
#' dir <- tempfile("jobs")
#' e <- tryCatch(cluster_join(file.path(dir, "none")), pool_job_error = identity)
#' class(e)
NULL

# A condition of class `leaf` and pool_job_error; `leaf` may be that itself.
job_condition <- function(leaf, message, id = NULL, ...) {
  e <- pool_condition(leaf, message, user_call(), id = id, ...)
  class(e) <- unique(append(class(e), "pool_job_error", after = 1L))
  e
}

# The store failed. what: what it was to do, as in "cannot <what>"; errno, 0: none.
stop_job <- function(what, id = NULL, errno = 0L, why = NULL) {
  why <- if (length(why)) paste0(": ", why) else ""
  stop(job_condition("pool_job_error", paste0(what, why), id, errno = errno))
}

# A directory of a store's was not made; who knows where it was to be says so.
stop_creation <- function(errno, why) {
  stop(errorCondition(why, class = "pool_creation_error", errno = errno))
}

stop_job_exists <- function(id) {
  stop(job_condition("pool_job_exists_error",
    paste0("there is a job '", id, "' already"), id
  ))
}

stop_place_taken <- function(id, path) {
  stop(job_condition("pool_job_exists_error",
    paste0("there is something called '", path, "' already, and it is no job"), id
  ))
}

# what: a file of the job, say. where: it was looked for.
stop_job_absent <- function(id, what = NULL, where = NULL) {
  message <- if (is.null(what)) {
    paste0("there is no job '", id, "'", if (!is.null(where)) paste(" in", where))
  } else {
    paste0("job '", id, "' has no ", what)
  }
  stop(job_condition("pool_job_absent_error", message, id))
}

stop_job_format <- function(id, why) {
  stop(job_condition("pool_job_format_error",
    paste0("'", id, "' cannot be opened as a job: ", why), id
  ))
}

# e: why it cannot be opened. It may be something else, and whoever knows better can
# remove it.
stop_not_deleted <- function(e, path) {
  if (!inherits(e, "pool_job_absent_error")) {
    e$message <- paste0(conditionMessage(e), "; it was not deleted: if it is of no use, unlink(",
      encodeString(path, quote = "\""), ", recursive = TRUE) removes it")
  }
  stop(e)
}

# A job, but one of the other kind, for which there are other functions.
stop_job_kind <- function(id, ...) {
  stop(job_condition("pool_job_format_error", paste0("job '", id, "' ", ...), id))
}

stop_job_corrupt <- function(id, why, task = NULL) {
  stop(job_condition("pool_job_corrupt_error",
    paste0("job '", id, "' is damaged: ", why), id,
    task = task
  ))
}

stop_job_unfinished <- function(id, missing, results = NULL, state = "active") {
  over <- state == "terminated"
  text <- format(missing, big.mark = ",", scientific = FALSE)
  stop(job_condition("pool_job_unfinished_error",
    paste0(
      "job '", id, if (over) "' was terminated: " else "' is not finished: ", text,
      if (missing == 1) " task has" else " tasks have", " no result", if (!over) " yet"
    ), id,
    missing = missing, results = results
  ))
}

stop_queue_key <- function(path, key) {
  stop(job_condition("pool_job_absent_error",
    paste0("queue '", path, "' has no element '", key, "' on its shelf")
  ))
}

stop_queue_empty <- function(what = "queue") {
  stop(job_condition("pool_queue_empty_error", paste("the", what, "is empty")))
}

# Called from C, once while it waits: another process has written to a job, or queue, for
# so long already. What has stopped there goes on only if it is told to.
tell_waiting <- function(id, pid, seconds) {
  who <- if (pid > 0L) paste("process", pid) else "a process of another container"
  stopped <- pid > 0L && process_is_stopped(pid)
  message("Waiting to write to '", id, "': ", who, " has been writing to it for ", seconds,
    " seconds", if (stopped) {
      paste0(", and is stopped. 'kill -CONT ", pid, "' lets it go on, 'kill -KILL ", pid,
        "' ends it, and what it was at goes back.")
    } else {
      ". Ctrl-C ends the waiting."
    }
  )
}

# ---- foreach -------------------------------------------------------------------

# The call of a loop, without its body.
loop_call <- function(call) {
  if (length(call) == 3L) {
    call[[3L]] <- quote(...)
  }
  shown_call(call)
}

# Task `index` failed with the condition `parent`: to the letter what foreach's other
# backends say. errors: the pool's conditions, of all that failed.
stop_foreach <- function(index, parent, errors, results, expr) {
  e <- pool_condition("pool_task_error",
    sprintf("task %d failed - \"%s\"", as.integer(index), conditionMessage(parent)),
    if (is.call(expr)) shown_call(expr),
    parent = parent, index = as.integer(index), errors = errors, results = results
  )
  of <- Filter(function(x) identical(x$index, e$index), errors)
  if (length(of)) {
    e$node <- of[[1L]]$node
    e$traceback <- of[[1L]]$traceback
  }
  stop(e)
}

stop_combine <- function(parent, results) {
  stop(pool_condition("pool_task_error",
    paste0("the function of '.combine' failed: ", conditionMessage(parent)),
    conditionCall(parent),
    parent = parent, results = results
  ))
}

# In a task of several iterations of which some failed: values, a list; of those that did,
# list(condition, traceback).
chunk_condition <- function(values, failed) {
  first <- which(failed)[[1L]]
  message <- conditionMessage(values[[first]]$condition)
  pool_condition("pool_chunk_error", message, values = values, failed = failed)
}

# Iterations of a loop's job failed. errors: a list of their conditions, in order.
stop_job_iterations <- function(id, errors, results) {
  e <- errors[[1L]]
  n <- length(errors)
  e$message <- paste0(
    if (n == 1L) "one iteration" else paste(n, "iterations"), " of job '", id, "' failed",
    if (n == 1L) ": " else "; first error: ", "task ", plain_number(e$index %||% e$task),
    " failed - \"", e$message, "\""
  )
  e["call"] <- list(user_call())
  e$errors <- errors
  e$results <- results
  stop(e)
}

# The time that a loop was to wait for its job is over.
stop_job_waiting <- function(id, seconds) {
  e <- job_condition("pool_job_unfinished_error", paste0(
    "job '", id, "' was not finished after ", format(seconds), " seconds; it goes on, and ",
    "getJobResult(\"", id, "\") has its results when it is"
  ), id)
  class(e) <- c("pool_job_waiting_error", class(e))
  stop(e)
}

# ---- tasks of jobs ----

# A task without a value. result: as failed_result() has made it.
job_task_condition <- function(id, task, status, result) {
  parent <- if (is.list(result)) result$condition
  if (!inherits(parent, "condition")) {
    stop_job_corrupt(id, paste0("task ", format(task, scientific = FALSE),
      " has neither value nor error"), task)
  }
  job_condition("pool_job_task_error", conditionMessage(parent), id,
    task = task, status = status, parent = parent, traceback = result$traceback
  )
}

# errors: a list of those conditions, in the order of tasks.
stop_job_tasks <- function(id, errors, results) {
  e <- errors[[1L]]
  n <- length(errors)
  e$message <- paste0(
    if (n == 1L) "one task" else paste(n, "tasks"), " of job '", id, "' failed",
    if (n == 1L) ": " else "; first error: ", "task ", format(e$task, scientific = FALSE),
    ": ", e$message
  )
  e$errors <- errors
  e$results <- results
  stop(e)
}

# A task that its nodes died of.
lost_condition <- function(task, tries, status) {
  pool_condition("pool_worker_error", paste0(
    "task ", format(task, scientific = FALSE), " was lost: its node ", status,
    if (tries > 1) paste0(", the last of ", tries, " times")
  ), index = task, status = status)
}
