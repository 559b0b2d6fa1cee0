# What tasks of staged elements signal, and what cannot be sent or read in the
# middle of them: as with elements that are sent one by one.

test_that("errors carry the right index and name", {
  local_pool(2)
  x <- stats::setNames(1:100, paste0("n", 1:100))
  e <- error_of(pool_lapply(x, at_top(function(i) if (i %% 30 == 0) stop("no ", i) else i)))
  expect_s3_class(e, c("pool_task_error", "pool_error", "error", "condition"), exact = TRUE)
  expect_identical(e$index, 30L)
  expect_identical(e$name, "n30")
  expect_identical(conditionMessage(e$parent), "no 30")
  expect_identical(sort(vapply(e$errors, function(e) e$index, 1L)), c(30L, 60L, 90L))
  for (one in e$errors) {
    expect_identical(conditionMessage(one$parent), paste("no", one$index))
    expect_identical(one$name, paste0("n", one$index))
    expect_true(one$node %in% 1:2)
  }
  expect_identical(e$results, replace(as.list(x), c(30, 60, 90), list(NULL)))
  # All of them fail.
  e <- error_of(pool_lapply(1:1000, at_top(function(i) stop("number ", i))))
  expect_length(e$errors, 1000)
  expect_identical(sort(vapply(e$errors, function(e) e$index, 1L)), 1:1000)
  expect_identical(e$results, vector("list", 1000))
  e <- error_of(pool_map(at_top(function(a, b) stop(a, b)), 1:40, letters[c(1:20, 20:1)]))
  expect_identical(conditionMessage(e$parent), paste0(e$index, letters[c(1:20, 20:1)][e$index]))
  expect_usable()
})

test_that("warnings and messages are relayed, once each", {
  local_pool(2)
  heard <- character()
  hear <- function(condition, restart) {
    heard <<- c(heard, trimws(conditionMessage(condition)))
    invokeRestart(restart)
  }
  found <- withCallingHandlers(
    pool_lapply(1:200, at_top(function(i) {
      if (i %% 20 == 0) warning("warning ", i)
      if (i %% 50 == 0) message("message ", i)
      i
    })),
    warning = function(w) hear(w, "muffleWarning"),
    message = function(m) hear(m, "muffleMessage")
  )
  expect_identical(found, as.list(1:200))
  expect_setequal(heard, c(paste("warning", 1:10 * 20), paste("message", 1:4 * 50)))
  expect_length(heard, 14)
  # A jump out of the call, then another call.
  expect_warning(w <- tryCatch(
    pool_lapply(1:2000, at_top(function(i) warning("this one"))),
    warning = identity
  ), NA)
  expect_match(conditionMessage(w), "this one")
  expect_identical(pool_lapply(1:100, identity), as.list(1:100))
})

test_that("an interrupt ends the call, and the next one is right", {
  skip_if_not_installed("callr")
  skip_if(!nzchar(system.file(package = "pool")), "pool is not installed")
  dir <- withr::local_tempdir()
  session <- callr::r_bg(at_top(function(dir) {
    suppressMessages(pool::init_pool(2))
    work <- function(i, dir) {
      if (i == 40) file.create(file.path(dir, "begun"))
      Sys.sleep(0.02)
      i
    }
    first <- tryCatch(
      pool::pool_lapply(1:5000, work, dir),
      interrupt = function(i) class(i)
    )
    list(
      first, pool::pool_size(), pool::pool_sapply(1:500, function(i) i * 2),
      pool::pool_lapply(1:500, identity), pool::pool_call(function() "all there")
    )
  }), list(dir))
  expect_true(wait_until(function() file.exists(file.path(dir, "begun"))))
  session$interrupt()
  session$wait(60000)
  session$kill()
  result <- session$get_result()
  expect_true("interrupt" %in% result[[1]])
  expect_identical(
    result[-1],
    list(2L, 1:500 * 2, as.list(1:500), list("all there", "all there"))
  )
})

test_that("tasks that quit or jump take nothing else along", {
  local_pool(2)
  e <- error_of(pool_lapply(1:100, at_top(function(i) if (i == 60) quit("no", status = 3) else i)))
  expect_s3_class(e, "pool_worker_error")
  expect_identical(e$index, 60L)
  expect_match(format(e$status), "3")
  expect_identical(e$results[-60], as.list(c(1:59, 61:100)))
  e <- error_of(pool_lapply(1:100, at_top(function(i) {
    if (i %in% c(20, 70)) invokeRestart("abort") else i
  })))
  expect_s3_class(e, "pool_task_error")
  expect_identical(sort(vapply(e$errors, function(e) e$index, 1L)), c(20L, 70L))
  expect_identical(e$results, replace(as.list(1:100), c(20, 70), list(NULL)))
  # A time limit that a task has left behind is not the next one's.
  found <- pool_lapply(1:40, at_top(function(i) {
    if (i %% 10 == 0) setTimeLimit(elapsed = 0.05)
    if (i %% 10 == 2) Sys.sleep(0.06) # the next one on that node
    i
  }), chunk.size = 1)
  expect_identical(found, as.list(1:40))
  expect_usable()
})

