# What is known of a job, and what has come of it.

# So many results are held at a time, besides the values.
result_block <- 1000L

# An object that prints in a line: a list of class "pool_job_state" with jobId, state
# ("active", "completed", "terminated") and tasks: a list of active (waiting), running,
# completed, failed (with an error, or lost with their nodes) and total.
job_state_object <- function(job, status = job_status(job)) {
  structure(
    list(
      jobId = job$id, state = status$state,
      tasks = list(
        active = status$queued, running = status$running, completed = status$completed,
        failed = status$failed + status$lost, total = status$tasks
      )
    ),
    class = "pool_job_state"
  )
}

#' @export
format.pool_job_state <- function(x, ...) {
  counts <- vapply(x$tasks, format, "", big.mark = ",", scientific = FALSE)
  paste0("job ", x$jobId, ": ", x$state, ", ", counts[["total"]], " tasks (",
    counts[["active"]], " active, ", counts[["running"]], " running, ",
    counts[["completed"]], " completed, ", counts[["failed"]], " failed)"
  )
}

#' @export
print.pool_job_state <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}

# f(task, status, result) for each task with a result, in order; `result` is its value,
# or the pool_job_task_error of one that failed or was lost. No more than a block of
# them is held at a time.
job_each_result <- function(job, f) {
  from <- 1
  n <- job_status(job)$tasks
  while (from <= n) {
    block <- job_results(job, from, result_block)
    for (i in seq_along(block$task)) {
      f(block$task[[i]], block$status[[i]],
        read_result(job$id, block$task[[i]], block$status[[i]], block$result[[i]])
      )
    }
    from <- from + result_block
  }
}

# list(values, status), in the order of tasks, `values` with the names of the manifest:
# the value of a task, its pool_job_task_error, or NULL where there is no result yet
# (status NA). Unless partial, these are a pool_job_unfinished_error.
job_result_list <- function(job, partial = FALSE, names = job_read_manifest(job)$names) {
  n <- job_status(job)$tasks
  values <- vector("list", n)
  statuses <- rep(NA_character_, n)
  job_each_result(job, function(task, status, result) {
    values[task] <<- list(result)
    statuses[[task]] <<- status
  })
  if (!is.null(names)) {
    names(values) <- c(names, character(max(0, length(values) - length(names))))[seq_along(values)]
  }
  missing <- sum(is.na(statuses))
  if (missing > 0 && !partial) {
    stop_job_unfinished(job$id, missing, values)
  }
  list(values = values, status = statuses)
}

# The value of a task, or a pool_job_task_error.
read_result <- function(id, task, status, result) {
  x <- tryCatch(job_unpack(result), error = function(e) {
    stop_job_corrupt(id, paste0(
      "the result of task ", format(task, scientific = FALSE), " cannot be read: ",
      conditionMessage(e)
    ), task)
  })
  if (status == "completed") x else job_task_condition(id, task, status, x)
}

# What is stored as the result of a task without a value.
failed_result <- function(condition, traceback = NULL) {
  x <- list(condition = condition, traceback = traceback)
  tryCatch(job_pack(x), error = function(e) {
    x$condition <- simpleError(conditionMessage(condition))
    job_pack(x)
  })
}
