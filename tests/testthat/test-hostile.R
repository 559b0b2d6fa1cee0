# Tasks that do what they can against the node they run on: a classed error at
# worst, and a node that works next.

# Neither hangs, nor wrong results, whatever a task has left behind.
survives <- function(task, ...) {
  local_pool(2)
  setTimeLimit(elapsed = 60, transient = TRUE) # a call that hangs is a failure
  withr::defer(setTimeLimit())
  found <- tryCatch(pool_lapply(1:4, at_top(task), ...), error = identity)
  values <- if (inherits(found, "pool_error")) as.list(found$results) else found
  lost <- if (inherits(found, "pool_error")) vapply(values, is.null, NA) else FALSE
  expect_identical(values[!lost], as.list(1:4)[!lost])
  expect_usable()
  expect_identical(pool_call(at_top(function() TRUE)), list(TRUE, TRUE))
  invisible(found)
}

test_that("infinite recursion is the task's error", {
  local_pool(2)
  for (f in c(
    at_top(function(i) {
      g <- function(x) g(x + 1)
      g(i)
    }),
    at_top(function(i) {
      f <- sys.function()
      eval(quote(f(i)))
    }),
    at_top(function(i) {
      withr_like <- function(f) tryCatch(f(f), error = function(e) stop(e))
      withr_like(withr_like)
    })
  )) {
    e <- error_of(pool_lapply(1:3, f))
    expect_s3_class(e, "pool_task_error")
    expect_match(conditionMessage(e), "infinite recursion|stack|too deeply")
    expect_usable()
  }
})

test_that("a great deal of output holds nobody up", {
  file <- withr::local_tempfile()
  local_pool(2, outfile = file)
  found <- pool_lapply(1:4, at_top(function(i) {
    line <- strrep("x", 1e6)
    for (k in 1:50) {
      cat(line, "\n")
      message(k)
    }
    i
  })) |> suppressMessages()
  expect_identical(found, as.list(1:4))
  expect_gt(file.size(file), 2e8)
  unlink(file)
  expect_usable()
})

test_that("a class whose package is missing arrives as it is", {
  local_pool(2)
  found <- pool_lapply(1:2, at_top(function(i) {
    x <- structure(list(i), class = "nowhere_known")
    y <- 1:3
    class(y) <- structure("missing", package = "package.that.is.not.there")
    list(x, asS4(y))
  }))
  expect_s3_class(found[[2]][[1]], "nowhere_known")
  expect_true(isS4(found[[1]][[2]]))
})

test_that("connections that are closed are not the pool's", {
  survives(function(i) {
    closeAllConnections()
    i
  })
  survives(function(i) {
    con <- file(tempfile(), "w")
    sink(con)
    sink(con, type = "message")
    i
  })
})

test_that("all descriptors of a node may be closed", {
  # It is as good as dead: the element is lost, or the next one is.
  survives(function(i) {
    getFromNamespace("closeFD", "parallel")(3:255)
    i
  })
})

test_that("a directory may vanish under a node", {
  found <- survives(function(i) {
    dir <- tempfile()
    dir.create(dir)
    setwd(dir)
    unlink(dir, recursive = TRUE)
    i
  })
  expect_identical(found, as.list(1:4))
  local_pool(2)
  pool_call(at_top(function() unlink(tempdir(), recursive = TRUE)))
  expect_usable()
})

test_that("what base had may be gone", {
  for (what in list(
    quote(ls(baseenv(), all.names = TRUE)), quote(ls(baseenv())),
    c("tryCatch", "withCallingHandlers"), c("is.null", "list", "identical", "length"),
    "setTimeLimit", c("inherits", "switch"), c("c", "repeat", "function", "{")
  )) {
    survives(function(i, what) {
      base <- baseenv()
      names <- eval(what)
      for (name in names) unlockBinding(name, base)
      rm(list = names, envir = base)
      i
    }, what)
  }
})

test_that("the package itself may be taken apart in a node", {
  for (what in c("node_reply", "node_loop", "node_recover", "node_main", "C_node_next")) {
    survives(function(i, what) {
      ns <- asNamespace("pool")
      unlockBinding(what, ns)
      assign(what, function(...) stop("vandal"), envir = ns)
      i
    }, what)
  }
})

test_that("signals that a task ignores or sends do no harm", {
  survives(function(i) {
    tools::pskill(Sys.getpid(), tools::SIGINT)
    Sys.sleep(0.2)
    i
  })
  survives(function(i) {
    tools::pskill(Sys.getpid(), tools::SIGTERM)
    Sys.sleep(0.2)
    i
  }, .retries = 0)
  survives(function(i) {
    tools::pskill(Sys.getpid(), tools::SIGSTOP)
    i
  }, .timeout = 0.5)
})

