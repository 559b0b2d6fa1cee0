# What `make valgrind` runs under valgrind: every entry of the glue, in session,
# template and nodes, failures included.

library(pool)

failure <- function(code) tryCatch(code, pool_error = identity)
quietly <- function(code) suppressMessages(suppressWarnings(code))

for (type in c("FORK", "PSOCK")) {
  suppressMessages(init_pool(2, restart = TRUE, type = type))
  stopifnot(
    identical(pool_lapply(c(a = 1, b = 2), function(x) x + 1), list(a = 2, b = 3)),
    identical(pool_sapply(letters, toupper), stats::setNames(LETTERS, letters)),
    identical(pool_map(function(x, y) x + y, 1:3, 2), list(3, 4, 5)),
    identical(pool_lapply(1:4, identity, chunk.size = 2), as.list(1:4))
  )
  y <- 5
  pool_export("y", globalenv())
  pool_evalq(z <- y + 1)
  stopifnot(identical(pool_call(function() z), list(6, 6)))

  # Streamed through the channels' buffers, both ways.
  big <- as.numeric(1:4e5)
  stopifnot(identical(pool_lapply(list(big, 1), identity), list(big, 1)))

  e <- failure(quietly(pool_lapply(1:4, function(i) {
    warning("a warning")
    message("a message")
    if (i == 2) stop("an error")
    i
  })))
  stopifnot(inherits(e, "pool_task_error"), identical(e$index, 2L))
  stopifnot(inherits(failure(pool_lapply(1:2, 5)), "pool_input_error"))
  e <- failure(pool_lapply(1:2, function(i) {
    if (i == 1) tools::pskill(Sys.getpid(), tools::SIGKILL)
    i
  }))
  stopifnot(inherits(e, "pool_worker_error"), identical(e$results, list(NULL, 2L)))
  stopifnot(identical(pool_evalq(z), list(6, 6)))

  options(digits = 5)
  suppressMessages(init_pool(2))
  stopifnot(identical(pool_evalq(getOption("digits")), list(5L, 5L)))
}
suppressMessages(delete_pool())
stopifnot(inherits(failure(pool_lapply(1, identity)), "pool_absent_error"))
