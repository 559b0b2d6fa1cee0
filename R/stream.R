# A call of the session's pool whose elements come while it runs: a slow one holds up
# its node alone. What comes of an element is handed over as soon as it is there, and
# kept nowhere. As with any call, the pool is busy as long as it is open.

# How many elements may be on their way at least.
stream_room <- 1024L

# fun(x, args) of every element x that is put. timeout: seconds that one may take; room:
# how many may be on their way. It has to be closed, whatever happens: by on.exit().
stream_open <- function(fun, args = list(), timeout = Inf,
                        room = max(stream_room, 2L * the$size)) {
  handle <- pool_handle()
  s <- new.env(parent = emptyenv())
  s$handle <- handle
  s$ids <- numeric(room) # by place
  s$put <- s$over <- 0
  opened <- FALSE
  on.exit(if (!opened) stream_close(s))
  timed <- is.finite(timeout)
  node <- if (timed) list(seed = NULL, timed = TRUE, stops = FALSE)
  .Call(
    C_call_start, handle, s, list(CALL_LAPPLY, fun, args, node), NULL,
    as.numeric(room), list(NULL, as.numeric(c(timeout, 0, 0)))
  )
  .Call(C_feed_open, handle, s)
  opened <- TRUE
  s
}

# How many more until every node has one.
stream_free <- function(s) max(0, the$size - stream_left(s))

# How many have been put and are not over.
stream_left <- function(s) s$put - s$over

# The element's id: 1, 2, ...
stream_put <- function(s, x) {
  if (is.null(stream_try(s, stream_place(s, x, 0L)))) {
    stop("too many elements are on their way")
  }
  s$put
}

# The same of an element that is for one node alone, with which it is then lost whether it
# had begun or not (0: whichever is free): returns when it has left with all that belongs
# to it, for which the node has to be free. From then on it runs, whether anybody waits or
# not. FALSE: there is no room for it.
stream_send <- function(s, x, node) {
  stream_try(s, {
    place <- stream_place(s, x, node)
    while (!is.null(place) && !is.null(news <- .Call(C_feed_sent, s$handle, s, place))) {
      stream_news(s, news)
    }
    !is.null(place)
  })
}

stream_place <- function(s, x, node) {
  place <- .Call(C_feed_put, s$handle, s, x, node)
  if (!is.null(place)) {
    s$put <- s$put + 1
    s$ids[[place]] <- s$put
  }
  place
}

# Nobody waits for an element any more: a node that is at it is replaced. Something
# comes of it all the same, a result or a loss.
stream_drop <- function(s, id) {
  place <- match(id, s$ids)
  if (!is.na(place)) {
    .Call(C_feed_drop, s$handle, s, place)
  }
}

# What has come of elements since it was last asked: as soon as there is any, or
# after so many seconds, or when there is nothing to wait for, an empty list. For each
# list(id, value); list(id, error = pool_task_error), if fun failed; or list(id, lost =
# pool_worker_error or pool_timeout_error): its node died, or was killed for the time
# it took. The node is replaced, the element is not run again. (When the process dies
# that nodes are forked from, elements that were at work are, but for one that was so
# alone: it may be what killed it.) Or list(id, told), what its node has to say before it
# is over.
stream_wait <- function(s, seconds = Inf) {
  until <- if (seconds > 0) seconds_now() + seconds else 0
  repeat {
    news <- stream_try(s, .Call(C_feed_wait, s$handle, s, seconds))
    if (is.list(news) && !is.pairlist(news)) {
      results <- stream_results(s, news[[1L]], news[[2L]], news[[3L]])
      return(if (is.null(news[[4L]])) results else c(stream_told(s, news[[4L]]), results))
    }
    if (is.null(news)) {
      return(list())
    }
    stream_news(s, news)
    seconds <- max(0, until - seconds_now())
  }
}

# An element that goes by steps (C_claim_step()) is to begin no other: how many it has
# begun; NULL where it has none, or not yet, or is over, or shares no memory with us.
stream_cut <- function(s, id) .Call(C_feed_cut, s$handle, s, match(id, s$ids))

stream_news <- function(s, news) {
  if (is.pairlist(news)) {
    relay(news)
  } else if (news) {
    warn_setup()
  } else {
    revive_pool(s$handle)
  }
}

# Ends it: what is at work is interrupted. Once more does no harm.
stream_close <- function(s) {
  invisible(.Call(C_feed_close, s$handle, s))
}

stream_told <- function(s, told) {
  lapply(rev(as.list(told)), function(x) list(id = s$ids[[x[[1L]]]], told = x[[2L]]))
}

stream_results <- function(s, places, values, failures) {
  ids <- s$ids[places]
  s$over <- s$over + length(places)
  out <- lapply(seq_along(places), function(i) list(id = ids[[i]], value = values[[i]]))
  for (failure in as.list(failures)) {
    i <- match(failure$index, places)
    failure$index <- ids[[i]]
    e <- task_condition(failure, NULL, NULL)
    lost <- is.null(failure$parent)
    out[[i]] <- if (lost) list(id = ids[[i]], lost = e) else list(id = ids[[i]], error = e)
  }
  out
}

stream_try <- function(s, code) {
  tryCatch(code, error = function(e) stop_sending(e, .Call(C_call_doing, s$handle)))
}
