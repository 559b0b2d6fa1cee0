# The pool: making, reusing and deleting it.

#' Manage the pool of background R processes
#'
#' `init_pool()` makes sure that there is a pool of at least `size` nodes, all
#' in their original state; `delete_pool()` ends it. `pool_exists()` and
#' `pool_size()` tell what there is. The pool belongs to the session: any
#' package may use, restart or delete it, so nothing should depend on sole
#' control over it.
#'
#' The nodes have the session's packages, options, environment variables,
#' library paths, locale and working directory, and none of its global objects.
#' They are forked from one quiet process (the *template*), which is itself a
#' fork of the session (`type = "FORK"`) or a freshly started R
#' (`type = "PSOCK"`, the default where a fork is known to be unsafe: in a
#' graphical front end, or with Java loaded). So a node costs about a
#' millisecond and a megabyte, and nothing of the session runs in it:
#' `interactive()` is `FALSE` there, its `tempdir()` is its own, finalizers and
#' connections of the session are out of its reach, and numeric libraries use
#' one thread.
#'
#' A pool that exists and is large enough is reused, silently: its nodes are
#' replaced by new ones. It is made anew where packages were loaded since.
#' A node that dies is replaced when it is needed, after going through what
#' [pool_export()] and [pool_evalq()] told all nodes since `init_pool()`.
#'
#' @section Options: `pool.type`: the default of `type`. `pool.log_max` (1000):
#'   how many things that all nodes were told are kept for replacements.
#'   `pool.transport`: `"memory"`, elements and results go through memory that
#'   session and nodes share, or `"socket"`, as where a system has no such
#'   memory (anything but Linux); nothing else differs but speed. It is looked
#'   at when a pool is made. `pool.timeout`, `pool.retries`, `pool.seed`,
#'   `pool.on_error`, `pool.progress`: the defaults of the arguments of those names,
#'   see [pool_lapply()]. (Transfers to a storage service and loops that are stored
#'   jobs show their progress in an interactive session, unless `pool.progress` is
#'   `FALSE`.)
#' @param size Number of nodes, 1 to `r max_nodes`. A pool that is larger stays
#'   as it is.
#' @param restart `TRUE`: delete an existing pool first.
#' @param ... Arguments of [parallel::makeCluster()], by name; their values are
#'   not looked at where a pool is reused. Honoured: `type` (`"FORK"`, `"PSOCK"`), `outfile` (where
#'   output of the nodes goes, appended; `""`: where the session's goes),
#'   `renice`, `setup_timeout` (seconds), and for `"PSOCK"` `rscript`,
#'   `rscript_args`, `rscript_envs`. Accepted, without effect: `port`,
#'   `homogeneous`, `useXDR`, `methods`, `setup_strategy`, `timeout`. What asks
#'   for another host, and anything else, is an error.
#' @return `init_pool()` and `delete_pool()`: `NULL`, invisibly.
#'   `pool_exists()`: `TRUE` or `FALSE`. `pool_size()`: the number of nodes, an
#'   integer, 0 where there is no pool.
#' @section Errors: `pool_input_error`, `pool_start_error`; see
#'   [pool_conditions]. After a failure to make a pool, an earlier one is still
#'   there.
#' @source The background pool of AzureRMR, `?AzureRMR::init_pool`.
#' @examples
#' init_pool(2)
#' pool_size()
#' x <- 42
#' pool_export("x", environment())
#' pool_sapply(1:5, function(i) i + x)
#'
#' init_pool(2)
#' # an error: x no longer exists on the nodes
#' try(pool_sapply(1:5, function(i) i + x))
#'
#' delete_pool()
#' pool_exists()
#' @export
init_pool <- function(size = 10, restart = FALSE, ...) {
  size <- check_size(size)
  check_flag(restart, "restart")
  check_cluster_names(match.call(expand.dots = FALSE)$...)
  if (restart || pool_size() < size) {
    options <- check_cluster_options(list(...))
    post_end()
    .Call(C_pool_idle, the$handle)
    if (pool_exists()) {
      message("Deleting background pool")
    }
    message("Creating background pool")
    create_pool(size, options)
  } else {
    pool_handle()
    reuse_pool()
  }
  invisible(NULL)
}

#' @rdname init_pool
#' @export
delete_pool <- function() {
  post_end()
  .Call(C_pool_idle, the$handle)
  if (pool_exists()) {
    message("Deleting background pool")
  }
  delete_quietly()
  invisible(NULL)
}

#' @rdname init_pool
#' @export
pool_exists <- function() {
  .Call(C_pool_alive, the$handle)
}

#' @rdname init_pool
#' @export
pool_size <- function() {
  if (pool_exists()) the$size else 0L
}

