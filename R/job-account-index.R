# Which tasks have a result, and where: known from the names and the metadata of
# blobs, without any of them being read.
#
# A result is a blob of its own, results/<task>-result.rds, or in a pack with others,
# whose metadata say which tasks, completed and failed, are in it. Of several results
# of one task (a claimant went on after its lease was over) that one counts whose blob
# is the oldest by the service's Creation-Time, in seconds; of those of the same
# second, the blob of its own, then the one whose name comes first. All readers find
# the same.

empty_index <- list(
  blobs = list(name = character(), own = logical(), md5 = character(), seconds = numeric(),
    bytes = numeric()),
  status = integer(), where = integer()
)

account_refresh_results <- function(s, first = NULL) {
  wanted <- c("uid", "status", "seconds", "md5", "completed", "failed")
  found <- account_list(s, results_prefix, c("Creation-Time", "Content-Length",
    paste0("Metadata/", wanted)), first = first)
  names(found) <- sub("Metadata/", "", names(found), fixed = TRUE)
  mine <- found$uid %in% s$uid
  own <- which(mine & found$status %in% result_statuses &
    grepl("^results/[1-9][0-9]{0,14}-result[.]rds$", found$Name))
  packs <- which(mine & grepl("^results/[0-9]+-[0-9]+-[0-9a-f]+[.]pack$", found$Name))
  tasks <- as.numeric(sub("^results/([0-9]+)-.*$", "\\1", found$Name[own]))
  ends <- as.numeric(sub("^results/[0-9]+-([0-9]+)-.*$", "\\1", found$Name[packs]))
  if (max(0, tasks, ends) > s$n) {
    account_refresh_tasks(s)
  }
  blobs <- list(
    name = found$Name, own = seq_along(found$Name) %in% own, md5 = found$md5,
    seconds = suppressWarnings(as.numeric(found$seconds)), created = found[["Creation-Time"]],
    bytes = account_number(found[["Content-Length"]])
  )
  entries <- bind_entries(c(
    list(list(blob = own, task = tasks, status = match(found$status[own], result_statuses))),
    lapply(packs, function(i) pack_entries(s, i, found$completed[i], found$failed[i]))
  ))
  entries <- lapply(entries, `[`, entries$task <= s$n)
  account_set_index(s, blobs, entries)
}

# Tasks and results, and what is to be dropped: in one go, but for long listings.
account_refresh <- function(s) {
  first <- account_with_drops(s, list(ask_list(s, tasks_prefix), ask_list(s, results_prefix)))
  account_refresh_tasks(s, first[[1L]])
  account_refresh_results(s, first[[2L]])
}

# A pack that claims what is no set of this job's tasks has none.
pack_entries <- function(s, i, completed, failed) {
  sets <- lapply(list(completed, failed), function(text) {
    if (is.na(text)) numeric() else ranges_read(text, s$n)
  })
  if (is.null(sets[[1L]]) || is.null(sets[[2L]])) {
    return(list(blob = integer(), task = numeric(), status = integer()))
  }
  n <- lengths(sets)
  list(blob = rep(i, sum(n)), task = unlist(sets), status = rep(1:2, n))
}

bind_entries <- function(parts) {
  column <- function(name) unlist(lapply(parts, `[[`, name), use.names = FALSE)
  list(blob = column("blob"), task = column("task"), status = column("status"))
}

account_set_index <- function(s, blobs, entries) {
  if (anyDuplicated(entries$task)) {
    age <- order(as.numeric(http_time(blobs$created)), !blobs$own, blobs$name, method = "radix")
    first <- order(match(entries$blob, age))
    first <- first[!duplicated(entries$task[first])]
    entries <- lapply(entries, `[`, first)
  }
  status <- integer(s$n)
  where <- integer(s$n)
  status[entries$task] <- as.integer(entries$status)
  where[entries$task] <- as.integer(entries$blob)
  s$index <- list(blobs = blobs, status = status, where = where)
  s$done[entries$task] <- TRUE
  s$listed <- seconds_now()
}

# ---- What results are --------------------------------------------------------

# Those of `tasks` that the index has: list(task, status, result, seconds).
account_read_results <- function(s, tasks) {
  status <- s$index$status[tasks]
  where <- s$index$where[tasks]
  blobs <- s$index$blobs
  values <- vector("list", length(tasks))
  seconds <- blobs$seconds[where]
  own <- which(blobs$own[where])
  packs <- unique(where[!blobs$own[where]])
  groups <- split(packs, (seq_along(packs) - 1) %/% packs_at_once)
  # Blobs of their own come with the first packs.
  for (k in seq_len(max(1L, length(groups)))) {
    some <- if (length(groups)) groups[[k]] else integer()
    first <- k == 1L && length(own)
    bytes <- blobs$bytes[c(some, if (first) where[own])]
    got <- account_load(s, blobs$name[some], "result", tasks[match(some, where)],
      if (first) account_result_name(tasks[own]) else character(), bytes)
    if (first) {
      values[own] <- account_check_own(s, tasks[own], got, blobs$md5[where[own]])
    }
    for (blob in some) {
      here <- which(where == blob)
      pack <- account_pack_results(s, blobs$name[blob], tasks[here], status[here])
      values[here] <- pack$data
      seconds[here] <- pack$seconds
    }
  }
  list(task = tasks, status = result_statuses[status], result = values, seconds = seconds)
}

packs_at_once <- 16L

# Of these tasks, list(data, seconds).
account_pack_results <- function(s, name, tasks, status) {
  pack <- s$kept[[name]]$records
  at <- match(tasks, pack$task)
  bad <- which(is.na(at) | pack$status[at] != status)
  if (length(bad)) {
    stop_job_corrupt(s$id, paste0("'", name, "' does not have the result of task ",
      plain_number(tasks[bad[1L]]), " that it claims to have"), task = tasks[bad[1L]])
  }
  list(data = pack$data[at], seconds = pack$seconds[at])
}

account_check_own <- function(s, tasks, values, md5) {
  for (i in seq_along(tasks)) {
    why <- if (is.null(values[[i]])) {
      "it is not there"
    } else if (!identical(md5_text(values[[i]]), md5[i])) {
      "its digest is wrong"
    }
    if (!is.null(why)) {
      stop_job_corrupt(s$id, paste0("'", account_result_name(tasks[i]), "': ", why),
        task = tasks[i])
    }
  }
  values
}

#' @exportS3Method
job_results.job_account <- function(job, from, n) {
  s <- account_of_job(job)
  to <- from + n - 1
  if (to > s$n) {
    account_refresh_tasks(s)
  }
  to <- min(to, s$n)
  tasks <- if (from <= to) as.double(seq(from, to)) else numeric()
  # One block behind the other: a listing for each would cost more than all of them.
  on <- identical(s$next_block, from) && seconds_now() - s$listed < 30
  s$next_block <- from + n
  known <- function() tasks <= length(s$index$status) & s$index$status[tasks] %in% 1:3
  if (!on && !all(known())) {
    account_refresh_results(s)
  }
  account_read_results(s, tasks[known()])
}
