# For tests of pool_cluster(): the same code on it and on a cluster of parallel.

# A cluster of a new pool, which goes with its test.
local_cluster <- function(n = 2, ..., env = parent.frame()) {
  local_pool(n, ..., env = env)
  pool_cluster()
}

# run(cluster) comes to the same on both.
same_on <- function(cluster, run, label = "") {
  same(run(cluster), run(reference_cluster()), label)
}

# parallel's, some of which R exports only later.
parallels <- function(name) get(name, envir = asNamespace("parallel"))

send_call <- function(node, fun, ...) parallels("sendCall")(node, fun, list(...))
receive <- function(node) parallels("recvResult")(node)

# The class of the error that an expression comes to, as far as it is ours.
error_class <- function(expr) {
  tryCatch({
    expr
    "none"
  }, error = function(e) class(e)[[1L]])
}

# Nothing is outstanding on the pool, and nothing wrong with it.
expect_free <- function() {
  expect_null(pool_state()$post)
  expect_usable()
}

pool_state <- function() get("the", envir = asNamespace("pool"))

# By the plan as it is: a future that signals a step at once, and the next one, with a
# message, when it may go on.
expect_steps_at_once <- function() {
  go <- withr::local_tempfile()
  f <- future::future({
    step <- function(i) {
      signalCondition(structure(class = c("pool_test_step", "immediateCondition", "condition"),
        list(message = paste("step", i), call = NULL)))
    }
    step(1)
    until <- Sys.time() + 60
    while (!file.exists(go) && Sys.time() < until) Sys.sleep(0.01)
    step(2)
    message("a message")
    "over"
  })
  steps <- character()
  hear <- function(expr) {
    withCallingHandlers(expr, pool_test_step = function(c) steps <<- c(steps, conditionMessage(c)))
  }
  expect_true(wait_until(function() {
    hear(future::resolved(f))
    length(steps) > 0
  }))
  expect_identical(steps, "step 1")
  expect_false(future::resolved(f))
  file.create(go)
  expect_message(expect_identical(hear(future::value(f)), "over"), "a message")
  expect_identical(steps, c("step 1", "step 2"))
}
