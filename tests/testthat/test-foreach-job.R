# Loops that are stored jobs, in a directory and in an account.

local_store <- function(store, env = parent.frame()) {
  if (store == "account") local_account_jobs(env) else local_jobs(env)
  local_loops(2, env) # nodes have the options of now
}

in_either_store <- function(name, code) {
  code <- substitute(code)
  frame <- parent.frame()
  for (store in c("directory", "account")) {
    test <- bquote(test_that(.(paste0(name, " (", store, ")")), {
      local_store(.(store))
      .(code)
    }))
    eval(test, frame)
  }
}

own_id <- function() gsub("-", "_", unique_name("Job-"))

in_either_store("a loop that is a job comes to what it would have come to", {
  id <- own_id()
  g <- 10
  f <- function(x) x * g
  loops <- list(
    quote(foreach(i = 1:5, .options.azure = azure) %dopar% f(i)),
    quote(foreach(i = 1:5, j = letters[1:4], .combine = c, .options.azure = azure) %dopar%
      paste(i, j)),
    quote(foreach(i = 1:7, .combine = cbind, .options.azure = azure) %dopar% c(i, i)),
    quote(foreach(r = iterators::iter(matrix(1:6, 3), by = "row"), .combine = rbind,
      .options.azure = azure) %dopar% r),
    quote(foreach(i = 1:4, .errorhandling = "remove", .options.azure = azure) %dopar%
      if (i == 2) stop("no") else i),
    quote(foreach(i = 1:3, .options.azure = azure) %:% foreach(j = 1:2, .combine = "+") %dopar%
      (i * j)),
    quote(foreach(i = list(NULL, quote(a + b), 3), .options.azure = azure) %dopar% i),
    quote(foreach(i = integer(), .options.azure = azure) %dopar% i),
    quote(foreach(i = 1:3, .final = rev, .options.azure = azure) %dopar% NULL)
  )
  for (k in seq_along(loops)) {
    for (size in c(1, 3)) {
      azure <- list(job = paste0(id, "_", k, "_", size), chunkSize = size)
      ours <- eval(loops[[k]])
      plain <- loops[[k]]
      plain[[2]][".options.azure"] <- NULL
      foreach::registerDoSEQ()
      theirs <- eval(plain)
      registerDoPool()
      expect_identical(ours, theirs, info = paste(deparse(plain), collapse = " "))
    }
  }
})

in_either_store("results are kept until they are deleted, and an id is used once", {
  id <- own_id()
  expect_identical(foreach(i = 1:3, .options.azure = list(job = id)) %dopar% i^2, list(1, 4, 9))
  expect_identical(getJobResult(id), list(1, 4, 9))
  e <- error_of(foreach(i = 1:2, .options.azure = list(job = id)) %dopar% i)
  expect_s3_class(e, "pool_job_exists_error")
  expect_match(conditionMessage(e), id)
  expect_identical(getJobResult(id), list(1, 4, 9))
  expect_output(deleteJob(id), "has been deleted")
  expect_s3_class(error_of(getJobResult(id)), "pool_job_absent_error")
  expect_identical(foreach(i = 1:2, .options.azure = list(job = id)) %dopar% i, list(1L, 2L))
  id <- own_id()
  foreach(i = 1:2, .options.azure = list(job = id, autoDeleteJob = TRUE)) %dopar% i
  expect_false(id %in% getJobList()$Id)
})

test_that("an id is made from the time where none is given", {
  local_store("directory")
  expect_message(
    for (k in 1:3) foreach(i = 1, .options.azure = list()) %dopar% i,
    "is kept until deleteJob"
  )
  ids <- getJobList()$Id
  expect_length(unique(ids), 3)
  expect_match(ids, "^job[0-9]{14}(-[0-9])?$")
})

in_either_store("a task has a directory and an environment of its own", {
  id <- own_id()
  found <- foreach(i = 1:4, .options.azure = list(job = id)) %dopar% {
    dir <- Sys.getenv("AZ_BATCH_TASK_WORKING_DIR")
    empty <- length(list.files()) == 0
    writeLines("x", "same.txt")
    list(Sys.getenv("AZ_BATCH_JOB_ID"), Sys.getenv("AZ_BATCH_TASK_ID"),
      normalizePath(dir) == normalizePath(getwd()), empty)
  }
  expect_identical(lapply(found, `[[`, 1), rep(list(id), 4))
  expect_identical(lapply(found, `[[`, 2), list("1", "2", "3", "4"))
  expect_true(all(unlist(lapply(found, `[`, 3:4))))
  expect_identical(unlist(pool_evalq(Sys.getenv("AZ_BATCH_TASK_ID"))), c("", ""))
})

