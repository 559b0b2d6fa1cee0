# pool_status(): one row a node.

test_that("without a pool there are no rows", {
  local_no_pool()
  found <- pool_status()
  expect_s3_class(found, "data.frame")
  expect_identical(dim(found), c(0L, 7L))
  expect_named(found, c("node", "pid", "state", "tasks", "restarts", "memory", "cpu"))
})

test_that("each node has a row, with what it has done", {
  local_pool(3)
  pids <- node_pids()
  found <- pool_status()
  expect_identical(vapply(found, class, ""), c(
    node = "integer", pid = "integer", state = "character", tasks = "numeric",
    restarts = "integer", memory = "numeric", cpu = "numeric"
  ))
  expect_identical(found$node, 1:3)
  expect_identical(found$pid, pids)
  expect_identical(found$state, rep("idle", 3))
  expect_identical(found$restarts, rep(0L, 3))
  expect_identical(found$tasks, rep(1, 3))
  pool_lapply(1:1000, identity)
  expect_identical(sum(pool_status()$tasks), 1003)
})

test_that("a death and a replacement show", {
  local_pool(2)
  pids <- node_pids()
  tools::pskill(pids[2], 9)
  expect_true(wait_until(function() pool_status()$state[2] == "gone"))
  expect_identical(pool_status()$pid, c(pids[1], NA))
  expect_identical(pool_status()$memory[2], NA_real_)
  expect_usable()
  pool_call(at_top(function() 1))
  found <- pool_status()
  expect_identical(found$restarts, c(0L, 1L))
  expect_identical(found$state, c("idle", "idle"))
  expect_identical(found$pid[1], pids[1])
  expect_false(found$pid[2] %in% pids)
  quiet_init(2) # new nodes, nobody died
  expect_identical(pool_status()$restarts, c(0L, 0L))
  expect_identical(pool_status()$tasks, c(0, 0))
})

test_that("memory and processor time are the nodes' own", {
  skip_if(!file.exists("/proc/self/smaps_rollup"), "processes cannot be measured")
  local_pool(2)
  before <- pool_status()
  pool_call(at_top(function() {
    assign("x", rnorm(4e6), globalenv())
    NULL
  }))
  after <- pool_status()
  expect_true(all(after$memory - before$memory > 30e6))
  expect_true(all(after$cpu > before$cpu))
  expect_true(all(after$cpu < 30))
})

test_that("in a handler of a relayed condition, nodes may be seen at work", {
  local_pool(2)
  seen <- NULL
  withCallingHandlers(
    pool_lapply(1:2, at_top(function(i) {
      if (i == 1) message("now") else Sys.sleep(1)
    })),
    message = function(m) {
      seen <<- pool_status()
      invokeRestart("muffleMessage")
    }
  )
  expect_true("busy" %in% seen$state)
  expect_identical(nrow(seen), 2L)
})

test_that("what was counted goes on when the process that nodes are forked from dies", {
  local_pool(2)
  pool_lapply(1:100, identity)
  template <- process_info(node_pids())$parent[1]
  tools::pskill(template, 9)
  expect_true(gone(template))
  expect_usable()
  found <- pool_status()
  expect_identical(sum(found$tasks), 107)
  expect_identical(found$restarts, c(1L, 1L))
})
