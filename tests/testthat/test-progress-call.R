# What a call shows of itself while it runs: `.progress`.

script_file <- function(lines, env = parent.frame()) {
  path <- withr::local_tempfile(.local_envir = env)
  writeLines(lines, path)
  path
}

# What progressr would be told: amounts, and kinds of conditions, in order.
progress_of <- function(code, ...) {
  skip_if_not_installed("progressr")
  fun <- function() {
    options(progressr.enable = TRUE) # not only in an interactive session
    loadNamespace("progressr")
    suppressMessages(init_pool(2))
    types <- character()
    amounts <- numeric()
    steps <- NULL
    value <- withCallingHandlers(
      tryCatch(CODE, error = function(e) class(e)),
      progression = function(p) {
        types <<- c(types, p$type)
        if (p$type == "initiate") steps <<- p$steps
        if (p$type == "update") amounts <<- c(amounts, p$amount)
      }
    )
    list(value = value, types = types, amounts = amounts, steps = steps)
  }
  body(fun) <- do.call(substitute, list(body(fun), list(CODE = substitute(code))))
  in_session(fun, ...)
}

test_that("the values are the same, and a short call shows nothing", {
  local_pool(2)
  expect_silent(x <- pool_lapply(1:100, sqrt, .progress = TRUE))
  expect_identical(x, lapply(1:100, sqrt))
  expect_silent(x <- pool_sapply(c(a = 1, b = 4), sqrt, .progress = TRUE))
  expect_identical(x, c(a = 1, b = 2))
  expect_silent(x <- pool_map(`+`, 1:3, 2, .progress = TRUE))
  expect_identical(x, list(3, 4, 5))
  expect_silent(x <- pool_call(function() 1, .progress = TRUE))
  expect_identical(x, list(1, 1))
  expect_identical(pool_lapply(list(), sqrt, .progress = TRUE), list())
})

test_that("anything but TRUE and FALSE is refused before the work", {
  local_pool(1)
  file <- withr::local_tempfile()
  for (bad in list(NA, "yes", NULL, c(TRUE, FALSE), 1, list(TRUE))) {
    for (call in list(
      quote(pool_lapply(1, file.create, file, .progress = bad)),
      quote(pool_sapply(1, file.create, file, .progress = bad)),
      quote(pool_map(file.create, file, .progress = bad)),
      quote(pool_call(file.create, file, .progress = bad))
    )) {
      e <- error_of(eval(call))
      expect_s3_class(e, "pool_input_error")
      expect_identical(e$argument, ".progress")
    }
  }
  expect_false(file.exists(file))
})

test_that("the option is the default, and is looked at in every call", {
  local_pool(1)
  withr::local_options(pool.progress = "often")
  expect_error(pool_lapply(1, identity), class = "pool_input_error")
  expect_error(pool_call(identity, 1), class = "pool_input_error")
  expect_identical(pool_lapply(1, identity, .progress = FALSE), list(1))
  withr::local_options(pool.progress = FALSE)
  expect_identical(pool_lapply(1, identity), list(1))
})

test_that("progressr is told from the beginning to the end", {
  found <- progress_of(pool_lapply(1:10, function(i) Sys.sleep(0.1), .progress = TRUE))
  expect_identical(found$steps, 10)
  expect_identical(found$types[[1]], "initiate")
  expect_identical(found$types[[length(found$types)]], "finish")
  expect_identical(sum(found$types == "finish"), 1L)
  expect_gt(length(found$amounts), 2) # not all at once
  expect_true(all(found$amounts > 0))
  expect_identical(sum(found$amounts), 10)
  # What is staged, and what goes by columns.
  found <- progress_of(
    pool_map(function(i, j) Sys.sleep(0.05), 1:60, 2, .progress = TRUE)
  )
  expect_gt(length(found$amounts), 2)
  expect_identical(sum(found$amounts), 60)
  expect_identical(progress_of(pool_lapply(1:3, identity))$types, character())
})

