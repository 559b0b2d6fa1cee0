# What a task leaves behind in its node, or sends from it, must not keep the
# session waiting.

test_that("results of every size around a megabyte arrive", {
  local_pool(1)
  for (n in c(2^20 - 80:0, 2^20 + 1:80, 2^21 - 60:0)) {
    expect_identical(length(pool_lapply(n, raw)[[1]]), as.integer(n))
  }
  for (n in 131050:131080) {
    expect_identical(pool_lapply(n, numeric), list(numeric(n)))
  }
  expect_usable()
})

test_that("elements and constants of every size around a megabyte arrive", {
  local_pool(1)
  for (n in c(2^20 - 80:0, 2^20 + 1:40)) {
    expect_identical(pool_lapply(list(raw(n)), length), list(as.integer(n)))
    expect_identical(pool_lapply(1, function(i, x) length(x), raw(n)), list(as.integer(n)))
  }
  expect_usable()
})

test_that("a time limit that a task has left behind loses nothing", {
  local_pool(1)
  for (k in 1:20) {
    limit <- k / 1000
    pool_lapply(1, function(i) setTimeLimit(elapsed = limit))
    for (j in 1:20) {
      expect_identical(pool_lapply(j, function(i) i), list(j))
    }
  }
  expect_usable()
})

test_that("a time limit of a task is an error of the task", {
  local_pool(1)
  e <- error_of(pool_lapply(1:3, function(i) {
    if (i == 2) {
      setTimeLimit(elapsed = 0.1)
      on.exit(setTimeLimit())
      repeat Sys.sleep(0.01)
    }
    i
  }))
  expect_s3_class(e, "pool_task_error")
  expect_identical(e$index, 2L)
  expect_match(conditionMessage(e), "time limit")
  expect_identical(e$results, list(1L, NULL, 3L))
})

test_that("the session's quit() in a node ends that node alone", {
  local_pool(4) # the element is tried three times
  kept <- pool_call(function() {
    f <- tempfile()
    file.create(f)
    f
  })
  e <- error_of(pool_lapply(1, function(i, q) q("no"), q = quit))
  expect_s3_class(e, "pool_worker_error")
  expect_gte(sum(file.exists(unlist(kept))), 1L)
  homes <- unlist(pool_call(tempdir))
  expect_true(all(file.exists(homes)))
  expect_length(unique(dirname(homes)), 1L)
  expect_usable()
})

test_that("a node lets go of a call's objects with its last range", {
  local_pool(1)
  mb <- function() pool_evalq(gc()[2, 2])[[1]]
  before <- mb()
  pool_lapply(1:2, max, numeric(1e7))
  expect_lt(mb() - before, 40)
})

test_that("niceness that is not allowed is not had, and the nodes work", {
  skip_if(Sys.info()[["user"]] == "root", "root may")
  local_pool(1, renice = -5)
  expect_usable()
})
