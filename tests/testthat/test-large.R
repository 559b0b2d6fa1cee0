# Vectors of a megabyte or more travel beside a message, in memory that session
# and nodes share. What arrives is what was sent, whatever it is part of.

test_that("every type arrives as it was, just below, at and above the limit", {
  local_pool(2)
  for (type in names(least)) {
    for (more in -1:1) {
      x <- large(type, least[[type]] + more)
      expect_there_and_back(x, paste(type, "of", length(x)))
    }
  }
})

test_that("what is large is mapped, on both sides, and what is not is not", {
  skip_if_no_memory()
  local_pool(2)
  for (type in names(least)) {
    x <- large(type)
    there <- pool_call(described, x)
    expect_match(unlist(there), "pool: mapped", fixed = TRUE)
    expect_true(is_mapped(pool_call(at_top(function(x) x[TRUE]), x)[[2]]))
    less <- x[-1]
    expect_false(any(grepl("mapped", unlist(pool_call(described, less)), fixed = TRUE)))
    expect_false(is_mapped(pool_lapply(list(less), identity)[[1]]))
  }
})

test_that("attributes come along", {
  local_pool(2)
  setClass("pool_test_number", contains = "numeric", slots = c(unit = "character"),
           where = globalenv())
  withr::defer(removeClass("pool_test_number", where = globalenv()))
  n <- least[["double"]]
  x <- large("double")
  time <- as.POSIXct("2024-03-31", tz = "Europe/Berlin")
  many <- list(
    "a named vector" = stats::setNames(large("integer"), seq_len(least[["integer"]])),
    "a matrix" = matrix(x, n / 8, 8, dimnames = list(NULL, letters[1:8])),
    "an array" = array(large("raw"), c(2^10, 2^5, 2^5)),
    "a factor" = factor(rep_len(c("lo", NA, "hi"), least[["integer"]]), c("lo", "hi", "no")),
    "an ordered factor" = factor(rep_len(letters, least[["integer"]]), ordered = TRUE),
    "a POSIXct" = time + seq_len(n),
    "dates" = as.Date("2024-02-28") + rep_len(c(0:2, NA), n),
    "a difftime" = as.difftime(x, units = "hours"),
    "a time series" = stats::ts(x, start = 2000, frequency = 12),
    "a class of its own" = structure(large("complex"), class = "nobody_knows", note = list(1)),
    "a class that is a number" = methods::new("pool_test_number", x, unit = "kg"),
    "the S4 bit alone" = asS4(x),
    "a large attribute" = structure(1, note = x),
    "a large attribute of a large one" = structure(large("raw"), note = x)
  )
  for (label in names(many)) expect_there_and_back(many[[label]], label)
  number <- pool_call(at_top(function(x) x), many[["a class that is a number"]])[[1]]
  expect_true(methods::validObject(number))
  expect_identical(number@unit, "kg")
})

test_that("large vectors may be anywhere in an object", {
  local_pool(2)
  x <- large("double")
  y <- large("raw")
  deep <- y
  for (level in 1:70) deep <- list(level, deep) # deeper than it is looked into
  setClass("pool_test_holder", slots = c(data = "numeric", more = "list"),
           where = globalenv())
  withr::defer(removeClass("pool_test_holder", where = globalenv()))
  frame <- data.frame(
    x = x, f = factor(rep_len(letters, length(x))), l = rep_len(c(NA, TRUE), length(x)),
    s = rep_len(c("a", "\u00e9", NA), length(x))
  )
  many <- list(
    "a list" = list(1, x, "b", NULL, y),
    "a named list of a class" = structure(list(a = x, b = list(y)), class = "nobody_knows"),
    "a data frame" = frame,
    "lists in lists" = list(list(list(x, list()), y), list(a = list(b = x))),
    "a list of seventy levels" = deep,
    "a list that is a matrix" = matrix(list(x, 1, "a", y), 2),
    "a pairlist" = pairlist(a = x, b = 1),
    "a call" = bquote(f(.(x), y)),
    "an S4 object" = methods::new("pool_test_holder", data = x, more = list(y)),
    "an expression" = as.expression(list(x, quote(a)))
  )
  for (label in names(many)) expect_there_and_back(many[[label]], label)
  e <- new.env()
  e$x <- x
  f <- function() x
  environment(f) <- e
  back <- pool_call(at_top(function(...) list(...)), e, f)[[2]]
  expect_true(exactly(back[[1]]$x, x))
  expect_true(exactly(back[[2]](), x))
  expect_identical(environment(back[[2]]), back[[1]])
})

test_that("one message may have more large vectors than can be passed with it", {
  local_pool(2)
  for (n in c(32, 33, 70)) {
    x <- lapply(seq_len(n), function(i) rep(as.raw(i), 2^20))
    expect_true(exactly(pool_lapply(list(x), identity), list(x)))
    expect_true(exactly(pool_lapply(1:2, at_top(function(i, x) x), x), list(x, x)))
  }
})