test_that("so it is of jobs, and of loops", {
  found <- progress_of({
    name <- tempfile("cluster")
    slow <- function(x, meta) {
      Sys.sleep(0.4)
      list(output = x)
    }
    initialize_cluster_queue(name, 1:6, slow)
    cluster_run(cluster_join(name), .progress = TRUE)
    cluster_reduce(cluster_join(name))
  })
  expect_identical(found$value, as.list(1:6))
  expect_identical(found$steps, 6)
  expect_gt(length(found$amounts), 2)
  expect_identical(sum(found$amounts), 6)
  expect_identical(found$types[[length(found$types)]], "finish")
  found <- progress_of(
    cluster_map(1:4, function(x) Sys.sleep(1), tempfile("cluster"), .progress = TRUE)
  )
  expect_gt(length(found$amounts), 1)
  expect_identical(sum(found$amounts), 4)
  found <- progress_of({
    registerDoPool()
    options(pool.progress = TRUE)
    foreach(i = 1:10, .combine = c) %dopar% {
      Sys.sleep(0.1)
      i
    }
  })
  expect_identical(found$value, 1:10)
  expect_gt(length(found$amounts), 2)
  expect_identical(sum(found$amounts), 10)
  expect_identical(found$steps, 10)
})

test_that("a chunk's elements are seen before all of it is done", {
  skip_if(identical(getOption("pool.transport"), "socket"), "a socket shows no elements")
  found <- progress_of(
    pool_lapply(1:20, function(i) Sys.sleep(0.1), chunk.size = 10, .progress = TRUE)
  )
  expect_gt(length(found$amounts), 4)
  expect_identical(sum(found$amounts), 20)
})

test_that("the end is told of a call that fails or is given up, too", {
  found <- progress_of(pool_lapply(1:6, function(i) {
    Sys.sleep(0.1)
    if (i == 2) stop("two")
  }, .progress = TRUE))
  expect_identical(found$value[[1]], "pool_task_error")
  expect_identical(sum(found$amounts), 6)
  expect_identical(found$types[[length(found$types)]], "finish")
  found <- progress_of(withCallingHandlers(
    pool_lapply(1:60, function(i) {
      Sys.sleep(0.05)
      if (i == 4) message("enough")
    }, .progress = TRUE),
    message = function(m) stop(conditionMessage(m))
  ))
  expect_identical(found$value[[1]], "simpleError")
  expect_lt(sum(found$amounts), 60)
  expect_identical(found$types[[length(found$types)]], "finish")
})

test_that("nothing else is shown where progressr's handlers are", {
  skip_if_not_installed("progressr")
  found <- in_session(function() {
    loadNamespace("progressr")
    listens <- asNamespace("pool")$progressr_listens
    c(
      listens(), progressr::with_progress(listens()), progressr::without_progress(listens()),
      listens()
    )
  })
  expect_identical(found, c(FALSE, TRUE, TRUE, FALSE))
  # Global handlers are for the top level alone.
  code <- c(
    "progressr::handlers(global = TRUE)", "listens <- asNamespace('pool')$progressr_listens",
    "cat(listens(), '')", "progressr::handlers(global = FALSE)", "cat(listens())"
  )
  found <- callr::rscript(script_file(code), libpath = .libPaths(), show = FALSE)
  expect_match(found$stdout, "TRUE FALSE$")
})

# What is written to standard error, as to a terminal if `dynamic`.
written_by <- function(code, dynamic, ...) {
  file <- tempfile()
  on.exit(unlink(file))
  fun <- function() {
    options(cli.dynamic = DYNAMIC, cli.progress_show_after = 0, ...)
    suppressMessages(init_pool(2))
    CODE
    invisible()
  }
  body(fun) <- do.call(substitute, list(body(fun), list(
    CODE = substitute(code), DYNAMIC = dynamic
  )))
  body(fun)[[2L]] <- as.call(c(as.list(body(fun)[[2L]])[1:3], list(...)))
  in_session(fun, stderr = file)
  readChar(file, file.size(file))
}

