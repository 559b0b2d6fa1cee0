# A new job. Its container is made first, which takes the id, and its manifest is
# written last: until then there is no job.
#
# Who makes it has a lease on the container, one minute at a time. So who finds a
# container without a manifest knows whether somebody is at it, or has died: then it is
# emptied, and used.
#
# What does not depend on one another is asked for together: the container and the
# queue; the lease, what the job is, its tasks and their messages; the manifest.

creation_lease <- 60

#' @exportS3Method
store_create_job.job_store_account <- function(store, id, manifest, tasks) {
  s <- account_state(store, id)
  s$manifest <- manifest
  s$uid <- new_guid()
  s$creation <- list(lease = new_guid(), at = -Inf, held = FALSE)
  whole <- FALSE
  on.exit(if (!whole) try(account_undo(s), silent = TRUE))
  account_take_names(s)
  account_fill(s, tasks)
  account_put_manifest(s)
  whole <- TRUE
  account_end_creation(s)
  new_account_job(s)
}

account_fill <- function(s, tasks) {
  n <- length(tasks)
  if (sum(as.double(lengths(tasks))) > block_bytes) {
    account_hold_creation(s) # this takes a while
  }
  blobs <- c(list(account_about(s, n)), if (n > 0L) list(account_head(s, 1, tasks)))
  requests <- c(
    if (!s$creation$held) list(ask_creation_lease(s, "acquire")),
    ask_put_tasks(s, as.double(seq_len(n)))
  )
  begin <- seconds_now()
  sent <- account_put_all(s, blobs, requests, lease_taken_code)
  if (!s$creation$held) {
    account_note_lease(s, sent$answers[[1L]], begin)
  }
  if (n > 0L) {
    if (sent$there[2L]) stop_job_exists(s$id)
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

# ---- The names ---------------------------------------------------------------

# Then the container is ours, and empty, and so is the queue. Where there was nothing of
# these names, which is known at once, the lease comes with what is asked for next.
account_take_names <- function(s) {
  requests <- list(
    ask_blob(s, "PUT", query = "?restype=container",
      headers = c(`x-ms-meta-pooljob` = s$id, `x-ms-meta-pooluid` = s$uid)),
    ask_queue(s, "PUT")
  )
  answers <- account_patiently(s, requests, "ContainerBeingDeleted",
    c("ContainerAlreadyExists", "QueueAlreadyExists", "QueueBeingDeleted"))
  queue_is_new <- answers[[2L]]$status == 201L
  if (answers[[1L]]$status >= 300L) {
    account_check_unfinished(s, queue_is_new)
    account_hold_creation(s)
    account_check_unfinished(s, queue_is_new) # who had it may have finished
    account_empty(s)
  }
  if (!queue_is_new) {
    account_hold_creation(s)
    account_clean_queue(s)
  }
}

# After an error: only what is ours by its lease, or by what it says.
account_undo <- function(s) {
  asked <- list(ask_blob(s, "HEAD", query = "?restype=container"))
  uid <- account_answers(s, asked)[[1L]]$headers["x-ms-meta-pooluid"]
  if (!s$creation$held && !identical(unname(uid), s$uid)) {
    return(invisible(NULL))
  }
  for (headers in list(c(`x-ms-lease-id` = s$creation$lease), character())) {
    container <- ask_blob(s, "DELETE", query = "?restype=container", headers = headers)
    answer <- account_answers(s, list(container))[[1L]]
    if (!answer_code(answer) %in% "LeaseNotPresentWithContainerOperation") break
  }
  if (answer$status < 300L) {
    account_answers(s, list(ask_queue(s, "DELETE")))
  }
}

# There is a container of that name: an error, unless it is a job's that was never
# finished.
account_check_unfinished <- function(s, queue_is_new) {
  about <- account_ok(s, list(
    ask_blob(s, "HEAD", query = "?restype=container"),
    ask_blob(s, "HEAD", account_manifest_name(s$id))
  ), c("BlobNotFound", "ResourceNotFound", ""))
  whose <- unname(about[[1L]]$headers["x-ms-meta-pooljob"])
  if (about[[1L]]$status < 300L && !identical(whose, s$id) && queue_is_new) {
    # The container is no job's: nobody else wants that queue.
    account_answers(s, list(ask_queue(s, "DELETE")))
  }
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

# A queue that is there, as that of a job that was deleted half-way, is emptied.
account_clean_queue <- function(s) {
  answer <- account_patiently(s, list(ask_queue(s, "PUT")), "QueueBeingDeleted",
    "QueueAlreadyExists")[[1L]]
  if (answer$status != 201L) {
    account_clear_queue(s)
  }
}

# The service takes half a minute and more to delete what had this name. All answers; the
# first decides.
account_patiently <- function(s, requests, wait, also) {
  begin <- seconds_now()
  repeat {
    answers <- account_ok(s, requests, c(wait, also))
    if (!answer_code(answers[[1L]]) %in% wait) {
      return(answers)
    }
    if (seconds_now() - begin > 180) {
      stop(http_condition(answers[[1L]], requests[[1L]][[1L]], requests[[1L]][[2L]]))
    }
    Sys.sleep(2)
    account_hold_creation(s, have = TRUE)
  }
}

# ---- The lease ---------------------------------------------------------------

# In a creation that takes its time: its lease begins, or goes on. An error where it is
# lost. have: not where there is none yet.
account_hold_creation <- function(s, have = FALSE) {
  held <- isTRUE(s$creation$held)
  begin <- seconds_now()
  if (is.null(s$creation) || have && !held || begin - s$creation$at < creation_lease / 3) {
    return(invisible(NULL))
  }
  request <- ask_creation_lease(s, if (held) "renew" else "acquire")
  answer <- account_answers(s, list(request))[[1L]]
  if (answer$status %in% c(if (held) c(404L, 412L), 409L)) {
    stop_job_exists(s$id)
  }
  if (answer$status >= 300L) {
    stop_account(s, request, answer)
  }
  account_note_lease(s, answer, begin)
}

lease_taken_code <- "LeaseAlreadyPresent"

account_note_lease <- function(s, answer, begin) {
  if (answer$status >= 300L) {
    stop_job_exists(s$id)
  }
  s$creation$at <- begin
  s$creation$held <- TRUE
}

# The others know by the manifest that it is whole, and the lease would end by itself: it is
# released with whatever is asked for next.
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
