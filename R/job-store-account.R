# The job store of a storage account: a job is a container and a queue of one name.
#
#   <id>.rds                     the manifest; with it, and not before, there is a job
#   <id>-metadata                what the job is, as JSON, for people
#   tasks/<first>, data/...      which tasks, and their data (job-account-tasks.R)
#   results/<task>-result.rds, results/<first>-<last>-<set>.pack
#                                results (job-account-index.R, job-account-commit.R)
#   tasks/terminated             nothing is to be claimed any more
#   stdout/, stderr/, logs/      files
#
# The queue says who is at what, and can be lost (job-account-queue.R, -claim.R). Every
# blob of a job has its uid in its metadata, every message in its text: what a claimant
# of a deleted job of the same id leaves behind is none of the new one's.
#
# An open job is list(id, store, state); `state`, called s in these files, is an
# environment:
#   id, store, pid, uid, container, blob_url, queue_url, manifest
#   n            tasks; heads: where they are (account_refresh_tasks())
#   done         one for each task: has it a result, as far as known here?
#   index        what results there are, as listed (account_refresh_results())
#   held         messages that are ours
#   drops        requests that go with the next ones to the queue: messages that are over, a
#                lease that is to be released
#   drained      the queue had no more when it was asked, in this claim
#   kept         packs that were read
#   creation     of a job that is being made: its lease (job-account-create.R)
#   signers      who asks (account_signers())

#' Jobs in a storage account
#'
#' Once credentials are set ([setCredentials()]), jobs live in that storage account: any
#' machine that has the credentials sees them, and can work on them by [cluster_join()] and
#' [cluster_run()]. A job is a container of the Blob service and a queue of the Queue
#' service, of the same name.
#'
#' # Names
#' A container's name is 3 to 63 of `a` to `z`, digits and single hyphens; a job's id can
#' have capitals, `_`, and up to 64 characters. An id that is such a name, and does not begin
#' with `pool-`, is the container's name. Any other id becomes `pool-`, what of it can stand
#' in a name (at most 24 characters), a hyphen, and the MD5 digest of the id in hexadecimal:
#' `My_Job` is `pool-my-job-a6a4eb0a8f3c0ad5ffff47372726339e`. The metadata of
#' container and queue have the id (`pooljob`).
#'
#' # Blobs
#' - `<job>.rds`: the manifest, written last, and once. With it there is a job.
#' - `<job>-metadata`: what the job is, as JSON; for people.
#' - `tasks/`, `data/`: the tasks. `tasks/terminated`: nothing more is to be begun.
#' - `results/<task>-result.rds`: the result of a task, which [readRDS()] reads: of one that
#'   took a second or more, or has 256 KB or more, in a small job (32 tasks) of all. (Of one
#'   that failed, a list of `condition` and `traceback`.)
#' - `results/<first>-<last>-<set>.pack`: results of short tasks, up to a thousand.
#' - `logs/<task>.txt`, `stdout/<task>.txt`, `stderr/<task>.txt`: what tasks have written.
#'
#' A result is written once, and never changed. Where a task was run twice, because the
#' process that had it was silent for longer than its lease, the first result counts: that
#' of the blob with the oldest creation time, in seconds; of those of one second, the blob of
#' its own before a pack, then the first by name. A blob whose content does not have the
#' digest that goes with it is a `pool_job_corrupt_error` that names it. When it is deleted,
#' its tasks have no result, and are run again.
#'
#' # Claims
#' A message of the queue is a range of tasks. Who gets it has these tasks for a minute, and
#' renews that as long as it lives: `options(pool.job_lease = )`, in seconds, is how long a
#' process can be silent before its tasks are given to others, and so how long the tasks of
#' one that died have to wait. What a process has claimed, and only that, is run again when it
#' dies; a task of which the message came back a hundred times is lost.
#'
#' Who renews is the session, and tasks run in nodes, so they may take as long as they like:
#' [cluster_run()] and `%dopar%` use the session's pool or, where there is none, start one node
#' of their own, which is gone when they return. (So tasks of these jobs never run in the
#' session itself, as those of a job in a directory do in `cluster_run()`.) A task that was
#' taken by hand, with [cluster_next_task()], nobody renews: it has to be finished within the
#' lease, or may be run by another process, too.
#'
#' The queue can be emptied, or deleted, without a loss: who finds no message at all, and
#' tasks without a result, puts these back.
#'
#' # Trust
#' Manifest, tasks and results are R objects, and to read one is to trust who wrote it:
#' whoever can write to the account can have code run in a process that joins a job, and in a
#' session that reads results. Messages are plain text; what is not of this job is dropped.
#' Keys and signatures are never stored in a job.
#'
#' @name account_jobs
#' @seealso [foreach_jobs], [threadpool], [job_conditions]
NULL

account_format <- 1

