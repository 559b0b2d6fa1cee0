# A new job. Its container is made first, which takes the id, and its manifest is
# written last: until then there is no job.
#
# Who makes it has a lease on the container, one minute at a time. So who finds a
# container without a manifest knows whether somebody is at it, or has died: then it is
# emptied, and used. Nothing is written, emptied or deleted without that lease.
#
# What does not depend on one another is asked for together: the lease and the queue; what
# the job is, its tasks and their messages.

creation_lease <- 60

#' @exportS3Method
store_create_job.job_store_account <- function(store, id, manifest, tasks) {
  s <- account_state(store, id)
  s$manifest <- manifest
  s$uid <- new_guid()
  s$creation <- list(lease = new_guid(), at = -Inf, held = FALSE, made = FALSE, queue = FALSE)
  there <- account_take_container(s)
  s$creation$made <- !there
  whole <- FALSE
  on.exit(if (!whole) try(account_undo(s), silent = TRUE))
  account_begin(s, there)
  account_fill(s, tasks)
  account_put_manifest(s)
  whole <- TRUE
  account_end_creation(s)
  new_account_job(s)
}

account_fill <- function(s, tasks) {
  n <- length(tasks)
  blobs <- c(list(account_about(s, n)), if (n > 0L) list(account_head(s, 1, tasks)))
  account_hold_creation(s)
  there <- account_put_all(s, blobs, ask_put_tasks(s, as.double(seq_len(n))))$there
  if (n > 0L) {
    if (there[2L]) stop_job_exists(s$id)
    account_add_head(s, blobs[[2L]], tasks)
  }
  s$refreshed <- seconds_now()
  s$message_tasks <- max(1, ceiling(n / first_messages))
}

account_put_manifest <- function(s) {
  account_hold_creation(s)
  blob <- list(name = account_manifest_name(s$id), bytes = s$manifest, meta = c(
    uid = s$uid, format = plain_number(account_format), md5 = md5_text(s$manifest)
  ))
  if (account_put_all(s, list(blob))$there) {
    stop_job_exists(s$id)
  }
  # Where that took longer than the lease, somebody else may be making the job.
  tryCatch(account_hold_creation(s), pool_job_exists_error = function(e) {
    account_withdraw_manifest(s)
    stop(e)
  })
}

account_withdraw_manifest <- function(s) {
  name <- account_manifest_name(s$id)
  manifest <- account_answers(s, list(ask_blob(s, "HEAD", name)))[[1L]]$headers
  if (identical(unname(manifest["x-ms-meta-uid"]), s$uid)) {
    account_answers(s, list(ask_blob(s, "DELETE", name,
      headers = c(`If-Match` = unname(manifest["etag"])))))
  }
}

# What the job is, for people.
account_about <- function(s, n) {
  about <- jsonlite::toJSON(list(
    job = s$id, format = account_format, uid = s$uid, tasks = n,
    created = format(Sys.time(), "%Y-%m-%dT%H:%M:%SZ", tz = "UTC"),
    package = as.character(getNamespaceVersion("pool"))
  ), auto_unbox = TRUE, pretty = TRUE)
  list(name = account_metadata_name(s$id), bytes = charToRaw(enc2utf8(about)),
    meta = c(uid = s$uid))
}

# ---- The container -----------------------------------------------------------

# Makes it. TRUE: it was there, of a job that was never finished.
account_take_container <- function(s) {
  request <- ask_blob(s, "PUT", query = "?restype=container",
    headers = c(`x-ms-meta-pooljob` = s$id))
  for (try in 1:5) {
    answer <- account_patiently(s, request, "ContainerBeingDeleted", "ContainerAlreadyExists")
    if (answer$status < 300L) {
      return(FALSE)
    }
    if (account_is_unfinished(s)) {
      return(TRUE)
    }
  }
  stop_account(s, request, answer)
}

# An error where a job is there, or a container of another kind. FALSE: it is gone.
account_is_unfinished <- function(s) {
  about <- account_ok(s, ask_whose(s), c("BlobNotFound", "ResourceNotFound", gone_codes, ""))
  if (about[[1L]]$status >= 300L) {
    return(FALSE)
  }
  if (!identical(unname(about[[1L]]$headers["x-ms-meta-pooljob"]), s$id)) {
    stop_place_taken(s$id, s$container$name)
  }
  if (about[[2L]]$status != 404L) {
    stop_job_exists(s$id)
  }
  TRUE
}

# Of the container, and of the manifest in it.
ask_whose <- function(s) {
  list(
    ask_blob(s, "HEAD", query = "?restype=container"),
    ask_blob(s, "HEAD", account_manifest_name(s$id))
  )
}

