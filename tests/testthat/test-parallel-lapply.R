# pool_lapply() is held against parLapply(): the same value, or the same error.

for (what in names(all_inputs())) {
  local({
    what <- what
    test_that(paste("pool_lapply() agrees with parLapply() on", what), {
      local_pool()
      x <- all_inputs()[[what]]
      same_lapply(x, identity, label = "identity")
      same_lapply(x, at_top(function(e) list(class(e), attributes(e), length(e))),
                  label = "class, attributes, length")
      same_lapply(x, at_top(function(e) NULL), label = "NULL results")
    })
  })
}

test_that("the encoding marks of strings survive", {
  local_pool()
  x <- copied_inputs()[["strings of each encoding"]]
  marks <- function(strings) Encoding(unlist(strings))
  expect_identical(marks(x)[1:3], c("UTF-8", "latin1", "bytes"))
  same_lapply(x, identity, via = marks)
  expect_identical(marks(pool_lapply(x, identity)), marks(x))
  same_lapply(x, Encoding, label = "the marks as the node sees them")
})

test_that("the bits of numbers survive", {
  local_pool()
  x <- copied_inputs()[["NA, NaN, a payload, -0"]]
  bits <- function(values) lapply(values, function(v) writeBin(v, raw()))
  expect_identical(bits(pool_lapply(x, identity)), bits(x))
  same_lapply(x, at_top(function(v) writeBin(v, raw())), label = "as the node sees them")
})

test_that("environments that every R process has are the node's own, and ours again", {
  local_pool()
  known <- list(globalenv(), baseenv(), emptyenv(), asNamespace("stats"))
  same_lapply(known, identity)
  same_lapply(known, environmentName)
  expect_identical(pool_lapply(known, identity), known)
})

test_that("environments and R6 objects in lists arrive with their contents", {
  local_pool()
  envs <- list(list2env(list(a = 1)), list2env(list(b = 2, c = 3)))
  contents <- function(l) lapply(l, function(e) mget(sort(ls(e)), envir = e))
  same_lapply(envs, identity, via = contents)
  same_lapply(envs, at_top(function(e) mget(ls(e), envir = e)))
  shared_env <- list2env(list(n = 0))
  pair <- list(list(shared_env, shared_env))
  same_lapply(pair, at_top(function(p) {
    p[[1]]$n <- 5
    p[[2]]$n
  }), label = "two references to one environment stay one")
  expect_identical(shared_env$n, 0)

  skip_if_not_installed("R6")
  counter <- R6::R6Class("Counter", public = list(
    n = 0,
    add = function(by = 1) {
      self$n <- self$n + by
      invisible(self)
    }
  ), active = list(double = function() self$n * 2), cloneable = FALSE)
  objects <- list(counter$new()$add(2), counter$new())
  same_lapply(objects, at_top(function(o) c(o$add(10)$n, o$double)))
  same_lapply(objects, identity, via = function(l) {
    lapply(l, function(o) list(class(o), o$n, o$add(1)$double))
  })
  expect_identical(objects[[1]]$n, 2)
})

test_that("S4 objects with their class on the nodes dispatch there", {
  local_pool()
  setup <- quote({
    methods::setClass("PoolPoint", representation(x = "numeric", y = "numeric"))
    methods::setGeneric("norm2", function(p) standardGeneric("norm2"))
    methods::setMethod("norm2", "PoolPoint", function(p) p@x^2 + p@y^2)
    NULL
  })
  withr::defer({
    methods::removeMethod("norm2", "PoolPoint", where = globalenv())
    rm("norm2", envir = globalenv())
    methods::removeClass("PoolPoint", where = globalenv())
  })
  suppressMessages(eval(setup, globalenv()))
  points <- list(methods::new("PoolPoint", x = 3, y = 4), methods::new("PoolPoint", x = 1, y = 0))
  same_lapply(points, identity)
  pool_call(eval, setup, globalenv())
  reference <- reference_cluster()
  parallel::clusterCall(reference, eval, setup, globalenv())
  f <- at_top(function(p) list(norm2(p), methods::isVirtualClass("PoolPoint"), methods::is(p)))
  same(pool_lapply(points, f), parallel::parLapply(shared$cluster, points, f))
  expect_identical(pool_sapply(points, f)[1, ], list(25, 1))
})

test_that("a class with its own methods is taken apart as parallel does it", {
  # Methods in the global environment are found there by the session, and on a
  # node only once they were exported.
  local_globals(
    length.pool_rle = at_top(function(x) sum(unclass(x)$lengths)),
    `[.pool_rle` = at_top(function(x, i) {
      structure(rle(inverse.rle(unclass(x))[i]), class = "pool_rle")
    }),
    as.list.pool_rle = at_top(function(x, ...) as.list(inverse.rle(unclass(x))))
  )
  x <- structure(unclass(rle(c(1, 1, 1, 2, 2, 3))), class = "pool_rle")
  methods <- c("length.pool_rle", "[.pool_rle", "as.list.pool_rle")
  local_pool()
  pool_export(methods)
  reference <- reference_cluster()
  parallel::clusterExport(reference, methods)
  same(
    pool_lapply(x, identity),
    parallel::parLapply(reference, x, identity),
    "identity"
  )
  same(
    pool_sapply(x, at_top(function(v) v + 1)),
    parallel::parSapply(reference, x, at_top(function(v) v + 1)),
    "simplified"
  )
  expect_identical(pool_lapply(x, identity), list(1, 1, 1, 2, 2, 3))
})

test_that("objects beyond 2 GB go there and back", {
  skip_if_not(
    nzchar(Sys.getenv("POOL_TEST_LARGE")) || identical(Sys.getenv("CI"), "true"),
    "POOL_TEST_LARGE is not set"
  )
  local_pool(1)
  size <- 2^31 + 10
  x <- raw(size)
  x[c(1, 2^31, size)] <- as.raw(c(1, 2, 3))
  back <- pool_lapply(list(x), at_top(function(v) {
    v[2] <- as.raw(9)
    v
  }))[[1]]
  expect_identical(length(back), size)
  expect_identical(back[c(1, 2, 3, 2^31, size)], as.raw(c(1, 9, 0, 2, 3)))
  rm(x, back)
  made <- pool_call(at_top(function(n) raw(n)), size)[[1]]
  expect_identical(length(made), size)
})
