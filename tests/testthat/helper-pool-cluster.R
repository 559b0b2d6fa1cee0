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
