# plan(pool): futures on the pool. What every backend owes is in test-future-conformance.R.

local_futures <- function(n = 2, ..., env = parent.frame()) {
  skip_if_not_installed("future")
  local_pool(n, env = env)
  withr::defer(future::plan(future::sequential), envir = env)
  future::plan(pool, ...)
}

wait_for_file <- at_top(function(file) {
  until <- Sys.time() + 60
  while (!file.exists(file) && Sys.time() < until) Sys.sleep(0.01)
})

test_that("futures run on the pool's nodes, as many at a time as there are", {
  local_futures(2)
  pids <- node_pids()
  expect_identical(future::nbrOfWorkers(), 2L)
  expect_identical(future::nbrOfFreeWorkers(), 2L)
  go <- withr::local_tempfile()
  f <- lapply(1:2, function(i) {
    future::future({
      wait_for_file(go)
      Sys.getpid()
    })
  })
  expect_identical(future::resolved(f), c(FALSE, FALSE))
  expect_identical(future::nbrOfFreeWorkers(), 0L)
  expect_identical(pool_status()$state, c("busy", "busy"))
  file.create(go)
  expect_setequal(unlist(future::value(f)), pids)
  expect_identical(future::nbrOfFreeWorkers(), 2L)
  many <- lapply(1:20, function(i) future::future(i * 2))
  expect_identical(future::value(many), as.list(1:20 * 2))
  expect_free()
})

test_that("resolved() does not wait, and a result is had as soon as it is there", {
  local_futures(2)
  go <- withr::local_tempfile()
  f <- future::future({
    wait_for_file(go)
    "there"
  })
  seconds <- system.time(for (i in 1:20) expect_false(future::resolved(f)))[["elapsed"]]
  expect_lt(seconds, 20)
  # Others are not held up by it.
  expect_identical(future::value(future::future("another")), "another")
  file.create(go)
  expect_true(wait_until(function() future::resolved(f)))
  expect_null(pool_state()$post) # it needs the pool no more
  expect_identical(pool_sapply(1:2, sqrt), sqrt(1:2))
  expect_identical(future::value(f), "there")
  expect_identical(future::value(f), "there") # as often as one asks
})

test_that("workers says how many run at a time", {
  local_futures(3, workers = 1)
  expect_identical(future::nbrOfWorkers(), 1L)
  dir <- withr::local_tempdir()
  f <- lapply(1:4, function(i) {
    future::future({
      file.create(file.path(dir, i))
      n <- length(list.files(dir))
      file.remove(file.path(dir, i))
      n
    })
  })
  expect_identical(unlist(future::value(f)), rep(1L, 4))
  future::plan(pool, workers = function() 2)
  expect_identical(future::nbrOfWorkers(), 2L)
  expect_identical(pool_size(), 3L)
  future::plan(pool)
  expect_identical(future::nbrOfWorkers(), 3L)
  for (bad in list(0, -1, 1.5, "many", c(1, 2), NA, 2000, list())) {
    expect_input_error(future::plan(pool, workers = bad), "workers")
    expect_input_error(future::plan(pool, workers = function() bad), "workers")
  }
  expect_s3_class(error_of(pool(1)), "pool_input_error")
})

test_that("a pool is made where there is none, and stays", {
  skip_if_not_installed("future")
  local_no_pool()
  withr::defer(future::plan(future::sequential))
  expect_silent(future::plan(pool, workers = 2))
  expect_identical(pool_size(), 2L)
  pids <- node_pids()
  expect_identical(future::value(future::future(1)), 1)
  suppressMessages(delete_pool())
  expect_silent(f <- future::future(Sys.getpid()))
  expect_false(future::value(f) %in% pids)
  expect_identical(pool_size(), 2L)
  future::plan(future::sequential)
  expect_identical(pool_size(), 2L)
  suppressMessages(delete_pool())
  future::plan(pool)
  expect_identical(pool_size(), as.integer(parallelly::availableCores()))
  # One that is smaller is made larger.
  future::plan(pool, workers = pool_size() + 1)
  expect_identical(pool_size(), as.integer(parallelly::availableCores()) + 1L)
})

test_that("what was exported is there, and what a future leaves is not", {
  local_futures(1)
  pool_export_me <- 42
  pool_export("pool_export_me", environment())
  expect_identical(future::value(future::future(get("pool_export_me"), globals = FALSE)), 42)
  pool_evalq(set.seed(1))
  seed <- pool_evalq(.Random.seed)
  f <- future::future({
    assign("pool_test_left", 1, envir = globalenv())
    stats::rnorm(1)
  }, seed = TRUE)
  future::value(f)
  expect_identical(pool_evalq(ls(all.names = TRUE)), list(c(".Random.seed", "pool_export_me")))
  expect_identical(pool_evalq(.Random.seed), seed)
  expect_identical(pool_evalq(RNGkind()), list(RNGkind()))
  expect_identical(
    future::value(future::future(exists("pool_test_left"), globals = FALSE)), FALSE
  )
})

