# What becomes of the errors, warnings and messages of tasks.

test_that("a task's error keeps the original and says where it happened", {
  local_pool()
  e <- error_of(pool_lapply(c(a = 1, b = 2, c = 3), function(x) {
    if (x == 2) stop("no twos") else x * 10
  }))
  expect_s3_class(e, c("pool_task_error", "pool_error", "error", "condition"), exact = TRUE)
  expect_identical(conditionMessage(e), "one node produced an error: no twos")
  expect_identical(e$index, 2L)
  expect_identical(e$name, "b")
  expect_true(e$node %in% 1:2)
  expect_identical(conditionMessage(e$parent), "no twos")
  expect_s3_class(e$parent, c("simpleError", "error", "condition"), exact = TRUE)
  expect_identical(deparse(conditionCall(e$parent))[1], "FUN(X[[i]], ...)")
  expect_identical(e$results, list(a = 10, b = NULL, c = 30))
  expect_length(e$errors, 1)
  expect_identical(e$errors[[1]]$index, 2L)
})

test_that("the error names the node that the element failed on", {
  local_pool(3)
  for (i in 1:3) {
    e <- error_of(pool_lapply(1:3, function(x, bad) if (x == bad) stop("bad") else x, i,
                              chunk.size = 1))
    expect_identical(c(e$index, e$node), c(i, i))
    expect_null(e$name)
  }
  pids <- node_pids()
  for (i in 1:3) {
    e <- error_of(pool_call(at_top(function(pid) if (Sys.getpid() == pid) stop("mine")), pids[i]))
    expect_identical(c(e$index, e$node), c(i, i))
    expect_identical(conditionMessage(e), "one node produced an error: mine")
  }
})

test_that("a condition of a class of its own arrives whole", {
  local_pool()
  fail <- at_top(function(x) {
    stop(structure(
      class = c("http_404", "http_error", "error", "condition"),
      list(message = "not found", call = quote(get_it(url)), status = 404L,
           headers = list(a = "b"), body = as.raw(1:3))
    ))
  })
  expected <- structure(
    class = c("http_404", "http_error", "error", "condition"),
    list(message = "not found", call = quote(get_it(url)), status = 404L,
         headers = list(a = "b"), body = as.raw(1:3))
  )
  expect_identical(error_of(pool_lapply(1, fail))$parent, expected)
  expect_identical(error_of(pool_sapply("x", fail))$parent, expected)
  expect_identical(error_of(pool_map(fail, 1))$parent, expected)
  expect_identical(error_of(pool_call(fail, 1))$parent, expected)
  expect_error(pool_lapply(1, fail), "^one node produced an error: not found$",
               class = "pool_task_error")
})

test_that("the traceback names the user's functions and not the pool's", {
  local_pool()
  inner_of_two <- function(x) if (x == 3) stop("deep down") else x
  outer_of_two <- function(x) inner_of_two(x)
  for (e in list(
    error_of(pool_lapply(1:3, function(x) outer_of_two(x))),
    error_of(pool_map(function(x) outer_of_two(x), 1:3)),
    error_of(pool_call(function() outer_of_two(3)))
  )) {
    expect_type(e$traceback, "character")
    at <- c(grep("outer_of_two(", e$traceback, fixed = TRUE)[1],
            grep("inner_of_two(", e$traceback, fixed = TRUE)[1])
    expect_false(anyNA(at))
    text <- paste(e$traceback, collapse = "\n")
    expect_no_match(text, "withCallingHandlers|tryCatch|do\\.call|node_|\\.Call")
  }
  e <- error_of(pool_lapply(1, function(x) tryCatch(inner_of_two(3), error = function(e) {
    stop("said again")
  })))
  expect_match(paste(e$traceback, collapse = "\n"), "value[[3L]]", fixed = TRUE)
})

test_that("the other elements still run", {
  local_pool()
  dir <- withr::local_tempdir()
  run <- function(i, bad) {
    file.create(file.path(dir, i))
    if (i %in% bad) stop("element ", i)
    i
  }
  e <- error_of(pool_lapply(1:10, run, bad = c(2, 7)))
  expect_setequal(list.files(dir), as.character(1:10))
  expect_identical(e$index, 2L)
  expect_identical(vapply(e$errors, function(one) one$index, 1L), c(2L, 7L))
  expect_identical(vapply(e$errors, function(one) conditionMessage(one$parent), ""),
                   c("element 2", "element 7"))
  expected <- as.list(1:10)
  expected[c(2, 7)] <- list(NULL)
  expect_identical(e$results, expected)

  unlink(list.files(dir, full.names = TRUE))
  e <- error_of(pool_map(run, 1:10, MoreArgs = list(bad = 1:9)))
  expect_setequal(list.files(dir), as.character(1:10))
  expect_identical(conditionMessage(e), "9 nodes produced errors; first error: element 1")
  expect_length(e$errors, 9)
  expect_identical(e$results, c(vector("list", 9), list(10L)))

  unlink(list.files(dir, full.names = TRUE))
  e <- error_of(pool_lapply(1:10, run, bad = 1:5, chunk.size = 5))
  expect_setequal(list.files(dir), as.character(1:10))
  expect_identical(e$results, c(vector("list", 5), as.list(6:10)))
})

