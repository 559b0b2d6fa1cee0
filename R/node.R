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

node_main <- function() {
  if (!is.null(node$claim)) {
    node_failed(simpleError("the task jumped to top level"))
    node_finish()
  }
  repeat {
    switch(.Call(C_node_next) + 1L,
      return(),
      node$call <- node_payload(),
      node_range(),
      node$call <- NULL
    )
  }
}

# What cannot be read is an error of the elements it is for.
node_payload <- function() {
  tryCatch(.Call(C_node_payload), error = function(e) {
    structure(list(e), class = "pool_unreadable")
  })
}

node_range <- function() {
  node$errors <- node$notes <- NULL
  node$x <- if (node$call[[1L]] != CALL_EACH) node_payload()
  node$claim <- .Call(C_node_claim)
  node_finish()
}

node_finish <- function() {
  claim <- node$claim
  while (claim[[2L]] < length(claim[[1L]])) {
    tryCatch(
      withCallingHandlers(node_work(node$call, node$x, claim),
        error = function(e) node$traceback <- node_traceback(sys.nframe() - 1L),
        warning = node_warning,
        message = node_message
      ),
      error = node_failed
    )
  }
  node$claim <- node$x <- NULL
  node_reply(claim[[1L]])
}

node_work <- function(call, x, claim) {
  for (part in list(call, x)) {
    if (inherits(part, "pool_unreadable")) {
      stop(part[[1L]])
    }
  }
  fun <- call[[2L]]
  if (call[[1L]] == CALL_LAPPLY) {
    if (is.character(fun)) {
      fun <- get(fun, envir = globalenv(), mode = "function")
    }
    do.call(node_lapply, c(list(X = x, FUN = fun), call[[3L]]), quote = TRUE)
  } else {
    node_map(fun, x, call[[3L]], claim)
  }
}

# The two frames a task is called from: lapply()'s own, for what a task may ask
# of it, and one for do.call()'s way.
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

node_note <- function(condition) {
  place <- node$claim[[2L]] + 1L
  node$notes <- c(node$notes, list(list(place, condition)))
}

node_warning <- function(w) {
  node_note(w)
  tryInvokeRestart("muffleWarning")
}

node_message <- function(m) {
  node_note(m)
  tryInvokeRestart("muffleMessage")
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

node_reply <- function(values) {
  tryCatch(
    node_send(values),
    error = function(e) {
      values <- node_sendable(values) # adds errors that node_send() looks for
      node_send(values)
    }
  )
}

node_send <- function(values) {
  mixed <- !is.null(node$errors) || !is.null(node$notes)
  value <- if (mixed) list(values, node$errors, node$notes) else values
  .Call(C_node_reply, value, mixed)
}

# What cannot be serialized becomes an error of its element.
node_sendable <- function(values) {
  unsendable <- function(x) {
    tryCatch({
      .Call(C_node_try, x)
      NULL
    }, error = identity)
  }
  for (i in seq_along(values)) {
    e <- unsendable(values[[i]])
    if (!is.null(e)) {
      values[i] <- list(NULL)
      e$message <- paste("the result cannot be sent:", conditionMessage(e))
      node$errors <- c(node$errors, list(list(i, e, NULL)))
    }
  }
  for (i in seq_along(node$errors)) {
    e <- node$errors[[i]][[2L]]
    if (!is.null(unsendable(e))) {
      node$errors[[i]][[2L]] <- simpleError(conditionMessage(e))
    }
  }
  node$notes <- Filter(function(x) is.null(unsendable(x)), node$notes)
  values
}