test_that("seeds give the numbers that other backends give", {
  local_futures(2)
  numbers <- function() {
    f <- lapply(1:3, function(i) future::future(stats::rnorm(2), seed = i))
    future::value(f)
  }
  ours <- numbers()
  future::plan(future::sequential)
  expect_identical(ours, numbers())
})

test_that("a future whose node dies is an error that says how, and can be tried again", {
  local_futures(2)
  dir <- withr::local_tempdir()
  f <- future::future({
    if (length(list.files(dir)) == 0) {
      file.create(file.path(dir, "tried"))
      tools::pskill(Sys.getpid(), tools::SIGKILL)
      Sys.sleep(60)
    }
    "again"
  }, label = "deadly")
  expect_true(wait_until(function() future::resolved(f)))
  e <- error_of(future::value(f))
  expect_s3_class(e, "FutureInterruptError")
  expect_match(conditionMessage(e), "deadly.* lost with node [12], which was killed by signal 9")
  expect_match(conditionMessage(e), "reset()", fixed = TRUE)
  expect_identical(f$state, "interrupted")
  f <- future::reset(f)
  expect_identical(future::value(f), "again")
  quits <- lapply(c(0, 3), function(status) future::future(quit(status = status)))
  for (f in quits) expect_match(conditionMessage(error_of(future::value(f))), "quit with status")
  expect_identical(unlist(future::value(lapply(1:4, function(i) future::future(i)))), 1:4)
  expect_identical(future::nbrOfFreeWorkers(), 2L)
  expect_free()
})

test_that("a future that nobody can do anything for is an error of its own", {
  local_futures(1)
  skip_if(is.na(Cstack_info()[["size"]]), "the C stack has no limit")
  f <- future::future({
    x <- NULL
    for (i in 1:100000) x <- list(x)
    x
  })
  e <- error_of(future::value(f))
  expect_s3_class(e, "FutureError")
  expect_match(conditionMessage(e), "the result cannot be sent")
  expect_identical(future::value(future::future(1)), 1)
  x <- NULL
  for (i in 1:100000) x <- list(x)
  e <- error_of(future::future(length(x), globals = list(x = x)))
  expect_s3_class(e, "FutureError")
  expect_identical(future::value(future::future(2)), 2)
  expect_free()
})

test_that("cancelled futures end, and the others go on", {
  local_futures(2)
  dir <- withr::local_tempdir()
  go <- withr::local_tempfile()
  f <- future::future({
    file.create(file.path(dir, Sys.getpid()))
    Sys.sleep(600)
  })
  g <- future::future({
    wait_for_file(go)
    "other"
  })
  expect_true(wait_until(function() length(list.files(dir)) > 0))
  future::cancel(f)
  expect_true(future::resolved(f))
  expect_s3_class(error_of(future::value(f)), "FutureCanceledError")
  expect_true(gone(as.integer(list.files(dir))))
  file.create(go)
  expect_identical(future::value(g), "other")
  # Where interrupts are not wanted it runs to its end.
  future::plan(pool, interrupts = FALSE)
  f <- future::future("to the end")
  future::cancel(f)
  expect_identical(future::value(f), "to the end")
  expect_free()
})

test_that("another plan ends what runs, and frees the pool", {
  local_futures(2)
  pids <- node_pids()
  f <- lapply(1:2, function(i) future::future(Sys.sleep(600)))
  expect_s3_class(error_of(pool_lapply(1:2, identity)), "pool_busy_error")
  future::plan(future::sequential)
  expect_usable(pids)
  expect_true(all(future::resolved(f)))
  expect_s3_class(error_of(future::value(f[[1]])), "FutureInterruptError")
  # So does the end of the pool.
  future::plan(pool)
  f <- future::future(Sys.sleep(600))
  suppressMessages(delete_pool())
  expect_true(future::resolved(f))
  expect_match(conditionMessage(error_of(future::value(f))), "deleted or restarted")
  expect_identical(future::value(future::future("again")), "again")
})

test_that("conditions that are to be signalled at once are, and not twice", {
  local_futures(1)
  expect_steps_at_once()
  expect_free()
})

test_that("progressr's progress comes while futures run", {
  skip_if_not_installed("progressr")
  local_futures(2)
  go <- withr::local_tempfile()
  seen <- character()
  hear <- function(expr) {
    withCallingHandlers(expr, progression = function(p) {
      if (p$type == "update") seen <<- c(seen, p$message)
      tryInvokeRestart("muffleProgression")
    })
  }
  p <- hear(progressr::progressor(2, on_exit = FALSE, enable = TRUE))
  f <- future::future({
    p("half of it")
    wait_for_file(go)
    p("all of it")
    "over"
  })
  expect_true(wait_until(function() {
    hear(future::resolved(f))
    length(seen) > 0
  }))
  expect_identical(seen, "half of it")
  file.create(go)
  expect_identical(hear(future::value(f)), "over")
  expect_identical(seen, c("half of it", "all of it"))
})

