# Bad arguments are classed errors, signalled before any work is done; the pool
# is as usable afterwards as before, with the same processes.

# An expression that must be refused for the argument of that name. A pool of
# two is there, and must be the same one afterwards; nothing has been said.
refused <- function(expr, argument, message = argument) {
  pids <- node_pids()
  expect_message(e <- error_of(expr), NA)
  expect_s3_class(e, c("pool_input_error", "pool_error", "error", "condition"), exact = TRUE)
  expect_identical(e$argument, argument)
  expect_true("value" %in% names(e))
  expect_match(conditionMessage(e), message, fixed = TRUE)
  expect_usable(pids)
  invisible(e)
}

test_that("a bad size is refused", {
  local_pool(2)
  sizes <- list(
    0, 0L, -1, -2L, 2.5, NA, NA_real_, NA_integer_, NaN, Inf, -Inf, "2", "localhost",
    c("localhost", "localhost"), "node1.example.com", c(1, 2), 1:3, NULL, numeric(0), TRUE,
    list(2), 10000, 1e10, 2i, as.raw(2), quote(x), sum, factor("a"), globalenv()
  )
  for (size in sizes) {
    e <- refused(init_pool(size), "size")
    expect_identical(e$value, size)
    refused(init_pool(size, restart = TRUE), "size")
  }
  expect_match(conditionMessage(error_of(init_pool("host1"))), "host1")
  expect_match(conditionMessage(error_of(init_pool(2.5))), "2.5", fixed = TRUE)
  expect_match(conditionMessage(error_of(init_pool(10000))), "10000|1e\\+04")
})

test_that("without a pool, a bad size makes none", {
  local_no_pool()
  for (size in list(0, -1, 1.5, NA, "2", 10000)) {
    expect_error(init_pool(size), class = "pool_input_error")
    expect_false(pool_exists())
  }
  expect_error(init_pool(2, restart = NA), class = "pool_input_error")
  expect_error(init_pool(2, no_such_argument = 1), class = "pool_input_error")
  expect_false(pool_exists())
})

test_that("a restart that is not a flag is refused", {
  local_pool(2)
  for (restart in list(NA, NULL, 1, "yes", c(TRUE, FALSE), logical(0), list(TRUE))) {
    refused(init_pool(2, restart), "restart")
  }
})

test_that("arguments that makeCluster() does not have are refused by name", {
  local_pool(2)
  refused(init_pool(2, no_such_argument = 1), "no_such_argument")
  refused(init_pool(2, TRUE, outfil = ""), "outfil")
  refused(init_pool(3, nodes = 2), "nodes")
  pids <- node_pids()
  expect_error(init_pool(2, TRUE, "an argument without a name"), "named",
               class = "pool_input_error")
  expect_usable(pids)
})

test_that("arguments that ask for another machine are refused, and say so", {
  local_pool(2)
  remote <- list(master = "localhost", user = "somebody", rshcmd = "ssh", manual = TRUE)
  for (name in names(remote)) {
    e <- refused(do.call(init_pool, c(list(2, TRUE), remote[name])), name)
    expect_match(conditionMessage(e), "host|machine")
    expect_identical(e$value, remote[[name]])
  }
})

test_that("types of clusters that a pool can't be are refused", {
  local_pool(2)
  for (type in list("MPI", "NWS", "fork", "nonsense", "", NA_character_, 1, NULL,
                    c("FORK", "PSOCK"))) {
    # NULL leaves the choice to the pool.
    if (is.null(type)) next
    e <- refused(init_pool(2, TRUE, type = type), "type")
  }
  expect_match(conditionMessage(error_of(init_pool(2, TRUE, type = "MPI"))), "MPI")
})