# The handle of the pool that every pool_*() function needs.
pool_handle <- function() {
  if (!pool_exists()) {
    stop_absent()
  }
  if (!is.null(the$post)) {
    post_settle()
  }
  the$handle
}

delete_quietly <- function() {
  .Call(C_pool_close, the$handle)
  the$handle <- the$setup <- the$setup_full <- NULL
}

# The old pool goes when the new one is there: what fails leaves it alone.
create_pool <- function(size, options) {
  started <- start_template(options)
  handle <- started$handle
  done <- FALSE
  on.exit(if (!done) .Call(C_pool_close, handle))
  .Call(C_pool_restart, handle, size)
  delete_quietly()
  done <- TRUE
  the$handle <- handle
  the$size <- size
  the$options <- options
  the$state <- started$state
  the$setup <- NULL
}

reuse_pool <- function() {
  state <- session_state()
  if (!identical(state$packages, the$state$packages)) {
    return(create_pool(the$size, the$options))
  }
  # Where the template is gone, a new pool it is.
  tryCatch(restart_nodes(state), pool_start_error = function(e) {
    create_pool(the$size, the$options)
  })
}

restart_nodes <- function(state) {
  changed <- state_changes(state, the$state)
  if (length(changed) > 0L) {
    .Call(C_pool_state, the$handle, changed)
    the$state <- state
  }
  the$setup <- the$setup_full <- NULL
  .Call(C_pool_restart, the$handle, the$size)
}

# The template is gone, and the nodes with it: a new one takes its place.
revive_pool <- function(handle) {
  fresh <- start_template(the$options)
  .Call(C_pool_adopt, handle, fresh$handle)
}

default_type <- function() {
  type <- getOption("pool.type")
  if (!is.null(type)) {
    return(check_type(type, "options(pool.type)"))
  }
  unsafe <- fork_unsafe()
  if (is.null(unsafe)) {
    return("FORK")
  }
  if (is.null(the$told)) {
    the$told <- TRUE
    message("The pool starts a fresh R, as forking is unsafe ", unsafe)
  }
  "PSOCK"
}

# Why a fork of this session is known to be unsafe, or NULL.
fork_unsafe <- function() {
  gui <- .Platform$GUI
  if (gui %in% c("RStudio", "AQUA", "Tk", "GNOME") ||
    identical(Sys.getenv("RSTUDIO"), "1") && interactive()) {
    "in a graphical front end"
  } else if (isNamespaceLoaded("rJava")) {
    "with Java loaded"
  }
}

# The handle, and the state that the template has.
start_template <- function(options) {
  niceness <- if (is.na(options$renice)) 0L else options$renice
  fork <- options$type == "FORK"
  # Beside the session's own; in a node that is in the directory of its pool.
  directory <- .Call(C_pool_directory, dirname(tempdir()))
  handle <- NULL
  done <- FALSE
  on.exit(if (!done) {
    .Call(C_pool_close, handle)
    unlink(directory, recursive = TRUE)
    restore_tempdir()
  })
  if (fork) {
    collect_garbage()
    program <- environment <- character()
  } else {
    program <- template_program(options, niceness, directory)
    environment <- template_environment(options)
  }
  handle <- .Call(C_pool_start, program, environment, list(
    options$outfile, niceness, as.numeric(options$setup_timeout), directory,
    options$transport == "memory"
  ))
  state <- session_state() # meanwhile
  .Call(C_pool_ready, handle)
  if (!fork) {
    .Call(C_pool_state, handle, state)
  }
  done <- TRUE
  list(handle = handle, state = state)
}

# A finalizer of an object that is garbage already must run here, not in a node
# that inherits the object. A full collection takes long; where only R's own
# packages are loaded, young garbage is all that is worth it: a connection's
# finalizer does no harm, since nodes have none of the session's descriptors.
collect_garbage <- function() {
  own <- c("pool", "base", "compiler", "datasets", "graphics", "grDevices",
    "grid", "methods", "parallel", "splines", "stats", "stats4", "tcltk",
    "tools", "utils"
  )
  gc(full = !all(loadedNamespaces() %in% own))
}

template_program <- function(options, niceness, directory) {
  c(options$rscript, options$rscript_args, "-e",
    sprintf("invisible(loadNamespace(\"pool\", lib.loc = %s)); pool:::template_main(%dL, %dL, %s)",
      program_text(own_libraries()), Sys.getpid(), niceness, program_text(directory)
    )
  )
}

# As a part of what a fresh R is told to run.
program_text <- function(x) paste(deparse(x), collapse = "")

template_environment <- function(options) {
  environment <- Sys.getenv()
  environment[["R_LIBS"]] <- paste(.libPaths(), collapse = .Platform$path.sep)
  extra <- options$rscript_envs
  extra <- extra[nzchar(names(extra))] # the others are inherited anyway
  environment[names(extra)] <- extra
  paste0(names(environment), "=", environment)
}
