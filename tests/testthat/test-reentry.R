# R code that runs in the middle of a pool function (a handler, a finalizer) may
# call another one: that is refused, and neither of them is harmed.

# Serializing it signals a warning.
loud <- function() as.environment("package:stats")

# Every function that would get in the way.
entries <- list(
  quote(pool_lapply(1:2, identity)),
  quote(pool_map(identity, 1:2)),
  quote(pool_call(Sys.getpid)),
  quote(pool_evalq(1)),
  quote(pool_export("pi", baseenv())),
  quote(init_pool(2)),
  quote(init_pool(3)),
  quote(init_pool(2, TRUE)),
  quote(delete_pool())
)

expect_all_busy <- function(expr) {
  called <- 0L
  value <- withCallingHandlers(expr, warning = function(w) {
    called <<- called + 1L
    for (entry in entries) {
      e <- tryCatch(eval(entry), error = identity)
      expect_s3_class(e, c("pool_busy_error", "pool_error", "error", "condition"), exact = TRUE)
    }
    invokeRestart("muffleWarning")
  })
  expect_gt(called, 0L)
  value
}

test_that("a handler of what serializing signals cannot use the pool", {
  local_pool(2)
  pids <- node_pids()
  for (n in 1:2) {
    expect_identical(
      expect_all_busy(pool_lapply(seq_len(n), function(i, e, x) length(x) + i, loud(), raw(5e6))),
      lapply(seq_len(n), function(i) 5e6L + i)
    )
  }
  expect_usable(pids)
})

test_that("a handler of a relayed condition cannot use the pool", {
  local_pool(2)
  pids <- node_pids()
  expect_identical(expect_all_busy(pool_lapply(1:3, function(i) {
    warning("number ", i)
    i
  })), as.list(1:3))
  expect_usable(pids)
})

test_that("a handler of what the session's state signals cannot use the pool", {
  local_pool(2)
  withr::local_options(pool_test_loud = loud())
  expect_all_busy(quiet_init(2))
  expect_usable()
})

test_that("a state that cannot be sent leaves a pool that replaces its nodes", {
  local_pool(2)
  local({
    withr::local_options(pool_test_loud = loud(), warn = 2)
    expect_match(conditionMessage(error_of(quiet_init(2))), "not be available")
  })
  expect_identical(pool_lapply(1:4, identity), as.list(1:4))
  tools::pskill(node_pids()[[1]], tools::SIGKILL)
  expect_identical(pool_lapply(1:4, function(i) {
    Sys.sleep(0.05)
    i
  }), as.list(1:4))
  expect_silent(quiet_init(2))
  expect_usable()
})

test_that("a finalizer that runs during a call cannot harm it", {
  local_pool(2)
  outcomes <- list()
  for (k in 1:20) {
    local({
      victim <- new.env()
      reg.finalizer(victim, function(e) {
        outcomes[[length(outcomes) + 1L]] <<- tryCatch(pool_lapply(1:2, identity), error = class)
      })
    })
    expect_identical(
      pool_lapply(1:3, function(i, x) i, as.list(1:2e5 + 0)),
      as.list(1:3)
    )
  }
  gc()
  expect_gt(length(outcomes), 0)
  for (outcome in outcomes) {
    expect_true(identical(outcome, as.list(1:2)) || "pool_busy_error" %in% outcome)
  }
  expect_usable()
})

test_that("an interrupted call keeps nothing of its objects", {
  local_pool(2)
  used <- function() gc()[2, 2]
  before <- used()
  x <- list(numeric(2e7), loud())
  old <- options(warn = 2)
  e <- error_of(pool_lapply(1:2, function(i, x) i, x))
  options(old)
  expect_s3_class(e, "pool_serialize_error")
  rm(x, e)
  expect_lt(used() - before, 50)
})
