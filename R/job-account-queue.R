# The queue of a job: who is at what. It is a hint; the results are the truth.
#
# A message is a set of tasks, as text of up to five lines, and nothing in it is
# believed that is not in this form, of this job and of tasks that it has:
#
#   pool tasks 1
#   <uid of the job>
#   1-16,18              which tasks
#   17:1,18:2            tries that they are charged with, where there are any
#   alone                where they came back from a death: to be run one by one
#
# Who got it has these tasks, as long as it renews it (Update Message) before its
# visibility timeout, the lease, is over. Then it comes back: the service counts how
# often it was got. What is given back of free will is a new message, so a message
# that was got before comes from a death, or from a claimant that was silent for too
# long. Messages have no end (ttl -1).

message_line <- "pool tasks 1"

account_lease <- function() {
  lease <- check_number(getOption("pool.job_lease", 60), "options(pool.job_lease)", 1)
  min(ceiling(lease), 604800)
}

# ---- Messages ----------------------------------------------------------------

account_message <- function(s, tasks, tries = integer(length(tasks)), alone = FALSE) {
  charged <- tries > 0L
  paste(c(message_line, s$uid, ranges_text(tasks), if (any(charged)) {
    paste0(sprintf("%.0f:%d", tasks[charged], tries[charged]), collapse = ",")
  }, if (alone) "alone"), collapse = "\n")
}

# list(task, tries, alone); NULL where it is none of this job.
account_read_message <- function(s, text) {
  lines <- if (is.na(text)) "" else strsplit(text, "\n", fixed = TRUE)[[1L]]
  n <- length(lines)
  if (n < 3L || lines[1L] != message_line || lines[2L] != s$uid) {
    return(NULL)
  }
  task <- ranges_read(lines[3L], s$n)
  alone <- lines[n] == "alone"
  tries <- integer(length(task))
  if (n - alone == 4L) {
    tries <- read_tries(lines[4L], task)
  }
  if (is.null(task) || is.null(tries) || n - alone > 4L) {
    return(NULL)
  }
  list(task = task, tries = tries, alone = alone)
}

read_tries <- function(text, task) {
  pairs <- strsplit(text, ",", fixed = TRUE)[[1L]]
  if (!length(pairs) || !all(grepl("^[1-9][0-9]{0,14}:[0-9]{1,6}$", pairs))) {
    return(NULL)
  }
  at <- match(as.numeric(sub(":.*", "", pairs)), task)
  if (anyNA(at)) {
    return(NULL)
  }
  tries <- integer(length(task))
  tries[at] <- as.integer(sub(".*:", "", pairs))
  tries
}

# Tasks that fit into one message, in about `parts` of them.
split_tasks <- function(tasks, parts) {
  n <- length(tasks)
  size <- max(1, ceiling(n / parts))
  # Scattered ones are a long text: at most 2,000 ranges in 48 KB.
  if (sum(diff(tasks) != 1) > 1500) {
    size <- min(size, 1500)
  }
  unname(split(seq_len(n), (seq_len(n) - 1) %/% size))
}

# hidden: seconds that it is ours for from the start.
ask_put <- function(s, tasks, tries = integer(length(tasks)), alone = FALSE, hidden = 0) {
  text <- base64_encode(account_message(s, tasks, tries, alone))
  body <- xml_document(xml_element("QueueMessage", xml_element("MessageText", text)))
  ask_queue(s, "POST", "/messages",
    paste0("?messagettl=-1&visibilitytimeout=", hidden), body)
}

ask_get <- function(s, n, lease) {
  ask_queue(s, "GET", "/messages", paste0("?numofmessages=", n, "&visibilitytimeout=", lease))
}

# text: NULL, it stays.
ask_update <- function(s, id, receipt, lease, text = NULL) {
  body <- if (is.null(text)) {
    raw()
  } else {
    xml_document(xml_element("QueueMessage", xml_element("MessageText", base64_encode(text))))
  }
  ask_queue(s, "PUT", paste0("/messages/", escape(id)),
    paste0("?popreceipt=", escape(receipt), "&visibilitytimeout=", lease), body)
}

ask_delete <- function(s, id, receipt) {
  ask_queue(s, "DELETE", paste0("/messages/", escape(id)),
    paste0("?popreceipt=", escape(receipt)))
}

# Of a message that is not ours any more.
lost_codes <- c("MessageNotFound", "PopReceiptMismatch", "QueueNotFound", "QueueBeingDeleted",
  "QueueDisabled")
no_queue_codes <- lost_codes[3:5]

# Of what is dropped, the lease of a creation among it: it is gone, or somebody else's.
drop_codes <- c(lost_codes, "LeaseIdMismatchWithLeaseOperation",
  "LeaseNotPresentWithLeaseOperation")

