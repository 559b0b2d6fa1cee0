# Another package that is called pool, as CRAN has one.

# A library with one, and the beginning of a script that knows it and ours.
local_namesake <- function(env = parent.frame()) {
  local_package("pool", c(
    "dbPool <- function() 'a pool of connections'",
    "make <- function() structure(new.env(), class = c('Pool', 'R6'))"
  ), c("dbPool", "make"), env = env)
}

ours <- function() dirname(system.file(package = "pool"))

# Lines of R in a process of their own, with these libraries in front.
outcome_of <- function(lines, libraries) {
  file <- withr::local_tempfile()
  writeLines(lines, file)
  out <- callr::rscript(file,
    libpath = c(libraries, .libPaths()), show = FALSE, fail_on_status = FALSE
  )
  c(out, list(all = paste(out$stdout, out$stderr)))
}

load_ours <- function(...) sprintf("library(pool, lib.loc = %s)", deparse(ours()))

test_that("it is known from ours, in whatever version", {
  lib <- local_namesake()
  expect_null(namesake(ours()))
  expect_null(namesake(character()))
  expect_null(namesake(withr::local_tempdir()))
  expect_identical(namesake(lib), stats::setNames("X", file.path(lib, "pool")))
  expect_identical(namesake(c(lib, ours())), namesake(lib))
  expect_null(namesake(c(ours(), lib)))
  old <- file.path(withr::local_tempdir(), "pool")
  dir.create(old)
  writeLines("Title: Another", file.path(old, "DESCRIPTION"))
  writeLines("export(delete_pool, init_pool)", file.path(old, "NAMESPACE"))
  expect_null(namesake(dirname(old)))
  writeLines("export(init_pools)", file.path(old, "NAMESPACE"))
  expect_identical(unname(namesake(dirname(old))), "Another")
  unlink(file.path(old, "NAMESPACE"))
  expect_identical(unname(namesake(dirname(old))), "Another")
})

test_that("where a new process would get it, a message says so", {
  lib <- local_namesake()
  out <- outcome_of(load_ours(), lib)
  expect_match(out$stderr, "gets another package of that name (\"X\")", fixed = TRUE)
  expect_match(out$stderr, lib, fixed = TRUE)
  out <- outcome_of(sprintf("suppressPackageStartupMessages(%s)", load_ours()), lib)
  expect_identical(out$stderr, "")
  expect_identical(outcome_of("library(pool)", c(ours(), lib))$stderr, "")
})

for (type in c("FORK", "PSOCK")) {
  local({
    type <- type
    test_that(paste("nodes have the session's package, whatever library is first,", type), {
      lib <- local_namesake()
      out <- outcome_of(c(
        load_ours(),
        sprintf("suppressMessages(init_pool(2, type = '%s'))", type),
        "cat(pool_sapply(1:3, function(i) i + 1), '')",
        "cat(unlist(pool_evalq(exists('init_pool') && !exists('dbPool'))), '')",
        "cat(unlist(pool_evalq(dirname(getNamespaceInfo('pool', 'path')))))"
      ), lib)
      expect_identical(out$stdout, paste("2 3 4 TRUE TRUE", ours(), ours()))
    })
  })
}

test_that("so has a supervisor, with its nodes", {
  lib <- local_namesake()
  out <- outcome_of(c(
    load_ours(), "name <- tempfile('cluster')",
    "name <- tp_map(1:2, function(x, meta) list(output = init_pool), cl_name = name, ncores = 1L)",
    "found <- cluster_reduce(cluster_join(name))",
    "cat(vapply(found, function(f) getNamespaceInfo(environment(f), 'path'), ''))"
  ), lib)
  expect_identical(out$stdout, paste(rep(file.path(ours(), "pool"), 2), collapse = " "))
})

test_that("pools of connections that fail from now on are named, and nothing is evaluated", {
  lib <- local_namesake()
  out <- outcome_of(c(
    "con <- pool::make()", "con2 <- con", "x <- 1", "e <- new.env()",
    "mine <- structure(new.env(), class = 'Pool')",
    "delayedAssign('late', stop('it was forced'))",
    "makeActiveBinding('active', function() stop('it was called'), globalenv())",
    "w <- tryCatch(loadNamespace('pool', lib.loc = NULL), warning = identity)",
    "unloadNamespace('pool')",
    sprintf(
      "w <- withCallingHandlers(loadNamespace('pool', lib.loc = %s), warning = function(w) {",
      deparse(ours())
    ),
    "cat(class(w)[[1]], w$names, conditionMessage(w))", "invokeRestart('muffleWarning')", "})"
  ), lib)
  expect_match(out$stdout, "^pool_name_warning con con2 'con', 'con2' are pools")
  expect_identical(out$status, 0L)
  out <- outcome_of(c("con <- 1", load_ours()), ours())
  expect_identical(out$stderr, "")
})

test_that("a new R looks for this package where it is", {
  expect_identical(own_libraries()[[1]], normalizePath(ours()))
  expect_identical(own_libraries()[-1], .libPaths())
})
