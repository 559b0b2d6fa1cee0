# Stored jobs, by doAzureParallel's names: looked at, waited for, fetched, deleted.

#' Loops as stored jobs
#'
#' With `.options.azure`, and after [setCredentials()] always, a `%dopar%` on the pool (see
#' [registerDoPool()]) is a job: its iterations are tasks, and their results are stored as
#' they come, in the storage account of the credentials, or in a directory of the user's
#' (option `pool.jobs_dir`). So they can be fetched by any later session, and outlive this
#' one, its nodes, and the machine's power.
#'
#' `.options.azure` is a list of, each with its default:
#'
#' - `job`: an id of your own, 1 to 64 letters, digits, `-` and `_`. One that is taken is an
#'   error. By default it is made from the time, like `"job20240131120000"`.
#' - `wait = TRUE`: the loop runs on this session's pool, and its value is as always.
#'   `FALSE`: its value is the job's id, at once; a process of its own, with as many nodes as
#'   the pool has, goes on when this session ends. (Where a logout kills all processes of a
#'   user, as systemd may be told to, it is killed too; the job is kept.)
#' - `workers`: another number of nodes for `wait = FALSE`, or for a pool that has to be made.
#' - `chunkSize = 1`, or `chunksize`: iterations in a task; see `setChunkSize()`.
#' - `maxTaskRetryCount = 3`: how often a task is tried again whose node has died of it. One
#'   with an error is not tried again.
#' - `timeout = 86400`: seconds that `wait = TRUE` waits.
#' - `outputFiles`: a list of [createOutputFile()]s.
#' - `autoDeleteJob = FALSE`: whether a job that was waited for is deleted once its results are
#'   there (a deviation: doAzureParallel deletes by default; see `setAutoDeleteJob()`). With
#'   `wait = FALSE` it is deleted by `deleteJob()` only.
#' - `enableCloudCombine`: accepted. No task is needed to merge results.
#'
#' A job is made before any of it runs: its iterator is drained, and one that has no end, or
#' more than `getOption("pool.max_tasks", 200000)` tasks, is an error. Each task has a working
#' directory of its own, where it starts, and `AZ_BATCH_JOB_ID`, `AZ_BATCH_TASK_ID` and
#' `AZ_BATCH_TASK_WORKING_DIR` in its environment. With `options(pool.seed = )` an iteration
#' draws the random numbers that it draws in a loop that is no job, whatever the `chunkSize`.
#'
#' `getJobResult()` returns the results of a job that is completed; of another, its state, an
#' object that prints in a line, with `jobId`, `state` (`"active"`, `"completed"`,
#' `"terminated"`) and `tasks` (a list of counts: `active`, `running`, `completed`, `failed`,
#' `total`). `getJob()` says what is known of a job, `getJobList()` of all,
#' `waitForTasksToComplete()` waits with a progress bar, `getJobFile()` has what a task wrote.
#' `terminateJob()` keeps a job from going on, and its results; `deleteJob()` removes all of it.
#'
#' A job that nobody is at work on, since all were killed for instance, goes on where it
#' was when somebody joins: `cluster_run(cluster_join(id))`, or `cluster_add_nodes(id)`, which
#' does not wait. On other machines, this takes the place of Azure Batch's: see
#' [setCredentials()].
#'
#' @param jobId The id of a job.
#' @param partial Whether results may be missing: then there is always a list, `NULL` where
#'   there is no result yet, and a condition where an iteration failed.
#' @param verbose Whether to say what was found, or done.
#' @param filter `NULL`, or a list with `state`: only jobs in one of these states.
#' @param timeout Seconds to wait; by default a day.
#' @param errorHandling `"stop"`: a task that failed terminates the job, and is an error.
#'   `"remove"`, `"pass"`: it is counted.
#' @param taskId The number of a task, from 1.
#' @param filePath `"stdout.txt"` or `"stderr.txt"`: what the task wrote; `"log.txt"` (or
#'   `"wd/TASK.txt"`): its messages, warnings, and error with the calls that led to it.
#' @param downloadPath The name of a file to write it to.
#' @param overwrite Whether a file that exists is replaced.
#' @param value A number of iterations; or `TRUE` or `FALSE`.
#' @param fun A function that makes one value of two: the values of a task's iterations become
#'   one. Left out: the loop's `.combine`. `NULL`: they stay, which is how it begins.
#' @param ... Further arguments of `fun`.
#' @return `getJobResult()`: a list, in the order of iterations (not combined, as
#'   `.combine` is of the loop's session), without those that failed under
#'   `.errorhandling = "remove"`, with their conditions under `"pass"`; or the state.
#'   `getJob()`: a list of `jobId`, `metadata`, `tasks` (where `completed` are all that are
#'   over: `succeeded` and `failed`) and `jobState`. `getJobList()`: a data frame of `Id`,
#'   `State`, `Status`, `FailedTasks`, `TotalTasks`. `getJobFile()`: a string; or, invisibly,
#'   `downloadPath`. The others: `NULL`, invisibly.
#' @section Options that hold for all loops: `setChunkSize()`, `setAutoDeleteJob()`,
#'   `setReduce()`. `setVerbose()` is accepted. `setHttpTraffic(TRUE)` shows requests to
#'   storage services, without what is secret.
#' @section Trust: Results are R objects, and R objects can have code in them. They are read
#'   from the user's own directory, whose files nobody else may read or write, or from the
#'   account of the credentials: whoever can write there can make this session do what he wants.
#' @section Errors: [job_conditions], [pool_conditions]. Under `.errorhandling = "stop"`,
#'   `getJobResult()` of a job with failures is a `pool_job_task_error`, whose `$results` has
#'   what there is.
#' @source doAzureParallel 0.8.0.
#' @seealso [registerDoPool()], [setCredentials()], [account_jobs] for what a job is in a
#'   storage account, [createOutputFile()], [threadpool]; `vignette("jobs")`.
#' @examples
#' old <- options(pool.jobs_dir = tempfile("jobs"))
#' init_pool(2)
#' registerDoPool()
#' foreach(i = 1:3, .options.azure = list(job = "squares")) %dopar% i^2
#' getJobResult("squares")
#' getJobList()
#' deleteJob("squares")
#' delete_pool()
#' options(old)
#' @name foreach_jobs
#' @export
getJobResult <- function(jobId, partial = FALSE) {
  check_flag(partial, "partial")
  job <- open_job(jobId)
  on.exit(job_close(job))
  manifest <- job_read_manifest(job)
  if (manifest$kind != "foreach") {
    stop_job_kind(job$id, "is none of a loop: cluster_reduce(cluster_join(\"", job$id,
      "\")) has its results")
  }
  if (!partial) {
    status <- job_status(job)
    if (status$state != "completed") {
      return(job_state_object(job, status))
    }
  }
  results <- loop_results(job, manifest)
  values <- results$values
  failed <- vapply(values, inherits, NA, "pool_job_task_error")
  errors <- values[failed]
  values[failed] <- lapply(errors, original_condition)
  if (partial) {
    return(values)
  }
  switch(manifest$options$error_handling,
    pass = values,
    remove = values[!failed],
    if (any(failed)) {
      values[failed] <- list(NULL)
      stop_job_iterations(job$id, errors, values)
    } else {
      values
    }
  )
}

