# Packages that ask for a cluster of parallel, on pool_cluster().

test_that("boot draws on it what it draws on parallel's own", {
  skip_if_not_installed("boot")
  cl <- local_cluster(2)
  ratio <- at_top(function(d, w) sum(d$x * w) / sum(d$u * w))
  run <- function(cl) {
    parallel::clusterSetRNGStream(cl, 7)
    withr::with_seed(1, {
      b <- boot::boot(boot::city, ratio, R = 99, stype = "w", parallel = "snow", ncpus = 2, cl = cl)
      b[c("t0", "t", "R")]
    })
  }
  ours <- same_on(cl, run)
  expect_length(ours$value$t, 99)
  simulate <- function(cl) {
    parallel::clusterSetRNGStream(cl, 8)
    boot::boot(boot::aircondit, at_top(function(d) mean(d$hours)), R = 50, sim = "parametric",
      ran.gen = at_top(function(d, m) data.frame(hours = stats::rexp(nrow(d), 1 / m))),
      mle = mean(boot::aircondit$hours), parallel = "snow", ncpus = 2, cl = cl)$t
  }
  same_on(cl, simulate)
  if (nzchar(system.file(package = "survival"))) { # which boot only suggests
    ours <- boot::censboot(boot::aml, at_top(function(d) mean(d$time)), R = 30,
      parallel = "snow", ncpus = 2, cl = cl)
    expect_identical(dim(ours$t), c(30L, 1L))
  }
  expect_free()
})

test_that("pbapply runs on it", {
  skip_if_not_installed("pbapply")
  cl <- local_cluster(2)
  withr::local_options(pboptions = NULL)
  old <- pbapply::pboptions(type = "none")
  withr::defer(pbapply::pboptions(old))
  x <- stats::setNames(as.list(1:11), letters[1:11])
  runs <- list(
    function(cl) pbapply::pblapply(x, at_top(function(i) i^2), cl = cl),
    function(cl) pbapply::pbsapply(1:11, at_top(function(i) c(i, -i)), cl = cl),
    function(cl) pbapply::pbapply(matrix(1:12, 3), 1, sum, cl = cl),
    function(cl) {
      pbapply::pblapply(1:6, at_top(function(i) if (i == 4) stop("four") else i), cl = cl)
    }
  )
  for (run in runs) {
    same_on(cl, run)
  }
  pbapply::pboptions(use_lb = TRUE)
  withr::defer(pbapply::pboptions(use_lb = FALSE))
  same_on(cl, runs[[1]])
  expect_free()
})

test_that("doParallel runs on it", {
  skip_if_not_installed("doParallel")
  loadNamespace("doParallel")
  cl <- local_cluster(2)
  local_backend() # what is registered instead goes with the test
  `%dopar%` <- foreach::`%dopar%`
  run <- function(cl) {
    factor_here <- 3
    doParallel::registerDoParallel(cl)
    list(
      foreach::foreach(i = 1:7) %dopar% (i * factor_here),
      foreach::foreach(i = 1:5, .combine = c, .options.snow = list(preschedule = TRUE)) %dopar% i^2,
      foreach::foreach(x = list(1, "a"), .errorhandling = "remove") %dopar% (x + 1),
      foreach::foreach(a = 1:3, b = 4:6, .combine = rbind, .packages = "stats") %dopar% c(a, b),
      foreach::getDoParWorkers(),
      tryCatch(foreach::foreach(i = 1:3) %dopar% if (i == 2) stop("second") else i,
        error = conditionMessage)
    )
  }
  ours <- same_on(cl, run)
  expect_identical(ours$value[[1]], as.list(1:7 * 3))
  expect_identical(ours$value[[5]], 2L)
  parallel::stopCluster(cl)
  expect_free()
})

local_plan <- function(..., env = parent.frame()) {
  skip_if_not_installed("future")
  withr::local_options(future.debug = FALSE, .local_envir = env)
  withr::defer(future::plan(future::sequential), envir = env)
  suppressMessages(future::plan(...))
}

test_that("future's cluster plan runs on it, and resolved() does not wait", {
  cl <- local_cluster(2)
  local_plan(future::cluster, workers = cl)
  dir <- withr::local_tempdir()
  go <- file.path(dir, "go")
  futures <- lapply(1:2, function(i) {
    future::future({
      until <- Sys.time() + 60
      while (!file.exists(go) && Sys.time() < until) Sys.sleep(0.01)
      c(i, Sys.getpid())
    })
  })
  expect_identical(future::resolved(futures), c(FALSE, FALSE))
  file.create(go)
  expect_true(wait_until(function() all(future::resolved(futures))))
  values <- future::value(futures)
  expect_identical(vapply(values, `[[`, 1L, 1L), 1:2)
  expect_setequal(vapply(values, `[[`, 1L, 2L), unlist(parallel::clusterCall(cl, Sys.getpid)))
  expect_identical(future::value(future::future(sum(1:10))), 55L)
  expect_free()
})

test_that("its errors, warnings, output and random numbers are future's own", {
  cl <- local_cluster(2)
  local_plan(future::cluster, workers = cl)
  expect_error(future::value(future::future(stop("mine"))), "^mine$")
  expect_warning(expect_identical(future::value(future::future({
    warning("careful")
    7
  })), 7), "careful")
  expect_output(future::value(future::future(cat("said\n"))), "said")
  seeded <- function() future::value(future::future(stats::rnorm(2), seed = 42L))
  expect_identical(seeded(), seeded())
  expect_free()
})

test_that("a future whose node dies is an error, and the next one runs", {
  cl <- local_cluster(2)
  local_plan(future::cluster, workers = cl)
  f <- future::future({
    tools::pskill(Sys.getpid(), tools::SIGKILL)
    Sys.sleep(60)
  })
  expect_true(wait_until(function() future::resolved(f)))
  expect_s3_class(error_of(future::value(f)), "FutureInterruptError")
  for (i in 1:3) {
    expect_identical(future::value(future::future(i + 1)), i + 1)
  }
  # One that is cancelled, with its node.
  future::plan(future::sequential)
  local_plan(future::cluster, workers = cl, interrupts = TRUE)
  f <- future::future(Sys.sleep(600))
  future::cancel(f)
  expect_s3_class(error_of(future::value(f)), "FutureError")
  expect_identical(future::value(future::future("fine")), "fine")
  expect_true(all(parallelly::isNodeAlive(cl)))
  expect_false(parallelly::killNode(cl[[1]])) # it is at nothing
  expect_free()
})

test_that("conditions that are to be signalled at once are", {
  cl <- local_cluster(2)
  local_plan(future::cluster, workers = cl)
  expect_steps_at_once()
})
