# R's own tests of package parallel (snow1 and snow2) with pool_cluster() in the place of
# makeCluster(); what they only print is compared with what parallel's own cluster gives.

test_that("the functions of the first come to the same on the pool", {
  cl <- local_cluster(2)
  local_globals(xx = 1)
  runs <- list(
    function(cl) parallel::clusterApply(cl, 1:2, get("+"), 3),
    function(cl) {
      parallel::clusterExport(cl, "xx")
      parallel::clusterCall(cl, at_top(function(y) xx + y), 2)
    },
    function(cl) {
      parallel::clusterMap(cl, at_top(function(x, y) seq_len(x) + y), c(a = 1, b = 2, c = 3),
        c(A = 10, B = 0, C = -10))
    },
    function(cl) parallel::parSapply(cl, 1:20, get("+"), 3)
  )
  for (run in runs) {
    same_on(cl, run)
  }
})

test_that("a bootstrap on nodes that were set up by the cluster draws the same", {
  skip_if_not_installed("boot")
  skip_if_not_installed("MASS")
  cl <- local_cluster(2)
  run <- function(cl) {
    ready <- parallel::clusterEvalQ(cl, {
      suppressPackageStartupMessages(library(boot))
      pool_test_draw <- function(data, mle) MASS::mvrnorm(nrow(data), mle$m, mle$v)
      pool_test_mle <- list(m = colMeans(cd4), v = stats::var(cd4))
      NULL
    })
    expect_identical(ready, list(NULL, NULL))
    parallel::clusterSetRNGStream(cl, 11)
    runs <- parallel::clusterEvalQ(cl, boot(cd4, corr, R = 100, sim = "parametric",
      ran.gen = pool_test_draw, mle = pool_test_mle))
    lapply(runs, function(b) b[c("t0", "t", "R")])
  }
  ours <- same_on(cl, run)
  expect_identical(dim(ours$value[[1]]$t), c(100L, 1L))
  expect_false(identical(ours$value[[1]]$t, ours$value[[2]]$t))
})

test_that("the second's bootstrap from one seed gives its interval", {
  skip_if_not_installed("boot")
  skip_if_not_installed("MASS")
  cl <- local_cluster(2)
  resample <- at_top(function(...) {
    suppressPackageStartupMessages(library(boot))
    draw <- function(data, mle) MASS::mvrnorm(nrow(data), mle$m, mle$v)
    estimate <- list(m = colMeans(cd4), v = stats::var(cd4))
    boot(cd4, corr, R = 500, sim = "parametric", ran.gen = draw, mle = estimate)
  })
  interval <- function(cl) {
    parallel::clusterSetRNGStream(cl, 123)
    loadNamespace("boot")
    both <- do.call(c, parallel::parLapply(cl, seq_len(2), resample))
    found <- boot::boot.ci(both, type = c("norm", "basic", "perc"), conf = 0.9,
      h = atanh, hinv = tanh)
    list(R = both$R, normal = found$normal, basic = found$basic, percent = found$percent)
  }
  ours <- same_on(cl, interval)$value
  expect_identical(ours$R, 1000)
  # As R's repository has it, to the digits that it prints.
  expect_equal(round(ours$normal[2:3], 4), c(0.4705, 0.8589))
  expect_equal(round(utils::tail(c(ours$basic), 2), 4), c(0.4620, 0.8597))
  expect_equal(round(utils::tail(c(ours$percent), 2), 4), c(0.4900, 0.8689))
})
