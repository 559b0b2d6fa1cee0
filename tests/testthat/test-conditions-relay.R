# Warnings and messages of tasks are signalled again in the session.

# Everything signalled while an expression is evaluated, in order, muffled.
signalled <- function(expr) {
  seen <- list()
  value <- withCallingHandlers(
    expr,
    warning = function(w) {
      seen <<- c(seen, list(w))
      invokeRestart("muffleWarning")
    },
    message = function(m) {
      seen <<- c(seen, list(m))
      invokeRestart("muffleMessage")
    }
  )
  list(value = value, seen = seen)
}

test_that("a warning of a task is a warning of the call", {
  local_pool()
  expect_warning(pool_lapply(1, function(i) warning("from a task")), "from a task")
  expect_warning(pool_sapply(1:3, function(i) if (i == 2) as.integer("x") else i),
                 "NAs introduced by coercion")
  expect_warning(pool_map(function(x) warning("in a map"), 1), "in a map")
  # Every node has its own to say.
  got <- signalled(pool_call(at_top(function() {
    warning("on all")
    1
  })))
  expect_identical(got$value, list(1, 1))
  expect_identical(vapply(got$seen, conditionMessage, ""), c("on all", "on all"))
  got <- signalled(pool_evalq(warning("evaluated")))
  expect_length(got$seen, 2)
})

test_that("a warning does not end its task", {
  local_pool()
  got <- signalled(pool_sapply(1:6, function(i) {
    warning("before the value")
    i * 2
  }))
  expect_identical(got$value, c(2, 4, 6, 8, 10, 12))
  expect_length(got$seen, 6)
})

test_that("class, call and fields of a warning are kept", {
  local_pool()
  made <- structure(
    class = c("deprecated_warning", "warning", "condition"),
    list(message = "old", call = quote(f(x)), since = "1.2", data = list(1, "b"))
  )
  warn <- function(i, condition) {
    warning(condition)
    "went on"
  }
  got <- signalled(pool_lapply(1, warn, made))
  expect_identical(got$seen, list(made))
  expect_identical(got$value, list("went on"))
  expect_identical(
    tryCatch(pool_lapply(1, warn, made), deprecated_warning = function(w) w$since),
    "1.2"
  )
  inner <- function(x) warning("with a call")
  got <- signalled(pool_lapply(1, function(i) inner(i)))
  expect_identical(conditionCall(got$seen[[1]]), quote(inner(i)))
})

test_that("a message of a task is a message of the call", {
  local_pool()
  expect_message(pool_lapply(1, function(i) message("from a task")), "^from a task\n$")
  got <- signalled(pool_lapply(1:2, function(i) {
    message("one ", i)
    message("no newline ", i, appendLF = FALSE)
    packageStartupMessage("starting ", i)
    i
  }, chunk.size = 2))
  expect_identical(got$value, list(1L, 2L))
  expect_identical(
    vapply(got$seen, conditionMessage, ""),
    c("one 1\n", "no newline 1", "starting 1\n", "one 2\n", "no newline 2", "starting 2\n")
  )
  expect_s3_class(got$seen[[3]], "packageStartupMessage")
  expect_silent(suppressPackageStartupMessages(
    pool_lapply(1, function(i) packageStartupMessage("hidden"))
  ))
})

test_that("what one element signals comes in order, and once", {
  local_pool()
  got <- signalled(pool_lapply(1:50, function(i) {
    message("m", i)
    warning("w", i)
    i
  }))
  expect_identical(got$value, as.list(1:50))
  texts <- trimws(vapply(got$seen, conditionMessage, ""))
  expect_length(texts, 100)
  expect_setequal(texts, c(paste0("m", 1:50), paste0("w", 1:50)))
  expect_true(all(match(paste0("m", 1:50), texts) < match(paste0("w", 1:50), texts)))
})

test_that("what a task handles itself stays there", {
  local_pool()
  expect_silent(pool_lapply(1:4, function(i) {
    suppressWarnings(warning("handled"))
    suppressMessages(message("handled"))
    tryCatch(warning("handled"), warning = function(w) i)
  }))
})

test_that("warnings and messages of tasks that fail are relayed too", {
  local_pool()
  seen <- character()
  e <- withCallingHandlers(
    error_of(pool_lapply(1:2, function(i) {
      warning("first ", i)
      message("then ", i)
      stop("last ", i)
    }, chunk.size = 1)),
    warning = function(w) {
      seen <<- c(seen, conditionMessage(w))
      invokeRestart("muffleWarning")
    },
    message = function(m) {
      seen <<- c(seen, conditionMessage(m))
      invokeRestart("muffleMessage")
    }
  )
  expect_identical(conditionMessage(e), "2 nodes produced errors; first error: last 1")
  expect_setequal(seen, c("first 1", "then 1\n", "first 2", "then 2\n"))
})

test_that("a jump from a relayed condition leaves the pool usable", {
  local_pool()
  for (i in 1:20) {
    jumped <- tryCatch(
      pool_lapply(1:10, function(i) {
        warning("jump")
        i
      }),
      warning = function(w) "jumped"
    )
    expect_identical(jumped, "jumped")
    expect_identical(pool_sapply(1:10, function(x) x + i), 1:10 + i)
  }
  expect_identical(
    tryCatch(pool_call(function() message("jump")), message = function(m) "jumped"),
    "jumped"
  )
  expect_usable()
  withr::local_options(warn = 2)
  expect_error(pool_lapply(1:3, function(i) warning("now an error")), "now an error")
  expect_usable()
})

test_that("an element still running at a jump is not taken for the next call's", {
  local_pool()
  dir <- withr::local_tempdir()
  jumped <- tryCatch(
    pool_lapply(1:2, function(i) {
      # The second element is in the midst of its work when the first warns.
      file.create(file.path(dir, i))
      until <- Sys.time() + 60
      while (length(list.files(dir)) < 2 && Sys.time() < until) Sys.sleep(0.01)
      if (i == 1) warning("jump") else Sys.sleep(0.3)
      "of the old call"
    }),
    warning = function(w) "jumped"
  )
  expect_identical(jumped, "jumped")
  expect_identical(pool_lapply(1:8, function(i) i * 3), lapply(1:8, function(i) i * 3))
  expect_identical(pool_call(function() "of the new call"), rep(list("of the new call"), 2))
})

test_that("a handler that uses the pool itself gets an error, not a wrong result", {
  local_pool()
  inside <- NULL
  value <- withCallingHandlers(
    pool_lapply(1:4, function(i) {
      warning("use the pool")
      i
    }),
    warning = function(w) {
      inside <<- tryCatch(pool_sapply(1:3, function(i) i), error = identity)
      invokeRestart("muffleWarning")
    }
  )
  expect_identical(value, as.list(1:4))
  # Either answer is right; silence or a mixture of the two calls is not.
  if (inherits(inside, "error")) {
    expect_s3_class(inside, "pool_error")
  } else {
    expect_identical(inside, 1:3)
  }
  expect_usable()
})
