# Nodes of pool_cluster() that die, and functions of parallel that are left in the middle.

die <- at_top(function(...) {
  tools::pskill(Sys.getpid(), tools::SIGKILL)
  Sys.sleep(60)
})
double <- at_top(function(i) i * 2)

for (type in c("FORK", "PSOCK")) {
  local({
    type <- type
    test_that(paste("a node that dies in a task is an error, and is replaced,", type), {
      cl <- local_cluster(2, type = type)
      pids <- node_pids()
      parallel::clusterEvalQ(cl, told <- "by parallel")
      pool_evalq(prepared <- "by the pool")
      e <- error_of(parallel::clusterApply(cl, 1:4, at_top(function(i, die) {
        if (i == 2) die() else i
      }), die))
      expect_s3_class(e, c("pool_worker_error", "pool_error", "error", "condition"), exact = TRUE)
      expect_identical(e$node, 2L)
      expect_identical(e$status, "was killed by signal 9")
      expect_match(conditionMessage(e), "node 2 was lost: it was killed by signal 9", fixed = TRUE)
      expect_match(conditionMessage(e), "repeat clusterExport()", fixed = TRUE)
      expect_identical(parallel::parSapply(cl, 1:5, double), 1:5 * 2)
      expect_identical(parallel::clusterEvalQ(cl, prepared), list("by the pool", "by the pool"))
      # What parallel's functions had put there is gone with it.
      expect_identical(parallel::clusterEvalQ(cl, exists("told")), list(TRUE, FALSE))
      expect_identical(node_pids()[[1]], pids[[1]])
      expect_free()
    })
  })
}

test_that("any way out of a task is an error of its node", {
  cl <- local_cluster(2)
  ways <- list(
    "quit with status 3" = function() quit(status = 3),
    "quit with status 0" = function() q(),
    "was killed by signal 15" = function() tools::pskill(Sys.getpid(), tools::SIGTERM)
  )
  for (status in names(ways)) {
    e <- error_of(parallel::clusterCall(cl[1], at_top(function(way) {
      way()
      Sys.sleep(60)
    }), at_top(ways[[status]])))
    expect_s3_class(e, "pool_worker_error")
    expect_identical(e$status, status)
    e <- error_of(parallel::clusterApplyLB(cl, 1:6, at_top(function(i, way) {
      if (i == 4) way()
      i
    }), at_top(ways[[status]])))
    expect_s3_class(e, "pool_worker_error")
    expect_free()
  }
})

test_that("when all nodes die in a call, the next one has new ones", {
  cl <- local_cluster(2)
  for (i in 1:3) {
    expect_s3_class(error_of(parallel::clusterCall(cl, die)), "pool_worker_error")
    expect_identical(parallel::parSapply(cl, 1:5, double), 1:5 * 2)
  }
  expect_gte(sum(pool_status()$restarts), 3)
})

test_that("nodes that die while they are idle are replaced, unnoticed", {
  cl <- local_cluster(2)
  for (i in 1:5) {
    pids <- node_pids()
    tools::pskill(pids[i %% 2 + 1], tools::SIGKILL)
    expect_true(gone(pids[i %% 2 + 1]))
    expect_true(wait_until(function() "gone" %in% pool_status()$state))
    expect_identical(parallel::clusterCall(cl, identity, i), list(i, i))
  }
  expect_free()
})

test_that("an answer is not lost with a node that dies after it", {
  cl <- local_cluster(2)
  pids <- node_pids()
  send_call(cl[[1]], identity, "said")
  send_call(cl[[2]], identity, "said too")
  expect_identical(receive(cl[[2]]), "said too")
  # Taken in by whoever uses the pool.
  expect_true(wait_until(function() error_class(pool_sapply(1:2, double)) == "none"))
  tools::pskill(pids[[1]], tools::SIGKILL)
  expect_true(gone(pids[[1]]))
  expect_identical(receive(cl[[1]]), "said")
  expect_free()
})

test_that("what a message that waits for the same node loses with it is only that message", {
  cl <- local_cluster(2)
  other <- pool_cluster()
  send_call(cl[[1]], identity, 1)
  send_call(cl[[2]], die)
  expect_s3_class(error_of(receive(cl[[2]])), "pool_worker_error")
  send_call(other[[2]], identity, 2)
  expect_identical(receive(other[[2]]), 2)
  expect_identical(receive(cl[[1]]), 1)
  expect_free()
})

test_that("when the process dies that nodes are forked from, all that was outstanding is lost", {
  cl <- local_cluster(2)
  template <- process_info(node_pids()[[1]])$parent
  for (i in 1:2) send_call(cl[[i]], Sys.sleep, 60)
  tools::pskill(template, tools::SIGKILL)
  for (i in 1:2) {
    expect_s3_class(error_of(receive(cl[[i]])), "pool_worker_error")
  }
  expect_identical(parallel::parSapply(cl, 1:5, double), 1:5 * 2)
  template <- process_info(node_pids()[[1]])$parent
  tools::pskill(template, tools::SIGKILL)
  expect_true(gone(template))
  expect_identical(parallel::parSapply(cl, 1:5, double), 1:5 * 2)
  expect_free()
})

# Sends the session an interrupt as soon as all tasks run.
interrupted_by_task <- function(run, ...) {
  in_session(run, list(at_top(function(i, dir, session, n) {
    file.create(file.path(dir, i))
    on.exit(file.create(file.path(dir, paste("left", i))))
    until <- Sys.time() + 60
    while (length(list.files(dir, "^[0-9]+$")) < n && Sys.time() < until) Sys.sleep(0.01)
    if (i == n) tools::pskill(session, tools::SIGINT)
    Sys.sleep(60)
  }), ...))
}

