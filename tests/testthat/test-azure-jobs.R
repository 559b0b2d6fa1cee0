# Jobs by doAzureParallel's names: looked at, waited for, fetched, ended, deleted.

own_id <- function() gsub("-", "_", unique_name("Job-"))

# A job whose tasks wait until open() is called: run by a process of its own.
local_gate <- function(env = parent.frame()) {
  gate <- withr::local_tempfile(.local_envir = env)
  list(path = gate, open = function() file.create(gate))
}

gated <- function(id, gate, n = 4, handling = "stop", ...) {
  foreach(i = 1:n, .errorhandling = handling,
    .options.azure = list(job = id, wait = FALSE, workers = 2, ...)) %dopar% {
      until <- Sys.time() + 60
      while (i > 1 && !file.exists(gate) && Sys.time() < until) Sys.sleep(0.02)
      if (i == 3) stop("three")
      i^2
    }
}

finished <- function(id) {
  wait_until(function() !inherits(getJobResult(id, partial = FALSE), "pool_job_state"))
}

test_that("a later session sees the state of a job, its results, and all of it in the end", {
  for (store in c("directory", "account")) {
    if (store == "account") local_account_jobs() else local_jobs()
    local_backend()
    gate <- local_gate()
    id <- own_id()
    begin <- proc.time()[["elapsed"]]
    expect_identical(gated(id, gate$path, handling = "pass"), id)
    expect_true(wait_until(function() {
      identical(getJobResult(id, partial = TRUE), list(1, NULL, NULL, NULL))
    }))
    state <- getJobResult(id)
    expect_s3_class(state, "pool_job_state")
    expect_identical(state$state, "active")
    expect_identical(state$tasks$completed, 1)
    expect_identical(state$tasks$total, 4)
    said <- capture.output(print(state))
    expect_length(said, 1L)
    expect_match(said, id, fixed = TRUE)
    expect_output(info <- getJob(id), "job state: active")
    expect_silent(getJob(id, verbose = FALSE))
    expect_identical(info$metadata$wait, "FALSE")
    expect_identical(info$metadata$errorHandling, "pass")
    expect_identical(unlist(info$tasks[c("completed", "succeeded", "failed")]),
      c(completed = 1, succeeded = 1, failed = 0))
    row <- subset(getJobList(), Id == id)
    expect_identical(row$State, "active")
    expect_identical(row$Status, "25 %")
    expect_identical(nrow(subset(getJobList(list(state = "completed")), Id == id)), 0L)
    gate$open()
    expect_null(waitForTasksToComplete(id, 60, "pass"))
    found <- getJobResult(id)
    expect_identical(found[-3], list(1, 4, 16))
    expect_identical(conditionMessage(found[[3]]), "three")
    row <- subset(getJobList(list(state = c("completed", "active"))), Id == id)
    expect_identical(row[c("State", "Status", "FailedTasks", "TotalTasks")], data.frame(
      State = "completed", Status = "100 %", FailedTasks = 1, TotalTasks = 4
    ), ignore_attr = TRUE)
    expect_output(deleteJob(id), "has been deleted")
    expect_false(id %in% getJobList()$Id)
    expect_output(deleteJob(id), "no job")
    expect_silent(deleteJob(id, verbose = FALSE))
  }
})

test_that("work goes on when the session has ended, or was killed", {
  dir <- local_jobs()
  for (end in c("quits", "dies")) {
    id <- paste0("the_session_", end)
    gate <- local_gate()
    started <- tryCatch(in_session(function(dir, id, gate, end) {
      options(pool.jobs_dir = dir)
      registerDoPool()
      id <- foreach(i = 1:3, .options.azure = list(job = id, wait = FALSE, workers = 1)) %dopar% {
        until <- Sys.time() + 60
        while (!file.exists(gate) && Sys.time() < until) Sys.sleep(0.02)
        i
      }
      if (end == "dies") tools::pskill(Sys.getpid(), 9L)
      id
    }, list(dir, id, gate$path, end)), error = identity)
    if (end == "quits") expect_identical(started, id)
    expect_s3_class(getJobResult(id), "pool_job_state")
    gate$open()
    waitForTasksToComplete(id, 60)
    expect_identical(getJobResult(id), list(1L, 2L, 3L))
  }
})

