# Everything that works on a job in a storage account is killed at once: the session
# that has joined it, its template, its nodes; as if the machine were switched off.

# The process and all below it, in one go.
kill_all <- function(pid) {
  table <- read.table(text = system2("ps", c("-e", "-o", "pid=,ppid="), stdout = TRUE))
  pids <- pid
  repeat {
    more <- setdiff(table[[1]][table[[2]] %in% pids], pids)
    if (!length(more)) break
    pids <- c(pids, more)
  }
  tools::pskill(pids, 9L)
  pids
}

joiner <- function(store, id) {
  callr::r_bg(function(store, id) {
    options(pool.job_lease = 2)
    suppressMessages(init_pool(2))
    job <- pool:::store_open_job(store, id)
    pool:::run_job(job, "pool")
    pool:::job_close(job)
    delete_pool()
    TRUE
  }, list(store, id), package = TRUE)
}

test_that("total deaths: every task has one result, and only kills made one run again", {
  skip_on_cran()
  skip_if_not_installed("callr")
  skip_if(!nzchar(Sys.which("ps")), "no ps")
  kills <- as.integer(Sys.getenv("POOL_TEST_KILLS", "5"))
  n <- 20 + 20 * kills
  log <- withr::local_tempfile()
  fun <- at_top(function(x, log) {
    # One write each, of a file that is open to append: none is lost.
    cat(paste0(x, "\n"), file = log, append = TRUE)
    Sys.sleep(0.03)
    x^2
  })
  store <- account_store()
  id <- unique_name("Deaths_")
  defer_job(store, id)
  job <- pool:::job_new(store, id, "lapply", fun, list(log = log), as.list(seq_len(n)))
  for (k in seq_len(kills)) {
    before <- if (file.exists(log)) length(readLines(log, warn = FALSE)) else 0
    p <- joiner(store, id)
    expect_true(wait_until(function() {
      file.exists(log) && length(readLines(log, warn = FALSE)) >= before + 10 || !p$is_alive()
    }))
    Sys.sleep(stats::runif(1, 0, 0.1))
    dead <- kill_all(p$get_pid())
    p$wait(5000)
    expect_true(wait_until(function() !any(dir.exists(file.path("/proc", dead, "fd")))))
  }
  before <- counts(job)[["completed"]]
  expect_gt(before, 0)
  join_all(list(joiner(store, id)), 120)
  expect_all_right(job, n)
  runs <- table(factor(readLines(log), seq_len(n)))
  expect_true(all(runs >= 1))
  expect_true(all(runs <= 1 + kills))
  # Claimed at a kill, and not yet committed: what two nodes have and a few more.
  expect_lte(sum(runs) - n, 12 * kills)
})
