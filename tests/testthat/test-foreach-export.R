# What a loop's expression needs of the session, and nothing else of it.

world <- function(expr, envir = parent.frame(), ...) {
  pool:::exported_world(expr, envir, ...)
}

size <- function(x) length(serialize(x, NULL))

test_that("of a frame only what is named goes along", {
  f <- at_top(function() {
    small <- 1
    big <- numeric(1e6)
    use <- function(x) x + small
    pool:::exported_world(quote(use(i)), environment(), "i")
  })
  home <- f()
  expect_setequal(ls(home), c("small", "use"))
  expect_lt(size(home), 5e4)
  expect_identical(environment(home$use), home)
  expect_identical(eval(quote(use(2)), home), 3)
})

test_that("arguments that have no value, or none that can be had, are left out", {
  f <- function(a, b, c = stop("never"), d = 4) world(quote(list(a, b, c, d)))
  home <- f(b = stop("nor this"))
  expect_identical(ls(home), "d")
  expect_error(eval(quote(a), home), "not found")
})

test_that("active and locked bindings are what they are now", {
  e <- new.env()
  n <- 0
  makeActiveBinding("active", function() n <<- n + 1, e)
  assign("fixed", 5, e)
  lockBinding("fixed", e)
  lockEnvironment(e)
  home <- world(quote(active + fixed), e)
  expect_identical(c(home$active, home$active, home$fixed), c(1, 1, 5))
  home$fixed <- 6
  expect_identical(e$fixed, 5)
})

test_that("functions that call one another, in several frames, find one another", {
  outer <- at_top(function() {
    even <- function(n) if (n == 0) TRUE else odd(n - 1)
    odd <- function(n) if (n == 0) FALSE else even(n - 1)
    inner <- function() {
      limit <- 3
      both <- function(n) even(n) && n > limit
      pool:::exported_world(quote(both(i)), environment(), "i")
    }
    inner()
  })
  home <- unserialize(serialize(outer(), NULL))
  expect_true(eval(quote(both(4)), home))
  expect_false(eval(quote(both(2)), home))
  expect_identical(ls(home), c("both", "limit"))
  expect_setequal(ls(parent.env(home)), c("even", "odd"))
})

test_that("what a function closes over goes along, shared where it is", {
  counter <- at_top(function() {
    n <- 0
    list(up = function() n <<- n + 1, get = function() n)
  })()
  up <- counter$up
  get_n <- counter$get
  home <- unserialize(serialize(world(quote(list(up(), get_n()))), NULL))
  eval(quote(up()), home)
  expect_identical(eval(quote(get_n()), home), 1)
  expect_identical(counter$get(), 0)
})

test_that("objects of S4, generics, and functions of packages stay what they are", {
  local_loops(1)
  f <- stats::sd
  g <- methods::show
  home <- world(quote(list(f, g)))
  expect_identical(home$f, stats::sd)
  expect_identical(home$g, methods::show)
  h <- Vectorize(function(a, b) a + b)
  expect_identical(foreach(i = 1:2) %dopar% h(i, 1:2), list(2:3, 3:4))
  counter <- local({
    self <- environment()
    value <- 0
    add <- function(x) {
      self$value <- self$value + x
      self$value
    }
    self
  })
  expect_identical(foreach(i = 1:2, .combine = c) %dopar% counter$add(i), c(1, 3))
  expect_identical(counter$value, 0)
})

test_that("a loop in a package's function sees the package", {
  lib <- local_package("loops", c(
    "hidden_one <- function(x) x * 3",
    "run <- function(n) {",
    "  k <- 10",
    "  foreach::`%dopar%`(foreach::foreach(i = seq_len(n), .combine = c), hidden_one(i) + k)",
    "}"
  ), "run")
  found <- in_session(function(lib) {
    .libPaths(c(lib, .libPaths()))
    suppressMessages(init_pool(2))
    registerDoPool()
    getExportedValue("loops", "run")(3)
  }, list(lib))
  expect_identical(found, c(13, 16, 19))
})

test_that("an expression's source is not sent", {
  path <- withr::local_tempfile(fileext = ".R")
  writeLines(c("f <- function(envir) {", "  x <- 1", paste0("  # ", strrep("long ", 1e5)),
    "  quote({", "    x + 1", "  })", "}"), path)
  e <- new.env()
  withr::local_options(keep.source = TRUE)
  sys.source(path, e, keep.source = TRUE)
  expr <- e$f()
  expect_gt(size(expr), 1e5)
  task <- pool:::foreach_task(list(argnames = "i"), expr, environment())
  expect_lt(size(task$expr), 1e3)
})