test_that("Ctrl-C while one waits for a future leaves it as it is", {
  skip_if_not_installed("future")
  dir <- withr::local_tempdir()
  found <- in_session(function(dir) {
    suppressMessages(pool::init_pool(2))
    future::plan(pool::pool)
    session <- Sys.getpid()
    f <- future::future({
      tools::pskill(session, tools::SIGINT)
      until <- Sys.time() + 60
      while (!file.exists(file.path(dir, "go")) && Sys.time() < until) Sys.sleep(0.01)
      "the value"
    })
    first <- tryCatch(future::value(f), interrupt = function(i) "interrupted")
    file.create(file.path(dir, "go"))
    list(first, future::value(f), pool::pool_sapply(1:3, sqrt))
  }, list(dir))
  expect_identical(found, list("interrupted", "the value", sqrt(1:3)))
})

test_that("a future is its process's own", {
  local_futures(1)
  f <- future::future(1)
  ask <- function(f) {
    list(
      tryCatch(future::resolved(f), error = function(e) class(e)[[1]]),
      tryCatch(future::value(f), error = function(e) class(e)[[1]])
    )
  }
  found <- parallel::mclapply(1:2, function(i) ask(f), mc.cores = 2)
  expect_identical(found[[1]], list("FutureError", "FutureError"))
  expect_identical(future::value(f), 1)
})

test_that("futures of futures, on a pool that the node makes", {
  skip_if_not_installed("future")
  local_pool(2)
  withr::defer(future::plan(future::sequential))
  future::plan(list(pool, future::tweak(pool, workers = 2)))
  f <- future::future({
    inner <- lapply(1:3, function(i) future::future(c(i, Sys.getpid())))
    list(Sys.getpid(), future::value(inner), future::nbrOfWorkers())
  })
  found <- future::value(f)
  expect_true(found[[1]] %in% node_pids())
  expect_identical(vapply(found[[2]], `[[`, 1L, 1L), 1:3)
  expect_false(any(vapply(found[[2]], `[[`, 1L, 2L) %in% c(found[[1]], Sys.getpid())))
  expect_identical(found[[3]], 2L)
  # Without being asked to, a node does not.
  future::plan(pool)
  expect_identical(future::value(future::future(future::nbrOfWorkers())), 1L)
})

test_that("large vectors go there and back", {
  local_futures(2)
  withr::local_options(future.globals.maxSize = Inf)
  x <- stats::runif(2e6)
  f <- lapply(1:2, function(i) future::future(x + i))
  expect_identical(future::value(f), list(x + 1, x + 2))
  expect_identical(future::value(future::future(as.list(seq_len(2e5)))), as.list(seq_len(2e5)))
})

test_that("a plan shows what it is", {
  local_futures(2)
  gate <- withr::local_tempfile()
  f <- future::future(while (!file.exists(gate)) Sys.sleep(0.01), label = "mine")
  out <- utils::capture.output(print(future::plan("backend")))
  expect_match(out, "PoolFutureBackend", all = FALSE)
  expect_match(out, "Number of workers: 2", all = FALSE)
  rows <- future::listFutures(future::plan("backend"))
  expect_identical(rows$label, "mine")
  file.create(gate)
  future::value(f)
  expect_identical(nrow(future::listFutures(future::plan("backend"))), 0L)
  # Garbage is collected where it is asked for.
  future::plan(pool, gc = TRUE)
  expect_identical(future::value(future::future(1)), 1)
})

test_that("what is said of futures names the user's call, not what it came by", {
  local_futures(1)
  names <- function(code) vapply(pool_trace(code)$calls$what, identity, "", USE.NAMES = FALSE)
  expect_identical(names(future::value(future::future(1 + 1))),
    "future::value(future::future(1 + 1))")
  expect_identical(names({
    f <- future::future(2)
    future::value(f)
  }), "future::future(2)")
  skip_if_not_installed("future.apply")
  expect_identical(names(future.apply::future_lapply(1:2, sqrt)),
    "future.apply::future_lapply(1:2, sqrt)")
  e <- error_of(future::plan(pool, workers = "many"))
  expect_identical(conditionCall(e), quote(future::plan(pool, workers = "many")))
  e <- error_of(pool_lapply(1:2, identity, .retries = "a"))
  expect_identical(conditionCall(e)[[1L]], quote(pool_lapply))
})

test_that("a result that is there outlives its plan and its pool", {
  local_futures(2)
  endings <- list(
    function() suppressMessages(delete_pool()), function() quiet_init(2, restart = TRUE),
    function() future::plan(future::sequential)
  )
  for (end in endings) {
    future::plan(pool, workers = 2)
    over <- withr::local_tempfile()
    kept <- future::future({
      file.create(over)
      "kept"
    })
    lost <- future::future(Sys.sleep(600))
    expect_true(wait_until(function() file.exists(over)))
    Sys.sleep(1) # it has been sent by then, and nobody has asked for it
    expect_false(kept$letter$over)
    end()
    expect_identical(future::value(kept), "kept")
    expect_s3_class(error_of(future::value(lost)), "FutureInterruptError")
  }
})
