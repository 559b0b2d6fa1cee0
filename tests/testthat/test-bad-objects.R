# Objects that can't be sent, and processes that can't be started.

# A list so deep that serializing it runs out of stack.
too_deep <- function() {
  x <- NULL
  for (i in 1:1e6) x <- list(x)
  x
}

refused_object <- function(expr) {
  pids <- node_pids()
  e <- error_of(expr)
  expect_s3_class(e, c("pool_serialize_error", "pool_error", "error", "condition"), exact = TRUE)
  expect_type(e$argument, "character")
  expect_s3_class(e$parent, "error")
  expect_match(conditionMessage(e), conditionMessage(e$parent), fixed = TRUE)
  expect_usable(pids)
}

for (type in c("FORK", "PSOCK")) {
  local({
    type <- type
    test_that(paste("an object that can't be serialized is refused wherever it is,", type), {
      local_pool(2, type = type)
      deep <- too_deep()
      file <- withr::local_tempfile()
      touch <- function(i, ...) file.create(file)
      refused_object(pool_lapply(list(deep), touch))
      refused_object(pool_lapply(1:3, touch, deep))
      refused_object(pool_sapply(list(deep, 1), touch))
      refused_object(pool_map(touch, list(deep)))
      refused_object(pool_map(touch, 1:3, MoreArgs = list(deep)))
      refused_object(pool_call(touch, deep))
      refused_object(pool_export("deep", environment()))
      captured <- local({
        held <- deep
        function(i) held
      })
      refused_object(pool_lapply(1:3, captured))
      expect_false(file.exists(file))
      expect_identical(pool_evalq(exists("deep")), list(FALSE, FALSE))
    })

    test_that(paste("a deep object among thousands is refused as well,", type), {
      local_pool(2, type = type)
      deep <- too_deep()
      # Not x[[4000]] <- deep: R itself overflows the stack in that.
      x <- c(as.list(1:3999), list(deep), as.list(1:1000))
      pids <- node_pids()
      for (i in 1:3) {
        e <- error_of(pool_lapply(x, at_top(function(v) 1)))
        expect_s3_class(e, "pool_serialize_error")
        expect_usable(pids)
      }
    })

    test_that(paste("a result that can't be serialized is its task's error,", type), {
      local_pool(2, type = type)
      pids <- node_pids()
      make <- function(i) {
        if (i == 2) {
          x <- NULL
          for (k in 1:1e6) x <- list(x)
          x
        } else {
          i * 10
        }
      }
      e <- error_of(pool_lapply(1:4, make))
      expect_s3_class(e, "pool_task_error")
      expect_identical(e$index, 2L)
      expect_match(conditionMessage(e$parent), "serializ|stack|deep")
      expect_identical(e$results, list(10, NULL, 30, 40))
      expect_usable(pids)
      e <- error_of(pool_call(make, 2))
      expect_s3_class(e, "pool_task_error")
      expect_usable(pids)
    })
  })
}

test_that("a condition that can't be serialized is still an error", {
  local_pool(2)
  pids <- node_pids()
  e <- error_of(pool_lapply(1:2, function(i) {
    x <- NULL
    for (k in 1:1e6) x <- list(x)
    stop(structure(class = c("deep", "error", "condition"),
                   list(message = "too deep to send", call = NULL, x = x)))
  }, chunk.size = 2))
  expect_s3_class(e, "pool_task_error")
  expect_usable(pids)
})

