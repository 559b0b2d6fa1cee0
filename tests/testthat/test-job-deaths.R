# Everything that works on a job is killed at once, again and again: each task has
# exactly one result, the right one, and none has run more often than it was in flight
# at a kill. SOAK=200: that many kills (make soak).

kills_wanted <- function(usual) {
  n <- suppressWarnings(as.integer(Sys.getenv("SOAK")))
  if (is.na(n)) usual else n
}

# A task leaves a mark for each of its runs, in one write to a file opened for appending.
marked <- function(x, marks, seconds) {
  cat(sprintf("%d\n", x), file = marks, append = TRUE)
  Sys.sleep(if (x %% 10 == 0) 10 * seconds else seconds)
  x * 2
}

# A session that starts a supervisor with a pool of its own, and waits: the pids of both,
# once they are at work.
start_session <- function(job) {
  logs <- pool:::log_directory(job$store, job$id)
  before <- dir(logs)
  session <- callr::r_bg(at_top(function(store, id, lease) {
    suppressMessages(pool::init_pool(1))
    options(pool.job_lease = lease)
    pool:::start_supervisor(store, id, 2)
    Sys.sleep(600)
  }), list(job$store, job$id, getOption("pool.job_lease")), supervise = FALSE)
  # What the dead have claimed counts as running until it is taken back.
  done <- pool:::job_status(job)$completed
  begun <- function() {
    length(grep("^[0-9]", setdiff(dir(logs), before))) > 0 && {
      status <- pool:::job_status(job)
      status$completed > done || status$running > length(pool:::job_abandoned(job))
    }
  }
  expect_true(wait_until(begun))
  log <- grep("^[0-9]", setdiff(dir(logs), before), value = TRUE)
  list(session = session, pids = c(session$get_pid(), as.integer(sub("[.]txt$", "", log))))
}

# Runs a job through so many total kills, and checks it. Tasks are added as they are
# done, so that each kill is in the midst of it. pause: until the store knows of a death.
survive <- function(store, kills, seconds, id = "j", ahead = 300, pause = 0) {
  marks <- withr::local_tempfile()
  file.create(marks)
  job <- pool:::job_new(store, id, "lapply", at_top(marked),
    list(marks = marks, seconds = seconds)
  )
  withr::defer(pool:::job_delete(job))
  n <- 0
  runs <- numeric()
  done <- in_flight <- list(numeric())
  # Since the last kill no task has run twice, nor one that had a result already.
  look <- function() {
    now <- tabulate(scan(marks, quiet = TRUE), n)
    ran <- now - runs
    before <- done[[length(done)]]
    results <- pool:::job_results(job, 1, n)$task
    expect_true(all(ran <= 1))
    expect_true(all(ran[before] == 0))
    expect_true(all(before %in% results))
    runs <<- now
    done <<- c(done, list(results))
    in_flight <<- c(in_flight, list(setdiff(which(ran == 1), results)))
  }
  for (k in seq_len(kills)) {
    more <- n + seq_len(max(0, ahead - pool:::job_status(job)$queued))
    expect_identical(pool:::job_add(job, lapply(as.integer(more), pool:::job_pack)), more)
    n <- n + length(more)
    runs[more] <- 0
    running <- start_session(job)
    Sys.sleep(stats::runif(1, 0, 0.3))
    expect_true(kill_tree(running$pids))
    look()
    Sys.sleep(pause)
  }
  pool:::run_job(job)
  look()
  expect_true(all(runs >= 1))
  expect_equal(unlist(pool:::job_status(job)[-1], use.names = FALSE), c(n, 0, 0, n, 0, 0))
  expect_identical(job_values(job), as.list(seq_len(n) * 2))
  list(n = n, done = lengths(done), twice = sum(runs > 1), in_flight = lengths(in_flight))
}

test_that("a job survives the death of all that work on it, again and again", {
  skip_if_not_installed("callr")
  skip_if(!dir.exists("/proc/self"), "no /proc")
  set.seed(1)
  kills <- kills_wanted(20)
  found <- survive(local_store(), kills, seconds = 0.005)
  if (nzchar(Sys.getenv("SHOW"))) print(found)
  # The kills came in the midst of it.
  expect_gt(length(unique(found$done)), kills / 2)
  expect_gt(sum(found$in_flight), kills / 2)
})

test_that("a job in a storage account survives it, too", {
  skip_if_not_installed("callr")
  skip_if(!dir.exists("/proc/self"), "no /proc")
  withr::local_options(pool.job_lease = 4)
  withr::local_envvar(R_USER_CACHE_DIR = withr::local_tempdir())
  set.seed(2)
  kills <- if (kills_wanted(0) > 0) kills_wanted(0) / 4 else 5
  found <- survive(account_store(), kills,
    seconds = 0.02, id = unique_name("deaths_"), ahead = 60, pause = 5
  )
  expect_gt(found$n, 60)
})

test_that("a worker's death, and its supervisor's, in any order", {
  skip_if_not_installed("callr")
  store <- local_store()
  marks <- withr::local_tempfile()
  file.create(marks)
  n <- 300
  job <- pool:::job_new(store, "j", "lapply", at_top(marked),
    list(marks = marks, seconds = 0.004), seq_len(n)
  )
  withr::defer(pool:::job_close(job))
  set.seed(2)
  pids <- c(local_supervisor(store), local_supervisor(store))
  for (k in 1:6) {
    Sys.sleep(0.1)
    all <- setdiff(process_tree(pids), pids)
    tools::pskill(all[sample.int(length(all), 1)], tools::SIGKILL)
  }
  tools::pskill(pids[[1]], tools::SIGKILL)
  expect_true(wait_for_job(job))
  expect_identical(job_values(job), as.list(seq_len(n) * 2))
  expect_true(gone(pids))
})

test_that("a supervisor that is stopped is not taken for dead", {
  store <- local_store()
  marks <- withr::local_tempfile()
  file.create(marks)
  job <- pool:::job_new(store, "j", "lapply", at_top(marked),
    list(marks = marks, seconds = 0.5), 1:5
  )
  withr::defer(pool:::job_close(job))
  pid <- local_supervisor(store)
  expect_true(wait_until(function() file.size(marks) > 0))
  Sys.sleep(0.2) # not in the midst of a commit, which everybody would wait for
  tools::pskill(pid, tools::SIGSTOP)
  withr::defer(tools::pskill(pid, tools::SIGCONT), priority = "first")
  pool:::run_job(job, until = "idle")
  expect_gt(pool:::job_status(job)$running, 0)
  expect_identical(pool:::job_abandoned(job), numeric())
  tools::pskill(pid, tools::SIGCONT)
  expect_true(wait_for_job(job))
  expect_identical(job_values(job), as.list(1:5 * 2))
  expect_identical(tabulate(scan(marks, quiet = TRUE), 5), rep(1L, 5))
})