# What is nested so deep cannot be serialized.
nest <- at_top(function() {
  x <- NULL
  for (i in 1:100000) x <- list(x)
  x
})

test_that("what cannot be sent in the middle is an error of that element alone", {
  skip_if(is.na(Cstack_info()[["size"]]), "the C stack has no limit")
  local_pool(2)
  e <- error_of(pool_lapply(1:100, at_top(function(i, nest) {
    if (i %in% c(33, 34, 80)) list(i, nest()) else i
  }), nest))
  expect_s3_class(e, "pool_task_error")
  expect_match(conditionMessage(e$parent), "cannot be sent")
  expect_identical(sort(vapply(e$errors, function(e) e$index, 1L)), c(33L, 34L, 80L))
  expect_identical(e$results, replace(as.list(1:100), c(33, 34, 80), list(NULL)))
  expect_usable()
  x <- as.list(1:100)
  x[[70]] <- nest()
  e <- error_of(pool_lapply(x, at_top(function(x) length(x))))
  expect_s3_class(e, "pool_serialize_error")
  expect_match(conditionMessage(e), "an element")
  expect_usable()
  e <- error_of(pool_map(at_top(function(a, b) b), x, 1:100))
  expect_s3_class(e, "pool_serialize_error")
  expect_identical(pool_map(at_top(function(a, b) b), 1:100, 1:100), as.list(1:100))
})

test_that("huge results among small ones arrive", {
  local_pool(2)
  f <- at_top(function(i) {
    if (i == 50) {
      sprintf("%06d", 1:150000) # three megabytes of strings
    } else if (i == 51) {
      rep(as.raw(i), 3e6)
    } else if (i %% 10 == 0) {
      list(i, numeric(2^17), rep("text", i))
    } else {
      i
    }
  })
  expect_identical(pool_lapply(1:100, f), lapply(1:100, f))
  expect_identical(pool_map(f, 1:60), lapply(1:60, f))
})

test_that("elements of classes that need their package arrive with it", {
  local_pool(2)
  x <- lapply(1:40, function(i) numeric_version(paste0("1.", i)))
  expect_identical(
    pool_sapply(x, at_top(function(v) v > "1.20")),
    vapply(x, function(v) v > "1.20", NA)
  )
  # One environment that elements share within a call is one in a node.
  e <- new.env()
  e$k <- 0
  x <- rep(list(e), 40)
  found <- pool_lapply(x, at_top(function(e) {
    e$k <- e$k + 1
    e$k
  }))
  expect_identical(e$k, 0)
  expect_true(all(unlist(found) >= 1))
})

test_that("many nodes on a short call get along", {
  local_pool(10)
  for (k in 1:30) {
    expect_identical(pool_lapply(1:40, identity), as.list(1:40))
    expect_identical(pool_map(`+`, 1:33, k, SIMPLIFY = TRUE), 1:33 + k)
  }
  expect_length(unique(node_pids()), 10)
})

test_that("calls of all kinds may follow each other", {
  local_pool(3)
  f <- at_top(function(i) i + 1)
  for (k in 1:20) {
    x <- sample(1000, sample(c(1, 2, 31, 32, 100, 900), 1))
    expect_identical(pool_lapply(x, f), lapply(x, f))
    expect_identical(pool_lapply(x, f, chunk.size = 7), lapply(x, f))
    expect_identical(pool_call(at_top(function() "here")), rep(list("here"), 3))
    expect_identical(
      pool_map(at_top(function(a, b) a - b), x, rev(x), .scheduling = "static"),
      Map(function(a, b) a - b, x, rev(x))
    )
  }
})

test_that("a finished call is not claimed from by a node that comes late", {
  local_pool(4)
  for (k in 1:50) {
    n <- 32 + k
    file <- withr::local_tempfile()
    found <- pool_lapply(seq_len(n), at_top(function(i, k, file) {
      cat(paste0(i, "\n"), file = file, append = TRUE)
      c(k, i)
    }), k, file)
    expect_identical(found, lapply(seq_len(n), function(i) c(k, i)))
    expect_length(readLines(file), n)
  }
})