test_that("a pool that can't have its descriptors is a start error, with the old one kept", {
  skip_on_os("mac")
  skip_if(!nzchar(Sys.which("prlimit")), "no prlimit(1)")
  for (type in c("FORK", "PSOCK")) {
    result <- in_session(function(type) {
      suppressMessages(init_pool(1))
      pids <- unlist(pool_call(Sys.getpid))
      limit <- function(...) {
        system2("prlimit", c("--pid", Sys.getpid(), ...), stdout = TRUE)
      }
      usual <- limit("--nofile", "--noheadings", "--raw", "-o", "SOFT")
      limit("--nofile=64:")
      # Takes what is left up to the limit, so that there is none for a pool.
      held <- list()
      repeat {
        one <- tryCatch(suppressWarnings(file("/dev/null", "r")), error = function(e) NULL)
        if (is.null(one)) break
        held <- c(held, list(one))
      }
      e <- tryCatch(suppressMessages(init_pool(3, restart = TRUE, type = type)), error = identity)
      for (one in held) close(one)
      limit(paste0("--nofile=", usual, ":"))
      after <- list(pool_exists(), pool_size(), identical(unlist(pool_call(Sys.getpid)), pids))
      suppressMessages(init_pool(3, type = type))
      list(class(e), after, pool_sapply(1:4, function(i) i * 2))
    }, list(type))
    expect_identical(result[[1]], c("pool_start_error", "pool_error", "error", "condition"))
    expect_identical(result[[2]], list(TRUE, 1L, TRUE))
    expect_identical(result[[3]], c(2, 4, 6, 8))
  }
})

test_that("a process that can't be started is a start error", {
  skip_on_os("mac")
  skip_if(!nzchar(Sys.which("prlimit")), "no prlimit(1)")
  skip_if(!nzchar(system.file(package = "pool")), "pool is not installed")
  as_other <- character()
  if (identical(system2("id", "-u", stdout = TRUE), "0")) {
    # The limit on processes does not hold for root. This uid is nobody's: the
    # script's own are all the processes it has.
    skip_if(!nzchar(Sys.which("setpriv")), "root, and no setpriv(1) to be somebody else")
    as_other <- c("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups",
                  "--bounding-set=-all", "--inh-caps=-all")
  }
  # Where anybody may write, for the R of that uid has its own files there.
  dir <- withr::local_tempdir(tmpdir = dirname(tempdir()))
  Sys.chmod(dir, "777", use_umask = FALSE)
  script <- file.path(dir, "script.R")
  result <- file.path(dir, "result.rds")
  writeLines(c(
    sprintf(".libPaths(%s)", paste(deparse(.libPaths()), collapse = "")),
    "library(pool)",
    "limit <- function(...) system2('prlimit', c('--pid', Sys.getpid(), ...), stdout = TRUE)",
    "suppressMessages(init_pool(1))",
    "limit(paste0('--nproc=', commandArgs(TRUE), ':'))",
    "e <- tryCatch(suppressMessages(init_pool(3, restart = TRUE)), error = identity)",
    "kept <- list(pool_exists(), pool_size(), pool_sapply(1:4, function(i) i * 2))",
    sprintf("saveRDS(list(class(e), kept), '%s')", result)
  ), script)
  Sys.chmod(script, "644", use_umask = FALSE)
  as_user <- function(...) {
    suppressWarnings(system2(
      "env", c(paste0("TMPDIR=", dir), paste0("HOME=", dir), "timeout", "120", as_other,
               file.path(R.home("bin"), "Rscript"), "--vanilla", ...),
      stdout = TRUE, stderr = TRUE
    ))
  }
  # Another user may not be allowed into the directory, or into R's library.
  probe <- file.path(dir, "probe.R")
  writeLines(c(readLines(script, n = 2), "cat('it runs')"), probe)
  Sys.chmod(probe, "644", use_umask = FALSE)
  out <- as_user(probe)
  skip_if(!identical(out, "it runs"),
          paste(c("R does not run as another user:", out), collapse = "\n"))
  # With 1, no process may be added to this one. With 4, one may be added to the
  # session, a node and the process that forked it: what forks the new nodes.
  for (most in c(1, if (length(as_other)) 4)) {
    unlink(result)
    out <- as_user(script, most)
    expect(file.exists(result), paste(out, collapse = "\n"))
    expect_identical(readRDS(result), list(
      c("pool_start_error", "pool_error", "error", "condition"),
      list(TRUE, 1L, c(2, 4, 6, 8))
    ))
  }
})