test_that("a task may be interrupted from outside: that is its error", {
  local_pool(1)
  e <- error_of(pool_lapply(1:3, at_top(function(i) {
    if (i == 2) {
      tools::pskill(Sys.getpid(), tools::SIGINT)
      Sys.sleep(5)
    }
    i
  })))
  expect_s3_class(e, "pool_task_error")
  expect_match(conditionMessage(e), "interrupted")
  expect_identical(e$results, list(1L, NULL, 3L))
})

test_that("a node that eats its memory is an error or a death, not the end", {
  local_pool(2)
  e <- error_of(pool_lapply(1:2, at_top(function(i) numeric(2^46))))
  expect_s3_class(e, "pool_task_error")
  expect_match(conditionMessage(e), "cannot allocate")
  expect_usable()
})

test_that("global options and variables of a task do not reach the machinery", {
  survives(function(i) {
    options(error = quote(stop("again")), warn = 2, expressions = 25)
    for (name in c("c", "list", "identical", "tryCatch", "node", "T", "F")) {
      assign(name, function(...) stop("mine"), envir = globalenv())
    }
    i
  })
  survives(function(i) {
    Sys.setenv(TMPDIR = "/nonexistent", LD_PRELOAD = "/nonexistent", R_HOME = "/nonexistent")
    Sys.setlocale("LC_ALL", "C")
    i
  })
})

test_that("a task may return from any function that has led to it", {
  for (k in 1:20) {
    survives(function(i, k) {
      if (k < sys.nframe()) do.call(return, list(NULL), envir = sys.frame(k))
      i
    }, k)
  }
  survives(function(i) {
    # The one that would begin again, whatever it is called from.
    ours <- Filter(function(k) identical(sys.function(k), pool:::node_range), seq_len(sys.nframe()))
    do.call(return, list(NULL), envir = sys.frame(ours))
  })
})

test_that("what ends a call early does not end the next one", {
  for (task in list(
    function(i) stop("no"), function(i) invokeRestart("abort"),
    function(i) if (i == 2) stop("no") else i
  )) {
    survives(task, .on_error = "stop")
    survives(task, .on_error = "stop", .timeout = 10, .seed = 1)
  }
})

test_that("a fork that comes back from the task as well does not answer", {
  dir <- withr::local_tempdir()
  found <- survives(function(i, dir) {
    if (length(list.files(dir)) > 20) quit() # or it would never end
    p <- getFromNamespace("mcfork", "parallel")(TRUE)
    if (inherits(p, "masterProcess")) file.create(file.path(dir, Sys.getpid()))
    i
  }, dir)
  expect_identical(found, as.list(1:4))
  children <- as.integer(list.files(dir))
  expect_lte(length(children), 4)
  expect_true(gone(children))
})

test_that("a template that a task has stopped goes on", {
  parent <- at_top(function() {
    as.integer(strsplit(sub(".*\\) ", "", readLines("/proc/self/stat")), " ")[[1]][[2]])
  })
  skip_if(!file.exists("/proc/self/stat"), "no /proc")
  survives(function(i, parent) {
    if (i == 2) {
      tools::pskill(parent(), tools::SIGSTOP)
      tools::pskill(Sys.getpid(), tools::SIGKILL)
    }
    i
  }, parent)
})

test_that("a function that nodes die of when they read it is an error, soon", {
  lib <- local_package("deadly", c(
    "one <- function(i) i",
    ".onLoad <- function(libname, pkgname) {",
    "  if (Sys.getpid() != Sys.getenv('SESSION')) tools::pskill(Sys.getpid(), 9)",
    "}"
  ), "one")
  found <- in_session(function(transport) {
    options(pool.transport = transport)
    Sys.setenv(SESSION = Sys.getpid())
    suppressMessages(init_pool(2))
    one <- getExportedValue("deadly", "one")
    lapply(c(50, 1000), function(n) {
      e <- tryCatch(pool_lapply(seq_len(n), one), error = identity)
      list(class(e)[[1]], conditionMessage(e), pool_sapply(1:3, sqrt))
    })
  }, list(getOption("pool.transport", "memory")), libpath = c(lib, .libPaths()))
  for (one in found) {
    expect_identical(one[[1]], "pool_worker_error")
    expect_match(one[[2]], "nodes die of the function")
    expect_identical(one[[3]], sqrt(1:3))
  }
})

test_that("a task that changes the machinery's own state ends, and so does the call", {
  local_pool(2)
  for (n in c(4, 40)) {
    found <- outcome(pool_lapply(seq_len(n), at_top(function(i) {
      assign("doing", "", envir = getFromNamespace("node", "pool"))
      stop("x")
    }), .retries = 0))
    expect_false(is.null(found$error))
    expect_usable()
  }
})
