# Doorbells: what `con` of a node of pool_cluster() is. Whoever can wait only for sockets
# is told by it that the node has something to say. The node rings once for each thing it
# says; who is told that thing takes the ring away. The end of the connection is that of the
# node's process.
#
# A node's state is an environment, `s` (pool-cluster-member.R); its connections are kept in
# the$bells, so that R does not close one first, with a warning, and then the node's state.

# The connection; NULL where there can be none. Made when it is first asked for, as only
# few ask, and anew when its node was replaced: not while an answer is outstanding.
bell_connection <- function(s) {
  if (length(s$letters) == 0L && !bell_works(s$con)) {
    bell_remove(s)
    tryCatch(bell_hang(s), error = function(e) NULL)
  }
  s$con
}

# Nothing rings while nothing is outstanding, so what can be read then is its end.
bell_works <- function(con) {
  !is.null(con) &&
    tryCatch(!socketSelect(list(con), FALSE, 0), error = function(e) FALSE)
}

bell_hang <- function(s) {
  at <- bell_ask(s, "listen")
  if (is.null(at)) {
    return()
  }
  con <- socketConnection("127.0.0.1", at[[1L]],
    open = "r+b", blocking = TRUE, timeout = bell_seconds
  )
  done <- FALSE
  on.exit(if (!done) close(con))
  writeBin(at[[2L]], con)
  if (isTRUE(bell_ask(s, "accept"))) {
    the$bells[[s$key]] <- s$con <- con
    done <- TRUE
  }
}

# For what the other end of a connection on this machine has sent already.
bell_seconds <- 10L

bell_ask <- function(s, kind) {
  letter <- post_letter(s$node)
  done <- FALSE
  on.exit(if (!done) post_drop(list(letter)))
  post_send(letter, kind, NULL)
  post_wait(list(letter))
  done <- TRUE
  letter$value
}

# One thing that the node has said has been handed over.
bell_take <- function(s) {
  if (!is.null(s$con)) {
    tryCatch(
      if (socketSelect(list(s$con), FALSE, bell_seconds)) readBin(s$con, "raw", 1L),
      error = function(e) NULL
    )
  }
}

bell_remove <- function(s) {
  if (!is.null(s$con)) {
    tryCatch(close(s$con), error = function(e) NULL) # somebody may have done so
    s$con <- the$bells[[s$key]] <- NULL
  }
}
