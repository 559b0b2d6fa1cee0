# What runs in a node, called from C (r_node.c).

# The claim being worked on, so that a jump to top level finds it again; and what
# is being done about it, "" for nothing.
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
  if (node$doing == "work" && !.Call(C_node_interrupted)) {
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
      error = node_recover,
      interrupt = node_recover
    )
    if (over) {
      return()
    }
  }
}

# TRUE when there is nothing more to read, which only warming up sees.
node_loop <- function() {
  if (node$doing == "work") {
    node_work()
    node_reply()
  } else if (node$doing == "reply") {
    node_reply()
  }
  repeat {
    switch(.Call(C_node_next) + 1L,
      return(TRUE),
      node_call(),
      node_range(),
      node$call <- NULL,
      NULL
    )
  }
}

node_call <- function() {
  node$doing <- "call"
  node$call <- node$stopped <- NULL
  node$call <- .Call(C_node_payload, FALSE)
  node$limits <- node$call[[4L]]
  node$doing <- ""
}

# An error, of a time limit that a task has left behind say, may come between
# any two steps: until it is answered the range is given again.
node_range <- function() {
  if (node$doing == "work") {
    # A task has returned from this frame in its own's place, and would again.
    stop("the task returned from a function that did not call it")
  }
  node$doing <- "read"
  node$errors <- node$notes <- node$traceback <- node$mended <- NULL
  node$unreadable <- node$call$unreadable
  limits <- node$limits
  if (!is.null(limits)) {
    node$stopped <- NULL
    node$random <- if (!is.null(limits$seed)) random_state()
  }
  node$claim <- .Call(C_node_claim, limits)
  if (is.null(node$unreadable) && node$call[[1L]] != CALL_EACH) {
    node$x <- .Call(C_node_payload, node$call[[1L]] == CALL_MAP)
  }
  node$doing <- "work"
  node_work()
  node_reply()
}

node_work <- function() {
  claim <- node$claim
  if (claim[[2L]] == length(claim[[1L]]) || !is.null(node$stopped)) {
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
    .Call(C_claim_apply, node_lapply, fun, node$x, call[[3L]], quote_head)
  } else {
    node_map(fun, node$x, call[[3L]], claim)
  }
}

# After an error: what was being done decides what it is the error of.
node_recover <- function(e) {
  .Call(C_node_stuck)
  if (inherits(e, "interrupt")) {
    if (.Call(C_node_interrupted)) {
      return(FALSE) # the claim ends where it is
    }
    e <- simpleError("the task was interrupted")
    class(e) <- c("pool_interrupted_task", class(e))
  }
  switch(node$doing,
    call = { # all elements of the call
      .Call(C_node_unread)
      node$call <- list(unreadable = e)
      node$limits <- NULL
      node$doing <- ""
    },
    read = { # all elements of the range
      if (is.null(node$claim)) {
        node$doing <- ""
      } else {
        node$unreadable <- e
        node$doing <- "work"
      }
    },
    work = node_failed(e), # the running element
    reply = node_mend(e) # values that cannot be serialized
  )
  FALSE
}

# The two frames a task is called from: one like lapply()'s own, for what a task
# may ask of it, and one for do.call()'s way.
node_lapply <- function(X, FUN, ...) {
  .Call(C_claim_lapply, environment(), node$claim)
}

node_map <- function(fun, columns, more, claim) {
  .Call(C_claim_map, fun, columns, more, claim, quote_head)
}

# What do.call(quote = TRUE) writes for quote(): R's versions differ.
quote_head <- enquote(NULL)[[1L]]

# ---- what tasks signal ----

node_failed <- function(e) {
  if (node$claim[[2L]] == length(node$claim[[1L]])) {
    return() # all is done
  }
  place <- .Call(C_claim_skip, node$claim)
  node$errors <- c(node$errors, list(list(place, shown_condition(e), node$traceback)))
  node$traceback <- NULL
  if (isTRUE(node$limits$stops)) {
    node$stopped <- TRUE
  }
}

node_error <- function(e) {
  node$traceback <- node_traceback(sys.nframe() - 1L)
}

# What comes while there is no claim is not relayed: it goes where output goes.
node_note <- function(condition) {
  place <- node$claim[[2L]] + 1L
  node$notes <- c(node$notes, list(list(place, shown_condition(condition))))
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
  frames <- seq_len(last)[-seq_len(min(last, task_frame(last)))]
  calls <- sys.calls()[frames]
  vapply(seq_along(frames), function(i) {
    call <- if (takes_secrets(sys.function(frames[[i]]))) {
      call_name(calls[[i]])
    } else {
      shown_call(calls[[i]])
    }
    deparse(call, width.cutoff = 60L, nlines = 1L)[[1L]]
  }, "")
}

# The frame, up to `last`, that the running task was called from; 0: there is none.
last_runner <- function(last) {
  while (last > 0L && !is_runner(sys.function(last))) {
    last <- last - 1L
  }
  last
}

is_runner <- function(f) {
  identical(f, node_lapply) || identical(f, node_map) || identical(f, task_value) ||
    identical(f, loop_value)
}

# The last one that is not the task's: eval() has two.
task_frame <- function(last) {
  k <- last_runner(last)
  if (k > 0L && identical(sys.function(k), loop_value)) k + 2L else k
}
