# The examples that R tests its own package parallel with (snow1 and snow2),
# on the pool. There they only have to run; here the results are looked at.

test_that("a primitive with a constant argument is applied", {
  local_pool()
  expect_identical(pool_lapply(1:2, get("+"), 3), list(4, 5))
  same_lapply(1:2, get("+"), 3)
  expect_identical(pool_sapply(1:20, get("+"), 3), 1:20 + 3)
  same_sapply(1:20, get("+"), 3)
})

test_that("an exported variable is found by a call on every node", {
  local_pool()
  local_globals(xx = 1)
  pool_export("xx")
  expect_identical(pool_call(at_top(function(y) xx + y), 2), list(3, 3))
})

test_that("pool_map() works as mapply() does", {
  local_pool()
  x <- c(a = 1, b = 2, c = 3)
  y <- c(A = 10, B = 0, C = -10)
  f <- at_top(function(x, y) seq_len(x) + y)
  expect_identical(pool_map(f, x, y), mapply(f, x, y, SIMPLIFY = FALSE))
  same_map(f, x, y)
})

test_that("a bootstrap runs on nodes that were set up by evaluating on them", {
  skip_if_not_installed("boot")
  skip_if_not_installed("MASS")
  local_pool()
  ready <- pool_evalq({
    library(boot)
    draw <- function(data, mle) MASS::mvrnorm(nrow(data), mle$m, mle$v)
    estimate <- list(m = colMeans(cd4), v = stats::var(cd4))
    NULL
  })
  expect_identical(ready, list(NULL, NULL))
  runs <- pool_evalq(
    boot(cd4, corr, R = 100, sim = "parametric", ran.gen = draw, mle = estimate)
  )
  expect_identical(lapply(runs, class), list("boot", "boot"))
  # Each node drew its own numbers.
  expect_false(identical(runs[[1]]$t, runs[[2]]$t))
  loadNamespace("boot")
  both <- do.call(c, runs)
  expect_identical(both$R, 200)
  expect_identical(dim(both$t), c(200L, 1L))
  interval <- boot::boot.ci(both, type = c("norm", "basic", "perc"), conf = 0.9,
                            h = atanh, hinv = tanh)
  for (kind in c("normal", "basic", "percent")) {
    limits <- utils::tail(c(interval[[kind]]), 2)
    expect_true(all(is.finite(limits)))
    expect_lt(limits[1], limits[2])
  }
  # What the estimate on the data itself is does not depend on the draws.
  expect_equal(both$t0, boot::corr(boot::cd4))
})

test_that("a bootstrap whose function loads what it needs runs on every node", {
  skip_if_not_installed("boot")
  skip_if_not_installed("MASS")
  local_pool()
  run <- at_top(function(...) {
    suppressPackageStartupMessages(library(boot))
    draw <- function(data, mle) MASS::mvrnorm(nrow(data), mle$m, mle$v)
    estimate <- list(m = colMeans(cd4), v = stats::var(cd4))
    boot(cd4, corr, R = 50, sim = "parametric", ran.gen = draw, mle = estimate)
  })
  runs <- pool_lapply(seq_len(2), run)
  expect_identical(vapply(runs, function(b) nrow(b$t), 1L), c(50L, 50L))
  expect_false(identical(runs[[1]]$t, runs[[2]]$t))
})
