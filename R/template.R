# What runs in the template, called from C (r_template.c).

# In a freshly started R: becomes the template of session `session`.
template_main <- function(session, niceness, directory) {
  the$exec <- TRUE
  .Call(C_template_run, list(session, niceness, directory))
}

# Makes this process the nodes' original state.
template_prepare <- function() {
  the$node <- TRUE
  while (sink.number() > 0L) {
    sink()
  }
  if (sink.number(type = "message") != 2L) {
    sink(type = "message")
  }
  RNGkind() # as the session's seed has it, which is hidden next
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
  # The path of a task, once: what it loads, compiles and forces is shared by
  # all nodes then. More of it takes longer than it saves.
  .Call(C_node_warm, list(CALL_LAPPLY, function(x) x, list(), NULL), 1:2)
  .Call(C_node_warm, list(CALL_MAP, identity, list(), NULL), list(1:2))
}

# Whether this process is a node, or was forked by one.
in_node <- function() isTRUE(the$node)

# The session's objects stay reachable, as their finalizers are the session's,
# but out of the nodes' sight.
hide_session <- function() {
  names <- ls(globalenv(), all.names = TRUE, sorted = FALSE)
  the$pinned <- list(
    the$handle, the$setup, the$post, the$bells, .Call(C_template_globals, names)
  )
  rm(list = names, envir = globalenv())
  global <- globalenv() # an environment: what is done to it here stays
  attributes(global) <- NULL
  secret <- c("credentials", "signatures", "minted") # no node gets any of it
  for (name in c("handle", "size", "options", "state", "setup", "post", "bells", secret)) {
    the[[name]] <- NULL
  }
  # In a node that makes a pool of its own: the claim it is at is not the new
  # nodes'.
  the$pinned <- c(the$pinned, as.list(node))
  rm(list = names(node), envir = node)
  node$doing <- ""
}

# By the function's name, as R CMD check takes every call for one in a session.
mask_base <- function(name, value) {
  environment(value) <- environment(mask_base)
  do.call("unlockBinding", list(name, baseenv()))
  assign(name, value, envir = baseenv())
  lockBinding(name, baseenv())
}

# R has no way to forget its temporary directory but to find it missing: for a
# moment, while the session waits for us, that is what it is. The new one goes again at
# once, so that every node makes its own; in memory it takes a tenth of the time.
own_tempdir <- function(base) {
  memory <- "/dev/shm"
  with_tmpdir(if (dir.exists(memory)) memory else base, {
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
