# threadpool's functions: thin front ends of jobs (R/job.R) in a directory.
#
# A cluster is a job whose name is a path: the store is the directory it is in, the id
# the path's last part. `<name>.meta.rds` beside it has the metadata.

#' Work on many elements that outlives the session: threadpool's functions
#'
#' `tp_map()` applies a function to the elements of `x`, in R processes of their own, as a
#' job in a directory. Sessions, workers and machines may come and go: what has a result
#' keeps it, and whoever joins next goes on with the rest.
#'
#' A *cluster* is such a job. Its name is a path, the job's directory; in the directory of
#' jobs, [getJob()], [getJobList()], [waitForTasksToComplete()] and others know it too. The
#' nodes that `tp_map()` and `cluster_add_nodes()` start are detached from the session and
#' leave when every task has a result: tasks that are added after that need others. Nodes
#' may be added at any time, and any process may help by `cluster_join()` and
#' `cluster_run()`, which returns when every task has a result, whoever has made it. It
#' runs the tasks of a job in a directory in the calling process itself,
#' where a task can be debugged; those of a job in a storage account on the session's pool, or
#' on a node that it starts for as long (see [account_jobs]).
#'
#' A task that fails in R is recorded as failed, once, with its condition; one whose node
#' dies is run again, and after three deaths recorded as lost. The others go on. A claim of a
#' process that has died, or of a machine that was switched off, is free again for whoever
#' asks.
#'
#' `f` is sent along with the global variables and functions it uses and the names of the
#' attached packages, so a node in a fresh session has them too. What it uses by other means
#' (`get()`, files) must be there already. Nodes have the working directory, options and
#' environment variables of the session that starts them.
#'
#' @section Differences from threadpool:
#' The interface is that of its version of February 2018, and, with `cluster_map()`,
#' `cluster_reduce()`, `cluster_shutdown()`, `logfile_show()` and some of [cluster_tasks], of
#' that of June 2018.
#' - A task counts as taken only while its process lives: there, a process that was killed
#'   took its task with it. A task that fails does not end its node.
#' - Results are in the order of `x`, with its names; equal ones do not collapse. They stay:
#'   `cluster_reduce()` may be called again.
#' - Nodes leave when every task has a result, not when there is nothing to take right now; so
#'   does `cluster_run()`.
#' - The nodes of `tp_map()` and `cluster_add_nodes()` are no children of the session, and do
#'   not end with it. `cluster_add_nodes()` does not wait.
#' - A cluster is one directory, `<name>`, and `<name>.meta.rds`; there is no `<name>.in.q`
#'   and no `<name>.out.q`. Its name is not used again while it is there.
#' - `cl_name = NULL` makes a cluster where [jobs][getJobList()] are: in the storage account of
#'   [setCredentials()], or else in a directory that every session of yours finds (option
#'   `pool.jobs_dir`). There it is
#'   in the session's temporary directory, and goes with the session.
#' - `f` has to return a list with an element `output`; there, one without it gives `NULL`.
#' - `cluster_run()` returns `cl`, as the later version does, and tasks' results are not
#'   printed.
#' - The `envir` of `cluster_map()` and `cluster_initialize()` is only where `f` is looked
#'   up when it is a string.
#' - `logfile_show()` shows what is there, and does not wait for more.
#' - `delete_cluster()` says nothing, and deletes nothing that is no cluster.
#' - `mapsize` is a hint: the files grow as they have to.
#'
#' @section Trust:
#' A job is code and data that whoever joins runs. So a job in a directory is only opened if
#' the directory and its files belong to the user, and they are made readable and writable
#' for nobody else (0700, 0600). Whoever can write to your storage account can run code in
#' your sessions that join a job there, or read its results.
#'
#' The directory must be on a local file system: over a network its locks are not to be
#' relied on, and it is refused. For several machines, see [setCredentials()].
#'
#' @param x For `tp_map()` and `cluster_map()` a vector, list or data frame: each of its
#'   elements (columns) is a task.
#' @param f A function, or the name of one. `tp_map()` calls it as `f(element, meta)`, and it
#'   returns `list(output = )`; `cluster_map()` calls it as `f(element)`, and the output is
#'   its value.
#' @param meta Any R object, given to each call of `f`.
#' @param cl_name The cluster's name: a path that is not there yet, in a directory that is.
#'   `NULL`: one is made up, without drawing random numbers, where jobs are.
#' @param ncores How many nodes to start, a whole number; 0 starts none.
#' @param wait_for_result Whether to wait until every task has a result. A Ctrl-C then ends
#'   the waiting, not the work.
#' @param mapsize A number, a hint, or `NULL`.
#' @param name A cluster's name, or a cluster. A name that leads to no directory may be the id
#'   of a job: in the storage account of [setCredentials()], or else in the directory of jobs.
#' @param cl A cluster, as `cluster_join()` gives it.
#' @param partial Whether results may be missing.
#' @param envir Where `f` is looked up if it is a string.
#' @param .progress `TRUE`: show how far the job is while it is waited for or worked on, in the
#'   ways of [pool_lapply()]'s.
#' @param cleanup Whether to delete the cluster once its results were read.
#' @param pid The process whose log to show, as `cluster_add_nodes()` gave it.
#' @param task Numbers of tasks whose output to show; of the logs, those of processes have
#'   what did not come from any task. With neither `pid` nor `task`: all processes, and the
#'   last tasks.
#' @return
#' - `tp_map()`: the cluster's name, a string: a path, or in a storage account an id.
#' - `cluster_join()`: the cluster, a list: `injob`, `outjob` (queues, see [cluster_tasks]),
#'   `meta` (the path of the metadata; `NULL` in a storage account), `name`.
#' - `cluster_run()`: `cl`, invisibly.
#' - `cluster_add_nodes()`: the number of the process that the nodes belong to, invisibly.
#' - `cluster_reduce()`: the outputs, a list in the order and with the names of `x`. With
#'   `partial = TRUE` it is never an error: what is missing is `NULL`, what failed or was
#'   lost its condition.
#' - `cluster_map()`: the same, at once.
#' - `logfile_show()`: the lines, invisibly.
#' - `cluster_shutdown()`, `delete_cluster()`: `NULL`, invisibly.
#' @section Errors: [job_conditions]. `cluster_reduce()` of an unfinished cluster is a
#'   `pool_job_unfinished_error` that counts what is missing; where tasks failed or were
#'   lost it is a `pool_job_task_error` with `$errors` and `$results`. `tp_map()` warns if
#'   its nodes were killed before all was done.
#' @source The interface is that of package threadpool by Roger D. Peng.
#' @seealso [cluster_tasks] for a cluster step by step, [queue], [pool_lapply()] for work
#'   within a session; `vignette("jobs")`.
#' @examples
#' name <- tp_map(airquality, function(x, meta) {
#'   list(output = mean(x, na.rm = TRUE))
#' }, cl_name = tempfile("cluster"))
#' cl <- cluster_join(name)
#' peek(cl$outjob)
#' cluster_reduce(cl)
#' delete_cluster(name)
#' @name threadpool
NULL

