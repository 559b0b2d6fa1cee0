# Messages to nodes, whose answers are asked for later: what pool_cluster() and futures
# are built on. All of them are elements of one call with an open end (stream.R), which is
# there as long as any answer is outstanding; so long the pool is busy for others.
#
# A letter is an environment: `node` (the only one it is for; 0: whichever is free), `over`
# (there is an answer), then `value`, or `failure`, a condition; and `told`, a list of what
# its node had to say before.

# the$post is an environment, or NULL: `stream`, `letters` (those without an answer), their
# `ids` there, and `trouble`: why an answer could not be read.

# How many letters may be on their way.
post_room <- function() max(64L, 4L * the$size)

post_letter <- function(node = 0L) {
  letter <- new.env(parent = emptyenv())
  letter$node <- node
  letter$over <- FALSE
  letter$told <- list()
  letter
}

# kind, content: see node_post(). Returns when all of it has left for its node, which has
# to be free for that. Interrupted, or after an error, it was not sent.
post_send <- function(letter, kind, content) {
  post <- post_office()
  sent <- FALSE
  on.exit(if (!sent) post_drop(list(letter)))
  letter$id <- post$stream$put + 1
  post$ids <- c(post$ids, letter$id)
  post$letters <- c(post$letters, list(letter))
  if (!stream_send(post$stream, list(kind, content), letter$node)) {
    stop_post_full()
  }
  sent <- TRUE
}

post_office <- function() {
  if (is.null(the$post)) {
    post <- new.env(parent = emptyenv())
    post$letters <- list()
    post$ids <- numeric()
    post$stream <- stream_open(node_post, room = post_room())
    the$post <- post
  }
  the$post
}

# Is there anything to be had of it?
post_came <- function(letter) letter$over || length(letter$told) > 0L

# The first of the letters that something has come of, its place among them, as soon as
# there is one; 0 where there is none after so many seconds.
post_wait <- function(letters, seconds = Inf) {
  until <- if (seconds > 0) seconds_now() + seconds else 0
  repeat {
    for (k in seq_along(letters)) {
      if (post_came(letters[[k]])) {
        return(k)
      }
    }
    if (is.null(the$post)) {
      lapply(letters, post_lose) # with a pool that is gone
    } else if (seconds < 0) {
      return(0L)
    } else {
      post_deliver(seconds)
      seconds <- if (until == Inf) Inf else if (until > 0) until - seconds_now() else -1
    }
  }
}

# Takes in what has come, for at most so many seconds if there is nothing yet.
post_deliver <- function(seconds = 0) {
  post <- the$post
  items <- tryCatch(stream_wait(post$stream, seconds),
    # Of one answer; which one, its failure tells.
    pool_serialize_error = function(e) {
      post$trouble <- e
      list()
    },
    pool_absent_error = function(e) {
      post_lose_all()
      list()
    }
  )
  for (item in items) {
    post_take(post, item)
  }
  post_rest(post)
}

post_take <- function(post, item) {
  k <- match(item$id, post$ids)
  if (is.na(k)) {
    return() # nobody waits for it
  }
  letter <- post$letters[[k]]
  if (!is.null(item$told)) {
    letter$told <- c(letter$told, list(item$told))
    return()
  }
  letter$value <- item$value
  letter$failure <- item$error %||% item$lost
  if (!is.null(post$trouble) && identical(letter$failure$status, status_text(-1L))) {
    letter$failure <- post$trouble
    post$trouble <- NULL
  }
  letter$over <- TRUE
  post_cross_out(post, k)
}

post_cross_out <- function(post, k) {
  post$ids <- post$ids[-k]
  post$letters <- post$letters[-k]
}

# The pool is free again where no answer is outstanding.
post_rest <- function(post) {
  if (length(post$ids) == 0L && identical(the$post, post)) {
    the$post <- NULL
    stream_close(post$stream)
  }
}

# Nobody waits for these any more. Nodes that are at one of them are interrupted, and go
# on; as long as there are other letters, they are replaced.
post_drop <- function(letters) {
  post <- the$post
  if (is.null(post)) {
    return(invisible())
  }
  ids <- unlist(lapply(letters, function(letter) letter$id))
  lapply(letters, post_lose, "was interrupted or ended, as nobody waited for it")
  ids <- ids[ids %in% post$ids]
  if (length(ids) > 0L) {
    post_cross_out(post, match(ids, post$ids))
  }
  if (length(post$ids) > 0L) {
    for (id in ids) {
      stream_drop(post$stream, id)
    }
  }
  post_rest(post)
}

# The node that is at it is replaced, and the answer is that it was lost.
post_kill <- function(letter) {
  if (!is.null(the$post) && !letter$over) {
    stream_drop(the$post$stream, letter$id)
  }
}

# Before anybody else uses the pool: what has come is taken in, and what nobody will ask for
# is given up. Where nothing is outstanding then, the pool is free.
post_settle <- function() {
  if (pool_exists()) {
    post_deliver()
    post_drop(Filter(verb_is_over, the$post$letters))
  } else {
    post_lose_all()
  }
}

# The pool is deleted, or its nodes are replaced. Answers that are there are not lost.
post_end <- function() {
  post_come()
  post <- the$post
  if (!is.null(post)) {
    stream_close(post$stream)
    post_lose_all()
  }
}

# What has come is taken in; what cannot be is as good as lost.
post_come <- function() {
  if (!is.null(the$post) && pool_exists()) {
    tryCatch(post_deliver(), error = function(e) NULL)
  }
}

post_lose_all <- function() {
  post <- the$post
  the$post <- NULL
  lapply(post$letters, post_lose)
}

post_lose <- function(letter, status = "was deleted or restarted with its pool") {
  if (!letter$over) {
    letter$failure <- lost_node(letter$node, status)
    letter$over <- TRUE
  }
}
