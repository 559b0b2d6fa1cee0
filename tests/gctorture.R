# A garbage collection at every allocation, in the session and then in the nodes:
# an object that is not protected is gone, and its memory overwritten, before it
# is used again. `make gctorture`

source("tests/glue/exercise.R")
started <- proc.time()[["elapsed"]]
# What is not protected can end in a loop as well as in a crash.
setTimeLimit(elapsed = 900)

tortured <- function(expr) {
  gctorture2(1L)
  on.exit(gctorture2(0L))
  expr
}

# The session; a template and nodes that were forked while it was tortured are so
# too, from their first breath.
tortured(quietly(init_pool(1)))
stopifnot(identical(pool_lapply(1:2, function(i) i + 1L), list(2L, 3L)))
quietly(init_pool(2, restart = TRUE))
on_nodes()
go_through(tortured, "_session")
options(pool_tests = "changed")
tortured(quietly(init_pool(2))) # the state goes to the template
stopifnot(identical(pool_evalq(getOption("pool_tests")), list("changed", "changed")))
tortured(quietly(init_pool(1, restart = TRUE, type = "PSOCK")))
stopifnot(identical(tortured(pool_lapply(1:2, identity)), as.list(1:2)))

# The nodes.
quietly(init_pool(2, restart = TRUE))
on_nodes()
invisible(pool_evalq({
  gctorture2(1L)
  NULL
}))
go_through(identity, "_nodes")

tortured(quietly(delete_pool()))
stopifnot(!pool_exists())
invisible(tortured(gc()))
cat(sprintf("gctorture: %.0f s\n", proc.time()[["elapsed"]] - started))
