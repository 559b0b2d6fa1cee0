# A cluster of threadpool's, step by step: what it is, and its tasks.

#' A cluster, step by step
#'
#' What [tp_map()] does, and [cluster_join()] and [cluster_run()] go on with, in single
#' steps: a cluster is made, tasks are added, taken, finished.
#'
#' A task is a list of `data` and `func`, which is called as `func(data, meta)` and returns
#' `list(output = )`; in a cluster of `cluster_initialize()`'s or [cluster_map()]'s, which are
#' of threadpool's later version, as `func(data)`, and its value is the output.
#'
#' `meta` is in the file `cl$meta`, as [saveRDS()] writes it; who joins reads it. A cluster
#' that `cluster_create()` made has `NULL` there.
#'
#' `cl$injob` and `cl$outjob` are queues, and the functions of [queue] are these:
#' `enqueue()` and `dequeue()` of `cl$injob` are `cluster_add1_task()` and
#' `cluster_next_task()`, `enqueue()` of `cl$outjob` is `cluster_finish_task()`.
#' `dequeue(cl$outjob)` gives the outputs of what is finished, in the order of tasks, to
#' each `cl` by itself; they stay in the cluster. `peek()` gives what `dequeue()` would, and
#' `is_empty()` says whether there is any. `delete_queue()` refuses: they are parts of the
#' cluster.
#'
#' @section Abandoned tasks:
#' What `cluster_next_task()` gave is taken until it is finished, or the process has ended,
#' or `cl` was shut down. In a directory the kernel tells who lives, at once; in a storage
#' account a lease does, up to a minute late (option `pool.job_lease`, in seconds): a task
#' that was taken by hand has to be finished within it.
#' `abandoned()` counts what the dead had taken. That is given to whoever asks next, in any
#' case; `requeue_abandoned()` puts it back by itself. Neither ever touches a task whose
#' process lives.
#'
#' @inheritSection threadpool Trust
#' @param name,cl_name The cluster's name: a path that is not there yet, in a directory that
#'   is.
#' @param x A vector, list or data frame: each element becomes a task.
#' @param f,func A function, or the name of one.
#' @param meta Any R object.
#' @param mapsize A number, a hint, or `NULL`.
#' @param envir Where `f` is looked up if it is a string.
#' @param cl A cluster.
#' @param data Any R object.
#' @param task A task, as `new_task()` makes it.
#' @param out The output of the task that `cl` took last and has not finished yet.
#' @return
#' - `cluster_create()`, and invisibly `cluster_initialize()`: a cluster, as [cluster_join()]
#'   gives it.
#' - `new_task()`: a list of `data` and `func`.
#' - `cluster_next_task()`: the next task; where there is none to be had now, an error as
#'   [try()] gives it, of class `try-error`.
#' - `cluster_add_tasks()`, `requeue_abandoned()`: `cl`, invisibly.
#' - `abandoned()`: a number of tasks.
#' - The others: `NULL`, invisibly.
#' @inheritSection threadpool Errors
#' @source The interface is that of package threadpool by Roger D. Peng.
#' @seealso [threadpool], with the differences from the original.
#' @examples
#' cl <- cluster_create(tempfile("cluster"))
#' cluster_add1_task(cl, new_task(1:10, function(x, meta) list(output = sum(x))))
#' cluster_add_tasks(cl, list(a = 4, b = 9), function(x, meta) list(output = sqrt(x)))
#'
#' # By hand, as cluster_run() does it
#' task <- cluster_next_task(cl)
#' result <- task$func(task$data, readRDS(cl$meta))
#' cluster_finish_task(cl, result$output)
#'
#' cluster_run(cl)
#' cluster_reduce(cl)
#' delete_cluster(cl)
#' @name cluster_tasks
NULL

#' @rdname cluster_tasks
#' @export
cluster_create <- function(name, mapsize = getOption("threadpool_default_mapsize")) {
  check_mapsize(mapsize)
  check_named(name, "name")
  make_cluster(name, list(), NULL, NULL)
}

#' @rdname cluster_tasks
#' @export
initialize_cluster_queue <- function(cl_name, x, f, meta = NULL, mapsize = NULL) {
  check_mapsize(mapsize)
  f <- find_task_function(f, parent.frame())
  check_named(cl_name, "cl_name")
  close_cluster(make_cluster(cl_name, as_cluster_data(x), f, meta, argument = "cl_name"))
  invisible(NULL)
}

#' @rdname cluster_tasks
#' @export
cluster_initialize <- function(cl_name, x, f, envir = parent.frame()) {
  if (!is.environment(envir)) {
    stop_input("envir", envir, "'envir' must be an environment, not ", given(envir))
  }
  f <- find_task_function(f, envir)
  check_named(cl_name, "cl_name")
  invisible(make_cluster(cl_name, as_cluster_data(x), f, NULL, plain = TRUE, argument = "cl_name"))
}

#' @rdname cluster_tasks
#' @export
new_task <- function(data, func) {
  if (missing(data)) {
    stop_missing("data")
  }
  if (missing(func)) {
    stop_missing("func")
  }
  list(data = data, func = func)
}

#' @rdname cluster_tasks
#' @export
cluster_add1_task <- function(cl, task) {
  job <- cluster_job(cl)
  task <- check_task(task, parent.frame())
  job_add(job, pack_cluster_tasks(cl, list(task$data), task$func))
  invisible(NULL)
}

#' @rdname cluster_tasks
#' @export
cluster_add_tasks <- function(cl, x, f) {
  job <- cluster_job(cl)
  f <- find_task_function(f, parent.frame())
  x <- as_cluster_data(x)
  numbers <- job_add(job, pack_cluster_tasks(cl, unname(x), f))
  if (length(numbers) && !is.null(names(x))) add_names(job, numbers[[1L]], names(x))
  invisible(cl)
}

#' @rdname cluster_tasks
#' @export
cluster_next_task <- function(cl) {
  check_cluster(cl)
  # No other failure is to be taken for the end.
  tryCatch(take_task(cl), pool_queue_empty_error = function(e) try(stop(e), silent = TRUE))
}

#' @rdname cluster_tasks
#' @export
cluster_finish_task <- function(cl, out) {
  check_cluster(cl)
  finish_task(cl, out)
}

#' @rdname cluster_tasks
#' @export
abandoned <- function(cl) length(job_abandoned(cluster_job(cl)))

#' @rdname cluster_tasks
#' @export
requeue_abandoned <- function(cl) {
  job_requeue(cluster_job(cl))
  invisible(cl)
}
