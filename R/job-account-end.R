# How a job ends: terminated, deleted, or only closed.

#' @exportS3Method
job_terminate.job_account <- function(job) {
  s <- account_of_job(job)
  account_put(s, account_end_name, list(raw()), list(c(uid = s$uid)))
  s$terminated <- TRUE
  account_clear_queue(s)
  invisible(NULL)
}

# Many messages go in parts: 500, again, until all are gone.
account_clear_queue <- function(s) {
  for (try in 1:1000) {
    request <- ask_queue(s, "DELETE", "/messages")
    answer <- account_answers(s, list(request))[[1L]]
    if (answer$status != 500L) {
      break
    }
  }
  if (answer$status >= 300L && !answer_code(answer) %in% no_queue_codes) {
    stop_account(s, request, answer)
  }
}

#' @exportS3Method
job_delete.job_account <- function(job) {
  s <- account_of_job(job)
  account_delete(s)
  s$held <- list()
  s$closed <- TRUE
  invisible(NULL)
}

# A container that says whose it is, and of no user's making.
#' @exportS3Method
store_delete_job.job_store_account <- function(store, id) {
  s <- account_state(store, id)
  request <- list(ask_blob(s, "HEAD", query = "?restype=container"))
  about <- account_ok(s, request, c(gone_codes, ""))[[1L]]
  if (!identical(unname(about$headers["x-ms-meta-pooljob"]), id)) {
    stop_job_absent(id, where = where_account(store))
  }
  account_delete(s)
  invisible(NULL)
}

# The queue first: of a job without one everything can be found, to delete it again. One
# that does not say that it is a job's is left alone.
account_delete <- function(s) {
  about <- account_ok(s, list(ask_queue_metadata(s)), no_queue_codes)
  if (identical(unname(about[[1L]]$headers["x-ms-meta-pooljob"]), s$id)) {
    account_ok(s, list(ask_queue(s, "DELETE")), no_queue_codes)
  }
  container <- ask_blob(s, "DELETE", query = "?restype=container")
  answer <- account_ok(s, list(container), c(gone_codes, "LeaseIdMissing"))[[1L]]
  if (answer_code(answer) == "LeaseIdMissing") {
    # Of a creation that has ended half-way.
    try(break_lease(s$container, "", 0), silent = TRUE)
    account_ok(s, list(container), gone_codes)
  }
}

#' @exportS3Method
job_close.job_account <- function(job) {
  s <- job$state
  if (s$closed) {
    return(invisible(NULL))
  }
  s$closed <- TRUE
  if (s$pid == Sys.getpid()) {
    # What cannot be given back now comes back by itself when its lease is over.
    try({
      account_give_back(s, account_ours(s))
      account_with_drops(s, list())
    }, silent = TRUE)
  }
  s$held <- s$kept <- list()
  invisible(NULL)
}
