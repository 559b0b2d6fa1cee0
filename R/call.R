# One call on the pool, from the session's side: C hands out and collects; this
# relays what tasks signal, and turns failures into conditions.

# What is run for an element, as enum call_kind in r_pool.h: the function with
# the constant arguments, once on every node; with an element in front of them,
# as lapply() does it; with an element of each column in front.
CALL_EACH <- 0L
CALL_LAPPLY <- 1L
CALL_MAP <- 2L

# elements: a plain vector (CALL_LAPPLY) or a list of plain vectors (CALL_MAP),
# n long. starts: first elements, from 0, of chunks that are bound to nodes in
# turn, and n; NULL: every element goes to the next free node. setup: a
# function of a reference to the call, to be kept for replacements. Returns the
# list of n values. choice: of choices(), what the user has asked for.
run_call <- function(kind, fun, args, elements, n, starts = NULL,
                     names = NULL, count = "nodes", setup = NULL,
                     choice = no_choice) {
  handle <- the$handle # which may have gone by now, as C says
  token <- environment() # like no other call's
  on.exit(.Call(C_call_finish, handle, token))
  values <- .Call(
    C_call_start, handle, token, list(kind, fun, args, choice$node), elements,
    n, list(starts, choice$limits)
  )
  if (!is.null(notes <- .Call(C_call_quick, handle))) {
    finish_waiting(handle, notes)
  }
  if (!is.null(setup)) {
    reference <- .Call(C_call_blob, handle)
  }
  failures <- .Call(C_call_finish, handle, token)
  if (n > 0) {
    names(values) <- names # an empty list has none in parallel
  }
  if (!is.null(failures)) {
    if (choice$returns) {
      return(with_conditions(failures, values))
    }
    stop_tasks(failures, values, count)
  }
  if (!is.null(setup)) {
    setup(reference)
  }
  values
}

# An R error inside C is one of serializing; of what, C knows. (No calling
# handler would see it where the C stack has run out.) notes: what was there
# already.
finish_waiting <- function(handle, notes) {
  progress <- NULL # there is one once C tells how far it is
  on.exit(if (!is.null(progress)) progress$end(is.null(notes)))
  tryCatch(
    repeat {
      if (is.double(notes)) {
        if (is.null(progress)) {
          progress <- call_progress(notes[[2L]])
        }
        progress$update(notes)
      } else if (is.pairlist(notes)) {
        if (!is.null(progress)) {
          progress$clear()
        }
        relay(notes)
      } else if (isTRUE(notes)) {
        warn_setup()
      }
      notes <- .Call(C_call_wait, handle)
      if (is.null(notes)) {
        break
      }
      if (isFALSE(notes)) {
        revive_pool(handle)
      }
    },
    error = function(e) stop_sending(e, .Call(C_call_doing, handle))
  )
}

stop_sending <- function(e, doing) {
  what <- switch(doing,
    constant = "the function or a constant argument",
    elements = "an element",
    result = "the result of a node"
  )
  if (is.null(what) || inherits(e, "pool_error")) {
    stop(e)
  }
  stop_serialize(what, e)
}

# fun(args) once on every node, in the order of nodes.
run_each <- function(fun, args, setup = NULL, choice = no_choice) {
  pool_handle()
  n <- the$size
  run_call(CALL_EACH, fun, args, NULL, n, as.numeric(0:n),
    setup = setup, choice = choice
  )
}

# Chunk k is elements starts[k] + 1 to starts[k + 1].
chunk_starts <- function(n, chunks) {
  sizes <- lengths(split_indices(n, chunks))
  cumsum(c(0, sizes))
}

# As parallel::splitIndices() shares n elements out.
split_indices <- function(n, chunks) {
  if (chunks == 1L || n == 1L) {
    return(list(seq_len(n)))
  }
  fuzz <- min((n - 1L) / 1000, 0.4 * n / chunks)
  breaks <- seq(1 - fuzz, n + fuzz, length.out = chunks + 1L)
  split(seq_len(n), cut(seq_len(n), breaks))
}
