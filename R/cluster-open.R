# What this process has of clusters: their jobs, open, and the tasks it has taken of
# them. A cluster object itself has none of it, only where its job is, and a key of
# the$clusters: so it can be sent and saved, without an account's key or anything that
# another process could not use.
#
# An entry is an environment: pid, store, id, job, and taken, a list of list(task,
# begin), the last one last.

own_entry <- function(handle) {
  if (identical(handle$pid, Sys.getpid())) the$clusters[[handle$key]]
}

new_entry <- function(handle, job) {
  the$cluster_count <- (the$cluster_count %||% 0) + 1
  handle$key <- as.character(the$cluster_count)
  handle$pid <- Sys.getpid()
  entry <- list2env(list(
    pid = handle$pid, store = job$store, id = handle$id, job = job, taken = list()
  ), parent = emptyenv())
  the$clusters[[handle$key]] <- entry
  # What is held by an object that nobody has any more goes back.
  reg.finalizer(handle, collected)
  entry
}

# No request to a service in a finalizer: there, leases end by themselves.
collected <- function(handle) {
  job <- forget_entry(handle)
  if (inherits(job, "job_directory")) try(job_close(job), silent = TRUE)
}

# The job, if this process has it open.
forget_entry <- function(handle) {
  entry <- own_entry(handle)
  if (!is.null(entry)) rm(list = handle$key, envir = the$clusters)
  entry$job
}

# A fork has its parent's, which is of no use to it.
open_entry <- function(handle) {
  own_entry(handle) %||% new_entry(handle, store_open_job(handle_store(handle), handle$id))
}

handle_job <- function(handle) open_entry(handle)$job

# ---- tasks by hand ----

# The next task that nobody has: it is this process's then.
take_task <- function(cl) {
  f <- cluster_manifest(cl)$args$f
  entry <- open_entry(cl$injob$queue)
  claim <- job_claim(entry$job, 1)
  if (!length(claim$task)) stop_queue_empty("input queue")
  entry$taken <- c(entry$taken, list(list(task = claim$task, begin = seconds_now())))
  shown_task(claim$data[[1L]], f)
}

shown_task <- function(data, f) {
  task <- job_unpack(data)
  new_task(task$data, if (is.null(task$func)) f else task$func)
}

finish_task <- function(cl, out) {
  force(out)
  entry <- open_entry(cl$injob$queue)
  n <- length(entry$taken)
  if (n == 0L) {
    stop_input("cl", cl, "'cl' has taken no task that is not finished: see cluster_next_task()")
  }
  last <- entry$taken[[n]]
  job_commit(entry$job, list(
    task = last$task, status = "completed", result = list(job_pack(out)),
    seconds = max(0, seconds_now() - last$begin)
  ))
  entry$taken <- entry$taken[-n]
  invisible(NULL)
}

# What this process has taken of the cluster, by whatever object, and not finished: while
# it is in cluster_run(), it cannot finish it, and would wait for itself.
give_back <- function(cl) {
  mine <- open_entry(cl$injob$queue)
  for (entry in as.list(the$clusters)) {
    if (length(entry$taken) && identical(entry$pid, mine$pid) && identical(entry$id, mine$id) &&
      identical(entry$store, mine$store)) {
      tasks <- vapply(entry$taken, `[[`, 0, "task")
      entry$taken <- list()
      job_release(entry$job, tasks)
    }
  }
}
