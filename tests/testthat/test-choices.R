# What a user may choose about a call: .timeout, .retries, .on_error.

hang_at <- at_top(function(i, at) {
  if (i %in% at) repeat tryCatch(Sys.sleep(60), interrupt = function(e) NULL)
  i
})

test_that("an element that takes too long is ended, the others are not", {
  local_pool(2)
  for (n in c(5, 200)) {
    e <- error_of(pool_lapply(seq_len(n), hang_at, c(2, n), .timeout = 0.2))
    expect_s3_class(e, c("pool_timeout_error", "pool_error"), exact = FALSE)
    expect_identical(e$index, 2L)
    expect_identical(vapply(e$errors, `[[`, 0L, "index"), c(2L, as.integer(n)))
    expect_match(conditionMessage(e), "element 2 took longer than '.timeout' allows")
    left <- seq_len(n)[-c(2, n)]
    expect_identical(e$results[left], as.list(left))
    expect_usable()
  }
})

test_that("a time limit counts from an element's start, not from the call's", {
  local_pool(2)
  slow <- at_top(function(i) {
    Sys.sleep(0.1)
    i
  })
  expect_identical(pool_lapply(1:12, slow, .timeout = 0.5), as.list(1:12))
  expect_identical(pool_lapply(1:40, slow, .timeout = 0.5), as.list(1:40))
  expect_identical(pool_map(slow, 1:12, .scheduling = "static", .timeout = 0.5), as.list(1:12))
  expect_identical(pool_lapply(1:12, slow, chunk.size = 6, .timeout = 0.5), as.list(1:12))
})

test_that("busy nodes are not killed while others are held back", {
  # More nodes than cores: some have to wait for work, which is looked at all the time.
  local_pool(2L * max(2L, parallel::detectCores(), na.rm = TRUE))
  busy <- at_top(function(i) {
    until <- Sys.time() + 0.01
    while (Sys.time() < until) NULL
    i
  })
  for (k in 1:10) {
    expect_identical(pool_lapply(1:8, busy, .timeout = 60), as.list(1:8))
  }
})

test_that("a time limit holds in chunks, on every node, by element or by node", {
  local_pool(2)
  e <- error_of(pool_lapply(1:10, hang_at, 3, chunk.size = 5, .timeout = 0.2))
  expect_s3_class(e, "pool_timeout_error")
  expect_identical(e$results, replace(as.list(1:10), 3, list(NULL)))
  e <- error_of(pool_map(hang_at, c(a = 1, b = 2, c = 3), MoreArgs = list(at = 2), .timeout = 0.2))
  expect_identical(e$name, "b")
  expect_identical(e$results, list(a = 1, b = NULL, c = 3))
  e <- error_of(pool_sapply(1:3, hang_at, 1, .timeout = 0.2))
  expect_identical(e$index, 1L)
  e <- error_of(pool_call(at_top(function() Sys.sleep(60)), .timeout = 0.2))
  expect_s3_class(e, "pool_timeout_error")
  expect_length(e$errors, 2)
  expect_usable()
})

test_that("what a task has started ends with it", {
  local_pool(1)
  file <- withr::local_tempfile()
  e <- error_of(pool_lapply(1, at_top(function(i, file) {
    system(paste("echo $$ >", shQuote(file), "; exec sleep 60"))
  }), file, .timeout = 0.5))
  expect_s3_class(e, "pool_timeout_error")
  expect_true(gone(as.integer(readLines(file))))
})

test_that("an element that was ended for its time is not run again", {
  local_pool(2)
  file <- withr::local_tempfile()
  e <- error_of(pool_lapply(1:3, at_top(function(i, file) {
    cat(paste0(i, "\n"), file = file, append = TRUE)
    if (i == 2) Sys.sleep(60)
  }), file, .timeout = 0.2, .retries = 5))
  expect_s3_class(e, "pool_timeout_error")
  expect_identical(sum(scan(file, quiet = TRUE) == 2), 1L)
})