in_either_store("errors have the index of their iteration, whatever the size of tasks", {
  for (size in c(1, 2, 10)) {
    id <- own_id()
    loop <- function(handling) {
      foreach(i = 1:7, .errorhandling = handling,
        .options.azure = list(job = paste0(id, handling), chunkSize = size)) %dopar% {
          f <- function(i) stop("bad ", i)
          if (i %in% c(3, 6)) f(i) else i
        }
    }
    e <- error_of(loop("stop"))
    expect_s3_class(e, "pool_task_error")
    expect_identical(conditionMessage(e), "task 3 failed - \"bad 3\"")
    expect_identical(e$index, 3L)
    expect_identical(e$traceback, c("f(i)", 'stop("bad ", i)')) # the loop's own frames alone
    e <- error_of(getJobResult(paste0(id, "stop")))
    expect_s3_class(e, "pool_job_task_error")
    expect_identical(vapply(e$errors, function(x) as.numeric(x$index), 0), c(3, 6))
    for (error in e$errors) expect_identical(error$traceback, c("f(i)", 'stop("bad ", i)'))
    log <- getJobFile(paste0(id, "stop"), ceiling(3 / size), "log.txt", verbose = FALSE)
    expect_match(log, '^error: bad 3\ncalls:\n  f\\(i\\)\n  stop\\("bad ", i\\)\n')
    expect_identical(e$results, list(1L, 2L, NULL, 4L, 5L, NULL, 7L))
    expect_identical(loop("remove"), list(1L, 2L, 4L, 5L, 7L))
    expect_identical(getJobResult(paste0(id, "remove")), list(1L, 2L, 4L, 5L, 7L))
    passed <- loop("pass")
    expect_identical(passed[-c(3, 6)], list(1L, 2L, 4L, 5L, 7L))
    expect_s3_class(passed[[6]], "simpleError")
    again <- getJobResult(paste0(id, "pass"))
    expect_identical(lapply(again[c(3, 6)], conditionMessage), list("bad 3", "bad 6"))
    expect_identical(again[-c(3, 6)], passed[-c(3, 6)])
    expect_identical(getJobResult(paste0(id, "stop"), partial = TRUE)[-c(3, 6)], passed[-c(3, 6)])
  }
})

test_that("what kills its node is tried again so often, and no more", {
  local_store("directory")
  dir <- withr::local_tempdir()
  for (count in c(0, 2)) {
    id <- own_id()
    tries <- file.path(dir, id)
    found <- foreach(i = 1:4, .errorhandling = "pass",
      .options.azure = list(job = id, maxTaskRetryCount = count)) %dopar% {
        if (i == 2) {
          cat("x", file = tries, append = TRUE)
          tools::pskill(Sys.getpid(), 9L)
          Sys.sleep(10)
        }
        i
      }
    expect_identical(file.size(tries), count + 1)
    expect_identical(found[-2], list(1L, 3L, 4L))
    expect_s3_class(found[[2]], "pool_worker_error")
    expect_identical(getJobList()$FailedTasks[getJobList()$Id == id], 1)
  }
})

in_either_store("files that tasks leave go where they are wanted, also of tasks that fail", {
  cont <- local_container()
  sas <- get_service_sas(cont$endpoint, cont$name, permissions = "cw")
  url <- paste0(azurite_url(), "/", cont$name)
  outputs <- list(createOutputFile("**/*.txt", paste0(url, "/run?", sas)),
    createOutputFile("last.csv", paste0(url, "?", sas)))
  id <- own_id()
  found <- foreach(i = 1:3, .errorhandling = "pass",
    .options.azure = list(job = id, outputFiles = outputs)) %dopar% {
      dir.create("sub")
      writeLines(as.character(i), paste0("sub/f-", i, ".txt"))
      file.create("last.csv")
      if (i == 2) stop("after the file")
      i
    }
  expect_identical(conditionMessage(found[[2]]), "after the file")
  expect_identical(list_blobs(cont, info = "name"),
    c("last.csv", sprintf("run/sub/f-%d.txt", 1:3)))
  # The signature is not in the job.
  sig <- sub("^.*sig=", "", sas)
  job <- pool:::open_job(id)
  withr::defer(pool:::job_close(job))
  bytes <- rawToChar(Filter(function(b) b != 0, pool:::job_manifest(job)))
  expect_match(bytes, cont$name, fixed = TRUE, useBytes = TRUE)
  expect_false(grepl(sig, bytes, fixed = TRUE, useBytes = TRUE))
  expect_false(grepl(utils::URLdecode(sig), bytes, fixed = TRUE, useBytes = TRUE))
})

