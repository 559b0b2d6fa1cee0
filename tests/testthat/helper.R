# What every test file uses: a pool that goes away with its test, the cluster
# of package parallel that results are held against, and the comparison itself.

# processx takes SIGCHLD over; package parallel, left without, can't account for
# the forks of some tests at the end and says so.
Sys.setenv(PROCESSX_NOTIFY_OLD_SIGCHLD = "true")

# The suite can be run over either.
if (nzchar(Sys.getenv("POOL_TEST_TRANSPORT"))) {
  options(pool.transport = Sys.getenv("POOL_TEST_TRANSPORT"))
}

# A new pool for the calling test: nothing a test before it did can matter.
local_pool <- function(n = 2, ..., env = parent.frame()) {
  withr::defer(suppressMessages(delete_pool()), envir = env)
  suppressMessages(init_pool(n, restart = TRUE, ...))
}

quiet_init <- function(...) suppressMessages(init_pool(...))

# For the tests that begin without a pool, and may leave one behind.
local_no_pool <- function(env = parent.frame()) {
  suppressMessages(delete_pool())
  withr::defer(suppressMessages(delete_pool()), envir = env)
}

# One PSOCK cluster of two nodes serves the whole run: starting one per test
# would take longer than all the tests. Its nodes are emptied when it is asked
# for, so a test never sees what another one exported.
shared <- new.env()

reference_cluster <- function() {
  if (is.null(shared$cluster)) {
    shared$cluster <- parallel::makeCluster(2L, type = "PSOCK")
    # testthat sets this for the session, and the pool's nodes go by that.
    parallel::clusterCall(shared$cluster, options, useFancyQuotes = FALSE)
    withr::defer(
      {
        parallel::stopCluster(shared$cluster)
        shared$cluster <- NULL
      },
      envir = teardown_env()
    )
  }
  wipe <- function() rm(list = ls(globalenv(), all.names = TRUE), pos = 1L)
  environment(wipe) <- globalenv()
  parallel::clusterCall(shared$cluster, wipe)
  shared$cluster
}

# What an expression came to: its value, or the message of its error.
outcome <- function(expr) {
  tryCatch(
    list(value = expr),
    error = function(e) list(error = conditionMessage(e))
  )
}

# Stricter than identical()'s defaults: they take -0 for 0, one NaN for another
# and attributes in any order as equal.
exactly <- function(x, y) {
  identical(x, y, num.eq = FALSE, single.NA = FALSE, attrib.as.set = FALSE)
}

abridged <- function(x) {
  text <- paste(utils::capture.output(utils::str(x)), collapse = "\n")
  if (nchar(text) > 1500) paste0(substr(text, 1, 1500), "\n...") else text
}

# Both expressions are evaluated; their values, or else the messages of their
# errors, must be the same. `via` makes values comparable that no copy of can
# be identical to (environments, closures made in a frame).
same <- function(ours, theirs, label = "", via = identity) {
  ours <- outcome(via(ours))
  theirs <- outcome(via(theirs))
  expect(
    exactly(ours, theirs),
    paste0(
      "the pool and parallel differ", if (nzchar(label)) ": ", label,
      "\npool:\n", abridged(ours), "\nparallel:\n", abridged(theirs)
    )
  )
  invisible(ours)
}

same_lapply <- function(X, fun, ..., label = "", via = identity) {
  same(
    pool_lapply(X, fun, ...),
    parallel::parLapply(reference_cluster(), X, fun, ...),
    label, via
  )
}

same_sapply <- function(X, FUN, ..., label = "", via = identity) {
  same(
    pool_sapply(X, FUN, ...),
    parallel::parSapply(reference_cluster(), X, FUN, ...),
    label, via
  )
}

same_map <- function(fun, ..., label = "", via = identity) {
  same(
    pool_map(fun, ...),
    parallel::clusterMap(reference_cluster(), fun, ...),
    label, via
  )
}

same_call <- function(fun, ..., label = "", via = identity) {
  same(
    pool_call(fun, ...),
    parallel::clusterCall(reference_cluster(), fun, ...),
    label, via
  )
}

# A function as a script run by Rscript has it: it takes no test's frame along,
# and no reference to its source, whose environment no copy is identical to.
at_top <- function(fun) {
  fun <- utils::removeSource(fun)
  environment(fun) <- globalenv()
  fun
}

# Bindings in the global environment, gone again when the test is over.
local_globals <- function(..., env = parent.frame()) {
  values <- list(...)
  list2env(values, globalenv())
  withr::defer(
    rm(list = intersect(names(values), ls(globalenv(), all.names = TRUE)),
       envir = globalenv()),
    envir = env
  )
}

