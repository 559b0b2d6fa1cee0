# What runs in a node for a message of post.R.

# x: list(kind, content). The doorbell rings when there is an answer, whatever it is.
node_post <- function(x) {
  switch(x[[1L]],
    listen = .Call(C_bell_listen),
    accept = .Call(C_bell_accept),
    call = {
      on.exit(.Call(C_bell_ring))
      node_command(x[[2L]])
    },
    future = {
      on.exit(.Call(C_bell_ring))
      node_future(x[[2L]])
    }
  )
}

# A message of type "EXEC" of package parallel, answered as its workers do it: errors
# are values, and what is signalled goes where output goes.
node_command <- function(call) {
  # Found by this name where a condition is to be sent at once.
  master <- structure(list(), class = c("pool_session", "SOCKnode")) # nolint
  began <- proc.time()
  # Names are looked up where parallel's workers do it.
  frame <- new.env(parent = asNamespace("parallel"))
  answer <- tryCatch(
    list(TRUE, node_aloud(do.call(call$fun, call$args, quote = TRUE, envir = frame))),
    error = function(e) list(FALSE, try_error(e))
  )
  list(
    type = "VALUE", value = answer[[2L]], success = answer[[1L]],
    time = proc.time() - began, tag = call$tag
  )
}

# What parallel makes of an error.
try_error <- function(e) {
  structure(conditionMessage(e), class = c("snow-try-error", "try-error"))
}

# x: list(a future's expression, is garbage to be collected after it?). What it leaves in
# the global environment goes with it, and so do its random numbers.
node_future <- function(x) {
  before <- ls(globalenv(), all.names = TRUE)
  random <- random_state()
  on.exit({
    set_random_state(random)
    left <- setdiff(ls(globalenv(), all.names = TRUE), c(before, ".Random.seed"))
    rm(list = left, envir = globalenv())
    if (x[[2L]]) {
      gc()
    }
  })
  node_aloud(eval(x[[1L]], globalenv()))
}

# To whoever waits for the running task, at once.
node_tell <- function(x) {
  .Call(C_node_tell, x)
}

# Warnings and messages go where output goes, not to the session.
node_aloud <- function(code) {
  withCallingHandlers(code, warning = aloud_warning, message = aloud_message)
}

aloud_warning <- function(w) {
  call <- conditionCall(w)
  if (getOption("warn") >= 2L) {
    stop(simpleError(
      paste("(converted from warning)", conditionMessage(w)), call
    ))
  }
  if (getOption("warn") >= 0L) {
    where <- if (!is.null(call)) paste0(" in ", deparse(call, nlines = 1L)[[1L]])
    cat("Warning", where, ": ", conditionMessage(w), "\n", sep = "", file = stderr())
  }
  tryInvokeRestart("muffleWarning")
}

aloud_message <- function(m) {
  cat(conditionMessage(m), sep = "", file = stderr())
  tryInvokeRestart("muffleMessage")
}
