# Claims: messages that this process has, and the tasks in them.
#
# What is held is a list of entries, by the messages' ids: id, receipt, until (when the
# lease is over, by this process's clock), and for each task its number, its tries and
# its state. A message may have more tasks than were asked for: they are given out next,
# without asking the queue. How many more depends on how quickly claims follow one
# another, so that nobody sits on tasks that others could run.

task_free <- 0L # of ours, not given out
task_given <- 1L
task_over <- 2L # has its result, or is ours no more

# Seconds that free tasks are kept for; seconds of work that are claimed ahead.
keep_free <- 2
claim_ahead <- 0.5

#' @exportS3Method
job_claim.job_account <- function(job, n) {
  s <- account_of_job(job)
  account_claim(s, check_number(n, "n", 0))
}

account_claim <- function(s, n) {
  got <- list(task = numeric(), tries = integer())
  if (n >= 1 && !s$terminated) {
    s$rebuilt <- FALSE
    got <- account_take(s, trunc(n))
    s$drained <- FALSE
    s$claimed <- list(at = seconds_now(), n = length(got$task))
  }
  data <- tryCatch(account_task_data(s, got$task), error = function(e) {
    try(account_give_back(s, got$task), silent = TRUE)
    stop(e)
  })
  list(task = got$task, data = data, tries = got$tries)
}

account_take <- function(s, n) {
  got <- account_from_held(s, n)
  while (!got$alone && length(got$task) < max(1, n / 2)) {
    # Just now there were no more messages than we have got: these are for others, or
    # nothing is left to do.
    enough <- s$drained && (length(got$task) || all(s$done))
    if (enough || !account_fetch(s, n - length(got$task))) {
      break
    }
    more <- account_from_held(s, n - length(got$task), !length(got$task))
    got <- list(task = c(got$task, more$task), tries = c(got$tries, more$tries),
      alone = more$alone)
  }
  got
}

# Tasks that can be given out without asking.
account_count_free <- function(s) {
  sum(vapply(s$held, function(entry) if (entry$lost) 0L else sum(entry$state == task_free), 0L))
}

# Of free tasks at most n. One that came back from a death comes alone, or not at all.
account_from_held <- function(s, n, alone = TRUE) {
  task <- tries <- list()
  for (id in names(s$held)) {
    entry <- s$held[[id]]
    free <- which(entry$state == task_free)
    if (!length(free) || entry$lost || entry$alone && (!alone || length(task))) {
      next
    }
    some <- free[seq_len(min(length(free), if (entry$alone) 1 else n))]
    s$held[[id]]$state[some] <- task_given
    if (entry$alone) {
      return(list(task = entry$task[some], tries = entry$tries[some], alone = TRUE))
    }
    task <- c(task, list(entry$task[some]))
    tries <- c(tries, list(entry$tries[some]))
    n <- n - length(some)
    if (n == 0) break
  }
  list(task = as.double(unlist(task)), tries = as.integer(unlist(tries)), alone = FALSE)
}

# ---- From the queue ----------------------------------------------------------

# Gets messages for about n tasks: FALSE where there is none to be had.
account_fetch <- function(s, n) {
  if (!account_may_fetch(s)) {
    return(FALSE)
  }
  claim <- account_ask(s, n)
  answers <- account_with_drops(s, claim$requests, no_queue_codes)
  account_take_in(s, answers[[1L]], claim) || account_look(s) && account_fetch(s, n)
}

# Is the job still what it was, and to be worked at? Asked every other second.
account_may_fetch <- function(s) {
  if (seconds_now() - s$refreshed > keep_free) {
    account_refresh_tasks(s)
  }
  !s$terminated
}

# The request for messages of about n tasks: list(requests, n, many, until).
account_ask <- function(s, n) {
  lease <- account_lease()
  many <- max(1, min(32, ceiling(n / s$message_tasks)))
  list(requests = list(ask_get(s, many, lease)), n = n, many = many,
    until = seconds_now() + lease)
}

# The answer to it: were there any?
account_take_in <- function(s, answer, claim) {
  messages <- account_messages(answer)
  s$drained <- length(messages) < claim$many
  if (length(messages)) {
    messages <- lapply(messages, function(m) c(m, until = claim$until))
    account_adopt_all(s, messages, claim$n)
  }
  length(messages) > 0L
}

# Messages that are of no use to us are others' at once.
account_return <- function(s, messages) {
  if (length(messages)) {
    try(account_answers(s, lapply(messages, function(m) ask_update(s, m$id, m$receipt, 0))),
      silent = TRUE)
  }
}

account_adopt_all <- function(s, messages, n) {
  rest <- messages
  # They may be somebody else's, where this job is gone and there is another.
  on.exit(account_return(s, rest))
  if (any(vapply(messages, function(m) isTRUE(m$count > 1), NA))) {
    account_refresh_results(s)
  }
  keep <- account_share(s, n)
  for (m in messages) {
    keep <- keep - account_adopt(s, m, keep)
    rest <- rest[-1L]
  }
}