test_that(".retries says how often an element is run again", {
  local_pool(2)
  for (n in c(3, 64)) {
    for (retries in c(0, 1, 4)) {
      file <- withr::local_tempfile()
      e <- error_of(pool_lapply(seq_len(n), at_top(function(i, file) {
        cat(paste0(i, "\n"), file = file, append = TRUE)
        if (i == 2) tools::pskill(Sys.getpid(), 9)
        i
      }), file, .retries = retries))
      expect_s3_class(e, "pool_worker_error")
      expect_identical(e$index, 2L)
      expect_identical(e$results, replace(as.list(seq_len(n)), 2, list(NULL)))
      # The record says which one was running, so a try is never missed.
      times <- sum(scan(file, quiet = TRUE) == 2)
      expect_true(times %in% (retries + 1:(1 + over_socket())), info = times)
    }
  }
})

test_that("innocents of a claim are run again free of charge", {
  local_pool(2)
  # Every tenth element kills its node the first time.
  dir <- withr::local_tempdir()
  found <- pool_lapply(1:300, at_top(function(i, dir) {
    if (i %% 10 == 0 && file.create(file.path(dir, i)) &&
      length(readLines(file.path(dir, i), warn = FALSE)) == 0 &&
      !file.exists(file.path(dir, paste0("x", i)))) {
      file.create(file.path(dir, paste0("x", i)))
      tools::pskill(Sys.getpid(), 9)
    }
    i
  }), dir, .retries = 1 + 30 * over_socket())
  expect_identical(found, as.list(1:300))
})

test_that(".on_error = \"return\" gives conditions in the place of what failed", {
  local_pool(2)
  f <- at_top(function(i) {
    if (i == 2) stop("two")
    if (i == 4) quit("no", status = 3)
    if (i == 5) Sys.sleep(60)
    i
  })
  found <- pool_lapply(c(a = 1, b = 2, c = 3, d = 4, e = 5), f,
    .on_error = "return", .timeout = 1)
  expect_named(found, c("a", "b", "c", "d", "e"))
  expect_identical(found[c(1, 3)], list(a = 1, c = 3))
  expect_s3_class(found$b, "pool_task_error")
  expect_identical(conditionMessage(found$b), "two")
  expect_identical(found$b$name, "b")
  expect_s3_class(found$d, "pool_worker_error")
  expect_match(found$d$status, "3")
  expect_s3_class(found$e, "pool_timeout_error")
  found <- pool_map(f, 1:3, .on_error = "return")
  expect_identical(found[-2], list(1L, 3L))
  expect_s3_class(found[[2]], "pool_task_error")
  found <- pool_sapply(1:3, f, .on_error = "return")
  expect_type(found, "list")
  found <- pool_call(at_top(function() stop("all")), .on_error = "return")
  expect_identical(vapply(found, conditionMessage, ""), c("all", "all"))
  expect_identical(pool_sapply(1:3, at_top(function(i) i), .on_error = "return"), 1:3)
})

test_that(".on_error = \"stop\" cancels what has not started", {
  local_pool(2)
  for (n in c(20, 2000)) {
    dir <- withr::local_tempdir()
    e <- error_of(pool_lapply(seq_len(n), at_top(function(i, dir) {
      Sys.sleep(0.01)
      file.create(file.path(dir, i))
      if (i == 3) stop("three")
      i
    }), dir, .on_error = "stop"))
    expect_s3_class(e, "pool_task_error")
    expect_identical(e$index, 3L)
    done <- which(lengths(e$results) > 0)
    expect_identical(e$results[done], as.list(done))
    started <- as.integer(list.files(dir))
    # What was running then has finished; not much of it was.
    expect_lt(length(started), 15)
    expect_setequal(started, c(done, 3))
    expect_usable()
  }
})

