# What runs in the template and in the nodes, called from C (r_node.c).

# ---- the template ----

# In a freshly started R: becomes the template of session `session`.
template_main <- function(session, niceness) {
  the$exec <- TRUE
  .Call(C_template_run, c(session, niceness))
}

# Makes this process the nodes' original state.
template_prepare <- function() {
  while (sink.number() > 0L) {
    sink()
  }
  if (sink.number(type = "message") != 2L) {
    sink(type = "message")
  }
  hide_session()
  quiet_options()
  leave <- function(save = "default", status = 0, runLast = TRUE) {
    .Call(C_node_leave, as.integer(status))
  }
  mask_base("quit", leave)
  mask_base("q", leave)
  mask_base("interactive", function() FALSE)
  own_tempdir(Sys.getenv("POOL_TEMPLATE_DIR"))
  Sys.unsetenv("POOL_TEMPLATE_DIR")
  if (isNamespaceLoaded("data.table")) {
    getExportedValue("data.table", "setDTthreads")(1L)
  }
  if (isNamespaceLoaded("RcppParallel")) {
    getExportedValue("RcppParallel", "setThreadOptions")(numThreads = 1L)
  }
  for (i in seq_len(20L)) {
    .Call(C_node_warm, list(CALL_LAPPLY, function(x) x, list()), 1:2)
    .Call(C_node_warm, list(CALL_MAP, identity, list()), list(1:2))
  }
}

# The session's objects stay reachable, as their finalizers are the session's,
# but out of the nodes' sight.
hide_session <- function() {
  names <- ls(globalenv(), all.names = TRUE, sorted = FALSE)
  the$pinned <- list(the$handle, the$setup, .Call(C_node_globals, names))
  rm(list = names, envir = globalenv())
  for (name in c("handle", "size", "options", "state", "setup")) {
    the[[name]] <- NULL
  }
}

mask_base <- function(name, value) {
  environment(value) <- environment(mask_base)
  unlockBinding(name, baseenv())
  assign(name, value, envir = baseenv())
  lockBinding(name, baseenv())
}

# R has no way to forget its temporary directory but to find it missing: for a
# moment, while the session waits, that is what it is. The new one goes again,
# so that every node makes its own.
own_tempdir <- function(base) {
  with_tmpdir(base, {
    mine <- tempdir()
    aside <- tempdir_aside(mine)
    moved <- file.rename(mine, aside)
    fresh <- tempdir(check = TRUE)
    if (moved && is.null(the$exec)) {
      file.rename(aside, mine)
    } else {
      unlink(aside, recursive = TRUE)
    }
    unlink(fresh, recursive = TRUE)
  })
}

tempdir_aside <- function(path) paste0(path, ".aside")

# In the session: a template that was killed in that moment left it so.
restore_tempdir <- function() {
  aside <- tempdir_aside(tempdir())
  if (!dir.exists(tempdir()) && dir.exists(aside)) {
    file.rename(aside, tempdir())
  }
}

with_tmpdir <- function(dir, code) {
  old <- Sys.getenv("TMPDIR", NA)
  Sys.setenv(TMPDIR = dir)
  on.exit(if (is.na(old)) Sys.unsetenv("TMPDIR") else Sys.setenv(TMPDIR = old))
  code
}

# ---- a node ----

# The claim being worked on, so that a jump to top level finds it again.
node <- new.env(parent = emptyenv())

# Makes a temporary directory in `base`: its name.
node_start <- function(base) {
  with_tmpdir(base, basename(tempdir(check = TRUE)))
}

node_cleanup <- function() {
  unlink(tempdir(), recursive = TRUE)
}

# One set of handlers serves until something fails; then the loop is entered
# again, and goes on where it was.
node_main <- function() {
  if (identical(node$doing, "work")) {
    # A jump to top level: the fence has ended what was here.
    node_failed(simpleError("the task jumped to top level"))
  }
  repeat {
    over <- tryCatch(
      withCallingHandlers(node_loop(),
        error = node_error,
        warning = node_warning,
        message = node_message
      ),
      error = node_recover
    )
    if (over) {
      return()
    }
  }
}

# TRUE when there is nothing more to read, which only warming up sees.
node_loop <- function() {
  if (identical(node$doing, "work")) {
    node_work()
    node_reply()
  } else if (identical(node$doing, "reply")) {
    node_reply()
  }
  repeat {
    switch(.Call(C_node_next) + 1L,
      return(TRUE),
      node_call(),
      node_range(),
      node$call <- NULL
    )
  }
}

node_call <- function() {
  node$doing <- "call"
  node$call <- .Call(C_node_payload)
  node$doing <- ""
}

