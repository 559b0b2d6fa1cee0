# The loop of a process that has joined a job: it claims tasks, streams them to its
# nodes, writes what comes of them and the next claims in one commit, and renews its
# claims. Nodes know nothing of the store. What it knows is in one environment, `run`.

# Work in a batch: so long that a commit and a message are little beside it.
batch_least <- 0.02
batch_most <- 0.1
batch_tasks <- 1000
# A commit waits so long for more; where there is nothing to be had, the store is asked
# again after so long at most; whether the job was terminated, that often.
commit_after <- 0.02
ask_least <- 0.01
ask_most <- 0.5
look_after <- 1
# A batch that is out for longer is cut short: others take what it has not begun.
cut_after <- 1

# Runs tasks of an open job: in this process, or on the session's pool. Returns its
# status when every task has a result, or the job was terminated; until = "idle": when
# there is nothing more to be had. progress: NULL, or a function of job_status(). What
# jumps out of here leaves the pool clean, and gives back what was claimed.
run_job <- function(job, nodes = c("inline", "pool"), until = c("complete", "idle"),
                    progress = NULL) {
  nodes <- match.arg(nodes)
  until <- match.arg(until)
  run <- run_new(job, until, progress)
  on.exit(run_leave(run))
  run$crew <- if (nodes == "pool") crew_pool(run) else crew_inline(run)
  repeat {
    run_fill(run)
    run_wait(run)
    run_fill(run)
    if (run_is_due(run)) {
      run_commit(run)
    }
    if (run_is_over(run)) {
      break
    }
  }
  run_show(run, TRUE)
  invisible(run$status)
}

run_new <- function(job, until, progress) {
  manifest <- with_meta(job, job_read_manifest(job))
  options <- manifest$options
  run <- new.env(parent = emptyenv())
  run$job <- job
  run$manifest <- manifest
  run$outputs <- options$output_files
  run$until <- until
  run$progress <- progress
  run$most <- if (is.finite(options$timeout)) 1 else batch_tasks
  # Claimed, not yet at a node: numbers, data, are they to be run alone?
  run$task <- numeric()
  run$data <- list()
  run$alone <- logical()
  run$away <- list() # batches at nodes, by id as a string
  run$done <- run_nothing # results not yet committed
  run$since <- Inf # when the first of them came
  run$size <- 1
  run$each <- NA_real_ # seconds a task takes
  run$cost <- 0 # seconds a commit takes
  run$ask_at <- run$look_at <- run$show_at <- 0
  run$pause <- ask_least
  run$renew_at <- 0
  run$leaving <- FALSE
  run
}

run_nothing <- list(
  task = numeric(), status = character(), result = list(), seconds = numeric()
)

# ---- tasks to nodes ----

run_fill <- function(run) {
  while (length(run$task) > 0L && run$crew$free() > 0) {
    k <- seq_len(run_batch_length(run))
    batch <- list(task = run$task[k], data = run$data[k])
    if (length(run$outputs) > 0L) {
      batch$outputs <- signed_outputs(run$outputs) # which are good for a while
    }
    id <- run$crew$put(batch)
    batch$at <- time_now()
    suspendInterrupts({ # what is claimed is in one of the two, or it is not given back
      run$away[[as.character(id)]] <- batch
      run$task <- run$task[-k]
      run$data <- run$data[-k]
      run$alone <- run$alone[-k]
    })
  }
}

# A suspect goes alone.
run_batch_length <- function(run) {
  n <- min(run$size, run$most, length(run$task))
  suspect <- match(TRUE, run$alone[seq_len(n)], nomatch = 0L)
  if (suspect == 0L) n else max(1, suspect - 1)
}

# In front of what waits.
run_again <- function(run, batch, alone) {
  run$task <- c(batch$task, run$task)
  run$data <- c(batch$data, run$data)
  run$alone <- c(rep(alone, length(batch$task)), run$alone)
}

# ---- what comes back ----

run_wait <- function(run) {
  if (length(run$away) == 0L && run$crew$waits) {
    return()
  }
  now <- time_now()
  until <- min(run$renew_at, run$look_at, run$since + commit_after,
    if (run_is_hungry(run)) run$ask_at, run_cut(run, now)
  )
  for (event in run$crew$wait(min(max(0, until - now), look_after))) {
    run_event(run, event)
  }
}

# One slow task of a batch does not hold up those behind it. When to look again.
run_cut <- function(run, now) {
  soon <- Inf
  for (name in names(run$away)) {
    batch <- run$away[[name]]
    if (length(batch$task) < 2L) {
      next
    }
    if (batch$at + cut_after > now) {
      soon <- min(soon, batch$at + cut_after)
      next
    }
    begun <- run$crew$cut(as.numeric(name))
    run$away[[name]]$at <- now # once more, if it had not come to its first one
    # Of none all come back by themselves.
    if (!is.null(begun) && begun > 0 && begun < length(batch$task)) {
      k <- seq_len(begun)
      run$away[[name]]$task <- batch$task[k]
      run$away[[name]]$data <- batch$data[k]
      run_again(run, list(task = batch$task[-k], data = batch$data[-k]), alone = FALSE)
      run$size <- 1 # the next ones may be slow, too
    }
  }
  soon
}

