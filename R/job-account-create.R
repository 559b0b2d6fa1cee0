# A new job. Its container is made first, which takes the id, and its manifest is
# written last: until then there is no job.
#
# Who makes it has a lease on the container, one minute at a time. So who finds a
# container without a manifest knows whether somebody is at it, or has died: then it is
# emptied, and used.

creation_lease <- 60

#' @exportS3Method
store_create_job.job_store_account <- function(store, id, manifest, tasks) {
  s <- account_state(store, id)
  s$manifest <- manifest
  s$uid <- new_guid()
  account_take_name(s)
  whole <- FALSE
  on.exit(if (!whole) try(account_undo(s), silent = TRUE))
  account_fill(s, tasks)
  whole <- TRUE
  s$creation <- NULL
  new_account_job(s)
}

account_fill <- function(s, tasks) {
  n <- length(tasks)
  about <- jsonlite::toJSON(list(
    job = s$id, format = account_format, uid = s$uid, tasks = n,
    created = format(Sys.time(), "%Y-%m-%dT%H:%M:%SZ", tz = "UTC"),
    package = as.character(getNamespaceVersion("pool"))
  ), auto_unbox = TRUE, pretty = TRUE)
  about <- list(name = account_metadata_name(s$id), bytes = charToRaw(enc2utf8(about)),
    meta = c(uid = s$uid))
  account_make_queue(s, ask_put_blobs(s, list(about))[[1L]])
  if (n > 0L) {
    if (!account_write_tasks(s, 1, tasks)) {
      stop_job_exists(s$id)
    }
    account_put_tasks(s, as.double(seq_len(n)))
  }
  s$refreshed <- seconds_now()
  s$message_tasks <- max(1, ceiling(n / first_messages))
  account_hold_creation(s)
  there <- account_put(s, account_manifest_name(s$id), list(s$manifest), list(c(
    uid = s$uid, format = plain_number(account_format), md5 = md5_text(s$manifest)
  )))
  if (there) {
    stop_job_exists(s$id)
  }
  account_end_creation(s)
}

# The container is ours, and empty, with a lease on it.
account_take_name <- function(s) {
  request <- ask_blob(s, "PUT", query = "?restype=container",
    headers = c(`x-ms-meta-pooljob` = s$id))
  answer <- account_patiently(s, list(request), "ContainerBeingDeleted",
    "ContainerAlreadyExists")
  taken <- answer$status >= 300L
  if (taken) {
    account_check_unfinished(s)
  }
  s$creation <- list(at = seconds_now(), lease = tryCatch(
    acquire_lease(s$container, "", creation_lease),
    pool_http_error = function(e) {
      if (isTRUE(e$status == 409L)) stop_job_exists(s$id) else stop(e)
    }
  ))
  if (taken) {
    whole <- FALSE
    on.exit(if (!whole) account_end_creation(s))
    account_check_unfinished(s) # who had it may have finished
    account_empty(s)
    whole <- TRUE
  }
}

# The others know by the manifest that it is whole; the lease would end by itself.
account_end_creation <- function(s) {
  try(release_lease(s$container, "", s$creation$lease), silent = TRUE)
}

# After an error: only what is still ours by its lease.
account_undo <- function(s) {
  container <- ask_blob(s, "DELETE", query = "?restype=container",
    headers = c(`x-ms-lease-id` = s$creation$lease))
  if (account_answers(s, list(container))[[1L]]$status < 300L) {
    account_answers(s, list(ask_queue(s, "DELETE")))
  }
}

# There is a container of that name: an error, unless it is a job's that was never
# finished.
account_check_unfinished <- function(s) {
  about <- account_ok(s, list(
    ask_blob(s, "HEAD", query = "?restype=container"),
    ask_blob(s, "HEAD", account_manifest_name(s$id))
  ), c("BlobNotFound", "ResourceNotFound", ""))
  whose <- unname(about[[1L]]$headers["x-ms-meta-pooljob"])
  if (about[[1L]]$status >= 300L || about[[2L]]$status != 404L || !identical(whose, s$id)) {
    stop_job_exists(s$id)
  }
}

# Away with what an unfinished creation has left.
account_empty <- function(s) {
  repeat {
    names <- account_list(s, NULL, character())$Name
    if (!length(names)) {
      break
    }
    account_ok(s, lapply(names, function(name) ask_blob(s, "DELETE", name)), "BlobNotFound")
    account_hold_creation(s)
  }
}

# A queue that is there, as that of a job that was deleted half-way, is emptied. also: a
# request to go with it.
account_make_queue <- function(s, also) {
  requests <- list(ask_queue(s, "PUT"), also)
  answer <- account_patiently(s, requests, "QueueBeingDeleted",
    c("QueueAlreadyExists", there_codes))
  if (answer$status != 201L) {
    account_clear_queue(s)
  }
}

# The service takes half a minute and more to delete what had this name. The answer to
# the first request.
account_patiently <- function(s, requests, wait, also) {
  begin <- seconds_now()
  repeat {
    answer <- account_ok(s, requests, c(wait, also))[[1L]]
    if (!answer_code(answer) %in% wait) {
      return(answer)
    }
    if (seconds_now() - begin > 180) {
      stop(http_condition(answer, requests[[1L]][[1L]], requests[[1L]][[2L]]))
    }
    Sys.sleep(2)
  }
}

# In a creation that takes its time: its lease goes on. An error where it is lost.
account_hold_creation <- function(s) {
  if (is.null(s$creation) || seconds_now() - s$creation$at < creation_lease / 3) {
    return(invisible(NULL))
  }
  tryCatch(renew_lease(s$container, "", s$creation$lease), pool_http_error = function(e) {
    if (isTRUE(e$status %in% c(404L, 409L, 412L))) stop_job_exists(s$id) else stop(e)
  })
  s$creation$at <- seconds_now()
}