#' @rdname threadpool
#' @export
tp_map <- function(x, f, meta = NULL, cl_name = NULL, ncores = 2L, wait_for_result = TRUE,
                   mapsize = NULL, .progress = getOption("pool.progress", FALSE)) {
  f <- find_task_function(f, parent.frame())
  ncores <- check_ncores(ncores)
  check_flag(wait_for_result, "wait_for_result")
  check_flag(.progress, ".progress")
  cl <- start_cluster(x, f, meta, cl_name, mapsize)
  on.exit(close_cluster(cl))
  on.exit(close_cluster(cl))
  run_nodes(cl, ncores, wait_for_result, .progress)
  cl$name
}

#' @rdname threadpool
#' @export
cluster_map <- function(x, f, cl_name = NULL, ncores = 1L, envir = parent.frame(),
                        cleanup = FALSE, .progress = getOption("pool.progress", FALSE)) {
  if (!is.environment(envir)) {
    stop_input("envir", envir, "'envir' must be an environment, not ", given(envir))
  }
  f <- find_task_function(f, envir)
  ncores <- check_ncores(ncores, least = 1)
  check_flag(cleanup, "cleanup")
  check_flag(.progress, ".progress")
  cl <- start_cluster(x, f, NULL, cl_name, NULL, plain = TRUE)
  on.exit(close_cluster(cl))
  on.exit(close_cluster(cl))
  run_nodes(cl, ncores, wait = TRUE, .progress)
  results <- cluster_reduce(cl)
  if (cleanup) delete_cluster(cl)
  results
}

