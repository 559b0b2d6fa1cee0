# The pool beside what else runs in a session: other people's children, signal
# handlers, threads, loops and front ends.

test_that("mclapply(), mcparallel() and the pool leave one another alone", {
  skip_on_os("windows")
  found <- in_session(function() {
    suppressMessages(init_pool(2))
    pids <- unlist(pool_call(Sys.getpid))
    rounds <- lapply(1:10, function(k) {
      job <- parallel::mcparallel({
        Sys.sleep(0.05)
        k
      })
      a <- pool_sapply(1:20, function(i) i * k)
      b <- unlist(parallel::mclapply(1:20, function(i) i * k, mc.cores = 2))
      # In a fork of the session the pool does not exist.
      c <- unlist(parallel::mclapply(1:2, function(i) pool_exists(), mc.cores = 2))
      list(a, b, c, unname(unlist(parallel::mccollect(job))))
    })
    list(rounds, identical(unlist(pool_call(Sys.getpid)), pids))
  })
  expect_true(found[[2]])
  for (k in 1:10) {
    expect_equal(found[[1]][[k]], list(1:20 * k, 1:20 * k, c(FALSE, FALSE), k))
  }
})

test_that("forks may work in the middle of a call, and nodes may fork", {
  local_pool(2)
  found <- pool_lapply(1:4, at_top(function(i) {
    unlist(parallel::mclapply(1:4, function(j) i * j, mc.cores = 2))
  }))
  expect_equal(found, lapply(1:4, function(i) i * 1:4))
  expect_usable()
})

test_that("callr and processx, whose SIGCHLD handler it is, go on", {
  found <- in_session(function() {
    before <- processx::process$new("sleep", "0.3")
    suppressMessages(init_pool(2))
    during <- processx::process$new("sh", c("-c", "sleep 0.2; exit 3"))
    ended <- processx::process$new("true")
    a <- pool_sapply(1:50, function(i) i)
    child <- callr::r(function() 1 + 1)
    tools::pskill(unlist(pool_call(Sys.getpid))[[1]], 9)
    b <- pool_sapply(1:50, function(i) i)
    for (p in list(before, during, ended)) p$wait(10000)
    in_node <- pool_lapply(1:2, function(i) callr::r(function(i) i * 10, list(i)))
    suppressMessages(delete_pool())
    list(
      a, b, child, in_node,
      c(before$get_exit_status(), during$get_exit_status(), ended$get_exit_status())
    )
  })
  expect_identical(found, list(1:50, 1:50, 2, list(10, 20), c(0L, 3L, 0L)))
})

test_that("a SIGCHLD handler of somebody else's, and a blocked signal, do no harm", {
  # R has no way to set one: processx does, and mcparallel() does.
  found <- in_session(function() {
    suppressMessages(init_pool(2))
    job <- parallel::mcparallel(1) # parallel's handler from here on
    p <- processx::process$new("true") # and processx's over it
    parallel::mccollect(job)
    for (i in 1:5) {
      tools::pskill(unlist(pool_call(Sys.getpid))[[1]], 9)
      stopifnot(identical(pool_sapply(1:9, function(i) i), 1:9))
    }
    suppressMessages(delete_pool())
    suppressMessages(init_pool(3))
    pool_sapply(1:9, function(i) i)
  })
  expect_identical(found, 1:9)
})

test_that("a cluster of parallel's works in the same session, and in a node", {
  local_pool(2)
  cluster <- parallel::makeCluster(2, type = "FORK") # of a session with a pool
  withr::defer(parallel::stopCluster(cluster))
  expect_identical(parallel::parSapply(cluster, 1:9, at_top(function(i) i)), 1:9)
  expect_identical(
    parallel::clusterCall(cluster, at_top(function() pool::pool_exists())),
    list(FALSE, FALSE)
  )
  expect_usable()
  found <- pool_lapply(1, at_top(function(i) {
    cluster <- parallel::makeCluster(2)
    on.exit(parallel::stopCluster(cluster))
    parallel::parSapply(cluster, 1:4, function(i) i * 2)
  }))
  expect_identical(found, list(c(2, 4, 6, 8)))
})

test_that("foreach on doParallel goes on beside the pool", {
  skip_if_not_installed("doParallel")
  found <- in_session(function() {
    suppressMessages(init_pool(2))
    doParallel::registerDoParallel(2) # forks of the session
    `%dopar%` <- foreach::`%dopar%`
    a <- foreach::foreach(i = 1:6, .combine = c) %dopar% (i * 2)
    b <- pool_sapply(1:6, function(i) i * 2)
    list(a, b)
  })
  expect_identical(found, list(1:6 * 2, 1:6 * 2))
})

