# What tasks of a job have written.

#' @rdname foreach_jobs
#' @export
getJobFile <- function(jobId, taskId, filePath, downloadPath = NULL, verbose = TRUE,
                       overwrite = FALSE) {
  check_job_id(jobId)
  check_flag(verbose, "verbose")
  check_flag(overwrite, "overwrite")
  task <- check_task_id(taskId)
  kind <- check_task_file(filePath, task)
  if (!is.null(downloadPath)) {
    check_strings(downloadPath, "downloadPath", 1L)
    if (file.exists(downloadPath) && !overwrite) {
      stop_input("downloadPath", downloadPath, "'downloadPath' exists already, and ",
        "'overwrite' is FALSE: ", given(downloadPath))
    }
  }
  job <- open_job(jobId)
  on.exit(job_close(job))
  if (as.numeric(task) > job_status(job)$tasks) {
    stop_job_absent(job$id, paste("task", task))
  }
  # A task that wrote nothing has no file; nor has one that has not ended.
  bytes <- tryCatch(job_get_file(job, paste0(kind, "/", task, ".txt")),
    pool_job_absent_error = function(e) {
      if (!length(job_results(job, as.numeric(task), 1)$task)) stop(e)
      raw()
    }
  )
  if (!is.null(downloadPath)) {
    writeBin(bytes, path.expand(downloadPath))
    return(invisible(downloadPath))
  }
  text <- if (any(bytes == 0)) bytes else raw_text(bytes)
  if (verbose && is.character(text)) {
    cat(text)
    return(invisible(text))
  }
  text
}

check_task_id <- function(taskId) {
  if (missing(taskId)) {
    stop_missing("taskId")
  }
  text <- if (length(taskId) == 1L && (is.numeric(taskId) || is.character(taskId))) {
    plain_number(taskId)
  }
  if (is.null(text) || !matches("^[1-9][0-9]{0,14}\\z", text)) {
    stop_input("taskId", taskId, "'taskId' must be the number of a task, from 1, not ",
      given(taskId))
  }
  as.vector(text)
}

# Where the store has it.
check_task_file <- function(filePath, task) {
  path <- sub("^/+", "", check_text(filePath, "filePath", 1L))
  own <- paste0(c("", "wd/"), task, ".txt")
  if (path %in% c("stdout.txt", "stderr.txt")) {
    sub(".txt", "", path, fixed = TRUE)
  } else if (path %in% c("log.txt", "logs.txt", own)) {
    "logs"
  } else {
    stop_input("filePath", filePath, "'filePath' must be \"stdout.txt\", \"stderr.txt\" or ",
      "\"log.txt\", not ", given(filePath), ": for other files there is createOutputFile()")
  }
}