#' @rdname threadpool
#' @export
cluster_join <- function(name, mapsize = getOption("threadpool_default_mapsize")) {
  check_mapsize(mapsize)
  find_cluster(name)
}

#' @rdname threadpool
#' @export
cluster_run <- function(cl, .progress = getOption("pool.progress", FALSE)) {
  job <- cluster_job(cl)
  check_flag(.progress, ".progress")
  give_back(cl)
  done <- FALSE
  # What a store that failed did not take back goes back with the claimant.
  on.exit(if (!done) close_cluster(cl))
  shown <- job_progress(job$id, shows = .progress)
  on.exit(shown$end(), add = TRUE)
  run_joined(job, "inline", if (.progress) shown$update)
  done <- TRUE
  invisible(cl)
}

#' @rdname threadpool
#' @export
cluster_add_nodes <- function(name, ncores = 1L) {
  ncores <- check_ncores(ncores)
  cl <- as_cluster(name)
  if (!identical(cl, name)) on.exit(close_cluster(cl))
  invisible(if (ncores > 0L) add_nodes(cl, ncores))
}

#' @rdname threadpool
#' @export
cluster_reduce <- function(cl, partial = FALSE) {
  job <- cluster_job(cl)
  check_flag(partial, "partial")
  cluster_manifest(cl)
  found <- job_result_list(job, partial = TRUE, names = NULL)
  values <- found$values
  names(values) <- cluster_names(cl, length(values))
  if (partial) {
    return(values)
  }
  missing <- sum(is.na(found$status))
  if (missing > 0) {
    stop_job_unfinished(job$id, missing, values, job_status(job)$state)
  }
  bad <- found$status != "completed"
  errors <- unname(values[bad])
  values[bad] <- list(NULL)
  if (any(bad)) stop_job_tasks(job$id, errors, values) else values
}

#' @rdname threadpool
#' @export
logfile_show <- function(name, pid = NULL, task = NULL) {
  cl <- as_cluster(name)
  if (!identical(cl, name)) on.exit(close_cluster(cl))
  if (!is.null(pid)) check_number(pid, "pid", 1)
  if (!is.null(task) && (!is.numeric(task) || anyNA(task))) {
    stop_input("task", task, "'task' must be numbers of tasks, not ", given(task))
  }
  handle <- cl$injob$queue
  logs <- c(
    if (is.null(task)) node_logs(handle_store(handle), handle$id, pid),
    if (is.null(pid)) task_logs(cluster_job(cl), task)
  )
  lines <- unlist(lapply(logs, function(log) c(paste0("-- ", log$name), log$lines)))
  writeLines(as.character(lines))
  invisible(as.character(lines))
}

#' @rdname threadpool
#' @export
cluster_shutdown <- function(cl) {
  check_cluster(cl)
  close_cluster(cl)
  invisible(NULL)
}

#' @rdname threadpool
#' @export
delete_cluster <- function(name) {
  delete_job(as_cluster(name, open = FALSE))
  invisible(NULL)
}