# Then the container is ours, and empty, and so is the queue.
account_begin <- function(s, there) {
  begin <- seconds_now()
  answers <- account_ok(s, list(ask_creation_lease(s, "acquire"), ask_make_queue(s)),
    c(lease_taken_codes, "QueueAlreadyExists", "QueueBeingDeleted"))
  account_note_lease(s, answers[[1L]], begin)
  if (there || answers[[2L]]$status != 201L || answers[[1L]]$attempts > 1L) {
    account_is_unfinished(s) # somebody else may have finished it
    account_empty(s)
  }
  account_take_queue(s, answers[[2L]])
}

# Away with what an unfinished creation has left.
account_empty <- function(s) {
  repeat {
    names <- account_list(s, NULL, character())$Name
    if (!length(names)) {
      break
    }
    if (account_manifest_name(s$id) %in% names) {
      stop_job_exists(s$id) # its maker was silent for longer than its lease
    }
    account_ok(s, lapply(names, function(name) ask_blob(s, "DELETE", name)), "BlobNotFound")
    account_hold_creation(s)
  }
}

# A queue that is there, as that of a job that was deleted half-way, is emptied. One that
# is no job's is let alone: its metadata are others, which is what this status says.
account_take_queue <- function(s, answer) {
  if (answer_code(answer) == "QueueBeingDeleted") {
    answer <- account_patiently(s, ask_make_queue(s), "QueueBeingDeleted", "QueueAlreadyExists")
  }
  if (answer$status == 409L) {
    stop_place_taken(s$id, s$container$name)
  }
  s$creation$queue <- TRUE
  if (answer$status != 201L) {
    account_clear_queue(s)
  }
}

# The service takes half a minute and more to delete what had this name.
account_patiently <- function(s, request, wait, also) {
  begin <- seconds_now()
  repeat {
    answer <- account_ok(s, list(request), c(wait, also))[[1L]]
    if (!answer_code(answer) %in% wait) {
      return(answer)
    }
    if (seconds_now() - begin > 180) {
      stop(http_condition(answer, request[[1L]], request[[2L]]))
    }
    Sys.sleep(2)
    if (s$creation$held) account_hold_creation(s)
  }
}

# After an error: what is ours, by a lease that goes on, and no job that somebody else has
# finished. The queue first: without the container anybody may make another one.
account_undo <- function(s) {
  if (!s$creation$held && !s$creation$made) {
    return(invisible(NULL))
  }
  lease <- ask_creation_lease(s, if (s$creation$held) "renew" else "acquire")
  if (account_answers(s, list(lease))[[1L]]$status >= 300L) {
    return(invisible(NULL))
  }
  about <- account_answers(s, ask_whose(s))
  whose <- unname(about[[1L]]$headers["x-ms-meta-pooljob"])
  manifest <- about[[2L]]
  if (identical(whose, s$id) &&
    (manifest$status == 404L || identical(unname(manifest$headers["x-ms-meta-uid"]), s$uid))) {
    if (s$creation$queue) {
      account_answers(s, list(ask_queue(s, "DELETE")))
    }
    account_answers(s, list(ask_blob(s, "DELETE", query = "?restype=container",
      headers = c(`x-ms-lease-id` = s$creation$lease))))
  } else {
    account_answers(s, list(ask_creation_lease(s, "release")))
  }
}

# ---- The lease ---------------------------------------------------------------

lease_taken_codes <- c("LeaseAlreadyPresent", "LeaseIsBreakingAndCannotBeAcquired")

account_note_lease <- function(s, answer, begin) {
  if (answer$status >= 300L) {
    stop_job_exists(s$id)
  }
  s$creation$at <- begin
  s$creation$held <- TRUE
}

# In a creation that takes its time the lease goes on. An error where it is lost.
account_hold_creation <- function(s) {
  begin <- seconds_now()
  if (is.null(s$creation) || begin - s$creation$at < creation_lease / 3) {
    return(invisible(NULL))
  }
  request <- ask_creation_lease(s, "renew")
  answer <- account_answers(s, list(request))[[1L]]
  if (answer$status %in% c(404L, 409L, 412L)) {
    s$creation$held <- s$creation$made <- FALSE # whatever is there now is somebody else's
    stop_job_exists(s$id)
  }
  if (answer$status >= 300L) {
    stop_account(s, request, answer)
  }
  s$creation$at <- begin
}

# The others know by the manifest that it is whole, and the lease would end by itself: it is
# released with the next request to the queue, or when the job is closed.
account_end_creation <- function(s) {
  s$drops <- c(s$drops, list(ask_creation_lease(s, "release")))
  s$creation <- NULL
}

ask_creation_lease <- function(s, action) {
  lease <- s$creation$lease
  ask_blob(s, "PUT", query = "?restype=container&comp=lease", headers = c(
    `x-ms-lease-action` = action,
    if (action == "acquire") {
      c(`x-ms-lease-duration` = plain_number(creation_lease), `x-ms-proposed-lease-id` = lease)
    } else {
      c(`x-ms-lease-id` = lease)
    }
  ))
}