run_event <- function(run, event) {
  name <- as.character(event$id)
  batch <- run$away[[name]]
  run$away[[name]] <- NULL
  if (is.null(event$lost) && is.null(event$error)) {
    run_batch_done(run, batch, event$value)
  } else if (length(batch$task) > 1L) {
    run_again(run, batch, alone = TRUE) # nobody knows which of them it was
  } else if (inherits(event$error$parent, "pool_interrupted_task")) {
    run_interrupted(run, batch)
  } else if (is.null(event$lost)) {
    run_add(run, batch$task, "failed", failed_result(event$error$parent, event$error$traceback))
  } else if (inherits(event$lost, "pool_timeout_error")) {
    run_add(run, batch$task, "failed", failed_result(timeout_condition(run, batch$task)))
  } else {
    run_charge(run, batch$task, event$lost$status)
  }
}

run_batch_done <- function(run, batch, value) {
  if (length(value$files)) {
    job_put_files(run$job, value$files)
  }
  n <- length(value$task)
  rest <- seq_along(batch$task) > n
  if (any(rest)) {
    run_again(run, list(task = batch$task[rest], data = batch$data[rest]), alone = FALSE)
  }
  if (n > 0L) {
    run_add(run, value$task, value$status, value$result, value$seconds)
    run_pace(run, mean(value$seconds), n)
  }
}

run_add <- function(run, task, status, result, seconds = NA_real_) {
  if (length(run$done$task) == 0L) {
    run$since <- time_now()
  }
  result <- if (is.list(result)) result else list(result)
  run$done <- list(
    task = c(run$done$task, task), status = c(run$done$status, status),
    result = c(run$done$result, result), seconds = c(run$done$seconds, seconds)
  )
}

# A node has died in a task that was alone: a try. Only who sees that may count it.
run_charge <- function(run, task, status) {
  most <- run$manifest$options$max_tries
  job_charge(run$job, task, most, failed_result(lost_condition(task, most, status)))
  run$ask_at <- 0
}

# A terminal's Ctrl-C goes to nodes, too, and is nothing that the task has done; without
# that, it may be the task's own doing, each time.
run_interrupted <- function(run, batch) {
  if (run$leaving) {
    run_again(run, batch, alone = FALSE)
  } else {
    run_charge(run, batch$task, "was interrupted")
  }
}

timeout_condition <- function(run, task) {
  pool_condition("pool_timeout_error", paste0(
    "task ", format(task, scientific = FALSE), " took longer than the ",
    format(run$manifest$options$timeout), " seconds that it may take"
  ), index = task)
}

# How many tasks the next batch has: by the time that the last ones took; at most eight
# times as many as before, as those to come may be slow. Too many that wait here are
# given back: others might have nothing to do.
run_pace <- function(run, each, n) {
  run$each <- if (is.na(run$each)) each else (run$each + each) / 2
  time <- min(max(batch_least, 4 * run$cost), batch_most)
  run$size <- max(1, min(floor(time / run$each), max(run$size, 8 * n), batch_tasks))
  most <- 4 * run$size * run$crew$nodes
  if (length(run$task) > max(most, 2 * run$crew$nodes)) {
    keep <- seq_len(most)
    job_release(run$job, run$task[-keep])
    run$task <- run$task[keep]
    run$data <- run$data[keep]
    run$alone <- run$alone[keep]
  }
}

# ---- how far it is ----

# Whether the job goes on is asked now and then, and when there is nothing to be had.
run_look <- function(run, now) {
  if (now >= run$look_at) {
    run$status <- job_status(run$job)
    end <- time_now()
    run$look_at <- end + max(look_after, 20 * (end - now))
  }
  run_show(run)
}

run_is_over <- function(run) {
  idle <- length(run$task) == 0L && length(run$away) == 0L && length(run$done$task) == 0L
  if (identical(run$status$state, "terminated")) {
    return(TRUE) # what is at work is of no use any more
  }
  if (!idle) {
    return(FALSE)
  }
  if (isTRUE(run$dry)) {
    run$dry <- FALSE
    run$status <- job_status(run$job)
    if (run$status$state != "active" || run$until == "idle") {
      return(TRUE)
    }
  }
  now <- time_now()
  Sys.sleep(max(0, min(run$ask_at, run$renew_at) - now))
  FALSE
}

run_show <- function(run, last = FALSE) {
  now <- time_now()
  if (!is.null(run$progress) && (last || now >= run$show_at)) {
    run$show_at <- now + look_after / 2
    run$status <- job_status(run$job)
    run$progress(run$status)
  }
}

# Also after an error or an interrupt: what is done is written, the rest given back.
run_leave <- function(run) {
  run$leaving <- TRUE
  crew <- run$crew
  if (!is.null(crew)) {
    try(for (event in crew$last()) run_event(run, event), silent = TRUE)
    crew$close()
  }
  if (length(run$done$task) > 0L) {
    try(job_commit(run$job, run$done), silent = TRUE)
  }
  rest <- c(run$task, unlist(lapply(run$away, `[[`, "task")))
  if (length(rest) > 0L) {
    try(job_release(run$job, rest), silent = TRUE)
  }
}
