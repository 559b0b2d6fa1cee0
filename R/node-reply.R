# The answer of a node: the values of its claim, and what became of them.

node_reply <- function() {
  node$doing <- "reply"
  if (!is.null(node$random)) {
    set_random_state(node$random)
    node$random <- NULL
  }
  if (.Call(C_node_owes)) {
    values <- node$claim[[1L]]
    n <- node$claim[[2L]]
    if (n < length(values)) {
      if (.Call(C_node_interrupted)) {
        n <- 0L # nobody waits for them
        node$errors <- node$notes <- NULL
      }
      node$claim[[1L]] <- values <- values[seq_len(n)]
    }
    kind <- if (!is.null(node$errors)) 2L else if (!is.null(node$notes)) 1L else 0L
    value <- if (kind > 0L) list(values, node$errors, node$notes) else values
    if (.Call(C_node_reply, value, kind, n)) {
      node$call <- NULL
    }
  }
  node$claim <- node$x <- NULL
  node$doing <- ""
  setTimeLimit() # what the task has set was for itself
}

# What cannot be serialized becomes an error of its element; should that not
# help, all of the claim does.
node_mend <- function(e) {
  if (!.Call(C_node_owes)) {
    return()
  }
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
