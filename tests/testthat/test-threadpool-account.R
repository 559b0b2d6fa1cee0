# Clusters in a storage account, and jobs of loops that are joined as clusters.

test_that("a cluster lives in the account of the credentials", {
  local_account_jobs()
  name <- tp_map(c(a = 1, b = 2), at_top(function(x, meta) list(output = x * meta)), meta = 10)
  expect_identical(getJobList()$Id[getJobList()$Id == name], name)
  cl <- cluster_join(name)
  expect_null(cl$meta)
  expect_identical(cl$name, name)
  expect_identical(peek(cl$outjob), 10)
  expect_identical(cluster_reduce(cl), list(a = 10, b = 20))
  cluster_add_tasks(cl, c(c = 3), at_top(function(x, meta) list(output = -x)))
  expect_error(cluster_reduce(cl), class = "pool_job_unfinished_error")
  expect_identical(dequeue(cl$injob)$data, 3)
  enqueue(cl$outjob, "by hand")
  expect_identical(cluster_reduce(cl), list(a = 10, b = 20, c = "by hand"))
  delete_cluster(name)
  expect_error(cluster_join(name), class = "pool_job_absent_error")
})

test_that("a session with the credentials joins by the id, and helps", {
  local_account_jobs()
  local_no_pool()
  cl <- cluster_join(tp_map(1:6, at_top(function(x, meta) {
    Sys.sleep(0.1)
    list(output = Sys.getpid())
  }), ncores = 0))
  withr::defer(delete_cluster(cl))
  there <- in_session(function(name, credentials) {
    setCredentials(credentials, verbose = FALSE)
    cl <- cluster_join(name)
    for (i in 1:2) {
      task <- cluster_next_task(cl)
      cluster_finish_task(cl, task$func(task$data, NULL)$output)
    }
    Sys.getpid()
  }, list(cl$name, azurite_credentials()))
  cluster_run(cl)
  pids <- unlist(cluster_reduce(cl))
  expect_identical(pids == there, rep(c(TRUE, FALSE), c(2, 4)))
  # The rest by one node, which is gone.
  expect_length(unique(pids[3:6]), 1)
  expect_false(Sys.getpid() %in% pids)
  expect_true(gone(pids[3:6]))
  expect_false(pool_exists())
})

# A session that takes whatever task of the job it can get, once the log is there.
grabber <- function(id, log) {
  skip_if_not_installed("callr")
  callr::r_bg(function(id, log, credentials) {
    options(pool.job_lease = 2)
    setCredentials(credentials, verbose = FALSE)
    while (!file.exists(log)) Sys.sleep(0.02)
    job <- pool:::store_open_job(pool:::jobs_store(), id)
    repeat {
      if (length(pool:::job_claim(job, 1)$task)) {
        return("a task")
      }
      if (pool:::job_status(job)$state != "active") {
        return("none")
      }
      Sys.sleep(0.1)
    }
  }, list(id, log, azurite_credentials()), package = TRUE)
}

slow_mark <- at_top(function(x, log) {
  cat(Sys.getpid(), "\n", file = log, append = TRUE)
  Sys.sleep(6)
  list(output = x)
})

test_that("without a pool, a task that is longer than the lease is run once all the same", {
  local_account_jobs()
  local_no_pool()
  withr::local_options(pool.job_lease = 2)
  log <- withr::local_tempfile()
  cl <- cluster_join(tp_map(1, slow_mark, meta = log, ncores = 0))
  withr::defer(delete_cluster(cl))
  other <- grabber(cl$name, log)
  withr::defer(other$kill())
  cluster_run(cl)
  expect_identical(cluster_reduce(cl), list(1))
  other$wait(60000)
  expect_identical(other$get_result(), "none")
  expect_length(readLines(log), 1)
  expect_false(pool_exists())
})

