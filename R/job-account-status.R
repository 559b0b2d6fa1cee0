# How far a job is, and what nobody is at.

#' @exportS3Method
job_status.job_account <- function(job) {
  s <- account_of_job(job)
  if (length(s$index$status) < s$n || !all(s$index$status > 0L)) {
    account_refresh(s)
  } else {
    account_refresh_tasks(s)
    if (length(s$index$status) < s$n) account_refresh_results(s)
  }
  counts <- tabulate(s$index$status, 3L)
  unfinished <- s$n - sum(counts)
  running <- if (unfinished > 0 && !s$terminated) account_running(s, unfinished) else 0
  state <- if (unfinished == 0) "completed" else if (s$terminated) "terminated" else "active"
  list(state = state, tasks = s$n, queued = unfinished - running, running = running,
    completed = counts[1L] + 0, failed = counts[2L] + 0, lost = counts[3L] + 0)
}

# What has no result and is in no message that can be seen, somebody has. More than 32
# messages cannot be seen: then the others are taken to be like these.
account_running <- function(s, unfinished) {
  messages <- account_peek(s)
  tasks <- unique(unlist(lapply(messages, `[[`, "task")))
  waiting <- sum(!s$done[tasks])
  if (length(messages) >= 32L) {
    waiting <- waiting / length(messages) * account_queue_count(s)
  } else if (!length(messages) && account_queue_count(s) == 0) {
    waiting <- unfinished # the queue was lost: nobody is known to have any
  }
  max(0, unfinished - ceiling(waiting))
}

#' @exportS3Method
job_abandoned.job_account <- function(job) {
  s <- account_of_job(job)
  account_refresh(s)
  if (s$terminated || all(s$done)) {
    return(numeric())
  }
  messages <- account_peek(s)
  if (!length(messages) && account_queue_count(s) == 0) {
    return(as.double(setdiff(which(!s$done), account_ours(s))))
  }
  # Got before, and back: whoever had it is dead, or as silent.
  back <- Filter(function(m) isTRUE(m$count > 0), messages)
  tasks <- sort(unique(unlist(lapply(back, `[[`, "task"))))
  as.double(tasks[!s$done[tasks]])
}

# Whose lease is over is back already. What was lost with the queue is not.
#' @exportS3Method
job_requeue.job_account <- function(job) {
  s <- account_of_job(job)
  tasks <- job_abandoned(job)
  if (length(tasks) && account_queue_count(s) == 0) {
    account_rebuild(s)
  }
  length(tasks)
}