test_that("several errors have parallel's message, with its count", {
  local_pool()
  fail_at <- at_top(function(x, bad) if (x %in% bad) stop("at ", x) else x)
  same_map(fail_at, 1:6, MoreArgs = list(bad = 3:6))
  same_map(fail_at, 1:6, MoreArgs = list(bad = c(2, 5)), .scheduling = "static")
  same_map(fail_at, 1:6, MoreArgs = list(bad = 1:6), .scheduling = "dynamic")
  # A chunk of parLapply() ends at its first error: it counts chunks.
  same_lapply(1:4, fail_at, bad = 1:2, chunk.size = 2, label = "both on one node")
  same_lapply(1:4, fail_at, bad = 2:3, chunk.size = 2, label = "on two nodes")
  same_lapply(1:4, fail_at, bad = 1:4, chunk.size = 2, label = "all")
  same_call(at_top(function() stop("all nodes")))
  # Without chunks, how many nodes that was is up to who was free.
  expect_error(pool_lapply(1:40, fail_at, bad = 11:40),
               "^(one node produced an error|2 nodes produced errors; first error): at 11$",
               class = "pool_task_error")
})

test_that("the first error is the one with the lowest index, not the earliest", {
  local_pool()
  dir <- withr::local_tempdir()
  e <- error_of(pool_map(function(i) {
    until <- Sys.time() + 60
    while (i == 1 && !length(list.files(dir)) && Sys.time() < until) Sys.sleep(0.01)
    file.create(file.path(dir, i))
    stop("element ", i)
  }, 1:2))
  expect_identical(conditionMessage(e), "2 nodes produced errors; first error: element 1")
  expect_identical(e$index, 1L)
})

test_that("an error at any stage of a task is that task's error", {
  local_pool()
  pids <- node_pids()
  stages <- list(
    "in on.exit" = function(x) {
      on.exit(stop("the stage"))
      x
    },
    "in a promise" = function(x, y = stop("the stage")) y,
    "in a nested call" = function(x) vapply(1:3, function(i) stop("the stage"), 1),
    "in a finalizer's neighbour" = function(x) {
      reg.finalizer(new.env(), function(e) stop("a finalizer"))
      gc()
      stop("the stage")
    },
    "after an error that was handled" = function(x) {
      try(stop("first"), silent = TRUE)
      stop("the stage")
    },
    "from C" = function(x) .Internal(stop(FALSE, "the stage")),
    "a condition that is only an error" = function(x) {
      stop(structure(class = c("error", "condition"), list(message = "the stage", call = NULL)))
    },
    "as a warning made an error" = function(x) {
      old <- options(warn = 2)
      on.exit(options(old))
      tryCatch(warning("the stage"), warning = function(w) stop(conditionMessage(w)))
    }
  )
  for (what in names(stages)) {
    fun <- at_top(stages[[what]])
    e <- error_of(suppressMessages(pool_lapply(1, fun)))
    expect_s3_class(e, "pool_task_error")
    expect_identical(conditionMessage(e), "one node produced an error: the stage", label = what)
  }
  expect_usable(pids)
})

test_that("a jump out of a task is an error of that task alone", {
  local_pool()
  for (jump in list(
    function(i) if (i == 2) invokeRestart("abort") else i,
    function(i) if (i == 2) base::invokeRestart(computeRestarts()[[1]]) else i
  )) {
    e <- error_of(pool_lapply(1:4, at_top(jump)))
    expect_s3_class(e, "pool_error")
    expect_identical(e$index, 2L)
    expect_identical(e$results[c(1, 3, 4)], list(1L, 3L, 4L))
    expect_usable()
  }
  expect_error(pool_call(at_top(function() invokeRestart("abort"))), class = "pool_error")
  expect_error(pool_evalq(invokeRestart("abort")), class = "pool_error")
  expect_usable()
})

test_that("break, next and return outside of their places do no harm", {
  local_pool()
  same_lapply(1:3, at_top(function(i) return(i)))
  expect_error(pool_lapply(1, at_top(function(i) eval(quote(break), globalenv()))),
               class = "pool_error")
  expect_error(pool_evalq(next), class = "pool_error")
  expect_usable()
})

test_that("an error of pool_sapply() over strings has their names", {
  local_pool(2)
  e <- error_of(pool_sapply(c("a", "b"), function(x) if (x == "b") stop("no") else 1))
  expect_identical(e$name, "b")
  expect_identical(e$results, list(a = 1, b = NULL))
})