#' @rdname foreach_jobs
#' @export
getJob <- function(jobId, verbose = TRUE) {
  check_flag(verbose, "verbose")
  job <- open_job(jobId)
  on.exit(job_close(job))
  options <- job_read_manifest(job)$options
  status <- job_status(job)
  failed <- status$failed + status$lost
  found <- list(
    jobId = job$id,
    metadata = list(
      chunkSize = plain_number(options$chunk_size %||% 1),
      enableCloudCombine = as.character(!isFALSE(options$cloud_combine)),
      packages = paste(options$loop_packages, collapse = ";"),
      errorHandling = options$error_handling, wait = as.character(!isFALSE(options$wait))
    ),
    tasks = list(
      active = status$queued, running = status$running, completed = status$completed + failed,
      succeeded = status$completed, failed = failed
    ),
    jobState = status$state
  )
  if (verbose) {
    cat(job_lines(found), sep = "\n")
  }
  found
}

job_lines <- function(found) {
  lines <- function(x) sprintf("\t%s: %s", names(x), vapply(x, plain_number, ""))
  c(
    paste("Job Id:", found$jobId), "", "job metadata:", lines(found$metadata), "", "tasks:",
    lines(found$tasks),
    sprintf("\ttotal: %s", plain_number(sum(unlist(found$tasks[1:3])))), "",
    paste("job state:", found$jobState)
  )
}

