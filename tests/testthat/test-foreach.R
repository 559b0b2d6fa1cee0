# %dopar% on the pool, held against foreach's own sequential backend.

# The loop by either backend, from the caller's frame.
same_loop <- function(loop) {
  loop <- substitute(loop)
  frame <- parent.frame()
  registerDoPool()
  ours <- outcome(eval(loop, frame))
  foreach::registerDoSEQ()
  theirs <- outcome(eval(loop, frame))
  registerDoPool()
  expect(exactly(ours, theirs), paste0(
    "the pool and foreach differ: ", paste(deparse(loop), collapse = " "),
    "\npool:\n", abridged(ours), "\nforeach:\n", abridged(theirs)
  ))
  invisible(ours)
}

test_that("foreach's functions are its own, and loaded when they are used", {
  found <- in_session(function() {
    before <- isNamespaceLoaded("foreach")
    same <- identical(pool::foreach, foreach::foreach) &&
      identical(`%dopar%`, foreach::`%dopar%`) && identical(`%:%`, foreach::`%:%`) &&
      identical(when, foreach::when) && identical(times, foreach::times) &&
      identical(`%do%`, foreach::`%do%`)
    said <- utils::capture.output(library(foreach), type = "message")
    list(before, same, grep("masked", said, value = TRUE))
  })
  expect_identical(found, list(FALSE, TRUE, character()))
})

test_that("values, names and combinations are foreach's", {
  local_loops()
  m <- matrix(as.double(1:35), 7)
  d <- data.frame(a = 1:4, b = letters[1:4])
  same_loop(foreach(i = 1:3) %dopar% i)
  same_loop(foreach(i = 1:3, j = c(a = 4, b = 5)) %dopar% c(i, j))
  same_loop(foreach(i = list(1, "a", NULL, quote(x + y))) %dopar% i)
  same_loop(foreach(1:3) %dopar% "x")
  same_loop(foreach(i = 1:3, 1:2, .combine = c) %dopar% i)
  same_loop(foreach(i = integer()) %dopar% i)
  same_loop(foreach(i = integer(), .combine = c) %dopar% i)
  same_loop(foreach(i = integer(), .combine = c, .init = 7) %dopar% i)
  same_loop(foreach(i = 1:7, .combine = cbind) %dopar% m[i, ])
  same_loop(foreach(i = 1:7, .combine = "rbind") %dopar% m[i, ])
  same_loop(foreach(i = 1:120, .combine = cbind) %dopar% i)
  same_loop(foreach(i = 1:101, .combine = "+") %dopar% i)
  same_loop(foreach(i = 1:9, .combine = "*", .init = 2) %dopar% i)
  same_loop(foreach(i = 1:9, .combine = c, .maxcombine = 3, .init = "z") %dopar% i)
  pasted <- function(...) paste0("(", paste(..., sep = ","), ")")
  for (most in 2:5) {
    same_loop(foreach(i = 1:12, .combine = pasted, .multicombine = TRUE,
      .maxcombine = most) %dopar% i)
    same_loop(foreach(i = 1:12, .combine = pasted, .multicombine = TRUE,
      .maxcombine = most, .init = "i") %dopar% i)
  }
  same_loop(foreach(i = 1:12, .combine = pasted) %dopar% i)
  same_loop(foreach(i = 1, .combine = pasted) %dopar% i)
  same_loop(foreach(i = 1:5, .combine = list) %dopar% NULL)
  same_loop(foreach(i = 1:5, .combine = c, .inorder = FALSE) %dopar% i)
  same_loop(foreach(i = 1:4, .final = function(x) setNames(x, letters[1:4])) %dopar% i)
  same_loop(foreach(i = 1:4, .combine = c, .final = rev) %dopar% i)
  same_loop(times(3) %dopar% 1)
  same_loop(foreach(r = iterators::iter(m, by = "row"), .combine = rbind) %dopar% r)
  same_loop(foreach(r = iterators::iter(d, by = "row"), .combine = rbind) %dopar% r)
  same_loop(foreach(x = d) %dopar% x)
  same_loop(foreach(x = m) %dopar% x)
  same_loop(foreach(x = factor(c("u", "v"))) %dopar% x)
  same_loop(foreach(x = iterators::icount(5), y = 10:12, .combine = c) %dopar% (x * y))
  same_loop(foreach(x = expression(a + b, c)) %dopar% x)
  # An iterator given twice gives its elements in turn.
  it <- function() iterators::iter(1:10)
  same_loop(local({
    s <- it()
    foreach(a = s, b = s) %dopar% c(a, b)
  }))
})