test_that("so it is in a node, which has no pool", {
  local_account_jobs()
  local_pool(1)
  log <- withr::local_tempfile()
  id <- unique_name("inner-")
  other <- grabber(id, log)
  withr::defer(other$kill())
  there <- pool_lapply(1, at_top(function(i, id, log, run, credentials) {
    options(pool.job_lease = 2)
    library(pool)
    setCredentials(credentials, verbose = FALSE)
    value <- foreach(x = 1, .options.azure = list(job = id)) %dopar% run(x, log)
    list(value, Sys.getpid(), pool_exists())
  }), id, log, slow_mark, azurite_credentials())[[1]]
  expect_identical(there[[1]], list(list(output = 1)))
  expect_false(there[[3]])
  other$wait(60000)
  expect_identical(other$get_result(), "none")
  ran <- as.integer(readLines(log))
  expect_length(ran, 1)
  expect_false(ran == there[[2]])
})

test_that("where there is a pool, its nodes run tasks of the account, and it stays", {
  local_account_jobs()
  local_pool(2)
  pids <- node_pids()
  cl <- cluster_join(tp_map(1:4, at_top(function(x, meta) {
    Sys.sleep(0.1)
    list(output = Sys.getpid())
  }), ncores = 0))
  withr::defer(delete_cluster(cl))
  cluster_run(cl)
  expect_setequal(unlist(cluster_reduce(cl)), pids)
  expect_usable(pids)
})

test_that("nodes are added to a loop's job, and any session may run it", {
  local_account_jobs()
  id <- gsub("-", "_", unique_name("Job-"))
  local_no_pool()
  foreach::foreach(i = 1:3, .options.azure = list(job = id, wait = FALSE, workers = 1)) %dopar% i^2
  withr::defer(deleteJob(id, verbose = FALSE))
  cl <- cluster_join(id)
  pid <- cluster_add_nodes(id)
  expect_true(is.numeric(pid))
  cluster_run(cl)
  expect_identical(getJobResult(id), list(1, 4, 9))
  expect_error(cluster_reduce(cl), "^job '.*' is one of a loop: .*getJobResult",
    class = "pool_job_format_error")
  expect_error(cluster_add1_task(cl, new_task(1, identity)), class = "pool_job_format_error")
  expect_error(cluster_next_task(cl), class = "pool_job_format_error")
})

test_that("a path comes before an id", {
  local_account_jobs()
  dir <- withr::local_tempdir()
  withr::local_dir(dir)
  tp_map(1, at_top(function(x, meta) list(output = "here")), cl_name = "same_name")
  expect_identical(cluster_reduce(cluster_join("same_name")), list("here"))
  expect_error(cluster_join("other_name"), "no job 'other_name' in the storage account at http",
    class = "pool_job_absent_error")
})

test_that("a cluster object has no key of the account in it", {
  local_account_jobs()
  cl <- cluster_join(tp_map(1:3, doubled, ncores = 0))
  withr::defer(delete_cluster(cl))
  cluster_next_task(cl)
  file <- withr::local_tempfile()
  saveRDS(cl, file, compress = FALSE)
  bytes <- readBin(file, "raw", 1e7)
  text <- rawToChar(bytes[bytes != 0])
  expect_true(grepl(cl$name, text, fixed = TRUE, useBytes = TRUE))
  expect_false(grepl(azurite_key, text, fixed = TRUE, useBytes = TRUE))
  # With the credentials it is of use elsewhere.
  found <- in_session(function(file, credentials) {
    options(pool.job_lease = 1)
    cl <- readRDS(file)
    absent <- tryCatch(abandoned(cl), error = function(e) class(e)[[1]])
    setCredentials(credentials, verbose = FALSE)
    list(absent, cluster_next_task(cl)$data)
  }, list(file, azurite_credentials()))
  expect_identical(found, list("pool_job_absent_error", 2L))
  again <- readRDS(file)
  cluster_run(again)
  expect_identical(cluster_reduce(cl), list(2, 4, 6))
})
