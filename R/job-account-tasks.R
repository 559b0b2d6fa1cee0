# Which tasks a job has, and their data.
#
# Tasks that are added together have one head, tasks/<number of the first>, written
# once: who writes it has these numbers, and with it the tasks are there. It holds
# their data, or, where these are large, the names of blobs that do and were written
# before it. The job has the tasks that heads follow one another for, from 1 on.

block_tasks <- 5000
block_bytes <- 2^22

# Adds tasks from `first` on: FALSE where somebody else has these numbers by now.
account_write_tasks <- function(s, first, data) {
  head <- account_head(s, first, data)
  there <- account_put_all(s, list(head))$there
  if (!there) {
    account_add_head(s, head, data)
  }
  !there
}

# The head of these tasks, as a blob that is still to be written: list(name, bytes, meta).
account_head <- function(s, first, data) {
  n <- length(data)
  task <- first - 1 + seq_len(n)
  bytes <- cumsum(as.double(lengths(data)))
  block <- interaction_id((seq_len(n) - 1) %/% block_tasks, bytes %/% block_bytes)
  parts <- block[n]
  if (parts == 1L) {
    records <- pack_records(s$uid, "data", task, data)
  } else {
    groups <- split(seq_len(n), block)
    names <- account_put_parts(s, lapply(groups, function(i) task[i]), unname(split(data, block)))
    firsts <- vapply(groups, function(i) task[i[1L]], 0, USE.NAMES = FALSE)
    records <- pack_records(s$uid, "data", firsts, lapply(names, charToRaw))
  }
  # by: of two who add the same tasks each knows which head is its own.
  list(name = account_head_name(first), bytes = records, meta = c(uid = s$uid,
    tasks = plain_number(n), parts = plain_number(if (parts == 1L) 0 else parts),
    by = new_guid()))
}

# Data by themselves, of large tasks or many: their blobs' names.
account_put_parts <- function(s, tasks, data) {
  parts <- seq_along(tasks)
  names <- account_part_name(new_guid(), parts)
  # Not all packs in memory at once, beside the data themselves.
  for (some in split(parts, (parts - 1) %/% 16L)) {
    packs <- lapply(some, function(k) pack_records(s$uid, "data", tasks[[k]], data[[k]]))
    account_put(s, names[some], packs, rep(list(c(uid = s$uid)), length(some)))
    account_hold_creation(s)
  }
  names
}

# It was written. What is in it need not be read again by who claims these tasks here.
account_add_head <- function(s, head, data) {
  n <- length(data)
  parts <- account_number(head$meta[["parts"]])
  if (parts == 0) {
    account_keep(s, head$name, list(task = s$n + seq_len(n), data = unname(data)),
      length(head$bytes))
  }
  s$heads <- list(
    first = c(s$heads$first, s$n + 1), name = c(s$heads$name, head$name),
    parts = c(s$heads$parts, parts)
  )
  account_set_count(s, s$n + n)
}

# 1, 2, ... for each new pair.
interaction_id <- function(x, y) {
  n <- length(x)
  cumsum(c(TRUE, x[-1L] != x[-n] | y[-1L] != y[-n]))
}

# What there is now, and whether the job was terminated.
account_refresh_tasks <- function(s, first = NULL) {
  found <- account_list(s, tasks_prefix, paste0("Metadata/", c("uid", "tasks", "parts")),
    first = first)
  mine <- found[["Metadata/uid"]] %in% s$uid
  s$terminated <- any(mine & found$Name == account_end_name)
  count <- account_number(found[["Metadata/tasks"]])
  parts <- account_number(found[["Metadata/parts"]])
  heads <- which(mine & grepl("^tasks/[0-9]{10,15}$", found$Name) & count > 0 & parts >= 0)
  first <- as.numeric(sub("tasks/", "", found$Name[heads], fixed = TRUE))
  heads <- heads[order(first)]
  first <- sort(first)
  follow <- cumprod(first == c(1, first + count[heads])[seq_along(first)]) == 1
  heads <- heads[follow]
  n <- sum(count[heads])
  if (n < s$n || n == 0 && !all(mine)) {
    # Somebody deleted it, and maybe there is another of its name.
    stop_job_absent(s$id, where = where_account(s$store))
  }
  s$heads <- list(first = first[follow], name = found$Name[heads], parts = parts[heads])
  account_set_count(s, n)
  s$refreshed <- seconds_now()
}

account_set_count <- function(s, n) {
  s$done <- c(s$done, logical(n - s$n))
  s$n <- n
}

# -1 where it is no whole number.
account_number <- function(text) {
  ok <- !is.na(text) & grepl("^[0-9]{1,15}$", text)
  numbers <- rep(-1, length(text))
  numbers[ok] <- as.numeric(text[ok])
  numbers
}

# ---- Data --------------------------------------------------------------------

# Of blocks that were read, so many bytes are kept: ranges are claimed in order.
kept_bytes <- 2^26

account_task_data <- function(s, tasks) {
  if (!length(tasks)) {
    return(list())
  }
  names <- account_locate(s, tasks)
  account_load(s, unique(names), "data", tasks[!duplicated(names)])
  data <- vector("list", length(tasks))
  for (name in unique(names)) {
    block <- s$kept[[name]]$records
    here <- which(names == name)
    at <- match(tasks[here], block$task)
    if (anyNA(at)) {
      stop_job_corrupt(s$id, paste0("'", name, "' has not the data of task ",
        plain_number(tasks[here[is.na(at)][1L]])))
    }
    data[here] <- block$data[at]
  }
  data
}

# The blob that has a task's data, for each.
account_locate <- function(s, tasks) {
  head <- findInterval(tasks, s$heads$first)
  names <- s$heads$name[head]
  for (k in unique(head[s$heads$parts[head] > 0])) {
    name <- s$heads$name[k]
    account_load(s, name, "data", tasks[head == k][1L])
    table <- s$kept[[name]]$records
    here <- head == k
    part <- findInterval(tasks[here], table$task)
    found <- vapply(table$data, rawToChar, "")
    if (any(part == 0L) || !all(grepl("^data/[0-9a-f-]+$", found))) {
      stop_job_corrupt(s$id, paste0("'", name, "' does not say where the data are"))
    }
    names[here] <- found[part]
  }
  names
}

# Sees to it that these packs are kept. tasks: one of each, for an error. also: blobs that
# are read with them, whose contents it returns. bytes: of the packs, and of these.
account_load <- function(s, names, kind, tasks, also = character(), bytes = Inf) {
  new <- !names %in% names(s$kept)
  got <- account_get(s, c(names[new], also), bytes)
  for (i in seq_len(sum(new))) {
    name <- names[new][i]
    records <- if (is.null(got[[i]])) {
      "it is not there"
    } else {
      unpack_records(got[[i]], s$uid, kind)
    }
    if (is.character(records)) {
      stop_job_corrupt(s$id, paste0("'", name, "', with task ", plain_number(tasks[new][i]),
        ": ", records), task = tasks[new][i])
    }
    account_keep(s, name, records, length(got[[i]]), names)
  }
  got[sum(new) + seq_along(also)]
}

# The oldest of what is kept goes first, but none of the `needed`.
account_keep <- function(s, name, records, bytes, needed = name) {
  s$kept[[name]] <- list(records = records, bytes = bytes)
  old <- which(!names(s$kept) %in% needed)
  over <- sum(vapply(s$kept, `[[`, 0, "bytes")) - kept_bytes
  for (name in names(s$kept)[old]) {
    if (over <= 0) break
    over <- over - s$kept[[name]]$bytes
    s$kept[[name]] <- NULL
  }
}