#' @rdname foreach_jobs
#' @export
getJobList <- function(filter = NULL) {
  states <- NULL
  if (!is.null(filter)) {
    states <- if (is.list(filter)) filter$state
    if (is.null(states) && length(filter) || !is.null(states) && !is.character(states)) {
      stop_input("filter", NULL, "'filter' must be a list with 'state', strings, not ",
        given_kind(filter))
    }
  }
  store <- jobs_store()
  rows <- lapply(sort(store_job_ids(store)), job_row, store)
  rows <- rows[!vapply(rows, is.null, NA)]
  column <- function(name, kind) vapply(rows, `[[`, kind, name)
  jobs <- data.frame(
    Id = column("id", ""), State = column("state", ""), Status = column("status", ""),
    FailedTasks = column("failed", 0), TotalTasks = column("tasks", 0),
    stringsAsFactors = FALSE
  )
  if (is.null(states)) jobs else jobs[jobs$State %in% states, , drop = FALSE]
}

# One that cannot be read is no reason not to list the others; one that is gone by now
# is none.
job_row <- function(id, store) {
  tryCatch({
    job <- store_open_job(store, id)
    on.exit(job_close(job))
    status <- job_status(job)
    over <- status$completed + status$failed + status$lost
    list(
      id = id, state = status$state, failed = status$failed + status$lost, tasks = status$tasks,
      status = if (status$tasks > 0) {
        sprintf("%s %%", plain_number(floor(100 * over / status$tasks)))
      } else {
        "No tasks in the job"
      }
    )
  }, pool_job_absent_error = function(e) NULL, pool_job_error = function(e) {
    list(id = id, state = "unreadable", failed = NA_real_, tasks = NA_real_,
      status = sub("^pool_job_(.*)_error$", "\\1", class(e)[[1L]]))
  })
}

#' @rdname foreach_jobs
#' @export
waitForTasksToComplete <- function(jobId, timeout, errorHandling = "stop") {
  seconds <- if (missing(timeout)) 24 * 3600 else check_seconds(timeout, "timeout")
  errorHandling <- check_choice(errorHandling, "errorHandling", c("stop", "remove", "pass"))
  job <- open_job(jobId)
  on.exit(job_close(job))
  shown <- job_progress(job$id, seconds)
  on.exit(shown$end(), add = TRUE)
  pause <- 0.02
  idle <- 0
  told <- FALSE
  repeat {
    status <- job_status(job)
    if (errorHandling == "stop" && status$failed + status$lost > 0) {
      stop_failed_job(job)
    }
    if (status$state != "active") {
      break
    }
    shown$update(status)
    idle <- if (status$running == 0) idle + pause else 0
    if (idle > patience_with_nobody && !told) {
      shown$clear()
      message("nobody is at work on job '", job$id, "': cluster_run(cluster_join(\"", job$id,
        "\")) would be")
      told <- TRUE
    }
    Sys.sleep(pause)
    pause <- min(2 * pause, 1)
  }
  invisible(NULL)
}

# Seconds until it is said.
patience_with_nobody <- 15

# The rest of it would be of no use to whoever waits.
stop_failed_job <- function(job) {
  job_terminate(job)
  manifest <- job_read_manifest(job)
  values <- if (manifest$kind == "foreach") {
    loop_results(job, manifest)$values
  } else {
    job_result_list(job, partial = TRUE)$values
  }
  failed <- vapply(values, inherits, NA, "pool_job_task_error")
  errors <- values[failed]
  values[failed] <- list(NULL)
  stop_job_iterations(job$id, errors, values)
}

#' @rdname foreach_jobs
#' @export
deleteJob <- function(jobId, verbose = TRUE) {
  check_flag(verbose, "verbose")
  gone <- tryCatch({
    store <- jobs_store()
    store_delete_job(store, check_job_id(jobId))
    delete_meta(list(store = store, id = jobId))
    sprintf("Your job '%s' has been deleted.", jobId)
  }, pool_job_absent_error = function(e) {
    c("Call: deleteJob", paste0("Exception: ", conditionMessage(e)))
  })
  if (verbose) {
    cat(gone, sep = "\n")
  }
  invisible(NULL)
}

#' @rdname foreach_jobs
#' @export
terminateJob <- function(jobId) {
  said <- tryCatch({
    job <- open_job(jobId)
    on.exit(job_close(job))
    over <- job_status(job)$state == "completed"
    if (!over) {
      job_terminate(job)
    }
    if (over) "Job '%s' has already completed." else "Your job '%s' has been terminated."
  }, pool_job_absent_error = function(e) "Job '%s' does not exist.")
  cat(sprintf(said, jobId), sep = "\n")
  invisible(NULL)
}