# How many tasks to keep where n are asked for: as many as take half a second, where
# that is known.
account_share <- function(s, n) {
  gap <- if (s$claimed$n > 0) max(seconds_now() - s$claimed$at, 1e-3) else Inf
  max(n, min(16 * n, s$claimed$n * claim_ahead / gap))
}

# Takes a message: `keep` tasks of it at most, the others go back as another one. How
# many were kept.
account_adopt <- function(s, m, keep) {
  what <- account_read_message(s, m$text)
  if (is.null(what)) {
    # Of tasks that were added since, maybe.
    account_refresh_tasks(s)
    what <- account_read_message(s, m$text)
  }
  here <- !s$done[what$task] & !what$task %in% account_ours(s)
  if (!any(here)) {
    account_drop(s, m)
    return(0)
  }
  task <- what$task[here]
  tries <- what$tries[here]
  s$message_tasks <- length(task)
  back <- isTRUE(m$count > 1)
  alone <- what$alone || back
  if (back && length(task) > 1L) {
    account_scatter(s, m, task, tries)
    return(0)
  }
  if (back && m$count > most_returns) {
    account_give_up(s, m, task)
    return(0)
  }
  if (length(task) > max(1, keep)) {
    some <- seq_len(max(1, keep))
    m <- account_split(s, m, task, tries, alone, some)
    task <- task[some]
    tries <- tries[some]
  }
  account_hold(s, m, task, tries, alone)
  length(task)
}

# Tasks that we have already.
account_ours <- function(s) {
  unlist(lapply(s$held, function(entry) if (!entry$lost) entry$task), use.names = FALSE)
}

account_hold <- function(s, m, task, tries, alone) {
  s$held[[m$id]] <- list(id = m$id, receipt = m$receipt, until = m$until, task = task,
    tries = tries, state = integer(length(task)), alone = alone, lost = FALSE)
}

# Others get what we don't keep, at once; then our own message is about less. Who
# dies in between leaves tasks in two messages, and never in none.
account_split <- function(s, m, task, tries, alone, some) {
  account_ok(s, list(ask_put(s, task[-some], tries[-some], alone)))
  account_rewrite(s, m, task[some], tries[some], alone)
}

# The message, with its new receipt. One that is lost meanwhile is somebody else's.
account_rewrite <- function(s, m, task, tries, alone) {
  begin <- seconds_now()
  lease <- account_lease()
  text <- account_message(s, task, tries, alone)
  request <- ask_update(s, m$id, m$receipt, lease, text)
  answer <- account_ok(s, list(request), lost_codes)[[1L]]
  if (answer$status < 300L) {
    m$receipt <- unname(answer$headers["x-ms-popreceipt"])
    m$until <- begin + lease
  }
  m
}

# A range that came back from a death: each task by itself, so that one that kills
# whoever runs it is alone with it. Many are as many ranges, which the next death
# splits further.
account_scatter <- function(s, m, task, tries) {
  sets <- split_tasks(task, scattered_messages)
  account_ok(s, lapply(sets, function(i) ask_put(s, task[i], tries[i], TRUE)))
  account_drop(s, m)
}
scattered_messages <- 64L

# A task that came back so often, alone, is lost, whatever its tries: all that ran it
# died with the claimant, and nobody was left to charge it.
account_give_up <- function(s, m, task) {
  why <- lost_condition(task, m$count - 1, "died with the process that had claimed it")
  account_write_results(s, list(task = task, status = "lost",
    result = list(failed_result(why)), seconds = NA_real_))
  account_drop(s, m)
}
most_returns <- 100

# Messages that are over are deleted with the next request.
account_drop <- function(s, m) {
  s$drops <- c(s$drops, list(ask_delete(s, m$id, m$receipt)))
}

# failed: called with the answers where one of them is an error.
account_with_drops <- function(s, requests, codes = character(), failed = NULL) {
  drops <- s$drops
  asked <- c(requests, drops)
  answers <- account_answers(s, asked)
  n <- length(requests)
  for (i in seq_along(asked)) {
    allowed <- if (i > n) drop_codes else codes
    if (answers[[i]]$status >= 300L && !answer_code(answers[[i]]) %in% allowed) {
      if (!is.null(failed)) failed(answers)
      stop_account(s, asked[[i]], answers[[i]])
    }
  }
  s$drops <- s$drops[-seq_along(drops)]
  answers[seq_len(n)]
}

# No message for us. If there is none at all, and tasks have no result, the queue was
# lost: TRUE where it is whole again. Not more than once a second.
account_look <- function(s) {
  if (s$rebuilt || all(s$done) || seconds_now() - s$looked < 1) {
    return(FALSE)
  }
  s$looked <- seconds_now()
  if (account_queue_count(s) > 0) {
    return(FALSE)
  }
  account_refresh_results(s)
  if (all(s$done)) {
    return(FALSE)
  }
  s$rebuilt <- TRUE
  account_rebuild(s)
}