test_that("loops in loops, and conditions, are foreach's", {
  local_loops()
  same_loop(foreach(i = 1:3) %:% foreach(j = 1:2) %dopar% c(i, j))
  same_loop(foreach(i = 1:3, .combine = cbind) %:% foreach(j = 1:4, .combine = c) %dopar% (i * j))
  same_loop(foreach(i = 1:5) %:% when(i %% 2 == 1) %dopar% i)
  same_loop(foreach(i = 1:5, .combine = c) %:% when(i %% 2 == 1) %:% foreach(j = 1:5) %:%
    when(j %% 2 == 1 && i != j) %dopar% c(i, j))
  same_loop(foreach(i = 1:3) %:% foreach(j = seq_len(i), .combine = "+") %dopar% j)
  same_loop(foreach(i = 1:2) %:% foreach(j = 1:3, .errorhandling = "remove") %dopar% stop("no"))
  same_loop(foreach(i = 1:3, .combine = c) %do% {
    foreach(j = 1:3, .combine = "+") %dopar% (i + j)
  })
  same_loop(foreach(i = 1:3, .combine = c) %dopar% {
    foreach(j = 1:3, .combine = "+") %do% (i + j)
  })
  inner <- function() foreach(i = 1:3, .combine = c) %dopar% {
    foreach(j = 1:3, .combine = "+") %dopar% (i + j)
  }
  expect_silent(same_loop(inner()))
})

test_that("an iteration sees what it names, where it means what it means here", {
  local_loops()
  local_globals(g_value = 10, g_fun = at_top(function(x) g_helper(x) + g_value),
    g_helper = at_top(function(x) x * 100), c_shadow = "global")
  outer <- at_top(function(v, ...) {
    g_value <- -1 # not what g_fun() sees
    unused <- stop
    middle <- function(w) {
      f <- function(x) x + v # sees the outer function's
      c <- 5 # in front of a function, which is called all the same
      foreach(i = 1:2, .combine = "c") %dopar% {
        g_value + g_fun(i) + f(w) + c(1, 2)[[2]] * c + sum(...)
      }
    }
    middle(1000)
  })
  expect_identical(outer(0.5, 7, 8), c(-1 + 110, -1 + 210) + 1000.5 + 10 + 15)
  same_loop(outer(0.5, 7, 8))
  dots <- function(...) foreach(i = 1:2) %dopar% list(..1, ...length(), names(list(...)))
  same_loop(dots(a = 1, "b", quote(z)))
  # A function's own environment, of nobody's frame any more.
  adder <- at_top(function(n) {
    force(n)
    function(x) x + n + g_value
  })
  add <- adder(1)
  same_loop(foreach(i = 1:2) %dopar% add(i))
  fact <- function(n) if (n <= 1) 1 else n * fact(n - 1)
  same_loop(foreach(i = 1:5, .combine = c) %dopar% fact(i))
  # The argument of an iteration is not what functions beside it see.
  i <- "theirs"
  look <- function() i
  same_loop(foreach(i = 1:2) %dopar% look())
  # What is not named stays here, even if it could not be sent.
  same_loop(foreach(i = 1:2) %dopar% {
    a <- i
    a <- a + 1
    a
  })
  expect_false(exists("a", inherits = FALSE))
})

