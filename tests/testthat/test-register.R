# What other packages are told when they are loaded.

ours <- function(name) get(name, envir = asNamespace("pool"))

test_that("a cluster is made by makeCluster() where R lets others do that", {
  if ("registerClusterType" %in% getNamespaceExports("parallel")) {
    local_no_pool()
    cl <- suppressMessages(parallel::makeCluster(2, type = "POOL"))
    expect_s3_class(cl, "pool_cluster")
    expect_identical(pool_size(), 2L)
    expect_identical(parallel::parSapply(cl, 1:2, sqrt), sqrt(1:2))
  } else {
    expect_null(ours("register_cluster_type")("parallel"))
    expect_error(parallel::makeCluster(2, type = "POOL"), "unknown cluster type")
  }
  # Whatever R does with it.
  local_no_pool()
  cl <- suppressMessages(ours("make_pool_cluster")(3, outfile = ""))
  expect_length(cl, 3)
  expect_input_error(ours("make_pool_cluster")("host"), "size")
})

test_that("future may be loaded before or after, and may have other functions", {
  skip_if_not_installed("future")
  for (order in list(c("pool", "future"), c("future", "pool"))) {
    expect_identical(in_session(function(order) {
      for (name in order) loadNamespace(name)
      suppressMessages(future::plan(pool::pool, workers = 1))
      on.exit(future::plan(future::sequential))
      future::value(future::future(1 + 1))
    }, list(order)), 2)
  }
  lib <- local_package("pooltestold", "resolved <- function(x, ...) UseMethod('resolved')",
    "resolved")
  withr::local_libpaths(lib, action = "prefix")
  # One that has only some of them.
  in_session(function(lib) {
    .libPaths(c(lib, .libPaths()))
    methods <- get("foreign_methods", asNamespace("pool"))
    stopifnot("resolved" %in% names(methods$future))
    old <- loadNamespace(paste0("pooltest", "old"))
    namespace <- asNamespace("pool")
    get("unlockBinding", baseenv())("foreign_methods", namespace)
    assign("foreign_methods", list(pooltestold = methods$future), namespace)
    namespace$register_methods("pooltestold")
    stopifnot(is.function(utils::getS3method("resolved", "PoolFuture", envir = old)))
    NULL
  }, list(lib))
})