test_that("Ctrl-C ends a function of parallel and what it had started, not the cluster", {
  dir <- withr::local_tempdir()
  found <- interrupted_by_task(function(task, dir) {
    suppressMessages(pool::init_pool(2))
    cl <- pool::pool_cluster()
    pids <- unlist(pool::pool_call(Sys.getpid))
    seconds <- system.time(
      first <- tryCatch(
        parallel::clusterApply(cl, 1:4, task, dir, Sys.getpid(), 2),
        interrupt = function(i) "interrupted"
      )
    )[["elapsed"]]
    left <- list.files(dir)
    list(
      first, seconds, left, parallel::parSapply(cl, 1:5, function(i) i * 2),
      identical(unlist(pool::pool_call(Sys.getpid)), pids), pool::pool_sapply(1:3, sqrt)
    )
  }, dir)
  expect_identical(found[[1]], "interrupted")
  expect_lt(found[[2]], 30)
  # What was running has left by its on.exit(); what had not begun has not begun.
  expect_setequal(found[[3]], c("1", "2", "left 1", "left 2"))
  expect_identical(found[[4]], 1:5 * 2)
  expect_true(found[[5]])
  expect_identical(found[[6]], sqrt(1:3))
})

test_that("Ctrl-C while somebody else's message is outstanding leaves that alone", {
  dir <- withr::local_tempdir()
  found <- interrupted_by_task(function(task, dir) {
    suppressMessages(pool::init_pool(3))
    cl <- pool::pool_cluster()
    send <- get("sendCall", asNamespace("parallel"))
    send(cl[[3]], function(file) {
      until <- Sys.time() + 60
      while (!file.exists(file) && Sys.time() < until) Sys.sleep(0.01)
      "mine"
    }, list(file.path(dir, "go")))
    first <- tryCatch(
      parallel::clusterApply(cl[1:2], 1:4, task, dir, Sys.getpid(), 2),
      interrupt = function(i) "interrupted"
    )
    second <- parallel::parSapply(cl[1:2], 1:5, function(i) i * 2)
    file.create(file.path(dir, "go"))
    third <- get("recvResult", asNamespace("parallel"))(cl[[3]])
    list(first, second, third, pool::pool_sapply(1:3, sqrt))
  }, dir)
  expect_identical(found, list("interrupted", 1:5 * 2, "mine", sqrt(1:3)))
})

test_that("a message whose receipt was interrupted can still be received", {
  dir <- withr::local_tempdir()
  found <- in_session(function(dir) {
    suppressMessages(pool::init_pool(2))
    cl <- pool::pool_cluster()
    get("sendCall", asNamespace("parallel"))(cl[[1]], function(dir, session) {
      tools::pskill(session, tools::SIGINT)
      until <- Sys.time() + 60
      while (!file.exists(file.path(dir, "go")) && Sys.time() < until) Sys.sleep(0.01)
      "the answer"
    }, list(dir, Sys.getpid()))
    receive <- get("recvResult", asNamespace("parallel"))
    first <- tryCatch(receive(cl[[1]]), interrupt = function(i) "interrupted")
    file.create(file.path(dir, "go"))
    list(first, receive(cl[[1]]), pool::pool_sapply(1:3, sqrt))
  }, list(dir))
  expect_identical(found, list("interrupted", "the answer", sqrt(1:3)))
})

test_that("what a function of parallel has left is given up with the next message, or call", {
  cl <- local_cluster(2)
  pids <- node_pids()
  leave <- function() {
    # An element that is not there yet when the first has been sent.
    x <- structure(list(60, 60), class = "pool_test_elements")
    expect_error(parallel::clusterApply(cl, x, Sys.sleep), "no second element")
  }
  registerS3method("[[", "pool_test_elements", function(x, i) {
    if (i == 2) stop("no second element") else unclass(x)[[i]]
  })
  leave()
  expect_identical(parallel::clusterApply(cl, 1:3, double), list(2, 4, 6))
  leave()
  expect_identical(pool_sapply(1:3, double), c(2, 4, 6))
  leave()
  # Of one node alone; the other may be at work for somebody else.
  send_call(cl[[2]], Sys.sleep, 0)
  expect_null(receive(cl[[2]]))
  expect_identical(parallel::clusterCall(cl[1], identity, 1), list(1))
  leave()
  init_pool(2)
  expect_free()
})

test_that("a jump out of parallel's functions at any moment leaves a cluster that works", {
  cl <- local_cluster(2)
  x <- list(a = stats::runif(1e4), b = as.list(seq_len(2e4)), c = letters)
  answers <- jumps <- 0
  for (k in 1:60) {
    setTimeLimit(elapsed = k * 0.002, transient = TRUE)
    found <- tryCatch(
      parallel::clusterApplyLB(cl, rep(list(x), 6), identity),
      error = function(e) e
    )
    setTimeLimit()
    if (inherits(found, "error")) {
      jumps <- jumps + 1
      expect_match(conditionMessage(found), "elapsed time limit")
    } else {
      answers <- answers + 1
      expect_identical(found, rep(list(x), 6))
    }
    if (k %% 2) expect_identical(pool_sapply(1:3, double), c(2, 4, 6))
    expect_identical(parallel::clusterApply(cl, 1:3, double), list(2, 4, 6))
  }
  expect_gt(jumps, 0)
  expect_free()
})