test_that("to wait is to be told of a failure, and of time that is over", {
  local_jobs()
  local_backend()
  gate <- local_gate()
  gate$open()
  id <- gated("fails", gate$path)
  e <- error_of(waitForTasksToComplete(id, 60))
  expect_s3_class(e, "pool_job_task_error")
  expect_match(conditionMessage(e), "task 3 failed - \"three\"", fixed = TRUE)
  expect_true(getJob(id, FALSE)$jobState %in% c("terminated", "completed"))
  gate <- local_gate()
  id <- gated("waits", gate$path)
  e <- error_of(waitForTasksToComplete(id, 0.2))
  expect_s3_class(e, "pool_job_unfinished_error")
  gate$open()
  expect_s3_class(error_of(waitForTasksToComplete(id, 60)), "pool_job_task_error")
  expect_input_error(waitForTasksToComplete(id, -1), "timeout")
  expect_input_error(waitForTasksToComplete(id, 1, "none"), "errorHandling")
})

test_that("a loop that waited long enough is left to a process of its own", {
  local_jobs()
  local_loops()
  gate <- local_gate()
  e <- error_of(foreach(i = 1:3, .options.azure = list(job = "slow", timeout = 0.5)) %dopar% {
    until <- Sys.time() + 60
    while (i == 2 && !file.exists(gate$path) && Sys.time() < until) Sys.sleep(0.02)
    i
  })
  expect_s3_class(e, "pool_job_unfinished_error")
  expect_match(conditionMessage(e), "slow")
  gate$open()
  waitForTasksToComplete("slow", 60)
  expect_identical(getJobResult("slow"), list(1L, 2L, 3L))
  expect_usable()
})

test_that("a job that all have left goes on with whoever joins", {
  for (store in c("directory", "account")) {
    if (store == "account") local_account_jobs() else local_jobs()
    withr::local_options(pool.job_lease = 4)
    local_loops()
    id <- own_id()
    dir <- withr::local_tempdir()
    count <- file.path(dir, "count")
    gate <- file.path(dir, "gate")
    loop <- at_top(function(id, count, gate) {
      foreach(i = 1:3, .options.azure = list(job = id, wait = FALSE, workers = 1)) %dopar% {
        cat(paste0(i, "\n"), file = count, append = TRUE)
        while (i > 1 && !file.exists(gate)) Sys.sleep(0.02)
        i * 10
      }
    })
    loop(id, count, gate)
    expect_true(wait_until(function() identical(getJobResult(id, TRUE)[[1]], 10)))
    logs <- list.files(pool:::log_directory(pool:::jobs_store(), id))
    pid <- as.integer(sub("[.]txt$", "", logs))
    tools::pskill(pid, 9L)
    expect_true(gone(pid))
    file.create(gate)
    cl <- cluster_join(id)
    cluster_run(cl)
    expect_identical(getJobResult(id), list(10, 20, 30))
    expect_identical(sum(readLines(count) == "1"), 1L)
  }
})

test_that("a job that was terminated does no more, and keeps what it has", {
  local_jobs()
  local_backend()
  gate <- local_gate()
  id <- gated("ended", gate$path, n = 6, handling = "pass")
  expect_true(wait_until(function() identical(getJobResult(id, TRUE)[[1]], 1)))
  expect_output(terminateJob(id), "has been terminated")
  expect_identical(getJobResult(id)$state, "terminated")
  gate$open()
  expect_identical(getJobResult(id, TRUE)[[1]], 1)
  expect_null(waitForTasksToComplete(id, 60, "pass"))
  expect_output(terminateJob("none"), "does not exist")
  deleteJob(id, FALSE)
  foreach(i = 1, .options.azure = list(job = "over")) %dopar% i
  expect_output(terminateJob("over"), "already completed")
})

test_that("who waits for a job that is terminated learns that, and a cluster's is none of a loop", {
  local_loops()
  local_jobs()
  child <- parallel::mcparallel({
    Sys.sleep(1)
    utils::capture.output(terminateJob("waited"))
  })
  e <- error_of(foreach(i = 1:100, .options.azure = list(job = "waited")) %dopar% Sys.sleep(0.1))
  parallel::mccollect(child)
  expect_s3_class(e, "pool_job_unfinished_error")
  expect_match(conditionMessage(e), "^job 'waited' was terminated: [0-9]+ tasks have no result$")
  name <- file.path(getOption("pool.jobs_dir"), "cl")
  tp_map(1:2, function(x, meta) list(output = x), cl_name = name, ncores = 0)
  expect_error(getJobResult("cl"), "^job 'cl' is none of a loop: cluster_reduce",
    class = "pool_job_format_error")
})

