# What valgrind watches: `make valgrind`.

source("tests/glue/exercise.R")

quietly(init_pool(2))
on_nodes()
go_through(identity, "")
options(pool_tests = "changed")
quietly(init_pool(2))
stopifnot(identical(pool_evalq(getOption("pool_tests")), list("changed", "changed")))
quietly(init_pool(1, restart = TRUE, type = "PSOCK"))
stopifnot(identical(pool_lapply(1:2, identity), as.list(1:2)))
quietly(delete_pool())
stopifnot(!pool_exists())
invisible(gc())