test_that("bad values of arguments that are honoured are refused", {
  local_pool(2)
  refused(init_pool(2, TRUE, outfile = 1), "outfile")
  refused(init_pool(2, TRUE, outfile = c("a", "b")), "outfile")
  refused(init_pool(2, TRUE, renice = "nice"), "renice")
  for (x in list(-1000, 2.5, 1e10, NULL, character(), c(NA, 5), Inf)) {
    refused(init_pool(2, TRUE, renice = x), "renice")
  }
  refused(init_pool(2, TRUE, setup_timeout = 0), "setup_timeout")
  local({
    withr::local_options(pool.type = "bogus")
    refused(init_pool(2, TRUE), "options(pool.type)")
  })
  refused(pool_evalq(), "expr")
  refused(init_pool(2, TRUE, setup_timeout = "soon"), "setup_timeout")
  refused(init_pool(2, TRUE, setup_timeout = NA), "setup_timeout")
  refused(init_pool(2, TRUE, setup_timeout = -1), "setup_timeout")
  refused(init_pool(2, TRUE, type = "PSOCK", rscript = 5), "rscript")
  refused(init_pool(2, TRUE, type = "PSOCK", rscript = "/no/such/program"), "rscript")
  refused(init_pool(2, TRUE, type = "PSOCK", rscript_args = 1), "rscript_args")
  refused(init_pool(2, TRUE, type = "PSOCK", rscript_envs = list()), "rscript_envs")
})

test_that("an outfile that can't be opened is refused", {
  local_pool(2)
  file <- file.path(withr::local_tempdir(), "no", "such", "directory", "log")
  for (type in c("FORK", "PSOCK")) {
    refused(init_pool(2, TRUE, type = type, outfile = file), "outfile")
    refused(init_pool(2, TRUE, type = type, outfile = tempdir()), "outfile")
  }
})

test_that("without a pool every function says how to make one", {
  local_no_pool()
  x <- 1
  calls <- list(
    quote(pool_lapply(1:3, identity)),
    quote(pool_sapply(1:3, identity)),
    quote(pool_map(identity, 1:3)),
    quote(pool_call(Sys.getpid)),
    quote(pool_evalq(1 + 1)),
    quote(pool_export("x", environment())),
    quote(pool_lapply(list(), identity)),
    quote(pool_export(character(0)))
  )
  for (call in calls) {
    e <- error_of(eval(call))
    expect_s3_class(e, c("pool_absent_error", "pool_error", "error", "condition"), exact = TRUE)
    expect_match(conditionMessage(e), "init_pool()", fixed = TRUE)
  }
  # The same once there was one.
  quiet_init(1)
  suppressMessages(delete_pool())
  for (call in calls) expect_error(eval(call), class = "pool_absent_error")
})

test_that("a function that isn't one is refused", {
  local_pool(2)
  for (fun in list(5, NULL, NA, list(sum), TRUE, c("sum", "mean"), character(0), NA_character_,
                   quote(f(x)), globalenv())) {
    refused(pool_lapply(1:3, fun), "fun")
    refused(pool_sapply(1:3, fun), "FUN")
    refused(pool_map(fun, 1:3), "fun")
    refused(pool_call(fun), "fun")
  }
  e <- refused(pool_sapply(1:3, "no_such_function_here"), "FUN", "no_such_function_here")
  theirs <- outcome(parallel::parSapply(reference_cluster(), 1:3, "no_such_function_here"))
  expect_identical(conditionMessage(e), theirs$error)
})

test_that("arguments left out are said to be missing, as by R itself", {
  local_pool(2)
  pids <- node_pids()
  expect_error(pool_lapply(1:3), "\"fun\" is missing")
  expect_error(pool_sapply(1:3), "\"FUN\" is missing")
  expect_error(pool_lapply(fun = identity), "\"X\" is missing")
  expect_error(pool_sapply(FUN = identity), "\"X\" is missing")
  expect_error(pool_map(), "\"fun\" is missing")
  expect_error(pool_call(), "\"fun\" is missing")
  expect_error(pool_export(), "\"varlist\" is missing")
  expect_usable(pids)
})

