# A call of the pool whose elements come while it runs.

stream_open <- pool:::stream_open
stream_put <- pool:::stream_put
stream_wait <- pool:::stream_wait
stream_close <- pool:::stream_close
stream_free <- pool:::stream_free
stream_left <- pool:::stream_left

# A stream for the calling test.
local_stream <- function(fun, ..., n = 2, env = parent.frame()) {
  local_pool(n, env = env)
  s <- stream_open(at_top(fun), ...)
  withr::defer(stream_close(s), envir = env, priority = "first")
  s
}

# All that is on its way, by id.
collect <- function(s) {
  all <- list()
  while (length(got <- stream_wait(s))) all <- c(all, got)
  all[order(vapply(all, `[[`, 0, "id"))]
}

field <- function(x, name) lapply(x, `[[`, name)

test_that("elements get ids in order, and values come back under them", {
  s <- local_stream(function(x, y) x + y, list(y = 100))
  expect_identical(stream_free(s), 2)
  ids <- vapply(1:5, function(i) stream_put(s, i), 0)
  expect_identical(ids, as.numeric(1:5))
  expect_identical(stream_free(s), 0)
  all <- collect(s)
  expect_identical(field(all, "id"), as.list(ids))
  expect_identical(field(all, "value"), as.list(1:5 + 100))
  expect_identical(stream_left(s), 0)
  expect_identical(stream_free(s), 2)
  # NULL is a value, too.
  stream_close(s)
  s <- stream_open(at_top(function(x) NULL))
  stream_put(s, 1)
  expect_identical(collect(s), list(list(id = 1, value = NULL)))
  stream_close(s)
})

test_that("a slow element holds nobody up, and elements begin in the order they came", {
  dir <- withr::local_tempdir()
  s <- local_stream(function(x, dir) {
    cat(paste0(x, "\n"), file = file.path(dir, "order"), append = TRUE)
    if (x == 1) while (!file.exists(file.path(dir, "go"))) Sys.sleep(0.01)
    x
  }, list(dir = dir))
  for (i in 1:6) stream_put(s, i)
  got <- list()
  while (length(got) < 5) got <- c(got, stream_wait(s))
  expect_identical(field(got, "value"), as.list(2:6))
  expect_identical(setdiff(scan(file.path(dir, "order"), quiet = TRUE), 1), as.numeric(2:6))
  # One that comes while it runs.
  expect_identical(stream_put(s, 7L), 7)
  expect_identical(stream_wait(s), list(list(id = 7, value = 7L)))
  file.create(file.path(dir, "go"))
  expect_identical(stream_wait(s), list(list(id = 1, value = 1L)))
})

test_that("an element begins at once, not when it is waited for", {
  dir <- withr::local_tempdir()
  s <- local_stream(function(x) file.create(x))
  stream_put(s, file.path(dir, "a"))
  stream_wait(s, 0) # its node may not have been there yet
  expect_true(wait_until(function() file.exists(file.path(dir, "a"))))
  collect(s)
  stream_put(s, file.path(dir, "b"))
  expect_true(wait_until(function() file.exists(file.path(dir, "b"))))
})

test_that("waiting ends at its deadline, or when there is nothing to wait for", {
  s <- local_stream(function(x) Sys.sleep(x))
  expect_identical(stream_wait(s), list())
  stream_put(s, 600)
  began <- proc.time()[["elapsed"]]
  expect_identical(stream_wait(s, 0.3), list())
  took <- proc.time()[["elapsed"]] - began
  expect_gt(took, 0.29)
  expect_lt(took, 20)
  expect_identical(stream_wait(s, 0), list())
})

test_that("an error is the element's, with condition and traceback", {
  s <- local_stream(function(x) if (x == 2) stop("no ", x) else x)
  for (i in 1:3) stream_put(s, i)
  all <- collect(s)
  expect_identical(field(all, "value"), list(1L, NULL, 3L))
  e <- all[[2]]$error
  expect_s3_class(e, "pool_task_error")
  expect_identical(conditionMessage(e), "no 2")
  expect_identical(e$index, 2L)
  expect_match(e$traceback, "stop", all = FALSE)
})

