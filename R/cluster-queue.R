# cl$injob and cl$outjob: the tasks of a cluster that nobody has, and the outputs of
# those that are finished, as queues.

cluster_of <- function(x) {
  handle <- x$queue
  structure(list(injob = x, outjob = x, name = handle$name), class = "threadpool_cluster")
}

#' @export
enqueue.cluster_injob <- function(x, val, ...) cluster_add1_task(cluster_of(x), val)

#' @export
dequeue.cluster_injob <- function(x, ...) take_task(cluster_of(x))

# To look at it is to have it for a moment.
#' @export
peek.cluster_injob <- function(x, ...) {
  f <- cluster_manifest(cluster_of(x))$args$f
  job <- handle_job(x$queue)
  claim <- job_claim(job, 1)
  if (!length(claim$task)) stop_queue_empty("input queue")
  job_release(job, claim$task)
  shown_task(claim$data[[1L]], f)
}

#' @export
is_empty.cluster_injob <- function(x, ...) {
  job <- handle_job(x$queue)
  status <- job_status(job)
  status$state != "active" || status$queued == 0 && !length(job_abandoned(job))
}

#' @export
enqueue.cluster_outjob <- function(x, val, ...) finish_task(cluster_of(x), val)

#' @export
dequeue.cluster_outjob <- function(x, ...) {
  found <- next_output(x)
  if (is.null(found)) stop_queue_empty("output queue")
  value <- read_result(x$queue$id, found$task, found$status[[1L]], found$result[[1L]])
  give_output(x$queue, found$task)
  value
}

#' @export
peek.cluster_outjob <- function(x, ...) {
  found <- next_output(x)
  if (is.null(found)) stop_queue_empty("output queue")
  read_result(x$queue$id, found$task, found$status[[1L]], found$result[[1L]])
}

#' @export
is_empty.cluster_outjob <- function(x, ...) is.null(next_output(x))

# The result of the first finished task that this handle has not given, as
# job_results() has it, or NULL.
next_output <- function(x) {
  handle <- x$queue
  job <- handle_job(handle)
  n <- job_status(job)$tasks
  from <- handle$before + 1
  block <- 1
  while (from <= n) {
    found <- job_results(job, from, block)
    new <- which(!found$task %in% handle$beyond)
    if (length(new)) {
      return(lapply(found, `[`, new[[1L]]))
    }
    from <- from + block
    block <- 64 # large enough for many tasks without result, small for large results
  }
  NULL
}

give_output <- function(handle, task) {
  beyond <- sort(c(handle$beyond, task))
  # What follows on without a gap.
  run <- which(beyond != handle$before + seq_along(beyond))
  k <- if (length(run)) run[[1L]] - 1L else length(beyond)
  handle$before <- handle$before + k
  handle$beyond <- beyond[seq_along(beyond) > k]
}

stop_cluster_queue <- function(x) {
  stop_input("x", x, "'x' is a queue of a cluster, and goes with it: see delete_cluster()")
}

#' @export
delete_queue.cluster_injob <- function(x, ...) stop_cluster_queue(x)

#' @export
delete_queue.cluster_outjob <- function(x, ...) stop_cluster_queue(x)

#' @export
format.threadpool_cluster <- function(x, ...) sprintf("<cluster: %s>", x$name)

# With its state, where that can be had: a job that is gone is printed, too.
#' @export
print.threadpool_cluster <- function(x, ...) {
  state <- tryCatch(sub("^[^:]*: ", "", format(job_state_object(cluster_job(x)))),
    pool_error = conditionMessage
  )
  cat(format(x), " ", state, "\n", sep = "")
  invisible(x)
}
