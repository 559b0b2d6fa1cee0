# Open calls, jobs and supervisors, for exercise.R.

# A call whose elements come while it runs.
open_calls <- function(session) {
  s <- session(pool:::stream_open(
    function(x, y) if (identical(x, 3)) stop("three") else x + y, list(1)
  ))
  x <- as.double(seq_len(big))
  for (value in list(1, 2, 3, 4)) session(pool:::stream_put(s, value))
  found <- list()
  while (pool:::stream_left(s) > 0) found <- c(found, session(pool:::stream_wait(s)))
  found <- found[order(vapply(found, `[[`, 0, "id"))]
  stopifnot(
    identical(lapply(found, `[[`, "value"), list(2, 3, NULL, 5)),
    inherits(found[[3L]]$error, "pool_task_error")
  )
  session(pool:::stream_put(s, x))
  stopifnot(identical(session(pool:::stream_wait(s))[[1L]]$value, x + 1))
  stopifnot(identical(session(pool:::stream_wait(s, 0)), list()))
  stopifnot(is.null(session(pool:::stream_cut(s, 1))))
  busy <- session(failure(pool_lapply(1, identity)))
  stopifnot(inherits(busy, "pool_busy_error"))
  session(pool:::stream_close(s))
  stale <- session(failure(pool:::stream_put(s, 1)))
  stopifnot(inherits(stale, "pool_absent_error"))
  s <- session(pool:::stream_open(function(x) tools::pskill(Sys.getpid(), 9L)))
  session(pool:::stream_put(s, 1))
  stopifnot(inherits(session(pool:::stream_wait(s))[[1L]]$lost, "pool_worker_error"))
  session(pool:::stream_close(s))
}

# A job in a directory, by nodes; to find what a function needs takes too long.
jobs <- function(session) {
  store <- pool:::store_directory(tempfile("jobs"))
  fun <- function(x) {
    cat("task\n")
    if (x == 4) stop("four")
    c(x, stats::runif(1L))
  }
  environment(fun) <- globalenv()
  quick <- gctorture2(0L)
  job <- pool:::job_new(store, "j", "lapply", fun,
    tasks = 1:6, globals = list(), packages = character(),
    options = list(seed = pool:::seed_of(1L))
  )
  gctorture2(quick)
  stopifnot(identical(session(pool:::run_job(job, "pool"))$state, "completed"))
  found <- session(pool:::job_result_list(job))
  stopifnot(
    identical(vapply(found$values[-4L], `[[`, 0, 1L), c(1, 2, 3, 5, 6)),
    identical(found$status[[4L]], "failed")
  )
  session(pool:::job_close(job))
}

supervisors <- function(session) {
  store <- pool:::store_directory(tempfile("jobs"))
  e <- session(failure(pool:::start_supervisor(store, "none", 1)))
  stopifnot(inherits(e, "pool_job_absent_error"))
  quick <- gctorture2(0L)
  job <- pool:::job_new(store, "j", "lapply", identity, tasks = 1:3)
  gctorture2(quick)
  session(pool:::start_supervisor(store, "j", 1))
  while (pool:::job_status(job)$state == "active") Sys.sleep(0.1)
  stopifnot(identical(pool:::job_result_list(job)$values, as.list(1:3)))
  pool:::job_close(job)
}