test_that("assignments of an iteration are its own", {
  local_loops(1)
  a <- 0
  expect_identical(foreach(i = 1:3) %dopar% {
    a <- a + 1
    a
  }, list(1, 1, 1))
  expect_identical(a, 0)
  expect_identical(foreach(i = 1:2) %dopar% return(i * 2), list(2, 4))
})

test_that("only what is named is sent", {
  local_loops()
  frame <- function() {
    big <- bytes(5e6)
    con <- file(withr::local_tempfile(), "w")
    on.exit(close(con))
    foreach(i = 1:2, .combine = c) %dopar% exists("big")
  }
  expect_identical(frame(), c(FALSE, FALSE))
  secret_x <- 5
  expect_identical(foreach(i = 1, .export = "secret_x") %dopar% get("secret_x"), list(5))
  expect_identical(foreach(i = 1, .noexport = "secret_x", .errorhandling = "remove") %dopar%
    secret_x, list())
  e <- expect_input_error(foreach(i = 1, .export = "there_is_none") %dopar% i, ".export")
  expect_match(conditionMessage(e), "there_is_none")
})

test_that("packages are attached on the nodes, and must be there", {
  local_loops()
  expect_identical(
    foreach(i = 1:3, .packages = "splines", .combine = c) %dopar% ("package:splines" %in% search()),
    rep(TRUE, 3)
  )
  for (handling in c("stop", "remove", "pass")) {
    expect_input_error(
      foreach(i = 1, .packages = "there.is.none", .errorhandling = handling) %dopar% i,
      ".packages"
    )
  }
  found <- in_session(function() {
    suppressMessages(init_pool(2))
    registerDoPool()
    library(splines) # later than the pool
    foreach(i = 1:2, .combine = c) %dopar% is.function(xyVector)
  })
  expect_identical(found, c(TRUE, TRUE))
})

test_that("errors are handled as foreach does", {
  local_loops()
  same_loop(foreach(i = 1:4, .errorhandling = "remove") %dopar% if (i == 2) stop("no") else i)
  same_loop(foreach(i = 1:4, .errorhandling = "remove", .combine = c) %dopar%
    if (i %in% 1:2) stop("no") else i)
  same_loop(foreach(i = 1:4, .errorhandling = "remove", .combine = c) %dopar% stop("all"))
  same_loop(foreach(i = 1:4, .errorhandling = "remove", .maxcombine = 3, .combine = c) %dopar%
    if (i < 4) stop("no") else i)
  found <- foreach(i = 1:3, .errorhandling = "pass") %dopar% if (i == 2) stop("no") else i
  expect_identical(found[c(1, 3)], list(1L, 3L))
  expect_s3_class(found[[2]], "simpleError")
  expect_identical(conditionMessage(found[[2]]), "no")
  e <- error_of(foreach(i = 1:5) %dopar% {
    f <- function(x) stop("bad ", x)
    if (i %in% c(2, 4)) f(i) else i
  })
  expect_s3_class(e, "pool_task_error")
  expect_identical(conditionMessage(e), "task 2 failed - \"bad 2\"")
  expect_identical(e$index, 2L)
  expect_s3_class(e$parent, "simpleError")
  expect_identical(e$traceback, c("f(i)", 'stop("bad ", x)')) # the loop's own frames alone
  expect_identical(vapply(e$errors, `[[`, 0L, "index"), c(2L, 4L))
  expect_identical(e$results[c(1, 3, 5)], list(1L, 3L, 5L))
  # What the loop calls is the user's, eval() too, and what it is in of itself.
  e <- error_of(foreach(i = iterators::iter(1:2)) %dopar% eval(quote(stop("no"))))
  expect_identical(e$traceback, c(rep('eval(quote(stop("no")))', 2), 'stop("no")'))
  e <- error_of(foreach(i = 1:2) %dopar% no_such_thing)
  expect_identical(e$traceback, character())
  same_loop(foreach(i = 1:3) %dopar% simpleError("a value"))
  same_loop(foreach(i = 1:3) %:% foreach(j = 1:2) %dopar% if (i == 2) stop("in") else j)
  e <- error_of(foreach(i = 1:3, .combine = function(a, b) stop("cannot")) %dopar% i)
  expect_match(conditionMessage(e), "'.combine' failed: cannot")
  expect_identical(unname(e$results), list(1L, 2L, 3L))
})

