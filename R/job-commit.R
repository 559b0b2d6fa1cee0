# What the run loop says to the store: when, and how much it asks for.

# How many more to claim: what free nodes can take at once and, where tasks are short,
# two batches for each to take while a commit waits and is made.
run_wants <- function(run) {
  size <- min(run$size, run$most)
  ahead <- isTRUE(run$each * size < batch_most)
  n <- run$crew$free() + if (ahead) 2 * run$crew$nodes else 0
  max(0, ceiling(n * size) - length(run$task))
}

run_is_hungry <- function(run) length(run$task) == 0L && run$crew$free() > 0

# Results wait for others, but not while a node has nothing to do.
run_is_due <- function(run) {
  now <- time_now()
  if (run$renew_at <= now) {
    run$renew_at <- now + job_renew(run$job)
  }
  run_look(run, now)
  run_is_hungry(run) && run$ask_at <= now || now >= run$since + commit_after ||
    length(run$done$task) > 0L && length(run$away) == 0L
}

run_commit <- function(run) {
  begin <- time_now()
  wants <- if (run$ask_at <= begin) run_wants(run) else 0
  if (length(run$done$task) > 0L) {
    got <- job_commit(run$job, run$done, wants)
    run$done <- run_nothing
    run$since <- Inf
  } else {
    got <- job_claim(run$job, wants)
  }
  end <- time_now()
  run$cost <- (run$cost + end - begin) / 2
  if (length(got$task) > 0L) {
    run$task <- c(run$task, got$task)
    run$data <- c(run$data, got$data)
    run$alone <- c(run$alone, got$tries > 0L)
    run$pause <- ask_least
  } else if (wants > 0) {
    # The store is not to be busy with our asking.
    run$ask_at <- end + max(run$pause, 20 * (end - begin))
    run$pause <- min(2 * run$pause, ask_most)
    run$dry <- TRUE
  }
}