test_that("a vector that is there twice is so on the other side", {
  local_pool(2)
  x <- large("double")
  y <- large("double") + 1
  many <- list(x, y, x, list(x, y), y)
  expect_there_and_back(many, "the same twice")
  # Vectors that are mapped already share one segment.
  back <- pool_call(at_top(function(x) c(x, x)), many)[[1]]
  expect_true(exactly(back, c(many, many)))
  expect_there_and_back(back, "the same twice, mapped")
  back[[1]][1] <- 99
  expect_identical(back[[3]][1], x[1])
  expect_identical(back[[6]][1], x[1])
})

test_that("the function's arguments and the elements may both be large", {
  local_pool(2)
  x <- lapply(1:6, function(i) rep(as.raw(i), 2^20))
  f <- at_top(function(a, b, c) c(a[1], b[1], c[[1]][1], c[[2]][2^20]))
  for (n in c(1, 2, 4)) {
    expect_identical(
      pool_lapply(x[1:n], f, x[[5]], x[c(6, 1)]),
      lapply(1:n, function(i) as.raw(c(i, 5, 6, 1)))
    )
    expect_identical(
      pool_map(at_top(function(a, b) c(a[1], b[1])), x[1:n], MoreArgs = list(b = x[[3]])),
      lapply(1:n, function(i) as.raw(c(i, 3)))
    )
  }
  # A replacement is told what was exported, then the call, then an element.
  sent <- x[[6]]
  pool_export("sent", environment())
  pid <- node_pids()
  tools::pskill(pid, tools::SIGKILL)
  expect_true(gone(pid))
  g <- at_top(function(a, b) c(a[1], b[1], get("sent", globalenv())[1]))
  expect_identical(
    pool_lapply(x[1:4], g, x[[5]]),
    lapply(1:4, function(i) as.raw(c(i, 5, 6)))
  )
})

# What is passed may have to wait for the message that it belongs to.
test_that("a replacement is told of any number of large exports", {
  local_pool(2)
  names <- paste0("sent", 1:3)
  e <- new.env()
  for (k in 1:3) {
    e[[names[k]]] <- lapply(1:30, function(i) rep(as.raw(i + 30 * k), 2^20))
    pool_export(names[k], e)
  }
  pid <- node_pids()[1]
  tools::pskill(pid, tools::SIGKILL)
  expect_true(gone(pid))
  look <- at_top(function(names) {
    vapply(unlist(mget(names, globalenv()), FALSE), `[`, raw(1), 5)
  })
  expect_silent(found <- pool_call(look, names))
  expect_identical(unname(found[[1]]), as.raw(31:120))
  expect_identical(found[[2]], found[[1]])
})

test_that("results may pile up while the session is elsewhere", {
  local_pool(2)
  expect_message(
    found <- withCallingHandlers(
      pool_lapply(1:200, at_top(function(i) {
        if (i <= 2) message("wait")
        rep(as.raw(i), 2^20)
      })),
      message = function(m) Sys.sleep(0.5)
    ),
    "wait"
  )
  right <- vapply(seq_along(found), function(i) all(found[[i]] == as.raw(i)), NA)
  expect_identical(which(!right), integer())
  expect_identical(unique(lengths(found)), as.integer(2^20))
})

test_that("large ranges of small elements are large vectors, too", {
  local_pool(2)
  x <- c(large("double", 1.5e5), -0)
  f <- at_top(function(x) x)
  expect_true(exactly(pool_lapply(x, f, chunk.size = length(x)), lapply(x, f)))
  y <- large("complex", 7e4)
  g <- at_top(function(x, y) y)
  expect_true(exactly(pool_map(g, seq_along(y), y), as.list(y)))
})

test_that("what R keeps as a formula, or lazily, arrives", {
  local_pool(2)
  n <- 3e6
  there <- pool_call(described, 1:n)
  expect_match(unlist(there), "compact", fixed = TRUE)
  back <- pool_call(at_top(function(n) 1:n), n)[[2]]
  expect_match(described(back), "compact", fixed = TRUE)
  expect_identical(back, 1:n)
  many <- list(
    "a sequence" = 1:n,
    "a sequence of doubles" = seq(2^40, length.out = 2^18),
    "a sequence that was looked at" = local({
      x <- 1:n
      x[2] # nothing
      range(x + 0L)
      sort(x)
    }),
    "sorted" = sort(c(NA, large("double")), na.last = TRUE),
    "strings of numbers" = as.character(1:2e5),
    "in a wrapper" = local({
      x <- large("double")
      class(x) <- "nobody_knows"
      attr(x, "note") <- "one"
      x
    }),
    "a list of them" = list(1:n, sort(large("integer")), as.character(1:9))
  )
  for (label in names(many)) expect_there_and_back(many[[label]], label)
})