test_that("an argument whose evaluation fails is that error, and no work is done", {
  local_pool(2)
  pids <- node_pids()
  file <- withr::local_tempfile()
  for (call in list(
    quote(pool_lapply(stop("in the session"), function(i) file.create(file))),
    quote(pool_lapply(1:3, stop("in the session"))),
    quote(pool_lapply(1:3, function(i, y) file.create(file), y = stop("in the session"))),
    quote(pool_map(function(i, y) file.create(file), 1:3, stop("in the session"))),
    quote(pool_map(function(i) file.create(file), 1:3, MoreArgs = stop("in the session"))),
    quote(pool_call(function(x) file.create(file), stop("in the session"))),
    quote(pool_export(stop("in the session")))
  )) {
    e <- error_of(eval(call))
    expect_identical(conditionMessage(e), "in the session")
    expect_s3_class(e, c("simpleError", "error", "condition"), exact = TRUE)
  }
  expect_false(file.exists(file))
  expect_usable(pids)
})

test_that("names and places of pool_export() that are of no use are refused", {
  local_pool(2)
  for (names in list(1, NA, TRUE, list("x", 1), list(c("a", "b")), quote(x), NA_character_,
                     c("pi", NA))) {
    refused(pool_export(names), "varlist")
  }
  refused(pool_export("", globalenv()), "varlist", "")
  refused(pool_export("pi", 1), "envir")
  refused(pool_export("pi", list(pi = 3)), "envir")
  refused(pool_export("pi", NULL), "envir")
})

test_that("an export that doesn't exist is refused before any other is made", {
  local_pool(2)
  there <- 1
  e <- refused(pool_export(c("there", "no_such_variable"), environment()), "varlist",
               "no_such_variable")
  expect_identical(conditionMessage(e), "object 'no_such_variable' not found")
  expect_identical(pool_evalq(exists("there")), list(FALSE, FALSE))
})

test_that("a chunk.size that is no size is refused", {
  local_pool(2)
  for (size in list(NA, NA_real_, "a", c(1, 2), list(1), 1e-300, numeric(0))) {
    refused(pool_lapply(1:3, identity, chunk.size = size), "chunk.size")
    refused(pool_sapply(1:3, identity, chunk.size = size), "chunk.size")
  }
})

test_that("arguments of pool_map() that don't go together are refused", {
  local_pool(2)
  mixed <- "zero-length inputs cannot be mixed with those of non-zero length"
  refused(pool_map(function(x, y) x, 1:3, integer(0)), "...", mixed)
  refused(pool_map(function(x, y) x, NULL, 1), "...", mixed)
  refused(pool_map(function(x) x), "...", "need at least one argument")
  refused(pool_map(identity, 1:3, .scheduling = "sideways"), ".scheduling", "static")
  refused(pool_map(identity, 1:3, .scheduling = NA), ".scheduling", "")
  for (flag in list(NA, "yes", NULL)) {
    refused(pool_map(identity, 1:3, RECYCLE = flag), "RECYCLE")
    refused(pool_map(identity, 1:3, USE.NAMES = flag), "USE.NAMES")
    refused(pool_sapply(c("a", "b"), identity, USE.NAMES = flag), "USE.NAMES")
  }
})

test_that("an X that can't be taken apart is an error and does no work", {
  local_pool(2)
  pids <- node_pids()
  file <- withr::local_tempfile()
  touch <- function(i) file.create(file)
  for (x in list(quote(x), sum, touch, globalenv())) {
    expect_error(pool_lapply(x, touch))
    expect_false(file.exists(file))
  }
  expect_usable(pids)
})

test_that("what parallel takes for names and flags is taken", {
  local_pool(2)
  expect_silent(pool_export(NULL))
  expect_silent(pool_export(names(list())))
  e <- list2env(list(one = 1, two = 2))
  pool_export(list("one"), e)
  pool_export(factor("two"), e)
  expect_identical(pool_evalq(c(one, two)), list(c(1, 2), c(1, 2)))
  expect_identical(pool_map(sum, 1:2, 1, RECYCLE = 1, USE.NAMES = 0), list(2, 3))
  expect_identical(pool_sapply("a", nchar, USE.NAMES = 0), 1L)
  expect_identical(pool_lapply(1:3, identity, chunk.size = TRUE), as.list(1:3))
})

test_that("a pool that is reused does not look at the values of '...'", {
  local_pool(2)
  expect_silent(init_pool(2, port = stop("not this")))
  expect_silent(init_pool(1, type = "none"))
  expect_usable()
})
