# Jobs in a directory: each has one of its own in it, with tables of LMDB, large
# values and files. What can be done with it is in C (r_store.c, job.h). An open job
# is list(store, id, handle).

store_directory <- function(path) {
  path <- path.expand(check_strings(path, "path", 1L))
  if (!nzchar(path)) {
    stop_input("path", path, "'path' must be a directory, not an empty string")
  }
  # It leads there when the working directory is another one, too.
  path <- if (startsWith(path, "/")) path else file.path(getwd(), path)
  structure(list(path = path), class = "job_store_directory")
}

# Called from C: what kind of failure, what was to be done, and the system's error, or
# what was damaged, of which task.
throw_job <- function(kind, what, id, errno, why, task) {
  if (what == "create" && kind != "exists") {
    stop_creation(errno, explain_creation(kind, why))
  }
  switch(kind,
    exists = stop_job_exists(id),
    absent = stop_job_absent(id),
    format = stop_job_format(id, "what is there is no job"),
    newer = stop_job_format(id, "it was made by a newer version of the package"),
    corrupt = stop_job_corrupt(id, why, if (!is.na(task)) task)
  )
  stop_job(paste0("cannot ", what, " job '", id, "'"), id, errno, explain_failure(kind, why))
}

throw_queue <- function(kind, what, path, errno, why, task) {
  leaf <- switch(kind,
    exists = "pool_job_exists_error",
    absent = "pool_job_absent_error",
    format = ,
    newer = "pool_job_format_error",
    corrupt = "pool_job_corrupt_error",
    "pool_job_error"
  )
  why <- switch(kind,
    exists = "there is something already",
    absent = if (what != "create") {
      "there is none"
    } else if (dir.exists(dirname(path))) {
      explain_creation(kind, why)
    } else {
      paste0("there is no directory '", dirname(path), "'")
    },
    format = "what is there is no queue",
    newer = "it was made by a newer version of the package",
    corrupt = "it is damaged",
    if (what == "create") explain_creation(kind, why) else explain_failure(kind, why)
  )
  stop(job_condition(leaf, paste0("cannot ", what, " queue '", path, "': ", why), path,
    errno = errno
  ))
}

explain_failure <- function(kind, why) {
  switch(kind,
    remote = paste(
      "its directory is on a file system of a network, or one that does not say where",
      "it is; processes of several machines would destroy it"
    ),
    forked = "it was opened by the process that this one is a fork of",
    closed = "it is closed",
    foreign = "it belongs to another user, whose values may be code that runs when read",
    task = "it has no such task",
    why
  )
}

# What is to be made is nobody else's: the system says so of the directory it is to be in.
explain_creation <- function(kind, why) {
  if (kind %in% c("absent", "foreign")) {
    paste("no directory can be made there:", why)
  } else {
    explain_failure(kind, why)
  }
}

directory_job <- function(store, id, handle) {
  structure(list(store = store, id = id, handle = handle), class = "job_directory")
}

check_directory_id <- function(id) {
  id <- check_text(id, "id", 1L)
  if (!matches("^[^./][^/]*$", id) || nchar(id, "bytes") > 200L) {
    stop_input("id", id, "'id' cannot be the name of a job: ", given(id))
  }
  enc2native(id)
}

#' @exportS3Method
store_create_job.job_store_directory <- function(store, id, manifest, tasks) {
  id <- check_directory_id(id)
  make_store(store, id)
  handle <- tryCatch(.Call(C_job_create, store$path, id, manifest, tasks),
    pool_creation_error = function(e) {
      stop_job(paste0("cannot create job '", id, "' in '", store$path, "'"), id, e$errno,
        conditionMessage(e))
    }
  )
  directory_job(store, id, handle)
}

make_store <- function(store, id) {
  why <- "something else is in its place"
  withCallingHandlers(
    dir.create(store$path, recursive = TRUE, mode = "0700"),
    warning = function(w) {
      reason <- sub("^.*reason ", "", conditionMessage(w))
      if (!file.exists(store$path)) why <<- gsub("^'|'$", "", reason)
      invokeRestart("muffleWarning")
    }
  )
  if (!dir.exists(store$path)) {
    stop_job(paste0("cannot create job '", id, "'"), id, 0L,
      paste0("no directory '", store$path, "': ", why)
    )
  }
}

#' @exportS3Method
store_open_job.job_store_directory <- function(store, id) {
  id <- check_directory_id(id)
  handle <- tryCatch(.Call(C_job_open, store$path, id), pool_job_absent_error = function(e) {
    stop_job_absent(id, where = paste0("'", store$path, "'"))
  })
  directory_job(store, id, handle)
}

#' @exportS3Method
store_job_ids.job_store_directory <- function(store) {
  ids <- dir(store$path)
  ids[file.exists(file.path(store$path, ids, "data.mdb"))]
}

#' @exportS3Method
job_manifest.job_directory <- function(job) .Call(C_job_manifest, job$handle)

#' @exportS3Method
job_add.job_directory <- function(job, tasks) {
  .Call(C_job_add, job$handle, tasks) + seq_along(tasks) - 1
}