test_that("an element that kills its node is lost at once; the node is replaced", {
  dir <- withr::local_tempdir()
  s <- local_stream(function(x, dir) {
    cat("x", file = file.path(dir, x), append = TRUE)
    if (x %% 3 == 0) tools::pskill(Sys.getpid(), tools::SIGKILL)
    x
  }, list(dir = dir))
  for (i in 1:9) stream_put(s, i)
  all <- collect(s)
  expect_length(all, 9)
  lost <- !vapply(field(all, "lost"), is.null, NA)
  expect_identical(which(lost), c(3L, 6L, 9L))
  expect_s3_class(all[[3]]$lost, "pool_worker_error")
  expect_match(conditionMessage(all[[3]]$lost), "killed by signal 9")
  expect_identical(unname(file.size(file.path(dir, 1:9))), rep(1, 9)) # none twice
  stream_close(s)
  expect_usable()
})

test_that("a node that dies with nothing to do takes no element along", {
  # Without memory in common nobody knows that it had not begun.
  skip_if(identical(getOption("pool.transport"), "socket"))
  s <- local_stream(function(x) x)
  for (round in 1:5) {
    for (i in 1:4) stream_put(s, i)
    expect_identical(lengths(field(collect(s), "lost")), integer(4))
    pids <- pool:::the$handle
    tools::pskill(.Call(pool:::C_pool_nodes, pids), tools::SIGKILL)
  }
  stream_put(s, "x")
  expect_identical(collect(s), list(list(id = 21, value = "x")))
})

test_that("elements outlive the process that nodes are forked from", {
  dir <- withr::local_tempdir()
  s <- local_stream(function(x, dir) {
    file.create(file.path(dir, x))
    if (x > 1) while (!file.exists(file.path(dir, "go"))) Sys.sleep(0.01)
    x
  }, list(dir = dir))
  parent <- process_info(.Call(pool:::C_pool_nodes, s$handle))$parent[[1]]
  for (i in 1:6) stream_put(s, i)
  all <- stream_wait(s)
  # Two at work: one alone would be taken for what killed it.
  until <- Sys.time() + 60
  while (length(list.files(dir)) < 3 && Sys.time() < until) all <- c(all, stream_wait(s, 0.01))
  tools::pskill(parent, tools::SIGKILL)
  file.create(file.path(dir, "go"))
  all <- c(all, collect(s))
  expect_setequal(unlist(field(all, "value")), 1:6)
  expect_length(all, 6)
})

test_that("a time limit kills the element's node, and only that element is over", {
  local_pool(2)
  s <- stream_open(at_top(function(x) {
    Sys.sleep(x)
    x
  }), timeout = 0.4)
  withr::defer(stream_close(s))
  for (x in c(600, 0, 0.01, 600, 0)) stream_put(s, x)
  all <- collect(s)
  expect_s3_class(all[[1]]$lost, "pool_timeout_error")
  expect_s3_class(all[[4]]$lost, "pool_timeout_error")
  expect_identical(unlist(field(all[-c(1, 4)], "value")), c(0, 0.01, 0))
})

test_that("while it is open, the pool is busy, and free again afterwards", {
  s <- local_stream(function(x) x)
  stream_put(s, 1)
  busy <- function(expr) expect_s3_class(error_of(expr), "pool_busy_error")
  busy(pool_sapply(1:3, identity))
  busy(stream_open(identity))
  busy(init_pool(2))
  busy(delete_pool())
  expect_identical(stream_wait(s), list(list(id = 1, value = 1)))
  pids <- .Call(pool:::C_pool_nodes, s$handle)
  stream_close(s)
  stream_close(s)
  expect_usable(pids)
})

test_that("one that was closed gets nothing of what comes after it", {
  s <- local_stream(function(x) x)
  stream_put(s, 1)
  stream_close(s)
  expect_s3_class(error_of(stream_put(s, 2)), "pool_absent_error")
  other <- stream_open(at_top(function(x) -x))
  expect_s3_class(error_of(stream_wait(s)), "pool_absent_error")
  expect_s3_class(error_of(stream_put(s, 2)), "pool_absent_error")
  stream_close(s) # does not close the other
  stream_put(other, 5)
  expect_identical(collect(other), list(list(id = 1, value = -5)))
  stream_close(other)
  expect_usable()
})

