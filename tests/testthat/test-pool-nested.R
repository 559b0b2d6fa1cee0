# The pool is the session's alone: not a node's, not another fork's.

test_that("in a node there is no pool", {
  for (type in c("FORK", "PSOCK")) {
    local_pool(2, type = type)
    expect_identical(
      pool_call(at_top(function() list(pool::pool_exists(), pool::pool_size()))),
      list(list(FALSE, 0L), list(FALSE, 0L))
    )
    expect_identical(
      pool_call(at_top(function() {
        tryCatch(pool::pool_lapply(1, identity), pool_absent_error = function(e) "absent")
      })),
      list("absent", "absent")
    )
    e <- error_of(pool_call(at_top(function() pool::pool_lapply(1, identity))))
    expect_match(conditionMessage(e), "does not exist.*a task cannot use the session's pool")
    expect_null(pool_call(at_top(function() pool::delete_pool()))[[1]])
    expect_usable()
  }
})

inner_pool <- at_top(function(i, delete) {
  suppressMessages({
    pool::init_pool(2)
    before <- pool::pool_exists()
    squares <- pool::pool_sapply(1:4, function(j) j^2 + i)
    pids <- unlist(pool::pool_call(Sys.getpid))
    size <- pool::pool_size()
    if (delete) pool::delete_pool()
  })
  list(squares = squares, size = size, before = before, after = pool::pool_exists(),
       pids = pids, own = Sys.getpid())
})

test_that("a node may make and use a pool of its own", {
  for (type in c("FORK", "PSOCK")) {
    local_pool(2, type = type)
    inner <- pool_lapply(1:2, inner_pool, delete = TRUE, chunk.size = 1)
    for (i in 1:2) {
      expect_identical(inner[[i]]$squares, (1:4)^2 + i)
      expect_identical(inner[[i]]$size, 2L)
      expect_true(inner[[i]]$before)
      expect_false(inner[[i]]$after)
    }
    pids <- c(inner[[1]]$pids, inner[[2]]$pids)
    expect_identical(anyDuplicated(c(pids, node_pids(), Sys.getpid())), 0L)
    expect_true(gone(pids))
    expect_usable()
  }
})

test_that("a node's pool ends with the node", {
  local_pool(2)
  inner <- pool_lapply(1:2, inner_pool, delete = FALSE, chunk.size = 1)
  pids <- c(inner[[1]]$pids, inner[[2]]$pids)
  expect_true(all(alive(pids)))
  # It is there for the node's next task, as anything else a task left.
  expect_identical(pool_call(at_top(function() pool::pool_size())), list(2L, 2L))
  init_pool(2)
  expect_true(gone(pids))
  expect_identical(pool_call(at_top(function() pool::pool_size())), list(0L, 0L))

  inner <- pool_lapply(1:2, inner_pool, delete = FALSE, chunk.size = 1)
  pids <- c(inner[[1]]$pids, inner[[2]]$pids)
  tools::pskill(node_pids(), tools::SIGKILL)
  expect_true(gone(pids))
  expect_usable()
})

test_that("three pools deep still gives the right answer", {
  local_pool(1)
  deepest <- at_top(function() {
    suppressMessages(pool::init_pool(1))
    pool::pool_call(function() {
      suppressMessages(pool::init_pool(1))
      pool::pool_sapply(1:3, function(i) i * 100)
    })
  })
  expect_identical(pool_call(deepest), list(list(c(100, 200, 300))))
})

test_that("in a fork that is not the pool's, the pool does not exist", {
  local_pool(2)
  pids <- node_pids()
  seen <- parallel::mclapply(1:2, function(i) {
    used <- tryCatch(pool_lapply(1:3, identity), error = class)
    gc()
    list(pool_exists(), pool_size(), used[1], delete_pool())
  }, mc.cores = 2)
  expect_identical(seen, rep(list(list(FALSE, 0L, "pool_absent_error", NULL)), 2))
  expect_usable(pids)
})

test_that("a fork that is not the pool's may make a pool", {
  local_pool(2)
  pids <- node_pids()
  inner <- parallel::mclapply(1:2, function(i) inner_pool(i, delete = i == 1), mc.cores = 2)
  for (i in 1:2) {
    expect_identical(inner[[i]]$squares, (1:4)^2 + i)
    # The second left its pool to its own end.
    expect_true(gone(inner[[i]]$pids))
  }
  expect_usable(pids)
})

test_that("a fork that is not the pool's does not keep the pool alive", {
  local_pool(2)
  pids <- node_pids()
  go <- withr::local_tempfile()
  job <- parallel::mcparallel({
    until <- Sys.time() + 60
    while (!file.exists(go) && Sys.time() < until) Sys.sleep(0.01)
    "ended"
  })
  suppressMessages(delete_pool())
  expect_true(gone(pids))
  file.create(go)
  expect_identical(unname(parallel::mccollect(job)), list("ended"))
})

test_that("a fork of a node that is not the pool's leaves the pool whole", {
  local_pool(2)
  pids <- node_pids()
  out <- pool_lapply(1:2, at_top(function(i) {
    unlist(parallel::mclapply(1:3, function(j) {
      gc()
      i * 10 + j
    }, mc.cores = 2))
  }))
  expect_identical(out, list(c(11, 12, 13), c(21, 22, 23)))
  expect_usable(pids)
})

test_that("a node that makes a pool in the middle of a range goes on with the range", {
  local_pool(2)
  pids <- node_pids()
  dir <- withr::local_tempdir()
  # The node's own template is a fork of it, and must not go on with the range.
  run <- at_top(function(i, dir) {
    file.create(file.path(dir, paste0(i, "_", Sys.getpid())))
    suppressMessages(pool::init_pool(2))
    values <- pool::pool_sapply(1:3, function(j) j)
    suppressMessages(pool::delete_pool())
    values + i
  })
  values <- pool_lapply(1:12, run, dir, chunk.size = 6)
  expect_identical(values, lapply(1:12, function(i) 1:3 + i))
  expect_identical(sort(as.integer(sub("_.*", "", list.files(dir)))), 1:12)
  expect_identical(node_pids(), pids)
})