test_that("what tasks write can be read", {
  for (store in c("directory", "account")) {
    if (store == "account") local_account_jobs() else local_jobs()
    local_loops()
    id <- own_id()
    found <- foreach(i = 1:3, .errorhandling = "pass", .options.azure = list(job = id)) %dopar% {
      if (i < 3) {
        cat("out", i, "\n")
        message("said ", i)
        warning("warned ", i)
      }
      f <- function() stop("failed ", i)
      if (i == 2) f()
    }
    expect_output(text <- getJobFile(id, 1, "stdout.txt"), "out 1")
    expect_identical(text, "out 1 \n")
    expect_match(getJobFile(id, "1", "/stderr.txt", verbose = FALSE), "said 1\n.*warned 1")
    expect_match(getJobFile(id, 2L, "log.txt", verbose = FALSE), "failed 2.*f\\(\\)")
    expect_identical(getJobFile(id, 2, "wd/2.txt", verbose = FALSE),
      getJobFile(id, 2, "2.txt", verbose = FALSE))
    expect_identical(getJobFile(id, 3, "stdout.txt", verbose = FALSE), "")
    to <- withr::local_tempfile()
    expect_identical(getJobFile(id, 1, "stdout.txt", to), to)
    expect_identical(readLines(to), "out 1 ")
    expect_input_error(getJobFile(id, 1, "stdout.txt", to), "downloadPath")
    expect_identical(getJobFile(id, 2, "stdout.txt", to, overwrite = TRUE), to)
    expect_identical(readLines(to), "out 2 ")
    expect_s3_class(error_of(getJobFile(id, 4, "stdout.txt")), "pool_job_absent_error")
    for (bad in list(0, -1, 1.5, "a", NA, c(1, 2), "../1", NULL)) {
      expect_input_error(getJobFile(id, bad, "stdout.txt"), "taskId")
    }
    for (bad in list("other.txt", "../stdout.txt", 3, "", "wd/9.txt")) {
      expect_input_error(getJobFile(id, 1, bad), "filePath")
    }
  }
})

test_that("ids that no job can have are errors, everywhere", {
  local_jobs()
  ids <- list("", "a b", "../x", strrep("x", 65), NA_character_, 3, NULL, c("a", "b"), "a\xff")
  for (bad in ids) {
    expect_input_error(getJobResult(bad), "jobId")
    expect_input_error(getJob(bad), "jobId")
    expect_input_error(deleteJob(bad), "jobId")
    expect_input_error(terminateJob(bad), "jobId")
    expect_input_error(waitForTasksToComplete(bad, 1), "jobId")
    expect_input_error(getJobFile(bad, 1, "stdout.txt"), "jobId")
  }
  expect_input_error(getJobResult(), "jobId")
  expect_s3_class(error_of(getJobResult("none")), "pool_job_absent_error")
  e <- error_of(getJob("none"))
  expect_s3_class(e, "pool_job_absent_error")
  expect_identical(conditionMessage(e),
    paste0("there is no job 'none' in '", getOption("pool.jobs_dir"), "'"))
  expect_s3_class(error_of(waitForTasksToComplete("none", 1)), "pool_job_absent_error")
  expect_s3_class(error_of(getJobFile("none", 1, "stdout.txt")), "pool_job_absent_error")
  expect_input_error(getJobList(3), "filter")
  expect_input_error(getJobList(list(state = 3)), "filter")
  expect_identical(nrow(getJobList()), 0L)
  expect_named(getJobList(), c("Id", "State", "Status", "FailedTasks", "TotalTasks"))
})

test_that("a job that cannot be read is listed among those that can", {
  dir <- local_jobs()
  local_loops()
  foreach(i = 1:2, .options.azure = list(job = "good")) %dopar% i
  foreach(i = 1:2, .options.azure = list(job = "bad")) %dopar% i
  path <- file.path(dir, "bad", "data.mdb")
  writeBin(bytes(file.size(path)), path)
  expect_identical(getJobList()$Id, c("bad", "good"))
  expect_identical(getJobList()$State, c("unreadable", "completed"))
  expect_s3_class(error_of(getJobResult("bad")), "pool_job_error")
  expect_identical(getJobResult("good"), list(1L, 2L))
  expect_output(deleteJob("good"))
  expect_output(deleteJob("bad"))
  expect_identical(nrow(getJobList()), 0L)
})

test_that("credentials that are wrong are the service's to refuse", {
  skip_without_azurite()
  withr::defer(setCredentials(NULL))
  local_backend()
  setCredentials(azurite_credentials(key = "d3Jvbmc="), verbose = FALSE)
  e <- error_of(foreach(i = 1, .options.azure = list(job = "wrong")) %dopar% i)
  expect_s3_class(e, "pool_http_error")
  expect_identical(e$status, 403L)
  expect_false(grepl("d3Jvbmc", paste(capture.output(print(e), str(e)), collapse = "")))
  expect_s3_class(error_of(getJobList()), "pool_http_error")
})

test_that("requests are shown, without what is secret", {
  local_account_jobs()
  withr::defer(setHttpTraffic(FALSE))
  setHttpTraffic(TRUE)
  said <- capture.output(invisible(getJobList()), type = "message")
  expect_match(said, "^[A-Z]+ http://127[^?]*: [0-9]{3}$")
})