test_that("in a terminal there is a bar, and messages are whole", {
  text <- written_by(dynamic = TRUE, {
    x <- pool_lapply(1:40, function(i) {
      Sys.sleep(0.05)
      if (i == 20) message("half")
      if (i == 5) stop("five")
    }, .progress = TRUE, .on_error = "return")
  })
  expect_match(text, "[0-9]+/40 +[0-9]+%, 1 failed")
  expect_match(text, "\r(\033\\[K| +\r)half") # not over what is left of the bar
  expect_match(text, "\r(\033\\[K| +\r)[^/]*$") # cleared at the end
})

test_that("a bar is drawn when it is due and there is something new, or it was cleared", {
  withr::local_options(cli.dynamic = TRUE, cli.progress_show_after = 0.4, cli.ansi = FALSE)
  drawn <- function(code) {
    text <- paste(utils::capture.output(code, type = "message"), collapse = "\n")
    lengths(regmatches(text, gregexpr("/10 ", text)))
  }
  bar <- progress_bar(10)
  # cli itself shows what is not half done in half the time.
  expect_identical(drawn({
    Sys.sleep(0.25)
    bar$update(c(1, 10, 0))
    bar$clear()
  }), 0L)
  Sys.sleep(0.2)
  expect_identical(drawn(bar$update(c(1, 10, 0))), 1L)
  expect_identical(drawn(for (i in 1:3) bar$update(c(1, 10, 0))), 0L)
  expect_identical(drawn(for (i in 1:3) bar$update(c(1, 10, 1))), 1L)
  expect_identical(drawn(bar$update(c(2, 10, 1))), 1L)
  expect_gt(nchar(paste(utils::capture.output(bar$clear(), type = "message"), collapse = "")), 1)
  expect_identical(utils::capture.output(bar$clear(), type = "message"), character())
  expect_identical(drawn(bar$update(c(2, 10, 1))), 1L)
  utils::capture.output(bar$end(TRUE), type = "message")
})

test_that("in a document of knitr there is none", {
  text <- written_by(dynamic = TRUE, knitr.in.progress = TRUE, {
    x <- pool_lapply(1:10, function(i) Sys.sleep(0.1), .progress = TRUE)
  })
  expect_identical(text, "")
})

test_that("a log has no bar, and a line only now and then", {
  text <- written_by(dynamic = FALSE, {
    x <- pool_lapply(1:10, function(i) Sys.sleep(0.1), .progress = TRUE)
  })
  expect_identical(text, "")
  lines <- progress_lines("pool_map", Sys.time() - 60)
  m <- expect_message(lines$update(c(30000, 120000, 2)), class = "pool_progress")
  expect_identical(
    conditionMessage(m), "pool_map: 30,000 of 120,000 elements, 25%, 2 failed, about 3 min left\n"
  )
  expect_silent(lines$update(c(30001, 120000, 2)))
  expect_message(lines$end(TRUE), "pool_map: 120,000 elements in 60[.][0-9]+ s")
  lines <- progress_lines("pool_map", Sys.time() - 60)
  expect_message(lines$update(c(0, 9, 0)), "0 of 9 elements, 0%\n", fixed = TRUE)
  expect_message(lines$end(FALSE), "pool_map: given up after 60[.][0-9]+ s")
  lines <- progress_lines("job a", Sys.time() - 60, "task")
  expect_message(lines$update(c(1, 2, 0), "more"), "job a: 1 of 2 tasks, 50%, about", fixed = TRUE)
  lines <- progress_lines("pool_map", Sys.time())
  expect_silent(lines$update(c(1, 9, 0)))
  expect_silent(lines$end(TRUE))
})