# Code as a script has it, with what it leaves behind in the global
# environment removed when the test is over.
run_script <- function(code, env = parent.frame()) {
  before <- ls(globalenv(), all.names = TRUE)
  withr::defer(
    rm(list = setdiff(ls(globalenv(), all.names = TRUE), before),
       envir = globalenv()),
    envir = env
  )
  eval(substitute(code), globalenv())
}

node_pids <- function() unlist(pool_call(Sys.getpid))

# The pool does its work, on these very processes if they are given.
expect_usable <- function(pids = NULL) {
  # Nothing of the caller goes along: it may hold what cannot be sent.
  expect_identical(pool_sapply(1:5, at_top(function(i) i * 2)), c(2, 4, 6, 8, 10))
  if (!is.null(pids)) expect_identical(node_pids(), pids)
}

# The condition itself, for a look at its fields; an expression that signals
# none fails the test.
error_of <- function(expr) {
  value <- tryCatch({
    expr
    NULL
  }, error = identity)
  expect(!is.null(value), "no error was signalled")
  value
}

# Waits until a condition holds. The limit only ends a run that would hang.
wait_until <- function(holds, limit = 60) {
  until <- Sys.time() + limit
  while (!holds() && Sys.time() < until) Sys.sleep(0.01)
  holds()
}

# State, parent and niceness of processes, one row each; NA for what isn't there.
# Read from /proc where there is one: a test asks often, and under a sanitizer a
# ps(1) may not even come to its main().
process_info <- function(pids) {
  fields <- lapply(pids, function(pid) {
    line <- if (dir.exists("/proc/self")) {
      # "pid (name) state ppid ... nice ...", with anything in the name.
      stat <- tryCatch(
        suppressWarnings(readLines(file.path("/proc", pid, "stat"))),
        error = function(e) character()
      )
      rest <- strsplit(sub(".*\\) ", "", stat), " ", fixed = TRUE)
      if (length(rest)) rest[[1]][c(1, 2, 17)] else character()
    } else {
      columns <- c("-o", "stat=", "-o", "ppid=", "-o", "ni=")
      out <- suppressWarnings(system2("ps", c(columns, "-p", pid), stdout = TRUE))
      if (length(out)) strsplit(trimws(out[1]), " +")[[1]] else character()
    }
    if (length(line) == 3) line else rep(NA_character_, 3)
  })
  data.frame(
    state = substr(vapply(fields, `[[`, "", 1), 1, 1),
    parent = as.integer(vapply(fields, `[[`, "", 2)),
    nice = as.integer(vapply(fields, `[[`, "", 3))
  )
}

# A process that has ended may stay a zombie until whoever inherited it looks.
alive <- function(pids) !process_info(pids)$state %in% c("Z", "X", NA)

gone <- function(pids) wait_until(function() !any(alive(pids)))

# A function in an R session of its own, with the pool attached: for what
# cannot be undone in this one. The limit only ends a run that would hang.
# A package of those lines of code, for the calling test, installed in the library
# whose path is the value.
local_package <- function(name, code, exports, imports = NULL, env = parent.frame()) {
  skip_if_not_installed("callr")
  dir <- withr::local_tempdir(.local_envir = env)
  source <- file.path(dir, name)
  lib <- file.path(dir, "lib")
  dir.create(file.path(source, "R"), recursive = TRUE)
  dir.create(lib)
  writeLines(c(paste("Package:", name), "Version: 1.0", "Title: X", "Description: X.",
    "License: MIT", "Author: X", "Maintainer: X <x@example.com>",
    if (!is.null(imports)) paste("Imports:", imports)
  ), file.path(source, "DESCRIPTION"))
  writeLines(sprintf("export(%s)", exports), file.path(source, "NAMESPACE"))
  writeLines(code, file.path(source, "R", "a.R"))
  out <- callr::rcmd("INSTALL", c("--no-test-load", paste0("--library=", lib), source),
    libpath = .libPaths()
  )
  expect_identical(out$status, 0L, info = out$stderr)
  lib
}

in_session <- function(fun, args = list(), ...) {
  skip_if_not_installed("callr")
  skip_if(!nzchar(system.file(package = "pool")), "pool is not installed")
  same <- bquote(options(pool.transport = .(getOption("pool.transport"))))
  body(fun) <- call("{", quote(library(pool)), same, body(fun))
  callr::r(at_top(fun), args = args, timeout = 180, ...)
}