test_that("a node that dies takes its iteration with it, and no other", {
  local_loops()
  withr::local_options(pool.retries = 1)
  found <- foreach(i = 1:4, .errorhandling = "pass") %dopar% {
    if (i == 3) tools::pskill(Sys.getpid(), 9L)
    i
  }
  expect_identical(found[-3], list(1L, 2L, 4L))
  expect_s3_class(found[[3]], "pool_worker_error")
  e <- error_of(foreach(i = 1:4) %dopar% if (i == 3) tools::pskill(Sys.getpid(), 9L) else i)
  expect_match(conditionMessage(e), "^task 3 failed - .*killed by signal 9")
})

test_that("a loop runs where the session is, on a pool that it makes", {
  local_no_pool()
  local_backend()
  dir <- withr::local_tempdir()
  expect_message(foreach(i = 1:2) %dopar% i, "Creating background pool")
  expect_true(pool_exists())
  expect_identical(foreach::getDoParWorkers(), pool_size())
  expect_identical(foreach::getDoParName(), "doPool")
  withr::local_dir(dir)
  found <- foreach(i = 1:4, .combine = c) %dopar% getwd()
  expect_identical(unique(normalizePath(found)), normalizePath(dir))
  suppressMessages(delete_pool())
  suppressMessages(expect_identical(foreach::getDoParWorkers(), pool_size()))
  expect_warning(foreach(i = 1) %dopar% warning("hear"), "hear")
  expect_message(foreach(i = 1) %dopar% message("hear"), "hear")
})

test_that("the seed of the pool's option counts, and doRNG's own", {
  local_loops()
  withr::local_options(pool.seed = 5)
  a <- foreach(i = 1:5) %dopar% rnorm(1)
  expect_identical(foreach(i = 1:5) %dopar% rnorm(1), a)
  expect_identical(unlist(a), pool_sapply(1:5, function(i) rnorm(1)))
  withr::local_options(pool.seed = NULL)

  skip_if_not_installed("doRNG")
  withr::local_preserve_seed()
  suppressPackageStartupMessages(withr::local_package("doRNG"))
  `%dorng%` <- doRNG::`%dorng%`
  loop <- function() foreach(i = 1:6, .options.RNG = 1234) %dorng% runif(2)
  ours <- loop()
  expect_identical(loop(), ours)
  foreach::registerDoSEQ()
  expect_identical(loop(), ours)
  registerDoPool()
  set.seed(1)
  first <- foreach(i = 1:4) %dorng% rnorm(1)
  second <- foreach(i = 1:4) %dorng% rnorm(1)
  set.seed(1)
  expect_identical(foreach(i = 1:4) %dorng% rnorm(1), first)
  expect_identical(foreach(i = 1:4) %dorng% rnorm(1), second)
  expect_false(identical(first, second))
  doRNG::registerDoRNG(99)
  a <- foreach(i = 1:4) %dopar% runif(1)
  doRNG::registerDoRNG(99)
  expect_identical(foreach(i = 1:4) %dopar% runif(1), a)
})

test_that("what is no loop is an input error", {
  local_loops()
  expect_input_error(1:3 %dopar% 4, "obj")
})

test_that("the backend is registered by doAzureParallel's function, too", {
  local_loops()
  foreach::registerDoSEQ()
  registerDoAzureParallel(list("a cluster of doAzureParallel's makeCluster()"))
  expect_identical(foreach::getDoParName(), "doPool")
  expect_false(foreach(i = 1L, .combine = c) %dopar% Sys.getpid() == Sys.getpid())
})
