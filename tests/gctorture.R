# A garbage collection at every allocation, in the session and in nodes: what is
# not protected is gone at once. Every entry of the glue is called, failures
# included. `make gctorture` runs it.

library(pool)
suppressMessages(init_pool(2))

# Runs code with every allocation in the session collecting.
tortured <- function(code) {
  invisible(gctorture2(1L))
  on.exit(gctorture2(0L))
  code
}

failure <- function(code) tryCatch(code, pool_error = identity)

deep <- local({
  x <- NULL
  for (i in 1:1e6) x <- list(x)
  x
})
double <- function(x) x * 2
partly <- function(x) {
  message("at ", x)
  if (x == 2) warning("two")
  if (x == 3) stop("three")
  x
}
quietly <- function(code) suppressMessages(suppressWarnings(code))

check <- function(where) {
  x <- c(a = 1, b = 2)
  stopifnot(
    identical(tortured(pool_lapply(x, double)), lapply(x, double)),
    identical(tortured(pool_lapply(list(1L, "b", NULL), identity)), list(1L, "b", NULL)),
    identical(tortured(pool_sapply(c("u", "v"), toupper)), c(u = "U", v = "V")),
    identical(
      tortured(pool_map(function(x, y, z) x + y + z, 1:3, 2, MoreArgs = list(z = 1))),
      list(4, 5, 6)
    ),
    identical(tortured(pool_lapply(1:4, double, chunk.size = 2)), as.list(c(2, 4, 6, 8))),
    identical(tortured(pool_call(sum, 1, 2)), list(3, 3))
  )
  tortured(pool_export("double", globalenv()))
  tortured(pool_evalq(told <- double(4)))
  stopifnot(identical(tortured(pool_evalq(told)), list(8, 8)))

  e <- failure(quietly(tortured(pool_lapply(c(1, 2, 3, 4), partly))))
  stopifnot(
    inherits(e, "pool_task_error"), identical(e$index, 3L),
    identical(e$results, list(1, 2, NULL, 4))
  )
  stopifnot(
    inherits(failure(pool_lapply(list(deep), identity)), "pool_serialize_error"),
    inherits(failure(tortured(pool_lapply(1:2, "no_such_function"))), "pool_task_error"),
    inherits(failure(tortured(pool_lapply(1:2, 5))), "pool_input_error")
  )
  e <- failure(tortured(pool_lapply(1:2, function(i) {
    if (i == 2) tools::pskill(Sys.getpid(), tools::SIGKILL)
    i
  })))
  stopifnot(inherits(e, "pool_worker_error"), identical(e$results, list(1L, NULL)))
  # The nodes that came for those were told what the others were.
  stopifnot(identical(tortured(pool_evalq(told)), list(8, 8)))
  cat("fine: torture in", where, "\n")
}

check("the session")

# More than a channel's buffer, so that it is streamed.
big <- as.numeric(1:3e5)
invisible(gctorture2(100L))
streamed <- pool_lapply(list(big, big), double)
invisible(gctorture2(0L))
stopifnot(identical(streamed, list(big * 2, big * 2)))

tortured(suppressMessages(init_pool(2)))
invisible(pool_evalq(gctorture2(1L)))
check("the session and in nodes")

suppressMessages(delete_pool())
stopifnot(inherits(failure(tortured(pool_lapply(1, double))), "pool_absent_error"))