node_range <- function() {
  node$errors <- node$notes <- node$traceback <- node$mended <- NULL
  node$unreadable <- node$call$unreadable
  node$claim <- .Call(C_node_claim)
  if (is.null(node$unreadable) && node$call[[1L]] != CALL_EACH) {
    node$doing <- "read"
    node$x <- .Call(C_node_payload)
  }
  node$doing <- "work"
  node_work()
  node_reply()
}

node_work <- function() {
  claim <- node$claim
  if (claim[[2L]] == length(claim[[1L]])) {
    return()
  }
  if (!is.null(node$unreadable)) {
    stop(node$unreadable)
  }
  call <- node$call
  fun <- call[[2L]]
  if (call[[1L]] == CALL_LAPPLY) {
    if (is.character(fun)) {
      fun <- get(fun, envir = globalenv(), mode = "function")
    }
    .Call(C_node_apply, node_lapply, fun, node$x, call[[3L]], quote_head)
  } else {
    node_map(fun, node$x, call[[3L]], claim)
  }
}

# After an error: what was being done decides what it is the error of.
node_recover <- function(e) {
  switch(node$doing,
    call = { # all elements of the call
      node$call <- list(unreadable = e)
      node$doing <- ""
    },
    read = { # all elements of the range
      node$unreadable <- e
      node$doing <- "work"
    },
    work = node_failed(e), # the running element
    reply = node_mend(e) # values that cannot be serialized
  )
  FALSE
}

# The two frames a task is called from: one like lapply()'s own, for what a task
# may ask of it, and one for do.call()'s way.
node_lapply <- function(X, FUN, ...) {
  .Call(C_node_lapply, environment(), node$claim)
}

node_map <- function(fun, columns, more, claim) {
  .Call(C_node_map, fun, columns, more, claim, quote_head)
}

# What do.call(quote = TRUE) writes for quote(): R's versions differ.
quote_head <- enquote(NULL)[[1L]]

# ---- what tasks signal ----

node_failed <- function(e) {
  place <- .Call(C_node_skip, node$claim)
  node$errors <- c(node$errors, list(list(place, e, node$traceback)))
  node$traceback <- NULL
}

node_error <- function(e) {
  node$traceback <- node_traceback(sys.nframe() - 1L)
}

# What comes while there is no claim is not relayed: it goes where output goes.
node_note <- function(condition) {
  place <- node$claim[[2L]] + 1L
  node$notes <- c(node$notes, list(list(place, condition)))
}

node_warning <- function(w) {
  if (!is.null(node$claim)) {
    node_note(w)
    tryInvokeRestart("muffleWarning")
  }
}

node_message <- function(m) {
  if (!is.null(node$claim)) {
    node_note(m)
    tryInvokeRestart("muffleMessage")
  }
}

# The calls from the task's function to frame `last`, a line each.
node_traceback <- function(last) {
  if (identical(sys.function(last), .handleSimpleError)) {
    last <- last - 1L
  }
  first <- last
  while (first > 0L && !is_runner(sys.function(first))) {
    first <- first - 1L
  }
  vapply(sys.calls()[seq_len(last)[-seq_len(first)]], function(call) {
    deparse(call, width.cutoff = 60L, nlines = 1L)[[1L]]
  }, "")
}

is_runner <- function(f) identical(f, node_lapply) || identical(f, node_map)

# ---- the answer ----

node_reply <- function() {
  node$doing <- "reply"
  values <- node$claim[[1L]]
  mixed <- !is.null(node$errors) || !is.null(node$notes)
  value <- if (mixed) list(values, node$errors, node$notes) else values
  .Call(C_node_reply, value, mixed)
  node$claim <- node$x <- NULL
  node$doing <- ""
}

# What cannot be serialized becomes an error of its element; should that not
# help, all of the claim does.
node_mend <- function(e) {
  values <- node$claim[[1L]]
  if (is.null(node$mended)) {
    node$mended <- TRUE
    for (i in seq_along(values)) {
      e <- unsendable(values[[i]])
      if (!is.null(e)) {
        values[i] <- list(NULL)
        node$errors <- c(node$errors, list(list(i, sending_error(e), NULL)))
      }
    }
    node$errors <- lapply(node$errors, function(x) {
      if (is.null(unsendable(x[[2L]]))) {
        x
      } else {
        list(x[[1L]], simpleError(conditionMessage(x[[2L]])), x[[3L]])
      }
    })
    node$notes <- Filter(function(x) is.null(unsendable(x)), node$notes)
  } else {
    node$notes <- NULL
    node$errors <- lapply(seq_along(values), function(i) {
      list(i, sending_error(e), NULL)
    })
    values <- vector("list", length(values))
  }
  node$claim[[1L]] <- values
}

unsendable <- function(x) {
  tryCatch(
    {
      .Call(C_node_try, x)
      NULL
    },
    error = identity
  )
}

sending_error <- function(e) {
  simpleError(paste("the result cannot be sent:", conditionMessage(e)))
}