test_that("what is at work when it is closed is interrupted; nodes stay", {
  s <- local_stream(function(x) Sys.sleep(600))
  for (i in 1:4) stream_put(s, i)
  pids <- .Call(pool:::C_pool_nodes, s$handle)
  stream_wait(s, 0.3)
  took <- system.time(stream_close(s))[["elapsed"]]
  expect_lt(took, 20)
  expect_usable(pids)
})

test_that("an interrupt while it waits leaves the pool clean", {
  s <- local_stream(function(x) Sys.sleep(600))
  for (i in 1:3) stream_put(s, i)
  pids <- .Call(pool:::C_pool_nodes, s$handle)
  wait <- function() {
    on.exit(stream_close(s))
    stream_wait(s)
  }
  interrupted(wait())
  expect_usable(pids)
})

test_that("large values go there and back", {
  s <- local_stream(function(x) list(x, sum(x)))
  sizes <- c(1e6, 5e6, 10, 3e6)
  values <- lapply(sizes, seq_len)
  for (x in values) stream_put(s, x + 0)
  all <- collect(s)
  for (i in seq_along(values)) {
    expect_identical(all[[i]]$value, list(values[[i]] + 0, sum(values[[i]] + 0)))
  }
})

test_that("warnings and messages of elements are signalled in the session", {
  s <- local_stream(function(x) {
    message("m", x)
    warning("w", x)
    x
  })
  stream_put(s, 1)
  heard <- character()
  all <- withCallingHandlers(collect(s),
    warning = function(w) {
      heard <<- c(heard, conditionMessage(w))
      invokeRestart("muffleWarning")
    },
    message = function(m) {
      heard <<- c(heard, conditionMessage(m))
      invokeRestart("muffleMessage")
    }
  )
  expect_identical(heard, c("m1\n", "w1"))
  expect_identical(all, list(list(id = 1, value = 1)))
})

test_that("more elements than there is room for are refused, and nothing is lost", {
  s <- local_stream(function(x) x)
  room <- pool:::stream_room
  for (i in seq_len(room)) stream_put(s, i)
  expect_error(stream_put(s, 0), "too many")
  expect_identical(unlist(field(collect(s), "value")), seq_len(room))
  expect_identical(stream_put(s, 0), room + 1)
})

test_that("elements by the ten thousand leave no memory behind", {
  skip_if(!file.exists("/proc/self/statm"), "no /proc")
  s <- local_stream(function(x) x, n = 3)
  pages <- function() {
    gc()
    scan("/proc/self/statm", quiet = TRUE)[[2]]
  }
  run <- function(n) {
    put <- got <- sum <- 0
    while (got < n) {
      while (put < n && stream_left(s) < 8) {
        put <- put + 1
        stream_put(s, list(put, raw(20000)))
      }
      for (x in stream_wait(s)) {
        got <- got + 1
        sum <- sum + x$value[[1]]
      }
    }
    sum
  }
  expect_identical(run(10000), 10000 * 10001 / 2)
  # 10,000 values of 20 kB are 49,000 pages, each time; what else a session has comes and goes
  grown <- vapply(1:3, function(i) {
    before <- pages()
    run(10000)
    pages() - before
  }, 0)
  expect_lt(min(grown), 5000)
})

test_that("without a pool there is no stream", {
  local_no_pool()
  expect_s3_class(error_of(stream_open(identity)), "pool_absent_error")
})

test_that("kills at random: every element comes back, as its value or lost", {
  s <- local_stream(function(x) {
    Sys.sleep(0.002)
    x
  }, n = 3)
  set.seed(1)
  put <- 0
  values <- lost <- numeric()
  while (length(values) + length(lost) < 600) {
    while (put < 600 && stream_left(s) < 6) put <- stream_put(s, put + 1)
    if (put %% 17 == 0) {
      pid <- .Call(pool:::C_pool_nodes, s$handle)[[sample(3, 1)]]
      if (pid > 0) tools::pskill(pid, tools::SIGKILL)
    }
    for (x in stream_wait(s)) {
      if (is.null(x$lost)) {
        expect_identical(x$value, x$id)
        values <- c(values, x$id)
      } else {
        lost <- c(lost, x$id)
      }
    }
  }
  expect_identical(sort(c(values, lost)), as.numeric(1:600))
  expect_gt(length(values), 300)
})