test_that("a file that cannot be uploaded fails its task", {
  local_store("directory")
  cont <- local_container()
  url <- paste0(azurite_url(), "/", cont$name, "?sv=2021-06-08&sr=c&sig=d3Jvbmc%3D")
  output <- createOutputFile("a.txt", url)
  e <- error_of(foreach(i = 1, .options.azure = list(job = "wrong", outputFiles = output)) %dopar%
    writeLines("x", "a.txt"))
  expect_match(conditionMessage(e), "403|401")
  expect_false(grepl("d3Jvbmc", paste(capture.output(print(e), str(e)), collapse = "")))
})

test_that("options are looked at before anything is done", {
  local_store("directory")
  wrong <- list(
    3, "x", list(3), list(jobs = "x"), list(wait = TRUE, wait = TRUE), list(job = ""),
    list(job = "a b"), list(job = "a/b"), list(job = ".."), list(job = strrep("x", 65)),
    list(job = c("a", "b")), list(job = NA_character_), list(job = "a\n"), list(job = 3),
    list(wait = NA), list(wait = "no"), list(chunkSize = 0), list(chunksize = 1.5),
    list(chunkSize = "many"), list(maxTaskRetryCount = -1), list(timeout = 0),
    list(timeout = "long"), list(autoDeleteJob = 2), list(enableCloudCombine = NULL, x = 1),
    list(outputFiles = 3), list(outputFiles = list("a.txt"))
  )
  for (azure in wrong) {
    e <- expect_input_error(foreach(i = 1:2, .options.azure = azure) %dopar% i, ".options.azure")
  }
  expect_error(foreach(i = 1, .options.azure = list(outputFiles = 3)) %dopar% i,
    "'outputFiles' in '.options.azure' must be a list of what createOutputFile", fixed = TRUE)
  expect_input_error(foreach(i = 1, .options.azure = list(workers = 0)) %dopar% i, ".options.azure")
  expect_input_error(foreach(i = 1, .packages = "there.is.none", .options.azure = list()) %dopar% i,
    ".packages")
  expect_identical(nrow(getJobList()), 0L)
  # All that there are.
  expect_identical(suppressMessages(foreach(i = 1:3, .options.azure = list(
    job = "all_options-64", wait = TRUE, outputFiles = list(), chunksize = 2,
    maxTaskRetryCount = 1, timeout = 100, autoDeleteJob = FALSE, enableCloudCombine = FALSE,
    workers = 2
  )) %dopar% i), list(1L, 2L, 3L))
})

test_that("a loop without end, or too long, is an error at once", {
  local_store("directory")
  withr::local_options(pool.max_tasks = 50)
  it <- iterators::icount()
  e <- expect_input_error(foreach(i = it, .options.azure = list()) %dopar% i, "...")
  expect_match(conditionMessage(e), "without end")
  expect_input_error(foreach(i = 1:51, .options.azure = list()) %dopar% i, "...")
  expect_length(suppressMessages(
    foreach(i = 1:51, .options.azure = list(chunkSize = 2)) %dopar% i
  ), 51L)
  expect_identical(nrow(getJobList()), 1L)
})

test_that("keys are not stored", {
  local_store("directory")
  endp <- blob_endpoint("https://mine.blob.core.windows.net", key = azurite_key)
  e <- expect_input_error(foreach(i = 1, .options.azure = list()) %dopar% endp$url, "endp")
  shown <- paste(capture.output(print(e), str(e)), collapse = "")
  expect_false(grepl(azurite_key, shown, fixed = TRUE))
  use <- at_top(function(x) endp$url)
  local_globals(endp = list(a = endp))
  expect_input_error(foreach(i = 1, .options.azure = list()) %dopar% use(i), "endp")
  expect_identical(nrow(getJobList()), 0L)
})