#' @exportS3Method
job_claim.job_directory <- function(job, n) {
  .Call(C_job_commit, job$handle, numeric(), logical(), list(), numeric(), n)
}

#' @exportS3Method
job_commit.job_directory <- function(job, done, claim = 0) {
  .Call(
    C_job_commit, job$handle, as.double(done$task), done$status == "failed",
    done$result, as.double(done$seconds), claim
  )
}

#' @exportS3Method
job_charge.job_directory <- function(job, task, max_tries, result) {
  lost <- .Call(C_job_charge, job$handle, as.double(task), as.integer(max_tries), result)
  if (lost) "lost" else "again"
}

#' @exportS3Method
job_release.job_directory <- function(job, task) {
  invisible(.Call(C_job_release, job$handle, as.double(task)))
}

# The kernel knows who is alive.
#' @exportS3Method
job_renew.job_directory <- function(job) Inf

#' @exportS3Method
job_status.job_directory <- function(job) {
  n <- .Call(C_job_status, job$handle)
  over <- sum(n[4:6]) == n[1L]
  state <- if (n[7L] && (!over || n[1L] == 0)) {
    "terminated"
  } else if (over) {
    "completed"
  } else {
    "active"
  }
  list(
    state = state, tasks = n[1L], queued = n[2L], running = n[3L], completed = n[4L],
    failed = n[5L], lost = n[6L]
  )
}

#' @exportS3Method
job_results.job_directory <- function(job, from, n) {
  .Call(C_job_results, job$handle, as.double(from), as.double(n))
}

#' @exportS3Method
job_abandoned.job_directory <- function(job) .Call(C_job_abandoned, job$handle)

#' @exportS3Method
job_requeue.job_directory <- function(job) .Call(C_job_requeue, job$handle)

#' @exportS3Method
job_terminate.job_directory <- function(job) invisible(.Call(C_job_terminate, job$handle))

# What cannot be opened is deleted where it cannot be but one of ours that was damaged.
#' @exportS3Method
store_delete_job.job_store_directory <- function(store, id) {
  why <- tryCatch(job_close(store_open_job(store, id)), pool_job_error = identity)
  if (inherits(why, "pool_job_error")) {
    path <- file.path(store$path, id)
    damaged <- inherits(why, c("pool_job_format_error", "pool_job_corrupt_error"))
    if (damaged && is_own_queue(path)) {
      stop_job_format(id, "it is a queue, which delete_queue() deletes")
    }
    if (!damaged || !has_job_files(path)) {
      stop_not_deleted(why, path)
    }
  }
  invisible(.Call(C_job_delete, store$path, id))
}

is_own_queue <- function(path) {
  tryCatch(
    {
      .Call(C_queue_open, path, FALSE)
      TRUE
    },
    pool_job_error = function(e) FALSE
  )
}

# All that is there has the name, the kind and the owner that it has in a job.
has_job_files <- function(path) {
  files <- c("alive", "data.mdb", "lock.mdb")
  names <- dir(path, all.files = TRUE, no.. = TRUE)
  paths <- file.path(path, names)
  about <- file.info(paths)
  all(c("alive", "lock.mdb", "large") %in% names) &&
    all(names %in% c(files, "large", "files", "nodes")) &&
    all(about$isdir == !names %in% files) && !any(nzchar(Sys.readlink(paths))) &&
    all(about$uid == file.info(tempdir())$uid) && about$size[names == "alive"] == 0
}

#' @exportS3Method
job_delete.job_directory <- function(job) {
  # One that is damaged cannot be closed as it should.
  tryCatch(job_close(job), pool_job_error = function(e) NULL)
  invisible(.Call(C_job_delete, job$store$path, job$id))
}

#' @exportS3Method
job_close.job_directory <- function(job) invisible(.Call(C_job_close, job$handle))

check_file_name <- function(path) {
  path <- check_text(path, "path", 1L)
  parts <- strsplit(path, "/", fixed = TRUE)[[1L]]
  if (!nzchar(path) || any(parts %in% c("", ".", "..")) || endsWith(path, "/")) {
    stop_input("path", path, "'path' must be a relative path that leads to a file of the ",
      "job, not ", given(path)
    )
  }
  enc2native(path)
}

#' @exportS3Method
job_put_file.job_directory <- function(job, path, x) {
  path <- check_file_name(path)
  if (!is.raw(x)) {
    x <- enc2native(path.expand(check_strings(x, "x", 1L)))
  }
  invisible(.Call(C_job_put_file, job$handle, path, x))
}

#' @exportS3Method
job_get_file.job_directory <- function(job, path) {
  bytes <- .Call(C_job_get_file, job$handle, check_file_name(path))
  if (is.null(bytes)) {
    stop_job_absent(job$id, paste0("file '", path, "'"))
  }
  bytes
}

#' @exportS3Method
job_files.job_directory <- function(job, prefix = "") {
  found <- .Call(C_job_files, job$handle)
  found$name <- enc2utf8(found$name)
  keep <- startsWith(found$name, check_text(prefix, "prefix", 1L))
  found <- data.frame(name = found$name[keep], size = found$size[keep])
  found <- found[order(found$name, method = "radix"), ]
  row.names(found) <- NULL
  found
}
