# Claims go on, or are given back.

#' @exportS3Method
job_renew.job_account <- function(job) {
  s <- account_of_job(job)
  if (seconds_now() - s$claimed$at > keep_free) {
    account_free_rest(s)
  }
  entries <- Filter(function(entry) !entry$lost, s$held)
  begin <- seconds_now()
  lease <- account_lease()
  requests <- lapply(entries, function(entry) ask_update(s, entry$id, entry$receipt, lease))
  answers <- account_with_drops(s, unname(requests), lost_codes)
  for (i in seq_along(entries)) {
    id <- entries[[i]]$id
    if (answers[[i]]$status < 300L) {
      s$held[[id]]$receipt <- unname(answers[[i]]$headers["x-ms-popreceipt"])
      s$held[[id]]$until <- begin + lease
    } else {
      s$held[[id]]$lost <- TRUE
      s$refreshed <- -Inf
    }
  }
  free <- any(vapply(s$held, function(entry) any(entry$state == task_free), NA))
  if (free) min(keep_free, lease / 3) else lease / 3
}

# ---- Giving back -------------------------------------------------------------

# These tasks of ours are for everybody again, before they are ours no more. After an
# error they still are.
account_give_back <- function(s, tasks) {
  back <- lapply(s$held, function(entry) entry$task %in% tasks & entry$state != task_over)
  back <- back[vapply(back, any, NA)]
  if (!length(back)) {
    return(invisible(NULL))
  }
  live <- names(back)[!vapply(s$held[names(back)], `[[`, NA, "lost")]
  account_ok(s, lapply(if (!s$terminated) live, function(id) {
    entry <- s$held[[id]]
    ask_put(s, entry$task[back[[id]]], entry$tries[back[[id]]], entry$alone)
  }))
  for (id in names(back)) {
    s$held[[id]]$state[back[[id]]] <- task_over
  }
  account_shrink(s, names(back))
}

# Entries whose messages say too much: those that are over are deleted.
account_shrink <- function(s, ids) {
  for (id in ids) {
    entry <- s$held[[id]]
    left <- entry$state != task_over
    if (!any(left) || entry$lost) {
      account_end_entry(s, id)
    } else {
      m <- account_rewrite(s, entry, entry$task[left], entry$tries[left], entry$alone)
      s$held[[id]]$receipt <- m$receipt
      s$held[[id]]$until <- m$until
    }
  }
  account_with_drops(s, list())
}

account_end_entry <- function(s, id) {
  entry <- s$held[[id]]
  if (!any(entry$state != task_over)) {
    if (!entry$lost) {
      account_drop(s, entry)
    }
    s$held[[id]] <- NULL
  }
}

# What nobody has asked for.
account_free_rest <- function(s) {
  free <- lapply(s$held, function(entry) entry$task[entry$state == task_free])
  account_give_back(s, unlist(free, use.names = FALSE))
}

#' @exportS3Method
job_release.job_account <- function(job, task) {
  s <- account_of_job(job)
  account_give_back(s, task)
  given <- vapply(s$held, function(entry) any(entry$state == task_given), NA)
  if (!any(given)) {
    account_free_rest(s)
  }
  invisible(NULL)
}