test_that("a loop that is interrupted leaves what it has, and can be gone on with", {
  skip_if_not_installed("callr")
  dir <- local_jobs()
  gate <- local_gate()
  session <- callr::r_bg(at_top(function(dir, gate) {
    library(pool)
    options(pool.jobs_dir = dir)
    suppressMessages(init_pool(2))
    registerDoPool()
    tryCatch(
      foreach(i = 1:4, .options.azure = list(job = "stopped")) %dopar% {
        until <- Sys.time() + 60
        while (i > 1 && !file.exists(gate) && Sys.time() < until) Sys.sleep(0.02)
        i
      },
      interrupt = function(e) "interrupted"
    )
  }), list(dir, gate$path))
  withr::defer(session$kill())
  expect_true(wait_until(function() {
    found <- tryCatch(getJobResult("stopped", TRUE), pool_job_absent_error = function(e) NULL)
    identical(found, list(1L, NULL, NULL, NULL))
  }))
  session$interrupt()
  session$wait(20000)
  expect_identical(session$get_result(), "interrupted")
  expect_identical(getJobResult("stopped")$tasks[c("active", "running")],
    list(active = 3, running = 0))
  gate$open()
  cluster_run(cluster_join("stopped"))
  expect_identical(getJobResult("stopped"), list(1L, 2L, 3L, 4L))
})

test_that("files are uploaded by whoever works on a job, if he may", {
  local_jobs()
  local_backend()
  cont <- local_container()
  sas <- get_service_sas(cont$endpoint, cont$name, permissions = "w")
  output <- createOutputFile("*.txt", paste0(azurite_url(), "/", cont$name, "?", sas))
  loop <- function(id, wait) {
    foreach(i = 1:2, .options.azure = list(job = id, wait = wait, workers = 1,
      outputFiles = output)) %dopar% {
        writeLines("x", paste0(Sys.getenv("AZ_BATCH_JOB_ID"), "-", i, ".txt"))
        i
      }
  }
  loop("left", FALSE) # the signature goes to its process
  waitForTasksToComplete("left", 60)
  expect_identical(getJobResult("left"), list(1L, 2L))
  expect_identical(list_blobs(cont, info = "name"), c("left-1.txt", "left-2.txt"))

  # Joined by somebody who does not know the signature.
  local_binding(start_supervisor = function(...) 0L)
  loop("joined", FALSE)
  join <- function(dir, credentials, name) {
    options(pool.jobs_dir = dir)
    path <- file.path(dir, name)
    if (!is.null(credentials)) setCredentials(credentials, verbose = FALSE)
    tryCatch({
      cluster_run(cluster_join(path))
      "done"
    }, pool_job_error = conditionMessage)
  }
  dir <- getOption("pool.jobs_dir")
  expect_match(in_session(join, list(dir, NULL, "joined")), "no signature is known here")
  state <- getJobResult("joined")
  expect_identical(state$tasks[c("active", "failed")], list(active = 2, failed = 0))
  expect_identical(in_session(join, list(dir, azurite_credentials(), "joined")), "done")
  expect_identical(getJobResult("joined"), list(1L, 2L))
  expect_length(list_blobs(cont, info = "name"), 4L)
})

test_that("a place where no job can be is an error, and nothing is run", {
  local_loops()
  file <- withr::local_tempfile()
  writeLines("x", file)
  ran <- withr::local_tempfile()
  for (dir in c(file.path(file, "jobs"), "/proc/none")) {
    withr::local_options(pool.jobs_dir = dir)
    e <- error_of(foreach(i = 1, .options.azure = list(job = "x")) %dopar% file.create(ran))
    expect_s3_class(e, "pool_job_error")
    expect_s3_class(error_of(getJobResult("x")), "pool_job_error")
  }
  expect_false(file.exists(ran))
})

test_that("progress is a bar and a line", {
  withr::local_options(cli.dynamic = TRUE, cli.progress_show_after = 0)
  status <- list(state = "active", tasks = 1000, queued = 700, running = 50, completed = 240,
    failed = 9, lost = 1)
  expect_identical(pool:::job_progress_line("x", status),
    "job x: 25% (250/1000), running 50, queued 700, failed 10")
  withr::local_options(pool.progress = TRUE)
  shown <- pool:::job_progress("x", 100)
  shown$update(status)
  over <- utils::modifyList(status, list(completed = 990, queued = 0, running = 0))
  for (i in 1:2) shown$update(over) # as by a job that then gets more tasks
  shown$update(utils::modifyList(over, list(tasks = 2000, queued = 1000)))
  shown$clear()
  shown$end()
  shown <- pool:::job_progress("x", -1)
  expect_s3_class(error_of(shown$update(status)), "pool_job_unfinished_error")
  shown$end()
})