store_account <- function(blob, queue) {
  check_endpoint(blob, "blob", "blob")
  check_endpoint(queue, "queue", "queue")
  structure(list(blob = blob, queue = queue), class = "job_store_account")
}

where_account <- function(store) {
  paste("the storage account at", hide_signature(store$blob$url))
}

#' @exportS3Method
format.job_store_account <- function(x, ...) {
  paste0("<job store in ", where_account(x), ">")
}

#' @exportS3Method
print.job_store_account <- function(x, ...) cat(format(x), "\n", sep = "")

account_state <- function(store, id) {
  name <- account_name_of(id)
  s <- list2env(list(
    id = id, store = store, pid = Sys.getpid(), container = new_container(name, store$blob),
    blob_url = service_url(store$blob, name), queue_url = service_url(store$queue, name),
    uid = "", n = 0, done = logical(), heads = list(), index = empty_index, held = list(),
    drops = list(), drained = FALSE, kept = list(), terminated = FALSE, refreshed = -Inf,
    listed = -Inf, looked = -Inf, rebuilt = FALSE, message_tasks = 1,
    claimed = list(at = -Inf, n = 0), closed = FALSE
  ), parent = emptyenv())
  s
}

new_account_job <- function(s) {
  structure(list(id = s$id, store = s$store, state = s), class = "job_account")
}

#' @exportS3Method
format.job_account <- function(x, ...) {
  paste0("<job ", x$id, " in ", where_account(x$store), ">")
}

#' @exportS3Method
print.job_account <- function(x, ...) cat(format(x), "\n", sep = "")

# The leases are this process's, and so is what it holds.
account_of_job <- function(job) {
  s <- job$state
  if (s$closed || s$pid != Sys.getpid()) {
    stop_job("the job cannot be used", s$id, why = if (s$closed) {
      "it is closed"
    } else {
      "it was opened by another process, of which this one is a fork"
    })
  }
  s
}

# ---- Opening -----------------------------------------------------------------

#' @exportS3Method
store_open_job.job_store_account <- function(store, id) {
  s <- account_state(store, id)
  request <- ask_blob(s, "GET", account_manifest_name(id))
  answer <- account_ok(s, list(request), "BlobNotFound")[[1L]]
  if (answer$status == 404L) {
    stop_job_absent(id, where = where_account(store))
  }
  about <- answer$headers
  field <- function(name) unname(about[paste0("x-ms-meta-", name)])
  format <- account_number(field("format"))
  if (format < 1 || !grepl("^[0-9a-f-]{36}$", field("uid"))) {
    stop_job_format(id, "its manifest was written by another program")
  }
  if (format > account_format) {
    stop_job_format(id, "it is of a newer version of the package")
  }
  if (!identical(field("md5"), md5_text(answer$body))) {
    stop_job_corrupt(id, "the digest of its manifest is wrong")
  }
  s$uid <- field("uid")
  s$manifest <- answer$body
  account_refresh_tasks(s)
  s$message_tasks <- max(1, ceiling(s$n / first_messages))
  new_account_job(s)
}

#' @exportS3Method
store_job_ids.job_store_account <- function(store) {
  s <- account_state(store, "none")
  ids <- account_listed_ids(store)
  requests <- lapply(ids, function(id) {
    ask_blob(account_state(store, id), "HEAD", account_manifest_name(id))
  })
  answers <- account_ok(s, requests, c("BlobNotFound", gone_codes, ""))
  ids[vapply(answers, function(x) x$status < 300L, NA)]
}

# Of containers that say whose they are.
account_listed_ids <- function(store) {
  ids <- character()
  marker <- NULL
  repeat {
    url <- service_url(store$blob, "",
      list(comp = "list", include = "metadata", marker = marker))
    doc <- read_xml_safely(request_ok(store$blob, "GET", url)$body)
    nodes <- xml2::xml_find_all(doc, "./Containers/Container")
    name <- xml_column(nodes, "Name")
    id <- xml_column(nodes, "Metadata/pooljob")
    mine <- grepl("^[A-Za-z0-9_-]{1,64}$", id)
    mine[mine] <- vapply(id[mine], account_name_of, "") == name[mine]
    ids <- c(ids, id[mine])
    marker <- next_marker(marker, xml_marker(doc))
    if (is.null(marker)) {
      return(ids)
    }
  }
}

#' @exportS3Method
job_manifest.job_account <- function(job) account_of_job(job)$manifest

#' @exportS3Method
job_add.job_account <- function(job, tasks) {
  s <- account_of_job(job)
  if (!length(tasks)) {
    return(numeric())
  }
  repeat {
    first <- s$n + 1
    if (account_write_tasks(s, first, tasks)) break
    account_refresh_tasks(s)
  }
  added <- first - 1 + seq_along(tasks)
  account_put_tasks(s, added)
  added
}
