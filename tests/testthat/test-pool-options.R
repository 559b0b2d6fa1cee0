# The arguments of parallel::makeCluster() that init_pool() takes.

for (type in c("FORK", "PSOCK", "SOCK")) {
  local({
    type <- type
    test_that(paste("a pool does all it has to do with type", type), {
      local_pool(2, type = type)
      expect_identical(pool_size(), 2L)
      expect_identical(pool_sapply(1:5, function(x) x), 1:5)
      expect_identical(pool_lapply(c(a = 1, b = 2), function(x, y) x + y, 10), list(a = 11, b = 12))
      expect_identical(pool_map(function(x, y) x + y, 1:5, 2), list(3, 4, 5, 6, 7))
      y <- 42
      pool_export("y", environment())
      expect_identical(pool_evalq(y), list(42, 42))
      expect_identical(pool_call(at_top(function(n) y + n), 1), list(43, 43))
      e <- error_of(pool_lapply(1:3, function(i) if (i == 2) stop("second") else i))
      expect_s3_class(e, "pool_task_error")
      expect_identical(conditionMessage(e), "one node produced an error: second")
      expect_warning(pool_lapply(1, function(i) warning("said there")), "said there")
      x <- as.list(1:1000)
      expect_identical(pool_lapply(x, identity), x)
      big <- as.double(1:1e6)
      expect_identical(pool_call(sum, big), list(sum(big), sum(big)))
      init_pool(2)
      expect_identical(pool_evalq(ls()), list(character(0), character(0)))
      tools::pskill(node_pids()[1], tools::SIGKILL)
      expect_usable()
    })
  })
}

# In a session of its own: what its processes write is then all that is there.
output_of <- function(fun, ...) {
  out <- withr::local_tempfile()
  in_session(fun, list(...), stdout = out, stderr = out)
  readLines(out)
}

talk <- function(...) {
  cat("from cat\n")
  print("from print")
  message("from message")
  write("from stderr", stderr())
  system("echo from a child of the node")
  NULL
}

test_that("what nodes write is discarded by default, as in parallel", {
  lines <- output_of(function(talk) {
    suppressMessages({
      init_pool(1)
      pool_call(talk)
    })
    NULL
  }, at_top(talk))
  expect_identical(grep("from", lines, value = TRUE), character(0))
})

test_that("outfile = \"\" lets nodes write where the session does", {
  for (type in c("FORK", "PSOCK")) {
    lines <- output_of(function(talk, type) {
      suppressMessages({
        init_pool(1, outfile = "", type = type)
        pool_call(talk)
      })
      NULL
    }, at_top(talk), type)
    found <- grep("from", lines, value = TRUE)
    # The message is relayed to the session, which suppresses it.
    expect_setequal(found, c("from cat", "[1] \"from print\"", "from stderr",
                             "from a child of the node"))
  }
})

test_that("packages of the session say nothing in a fresh R", {
  # R tells of a method that one package has after another.
  lib <- local_package("onehas", "one <- function() 1\nformat.thing <- function(x, ...) 'one'",
    "one)\nS3method(format, thing")
  other <- local_package("otherhas", "format.thing <- function(x, ...) 'two'\nother <- sqrt",
    "other)\nS3method(format, thing")
  lines <- output_of(function(libs) {
    .libPaths(c(libs, .libPaths()))
    suppressPackageStartupMessages(for (name in c("onehas", "otherhas")) loadNamespace(name))
    suppressMessages({
      init_pool(1, outfile = "", type = "PSOCK")
      pool_call(function() cat("here:", isNamespaceLoaded("otherhas"), "\n"))
    })
    NULL
  }, c(lib, other))
  expect_identical(lines, "here: TRUE ")
})

test_that("outfile names the file that nodes write to", {
  for (type in c("FORK", "PSOCK")) {
    file <- withr::local_tempfile()
    local_pool(1, outfile = file, type = type)
    suppressMessages(pool_call(at_top(talk)))
    pool_call(at_top(function() cat("a second call\n")))
    suppressMessages(delete_pool())
    expect_setequal(readLines(file), c("from cat", "[1] \"from print\"", "from stderr",
                                       "from a child of the node", "a second call"))

    # Nodes write to one file, and to the end of it.
    local_pool(2, outfile = file, type = type)
    # A string is one write, which another node's cannot come between.
    pool_call(at_top(function() cat(paste0(strrep("x", 50), "\n"))))
    suppressMessages(delete_pool())
    expect_identical(sum(readLines(file) == strrep("x", 50)), 2L)
    expect_identical(sum(readLines(file) == "a second call"), 1L)
  }
})