test_that("threads that data.table has used before the pool was made do not hang it", {
  skip_if_not_installed("data.table")
  found <- in_session(function() {
    work <- function(i) {
      dt <- data.table::data.table(g = rep(1:1000, 1000), x = runif(1e6))
      sum <- dt[, list(s = sum(x)), by = g]
      data.table::setorder(dt, x)
      c(nrow(sum), data.table::getDTthreads())
    }
    data.table::setDTthreads(2)
    before <- work(0)
    suppressMessages(init_pool(2))
    during <- pool_lapply(1:4, work)
    list(before, during, work(0))
  })
  expect_identical(found[[1]], c(1000L, 2L))
  # A node has one thread: there are as many nodes as the user wants.
  expect_identical(found[[2]], rep(list(c(1000L, 1L)), 4))
  expect_identical(found[[3]], c(1000L, 2L))
})

test_that("a loop of later's goes on, and its thread is not the nodes'", {
  skip_if_not_installed("later")
  found <- in_session(function() {
    fired <- 0
    tick <- function() {
      fired <<- fired + 1
      later::later(tick, 0.01)
    }
    later::later(tick, 0.01)
    for (i in 1:5) {
      later::run_now(0.05)
    }
    suppressMessages(init_pool(2))
    nodes <- pool_lapply(1:2, function(i) {
      done <- FALSE
      later::later(function() done <<- TRUE, 0.01)
      for (k in 1:100) if (done) break else later::run_now(0.05)
      done
    })
    before <- fired
    for (i in 1:20) {
      pool_sapply(1:50, function(i) i)
      later::run_now(0.02)
    }
    list(nodes, fired > before)
  })
  expect_identical(found, list(list(TRUE, TRUE), TRUE))
})

test_that("a package may make a pool while it is loaded", {
  lib <- local_package("poolonload", c(
    "answer <- NULL",
    "twice <- function(i) 2 * i",
    ".onLoad <- function(libname, pkgname) {",
    "  suppressMessages(pool::init_pool(2))",
    "  found <- pool::pool_sapply(1:5, function(i) i * 2)",
    "  assign('answer', found, envir = parent.env(environment()))",
    "}"
  ), c("answer", "twice"), imports = "pool")
  found <- callr::r(function() {
    its <- function(name) getExportedValue("poolonload", name)
    # Its own functions, too, by the time that it is loaded.
    list(its("answer"), pool::pool_sapply(1:3, its("twice")))
  }, libpath = c(lib, .libPaths()), timeout = 120)
  expect_identical(found, list(c(2, 4, 6, 8, 10), c(2, 4, 6)))
})

test_that("a document that knitr runs may have a pool, and sees its messages", {
  skip_if_not_installed("knitr")
  found <- in_session(function() {
    text <- c("```{r}", "library(pool)", "init_pool(2)",
              "pool_sapply(1:3, function(i) { if (i == 2) warning('two'); i * 100 })", "```")
    knitr::knit(text = text, quiet = TRUE)
  })
  expect_match(found, "100 200 300", fixed = TRUE)
  expect_match(found, "Creating background pool", fixed = TRUE)
  expect_match(found, "two", fixed = TRUE)
})

test_that("graphical front ends get an R of its own to fork nodes from, and are told once", {
  found <- in_session(function() {
    Sys.setenv(RSTUDIO = "1")
    .Platform$GUI <- "RStudio"
    said <- character()
    withCallingHandlers(
      for (i in 1:2) {
        init_pool(2, restart = TRUE)
      },
      message = function(m) {
        said <<- c(said, conditionMessage(m))
        invokeRestart("muffleMessage")
      }
    )
    list(said, pool_sapply(1:3, function(i) i))
  })
  expect_identical(found[[2]], 1:3)
  expect_lte(sum(grepl("PSOCK", found[[1]])), 1)
})

test_that("a large session starts a pool and replaces nodes without copying itself", {
  found <- in_session(function() {
    x <- rep(1, 1e8) # 800 MB
    y <- lapply(1:5e5, function(i) i)
    work <- function(i) i
    environment(work) <- globalenv() # or x would go with it
    begin <- proc.time()[[3]]
    suppressMessages(init_pool(4))
    a <- pool_sapply(1:9, work)
    tools::pskill(unlist(pool_call(Sys.getpid))[[1]], 9)
    while (pool_status()$state[[1]] != "gone") Sys.sleep(0.01)
    b <- pool_sapply(1:9, work)
    pool_call(Sys.getpid) # all nodes are there, the new one too
    took <- proc.time()[[3]] - begin
    list(a, b, took < 20, sum(pool_status()$memory), length(x) + length(y))
  })
  expect_identical(found[1:3], list(1:9, 1:9, TRUE))
  expect_lt(found[[4]], 2e8) # bytes of all nodes together
})
