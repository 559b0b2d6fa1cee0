# The connection of a node of pool_cluster(): readable when, and only when, the node has
# something to say, or is no more.

rings <- function(con, seconds = 0) socketSelect(list(con), FALSE, seconds)

waits_for <- at_top(function(file) {
  until <- Sys.time() + 60
  while (!file.exists(file) && Sys.time() < until) Sys.sleep(0.01)
  "there"
})

test_that("it rings when there is an answer, until that is taken", {
  cl <- local_cluster(2)
  con <- cl[[1]]$con
  expect_s3_class(con, "sockconn")
  expect_identical(cl[[1]][["con"]], con)
  expect_false(identical(cl[[2]]$con, con))
  for (i in 1:3) {
    file <- withr::local_tempfile()
    send_call(cl[[1]], waits_for, file)
    expect_false(rings(con))
    expect_identical(cl[[1]]$con, con)
    file.create(file)
    expect_true(rings(con, 60))
    expect_true(rings(con)) # it does not stop by being looked at
    expect_identical(receive(cl[[1]]), "there")
    expect_false(rings(con))
  }
  # Through parallel's functions all the same.
  expect_identical(parallel::parSapply(cl, 1:20, at_top(function(i) i)), 1:20)
  expect_identical(parallel::clusterApplyLB(cl, 1:20, identity), as.list(1:20))
  expect_false(rings(con))
  expect_false(rings(cl[[2]]$con))
  expect_identical(cl[[1]]$con, con)
})

test_that("an answer that others took in for their own sake still rings", {
  cl <- local_cluster(2)
  con <- cl[[1]]$con
  send_call(cl[[1]], identity, 1)
  expect_true(rings(con, 60))
  expect_identical(pool_sapply(1:2, sqrt), sqrt(1:2))
  expect_true(rings(con))
  expect_identical(receive(cl[[1]]), 1)
  expect_false(rings(con))
})

test_that("an error of a task rings, and an answer that cannot be sent", {
  cl <- local_cluster(1)
  con <- cl[[1]]$con
  send_call(cl[[1]], stop, "no")
  expect_true(rings(con, 60))
  expect_s3_class(receive(cl[[1]]), "try-error")
  expect_false(rings(con))
  skip_if(is.na(Cstack_info()[["size"]]), "the C stack has no limit")
  send_call(cl[[1]], at_top(function() {
    x <- NULL
    for (i in 1:100000) x <- list(x)
    x
  }))
  expect_true(rings(con, 60))
  expect_s3_class(receive(cl[[1]]), "try-error")
  expect_false(rings(con))
})

test_that("an answer larger than any buffer rings before somebody reads it", {
  cl <- local_cluster(1)
  con <- cl[[1]]$con
  make <- at_top(function() as.list(seq_len(3e5)))
  send_call(cl[[1]], make)
  expect_true(rings(con, 60))
  expect_identical(receive(cl[[1]]), make())
  # An element that large leaves with nobody waiting for the rest.
  send_call(cl[[1]], length, make())
  expect_true(rings(con, 60))
  expect_identical(receive(cl[[1]]), 300000L)
  expect_false(rings(con))
})

test_that("the end of a node shows at once, and its successor has another", {
  cl <- local_cluster(2)
  con <- cl[[1]]$con
  send_call(cl[[1]], at_top(function() tools::pskill(Sys.getpid(), tools::SIGKILL)))
  expect_true(rings(con, 60))
  expect_s3_class(error_of(receive(cl[[1]])), "pool_worker_error")
  fresh <- cl[[1]]$con
  expect_false(identical(fresh, con))
  expect_false(rings(fresh))
  send_call(cl[[1]], identity, 5)
  expect_true(rings(fresh, 60))
  expect_identical(receive(cl[[1]]), 5)
  # Also of a node that dies of its own accord, or with its pool.
  tools::pskill(node_pids()[[1]], tools::SIGKILL)
  expect_true(rings(fresh, 60))
  expect_true(wait_until(function() "gone" %in% pool_status()$state))
  send_call(cl[[1]], identity, 6)
  expect_true(rings(cl[[1]]$con, 60))
  expect_identical(receive(cl[[1]]), 6)
  last <- cl[[1]]$con
  init_pool(2)
  expect_true(rings(last, 60))
  expect_false(rings(cl[[1]]$con))
})

test_that("a child that a task has forked does not hide its node's end", {
  cl <- local_cluster(1)
  con <- cl[[1]]$con
  dir <- withr::local_tempdir()
  send_call(cl[[1]], at_top(function(dir) {
    parallel::mcparallel({
      file.create(file.path(dir, Sys.getpid()))
      Sys.sleep(600)
    })
    while (length(list.files(dir)) == 0) Sys.sleep(0.01)
    tools::pskill(Sys.getpid(), tools::SIGKILL)
  }), dir)
  expect_true(rings(con, 60))
  child <- as.integer(list.files(dir))
  expect_true(alive(child))
  tools::pskill(child, tools::SIGKILL)
  expect_s3_class(error_of(receive(cl[[1]])), "pool_worker_error")
})

test_that("what a task says before its result rings", {
  cl <- local_cluster(1)
  con <- cl[[1]]$con
  file <- withr::local_tempfile()
  send_call(cl[[1]], at_top(function(file) {
    # As package future does it: the frame's variable of that name.
    master <- get("master", envir = Find(function(f) exists("master", f, inherits = FALSE),
      sys.frames()))
    for (i in 1:2) {
      get("sendData", asNamespace("parallel"))(master, list(type = "VALUE", value = i))
    }
    until <- Sys.time() + 60
    while (!file.exists(file) && Sys.time() < until) Sys.sleep(0.01)
    "result"
  }), file)
  expect_true(rings(con, 60))
  expect_identical(receive(cl[[1]]), 1L)
  expect_true(rings(con, 60))
  expect_identical(receive(cl[[1]]), 2L)
  expect_false(rings(con))
  file.create(file)
  expect_true(rings(con, 60))
  expect_identical(receive(cl[[1]]), "result")
  expect_false(rings(con))
})

test_that("there is none where nobody asks, and it goes with its cluster", {
  local_pool(2)
  gc() # those of other tests
  before <- getAllConnections()
  cl <- pool_cluster()
  parallel::parLapply(cl, 1:4, identity)
  utils::capture.output(print(cl), print(cl[[1]]))
  expect_identical(getAllConnections(), before)
  con <- cl[[1]]$con
  expect_length(setdiff(getAllConnections(), before), 1)
  parallel::stopCluster(cl)
  expect_identical(getAllConnections(), before)
  expect_null(cl[[1]]$con)
  local({
    cl <- pool_cluster()
    lapply(cl, function(node) node$con)
  })
  rm(con)
  expect_silent(invisible(gc()))
  gc()
  expect_identical(getAllConnections(), before)
})

test_that("one that somebody has closed is made anew", {
  cl <- local_cluster(2)
  close(cl[[1]]$con)
  expect_false(rings(cl[[1]]$con))
  send_call(cl[[1]], identity, 1)
  expect_true(rings(cl[[1]]$con, 60))
  expect_identical(receive(cl[[1]]), 1)
})
