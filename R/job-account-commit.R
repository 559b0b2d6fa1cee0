# Results: written once, each in a blob of its own or with others in a pack.
#
# A pack is for tasks that take less than a second, and saves requests. A result of a
# longer one, a large one, those of a small job and few at once have blobs of their own,
# which readRDS() reads.

small_job <- 32 # tasks
small_pack <- 4 # results
own_seconds <- 1
own_bytes <- 2^18
pack_bytes <- 2^22
pack_tasks <- 1000

#' @exportS3Method
job_commit.job_account <- function(job, done, claim = 0) {
  s <- account_of_job(job)
  claim <- check_number(claim, "claim", 0)
  if (length(done$task)) {
    # Messages that will be wanted are asked for at the same time.
    account_write_results(s, done, max(0, trunc(claim) - account_count_free(s)))
    account_finish(s, done$task)
  }
  if (claim < 1) {
    account_with_drops(s, list())
  }
  account_claim(s, claim)
}

# done: list(task, status, result, seconds). All of them are there when it returns: these,
# or others that were before. claim: messages for so many tasks, too.
account_write_results <- function(s, done, claim = 0) {
  done <- account_check_done(s, done)
  if (account_unsure(s, done$task)) {
    account_refresh_results(s)
  }
  keep <- order(done$task)
  keep <- keep[!s$done[done$task[keep]]]
  done <- lapply(done, `[`, keep)
  own <- account_has_own(s, done)
  blobs <- c(
    lapply(which(own), function(i) own_blob(s, lapply(done, `[`, i))),
    pack_blobs(s, lapply(done, `[`, !own))
  )
  large <- are_large(blobs)
  there <- logical(length(blobs))
  there[large] <- account_put_blobs(s, blobs[large])
  there[!large] <- account_send_blobs(s, blobs[!large], claim)
  account_evict(s, blobs[there & seq_along(blobs) <= sum(own)])
  s$done[done$task] <- TRUE
}

# Which results get blobs of their own.
account_has_own <- function(s, done) {
  long <- !is.na(done$seconds) & done$seconds >= own_seconds
  own <- s$n <= small_job | long | lengths(done$result) > own_bytes | done$status == "lost"
  own | sum(!own) < small_pack
}

# In one go with a request for messages, if any are wanted, and with what is to be
# deleted. Which of the blobs were there.
account_send_blobs <- function(s, blobs, claim) {
  claim <- if (claim >= 1 && account_may_fetch(s)) account_ask(s, claim)
  sent <- account_put_small(s, blobs, claim$requests, no_queue_codes, function(answers) {
    if (!is.null(claim)) account_return(s, account_messages(answers[[1L]]))
  })
  if (!is.null(claim)) {
    account_take_in(s, sent$answers[[1L]], claim)
  }
  sent$there
}

account_check_done <- function(s, done) {
  if (max(0, done$task) > s$n) {
    account_refresh_tasks(s)
  }
  n <- length(done$task)
  bad <- !is.numeric(done$task) | !done$task %in% seq_len(s$n) | duplicated(done$task)
  if (any(bad)) {
    stop_input("done", done$task, "'done' must be of tasks of the job, each once; this is none: ",
      given(done$task[bad][1L]))
  }
  list(task = as.double(done$task), status = rep_len(as.character(done$status), n),
    result = done$result, seconds = rep_len(as.double(done$seconds), n))
}

# Somebody else may have been given a task of ours: after a lease that is over, or
# almost, we look first.
account_unsure <- function(s, tasks) {
  sure <- lapply(s$held, function(entry) {
    if (!entry$lost && seconds_now() < entry$until - 1) entry$task
  })
  !all(tasks %in% unlist(sure, use.names = FALSE))
}

own_blob <- function(s, one) {
  bytes <- one$result[[1L]]
  list(name = account_result_name(one$task), bytes = bytes, meta = c(
    uid = s$uid, status = one$status, md5 = md5_text(bytes),
    if (!is.na(one$seconds)) c(seconds = sprintf("%.6f", one$seconds))
  ))
}

# As many packs as their sizes ask for.
pack_blobs <- function(s, done) {
  n <- length(done$task)
  if (n == 0L) {
    return(list())
  }
  bytes <- cumsum(as.double(lengths(done$result)))
  group <- interaction_id((seq_len(n) - 1) %/% pack_tasks, bytes %/% pack_bytes)
  packs <- lapply(split(seq_len(n), group), function(i) pack_blob(s, lapply(done, `[`, i)))
  unlist(packs, recursive = FALSE, use.names = FALSE)
}

pack_blob <- function(s, done) {
  status <- match(done$status, result_statuses)
  sets <- lapply(1:2, function(k) ranges_text(done$task[status == k]))
  n <- length(done$task)
  # A blob's metadata have 8 KB.
  if (sum(nchar(unlist(sets))) > 6000) {
    half <- seq_len(n) <= n / 2
    return(c(pack_blob(s, lapply(done, `[`, half)), pack_blob(s, lapply(done, `[`, !half))))
  }
  names(sets) <- c("completed", "failed")
  meta <- c(uid = s$uid, unlist(sets[nzchar(sets)]))
  list(list(name = account_pack_name(s$uid, done$task), meta = meta,
    bytes = pack_records(s$uid, "result", done$task, done$result, status, done$seconds)))
}

# Results that were there already may be those of a job that had this id before, of a
# claimant that has not noticed that it is gone: they give way.
account_evict <- function(s, blobs) {
  asked <- lapply(blobs, function(x) ask_blob(s, "HEAD", x$name))
  answers <- account_ok(s, asked, "BlobNotFound")
  other <- vapply(answers, function(x) !identical(unname(x$headers["x-ms-meta-uid"]), s$uid), NA)
  account_put_blobs(s, blobs[other], once = FALSE)
}

# These are no longer claimed; messages whose tasks are all over go with the next
# request.
account_finish <- function(s, tasks) {
  for (entry in s$held) {
    here <- entry$task %in% tasks
    if (any(here)) {
      s$held[[entry$id]]$state[here] <- task_over
      account_end_entry(s, entry$id)
    }
  }
}

#' @exportS3Method
job_charge.job_account <- function(job, task, max_tries, result) {
  s <- account_of_job(job)
  entry <- account_entry(s, task)
  tries <- 1L + if (is.null(entry)) 0L else entry$tries[match(task, entry$task)]
  if (tries >= max_tries) {
    account_write_results(s, list(task = task, status = "lost", result = list(result),
      seconds = NA_real_))
    account_finish(s, task)
    account_with_drops(s, list())
    return("lost")
  }
  account_ok(s, list(ask_put(s, task, tries)))
  if (!is.null(entry)) {
    s$held[[entry$id]]$state[entry$task %in% task] <- task_over
    account_shrink(s, entry$id)
  }
  "again"
}

# The entry that a task of ours is in.
account_entry <- function(s, task) {
  for (entry in s$held) {
    if (any(entry$task == task & entry$state != task_over)) {
      return(entry)
    }
  }
  NULL
}
