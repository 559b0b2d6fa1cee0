# Nothing of whoever called init_pool() runs in a node: no handler, no restart,
# no on.exit, no finalizer, no prompt; and no connection of the session's is
# used there.

lines_in <- function(file) if (file.exists(file)) readLines(file) else character()

for (type in c("FORK", "PSOCK")) {
  local({
    type <- type
    test_that(paste("on.exit of the caller runs once, in the session,", type), {
      local_no_pool()
      file <- withr::local_tempfile()
      caller <- function() {
        on.exit(cat(Sys.getpid(), "\n", file = file, append = TRUE))
        quiet_init(2, type = type)
        try(pool_call(at_top(function() stop("in the caller's call"))), silent = TRUE)
        "returned"
      }
      expect_identical(caller(), "returned")
      try(pool_lapply(1:4, function(i) stop("later")), silent = TRUE)
      expect_error(pool_lapply(1:2, function(i) invokeRestart("abort")), class = "pool_error")
      try(pool_lapply(1, function(i) quit("no")), silent = TRUE)
      expect_usable()
      suppressMessages(delete_pool())
      expect_identical(as.integer(lines_in(file)), Sys.getpid())
    })

    test_that(paste("handlers around init_pool() do not see a node's conditions,", type), {
      local_no_pool()
      file <- withr::local_tempfile()
      note <- function(what) cat(what, Sys.getpid(), "\n", file = file, append = TRUE)
      result <- tryCatch(
        withCallingHandlers(
          {
            quiet_init(2, type = type)
            "made"
          },
          error = function(e) note("calling"),
          warning = function(w) note("calling")
        ),
        error = function(e) note("exiting"),
        warning = function(w) note("exiting"),
        interrupt = function(i) note("exiting"),
        finally = note("finally")
      )
      expect_identical(result, "made")
      expect_error(pool_lapply(1:3, function(i) stop("task")), "task")
      expect_warning(pool_lapply(1, function(i) warning("task")), "task")
      expect_usable()
      suppressMessages(delete_pool())
      expect_identical(lines_in(file), paste("finally", Sys.getpid(), ""))
    })

    test_that(paste("restarts around init_pool() are not there for a task,", type), {
      local_no_pool()
      result <- withRestarts(
        {
          quiet_init(2, type = type)
          "made"
        },
        pool_test_restart = function(...) "restarted"
      )
      expect_identical(result, "made")
      expect_identical(
        pool_call(at_top(function() {
          names <- vapply(computeRestarts(), function(r) r[[1]], "")
          "pool_test_restart" %in% names
        })),
        list(FALSE, FALSE)
      )
      expect_error(pool_lapply(1, function(i) invokeRestart("pool_test_restart")),
                   "pool_test_restart", class = "pool_task_error")
      expect_usable()
    })

    test_that(paste("the session's finalizers run in the session alone,", type), {
      file <- withr::local_tempfile()
      skip_if_not_installed("R6")
      pids <- in_session(function(file, type) {
        # With R's own packages alone, old garbage is not looked for.
        loadNamespace("R6")
        owned <- new.env()
        reg.finalizer(owned, function(e) {
          cat(Sys.getpid(), "\n", file = file, append = TRUE)
        }, onexit = TRUE)
        assign("owned", owned, globalenv())
        unreachable <- new.env()
        reg.finalizer(unreachable, function(e) {
          cat(Sys.getpid(), "\n", file = file, append = TRUE)
        }, onexit = TRUE)
        rm(unreachable)
        suppressMessages(init_pool(2, type = type))
        pool_call(function() {
          rm(list = ls(globalenv()), envir = globalenv())
          gc()
          gc()
        })
        try(pool_lapply(1, function(i) quit("no")), silent = TRUE)
        suppressMessages(delete_pool())
        Sys.getpid()
      }, list(file, type))
      expect_identical(as.integer(lines_in(file)), c(pids, pids))
    })
  })
}

test_that("what a forgotten connection of the session holds is written once", {
  path <- withr::local_tempfile()
  in_session(function(path) {
    forget <- function() {
      con <- file(path, "w")
      cat("once\n", file = con) # in its buffer
      gc() # old by now
      gc()
      NULL
    }
    forget()
    suppressWarnings(suppressMessages(init_pool(2)))
    pool_call(function() {
      gc()
      gc()
    })
    suppressMessages(delete_pool())
  }, list(path))
  expect_identical(lines_in(path), "once")
})

test_that("quit() in a task leaves the session's directory alone", {
  local_pool(2)
  kept <- tempfile()
  writeLines("kept", kept)
  try(pool_lapply(1:2, function(i) quit("no")), silent = TRUE)
  try(pool_lapply(1:2, function(i) q(status = 3)), silent = TRUE)
  try(pool_lapply(1:2, function(i) base::q("no", 3, TRUE)), silent = TRUE)
  try(pool_lapply(1, function(i) {
    options(error = quote(q()))
    stop("with an error option")
  }), silent = TRUE)
  expect_usable()
  expect_true(dir.exists(tempdir()))
  expect_identical(readLines(kept), "kept")
  unlink(kept)
})

test_that("the session's connections are its own", {
  local_no_pool()
  file <- withr::local_tempfile()
  con <- file(file, "w")
  # Still in the session's buffer: a node that closed or flushed it would write
  # it a second time.
  cat("once\n", file = con)
  log <- withr::local_tempfile(lines = character())
  quiet_init(2, outfile = log)
  closed <- try(pool_call(at_top(function() {
    closeAllConnections()
    gc()
    NULL
  })), silent = TRUE)
  expect_identical(closed, list(NULL, NULL), info = paste(readLines(log), collapse = "\n"))
  try(pool_lapply(1:2, function(i) quit("no")), silent = TRUE)
  suppressMessages(delete_pool())
  cat("twice\n", file = con)
  close(con)
  expect_identical(readLines(file), c("once", "twice"))
})

test_that("from an interactive R on a terminal, nodes are not interactive", {
  skip_on_os("mac") # its script(1) has other options
  skip_if(!nzchar(Sys.which("script")), "no script(1) to make a terminal")
  skip_if(!nzchar(system.file(package = "pool")), "pool is not installed")
  for (type in c("FORK", "PSOCK")) {
    result <- withr::local_tempfile()
    input <- withr::local_tempfile(lines = c(
      sprintf(".libPaths(%s)", paste(deparse(.libPaths()), collapse = "")),
      "library(pool)",
      sprintf("tryCatch(init_pool(2, type = \"%s\"), finally = cat(\"\"))", type),
      "inside <- unlist(pool_call(function() interactive()))",
      "failed <- try(pool_lapply(1:2, function(i) stop('task')), silent = TRUE)",
      "recovers <- function(i) { options(error = recover); stop('task') }",
      "recovered <- try(pool_lapply(1, recovers), silent = TRUE)",
      "after <- pool_sapply(1:3, function(i) i * 2)",
      "delete_pool()",
      sprintf("saveRDS(list(interactive(), inside, class(failed), after), \"%s\")", result),
      "q(\"no\")"
    ))
    r <- file.path(R.home("bin"), "R")
    command <- paste(shQuote(r), "--interactive --no-save --no-restore --no-init-file --quiet")
    system2("timeout", c("120", "script", "-qec", shQuote(command), "/dev/null"),
            stdin = input, stdout = FALSE, stderr = FALSE)
    expect_true(file.exists(result))
    got <- readRDS(result)
    expect_identical(got, list(TRUE, c(FALSE, FALSE), "try-error", c(2, 4, 6)))
  }
})