test_that("settings hold until they are set otherwise", {
  local_store("directory")
  withr::defer({
    setChunkSize()
    setAutoDeleteJob(FALSE)
    setReduce(NULL)
    setVerbose()
    setHttpTraffic()
  })
  setChunkSize(3.2)
  foreach(i = 1:7, .options.azure = list(job = "chunks")) %dopar% i
  expect_identical(getJobList()$TotalTasks, 3)
  foreach(i = 1:7, .options.azure = list(job = "own", chunkSize = 7)) %dopar% i
  expect_identical(getJobList()$TotalTasks, c(3, 1))
  setReduce()
  expect_identical(
    foreach(i = 1:7, .combine = "+", .options.azure = list(job = "sum")) %dopar% i, 28L
  )
  expect_identical(getJobResult("sum"), list(6L, 15L, 7L))
  expect_identical(
    foreach(i = 1:3, .options.azure = list(job = "list")) %dopar% i, list(1L, 2L, 3L)
  )
  setReduce(function(a, b, by) a + b * by, by = 10)
  foreach(i = 1:4, .options.azure = list(job = "by")) %dopar% i
  expect_identical(getJobResult("by"), list(1 + 20 + 30, 4L))
  expect_input_error(
    foreach(i = 1:2, .options.azure = list()) %:% foreach(j = 1:2) %dopar% i, ".options.azure"
  )
  setReduce(NULL)
  setAutoDeleteJob(TRUE)
  foreach(i = 1, .options.azure = list(job = "gone")) %dopar% i
  expect_false("gone" %in% getJobList()$Id)
  setChunkSize(0)
  expect_identical(pool:::the$chunk_size, 1)
  expect_input_error(setChunkSize("a"), "value")
  expect_input_error(setAutoDeleteJob("a"), "value")
  expect_input_error(setReduce("a"), "fun")
  expect_input_error(setVerbose(NA), "value")
  expect_input_error(setHttpTraffic(3), "value")
})

test_that("random numbers are the same as without a store", {
  local_store("directory")
  withr::local_options(pool.seed = 7)
  a <- foreach(i = 1:6) %dopar% runif(1)
  for (size in c(1, 2, 5)) {
    opt <- list(job = paste0("a", size), chunkSize = size)
    expect_identical(foreach(i = 1:6, .options.azure = opt) %dopar% runif(1), a)
    opt$job <- paste0("b", size)
    expect_identical(foreach(i = iterators::iter(1:6), .options.azure = opt) %dopar% runif(1), a)
  }
  withr::local_options(pool.seed = NULL)
  skip_if_not_installed("doRNG")
  `%dorng%` <- doRNG::`%dorng%`
  a <- foreach(i = 1:6, .options.RNG = 5) %dorng% runif(1)
  b <- foreach(i = 1:6, .options.RNG = 5, .options.azure = list(job = "b", chunkSize = 4)) %dorng%
    runif(1)
  expect_identical(b, a)
})

test_that("a job in a task has directories of its own", {
  local_store("directory")
  found <- foreach(i = 1:2, .options.azure = list(job = "outer")) %dopar% {
    writeLines("x", "mine.txt")
    inner <- foreach(j = 1:2, .options.azure = list(job = paste0("inner", i))) %dopar% list.files()
    list(inner, list.files(), Sys.getenv("AZ_BATCH_TASK_WORKING_DIR") == getwd())
  }
  expect_identical(found[[1]], list(list(character(), character()), "mine.txt", TRUE))
  expect_identical(found[[2]], found[[1]])
})

test_that("once there are credentials, every loop is a job, but none in a task", {
  local_store("account")
  n <- nrow(getJobList())
  suppressMessages(found <- foreach(i = 1:2) %dopar% {
    unlist(foreach(j = 1:3) %dopar% (i * j))
  })
  expect_identical(found, list(c(1L, 2L, 3L), c(2L, 4L, 6L)))
  expect_identical(nrow(getJobList()), n + 1L)
})

test_that("a node can make a job and wait for it, but not leave one behind", {
  local_store("directory")
  found <- pool_lapply(1:2, at_top(function(i) {
    registerDoPool()
    id <- paste0("node_", i)
    a <- foreach(j = 1:3, .options.azure = list(job = id)) %dopar% (i * j)
    left <- list(job = paste0(id, "b"), wait = FALSE)
    e <- tryCatch(foreach(j = 1, .options.azure = left) %dopar% j, error = identity)
    list(a, class(e))
  }))
  expect_identical(found[[2]][[1]], list(2L, 4L, 6L))
  expect_true("pool_job_error" %in% found[[1]][[2]])
  expect_identical(sort(getJobList()$Id), c("node_1", "node_2"))
})