test_that(".on_error = \"stop\" leaves a chunk at its failure, and counts a death", {
  local_pool(2)
  file <- withr::local_tempfile()
  e <- error_of(pool_lapply(1:40, at_top(function(i, file) {
    cat(paste0(i, "\n"), file = file, append = TRUE)
    if (i == 2) stop("two")
    i
  }), file, chunk.size = 20, .on_error = "stop"))
  expect_identical(conditionMessage(e$parent), "two")
  expect_identical(setdiff(scan(file, quiet = TRUE), c(1:2, 21:40)), numeric())
  e <- error_of(pool_lapply(1:4, at_top(function(i) {
    if (i == 1) quit("no") else Sys.sleep(0.1)
  }), .on_error = "stop", .retries = 0))
  expect_s3_class(e, "pool_worker_error")
  expect_usable()
})

test_that("what is chosen has defaults in options", {
  local_pool(2)
  withr::local_options(pool.on_error = "return", pool.timeout = 0.2, pool.retries = 0)
  found <- pool_lapply(1:3, hang_at, 2)
  expect_s3_class(found[[2]], "pool_timeout_error")
  found <- pool_lapply(1:3, at_top(function(i) if (i == 3) quit("no") else i))
  expect_s3_class(found[[3]], "pool_worker_error")
  expect_error(pool_lapply(1:3, hang_at, 2, .on_error = "finish"), class = "pool_timeout_error")
  withr::local_options(pool.on_error = "sometimes")
  expect_error(pool_lapply(1:3, identity), "'.on_error'", class = "pool_input_error")
})

test_that("a choice that makes no sense is an error before any work", {
  local_pool(2)
  file <- withr::local_tempfile()
  f <- at_top(function(i, file) file.create(file))
  bad <- list(
    .timeout = list(0, -1, NA_real_, "1", c(1, 2), TRUE, NaN),
    .retries = list(-1, 0.5, NA, "2", c(1, 2), NULL, NaN),
    .on_error = list("fin", NA_character_, 1, c("stop", "finish"), NULL),
    .seed = list("1", 1.5, NA, c(1, 2), 1:7, rep(0L, 7), c(10403L, 1:6), 2^40, list())
  )
  for (argument in names(bad)) {
    for (value in bad[[argument]]) {
      for (call in list(
        function(...) pool_lapply(1:2, f, file, ...),
        function(...) pool_sapply(1:2, f, file, ...),
        function(...) pool_map(f, 1:2, file, ...),
        function(...) pool_call(f, 1, file, ...)
      )) {
        e <- error_of(do.call(call, setNames(list(value), argument)))
        expect_s3_class(e, "pool_input_error")
        expect_identical(e$argument, argument)
        expect_identical(e$value, value)
        expect_match(conditionMessage(e), argument, fixed = TRUE)
      }
    }
  }
  expect_false(file.exists(file))
  expect_usable()
})

test_that("whole numbers are numbers", {
  local_pool(2)
  expect_identical(pool_lapply(1:3, identity, .timeout = 60L, .retries = 1L), as.list(1:3))
  withr::local_options(pool.timeout = 60L, pool.retries = 1L)
  expect_identical(pool_sapply(1:3, identity), 1:3)
})

test_that("conditions in the place of values are not taken apart", {
  local_pool(2)
  f <- at_top(function(i) stop("all"))
  for (found in list(
    pool_sapply(1:3, f, .on_error = "return"), pool_sapply(1, f, .on_error = "return"),
    pool_map(f, 1:3, SIMPLIFY = TRUE, .on_error = "return")
  )) {
    expect_type(found, "list")
    expect_null(dim(found))
    for (e in found) expect_s3_class(e, "pool_task_error")
  }
})

test_that("a node that died idle is charged to nobody", {
  local_pool(2)
  file <- withr::local_tempfile()
  for (n in c(4, 100)) {
    for (k in 1:3) {
      unlink(file)
      pids <- node_pids()
      tools::pskill(pids[[1]], 9)
      expect_true(wait_until(function() !alive(pids[[1]])))
      Sys.sleep(0.05)
      found <- pool_lapply(seq_len(n), at_top(function(i, file) {
        cat(paste0(i, "\n"), file = file, append = TRUE)
        i
      }), file, .retries = 0)
      expect_identical(found, as.list(seq_len(n)))
      expect_identical(sort(scan(file, quiet = TRUE)), as.numeric(seq_len(n)))
    }
  }
})