# A list of list(id, receipt, count, text).
account_messages <- function(answer) {
  if (answer$status >= 300L) {
    return(list())
  }
  nodes <- xml2::xml_find_all(read_xml_safely(answer$body), "./QueueMessage")
  if (!length(nodes)) {
    return(list())
  }
  found <- lapply(c("MessageId", "PopReceipt", "DequeueCount", "MessageText"), function(name) {
    xml_column(nodes, name)
  })
  text <- vapply(found[[4L]], message_text, "", TRUE, USE.NAMES = FALSE)
  lapply(seq_along(nodes), function(i) {
    list(id = found[[1L]][i], receipt = found[[2L]][i],
      count = suppressWarnings(as.numeric(found[[3L]][i])), text = text[i])
  })
}

# Its metadata say that it is a job's. Status 204 where there is such a queue, 409 where
# there is another.
ask_make_queue <- function(s) {
  ask_queue(s, "PUT", headers = c(`x-ms-meta-pooljob` = s$id))
}

ask_queue_metadata <- function(s) ask_queue(s, "GET", query = "?comp=metadata")

# How many messages there are, those that somebody has among them: 0 is certain,
# another number may be too high.
account_queue_count <- function(s) {
  request <- ask_queue_metadata(s)
  answer <- account_ok(s, list(request), no_queue_codes)[[1L]]
  if (answer$status >= 300L) {
    return(0)
  }
  count <- suppressWarnings(as.numeric(answer$headers["x-ms-approximate-messages-count"]))
  if (is.na(count)) {
    stop_answer("no count of the messages of a queue")
  }
  count
}

# The first messages that nobody has, with what is in them.
account_peek <- function(s) {
  request <- ask_queue(s, "GET", "/messages", "?peekonly=true&numofmessages=32")
  messages <- account_messages(account_ok(s, list(request), no_queue_codes)[[1L]])
  messages <- lapply(messages, function(m) c(m, account_read_message(s, m$text)))
  messages[!vapply(messages, function(m) is.null(m$task), NA)]
}

# ---- A queue that was lost ---------------------------------------------------

# Every task without a result is put back, if there is no message at all: somebody
# deleted the queue, or emptied it. A lease on the metadata's blob sees to it that one
# claimant does that at a time. TRUE where it was done.
account_rebuild <- function(s) {
  lease <- tryCatch(
    acquire_lease(s$container, I(account_metadata_name(s$id)), 15),
    pool_http_error = function(e) if (isTRUE(e$status == 409L)) NULL else stop(e)
  )
  if (is.null(lease)) {
    return(FALSE)
  }
  on.exit(try(release_lease(s$container, I(account_metadata_name(s$id)), lease), silent = TRUE))
  if (account_queue_count(s) > 0) {
    return(FALSE)
  }
  # What was done meanwhile has its result by now.
  account_refresh(s)
  if (s$terminated || all(s$done)) {
    return(FALSE)
  }
  made <- account_ok(s, list(ask_make_queue(s)), c("QueueBeingDeleted", "QueueAlreadyExists"))[[1L]]
  if (answer_code(made) == "QueueBeingDeleted") {
    return(FALSE) # the service takes its time; later
  }
  account_put_tasks(s, as.double(setdiff(which(!s$done), account_regain(s))))
  TRUE
}

# Our own messages are gone, too: what we are at gets a new one, ours from the start.
# These tasks.
account_regain <- function(s) {
  ours <- s$held
  s$held <- list()
  for (entry in ours) {
    here <- entry$state == task_given & !s$done[entry$task]
    if (any(here)) {
      account_hold_new(s, entry$task[here], entry$tries[here])
    }
  }
  unlist(lapply(s$held, `[[`, "task"))
}

account_hold_new <- function(s, task, tries) {
  begin <- seconds_now()
  lease <- account_lease()
  made <- account_messages(account_ok(s, list(ask_put(s, task, tries, hidden = lease)))[[1L]])
  m <- c(made[[1L]], until = begin + lease)
  account_hold(s, m, task, tries, FALSE)
  s$held[[m$id]]$state[] <- task_given
}

# Messages of these tasks, for everybody.
account_put_tasks <- function(s, tasks, parts = first_messages) {
  account_ok(s, ask_put_tasks(s, tasks, parts))
  length(tasks)
}

ask_put_tasks <- function(s, tasks, parts = first_messages) {
  sets <- if (length(tasks)) split_tasks(tasks, parts)
  lapply(sets, function(i) ask_put(s, tasks[i]))
}

# So many messages a job begins with: claimants that come at the same time find one
# each, and need not wait until another one has shared.
first_messages <- 16L