test_that("renice makes nodes nicer, and only them", {
  nice <- function(pids) process_info(pids)$nice
  own <- nice(Sys.getpid())
  skip_if(own > 10)
  for (type in c("FORK", "PSOCK")) {
    local_pool(2, renice = 5, type = type)
    expect_identical(nice(node_pids()), rep(own + 5L, 2))
    tools::pskill(node_pids()[1], tools::SIGKILL)
    expect_identical(nice(node_pids()), rep(own + 5L, 2))
    expect_identical(nice(Sys.getpid()), own)
    quiet_init(2, restart = TRUE, type = type)
    expect_identical(nice(node_pids()), c(own, own))
    expect_usable()
  }
})

test_that("rscript, its arguments and its environment start a PSOCK pool", {
  dir <- withr::local_tempdir()
  script <- file.path(dir, "my-rscript")
  writeLines(c(
    "#!/bin/sh",
    sprintf("echo started >> '%s/log'", dir),
    sprintf("exec '%s' \"$@\"", file.path(R.home("bin"), "Rscript"))
  ), script)
  Sys.chmod(script, "700")
  local_pool(2, type = "PSOCK", rscript = script, rscript_args = "--no-environ",
             rscript_envs = c(POOL_TEST_RSCRIPT = "given here"))
  # One R is started, however many nodes are forked from it.
  expect_identical(readLines(file.path(dir, "log")), "started")
  expect_identical(pool_call(Sys.getenv, "POOL_TEST_RSCRIPT"), list("given here", "given here"))
  arguments <- pool_call(commandArgs)
  expect_true(all(vapply(arguments, function(a) "--no-environ" %in% a, NA)))
  expect_identical(Sys.getenv("POOL_TEST_RSCRIPT"), "")
})

test_that("setup_timeout ends the wait for an R that does not come", {
  local_no_pool()
  script <- withr::local_tempfile()
  writeLines(c("#!/bin/sh", "exec sleep 1000"), script)
  Sys.chmod(script, "700")
  took <- system.time(expect_error(
    quiet_init(1, type = "PSOCK", rscript = script, setup_timeout = 1),
    class = "pool_start_error"
  ))[["elapsed"]]
  expect_gt(took, 0.9)
  expect_lt(took, 30) # the default is 120
  expect_false(pool_exists())
  local_pool(2)
  expect_usable()
})

test_that("an R that ends before it is ready is a start error", {
  local_no_pool()
  expect_error(
    quiet_init(1, type = "PSOCK", rscript = Sys.which("false")[[1]]),
    class = "pool_start_error"
  )
  expect_false(pool_exists())
})

test_that("arguments with nothing to do on one machine are accepted", {
  local_no_pool()
  quiet_init(1, port = 11234, homogeneous = TRUE, useXDR = FALSE, methods = TRUE,
             setup_strategy = "sequential", timeout = 60, setup_timeout = 60)
  expect_usable()
  quiet_init(1, restart = TRUE, type = "PSOCK", useXDR = TRUE, setup_strategy = "parallel")
  expect_usable()
})

test_that("an init_pool() that reuses the pool makes nothing of its arguments", {
  local_pool(2)
  file <- withr::local_tempfile()
  expect_silent(init_pool(2, outfile = file))
  pool_call(at_top(function() cat("nowhere\n")))
  expect_false(file.exists(file))
})

test_that("an outfile stays the same file wherever the session is", {
  home <- withr::local_tempdir()
  a <- withr::local_tempdir()
  b <- withr::local_tempdir()
  withr::local_envvar(HOME = home)
  withr::local_dir(a)
  local_pool(1, outfile = "o.log")
  withr::local_dir(b)
  # Another package: the pool is made anew.
  loadNamespace(setdiff(c("splines", "grid", "tcltk"), loadedNamespaces())[[1]])
  quiet_init(1)
  pool_evalq(cat("said\n"))
  expect_identical(readLines(file.path(a, "o.log")), "said")
  expect_false(file.exists(file.path(b, "o.log")))
})

test_that("a tilde is the home directory", {
  path <- tempfile("pool", path.expand("~"), ".log")
  skip_if(file.access(path.expand("~"), 2) != 0, "home cannot be written to")
  withr::defer(unlink(path))
  local_pool(1, outfile = file.path("~", basename(path)))
  pool_evalq(cat("said\n"))
  expect_identical(readLines(path), "said")
  link <- tempfile("Rscript", path.expand("~"))
  withr::defer(unlink(link))
  file.symlink(file.path(R.home("bin"), "Rscript"), link)
  quiet_init(1, TRUE, type = "PSOCK", rscript = file.path("~", basename(link)))
  expect_usable()
})
