# What a node of pool_cluster() is: its messages, one after the other.
#
# Its state is an environment: `cluster` (of all nodes that were made with it), `node` (its
# number in the pool), `letters` (post.R; those whose answers are outstanding, the first one
# sent first), `con` (doorbell.R), `key` (like no other's), `stopped`. That of the cluster:
# `size` (of its pool), `process`, `key`, `members` (the states of its nodes), `outstanding`
# (how many letters) and `verb`.
#
# A letter's `verb` is the frame of the function of parallel that has sent it, and that will
# ask for the answer: NULL for what others send. When that function is left by an error or an
# interrupt, nobody will ask. In our midst we see it at once; otherwise with the next that is
# sent. On a cluster of parallel's own the next one would get the old answers.

cluster_member <- function(cluster, node) {
  s <- new.env(parent = emptyenv())
  s$cluster <- cluster
  s$node <- node
  s$letters <- list()
  s$stopped <- FALSE
  s$key <- paste(cluster$key, node)
  cluster$members[[node]] <- s
  reg.finalizer(s, function(s) {
    if (s$cluster$process == Sys.getpid()) {
      bell_remove(s)
    }
  })
  structure(list(state = s), class = "pool_node")
}

member_state <- function(node) .subset2(node, "state")

# The state of a node that can be used.
usable_state <- function(node) {
  s <- member_state(node)
  if (s$cluster$process != Sys.getpid()) {
    stop_cluster("was made in another process")
  }
  if (s$stopped) {
    stop_cluster("has been stopped")
  }
  if (!pool_exists()) {
    stop_absent()
  }
  if (the$size != s$cluster$size) {
    stop_cluster(paste0(
      "was made for a pool of ", s$cluster$size, " nodes, and there is one of ", the$size
    ))
  }
  s
}

# A message of package parallel to the node. What is no work has no answer. verb: the
# letter's.
member_send <- function(s, message, verb) {
  if (!identical(message$type, "EXEC")) {
    return()
  }
  verb_begins(s$cluster, verb)
  if (!is.null(s$con)) {
    bell_connection(s) # that of the node that there is now
  }
  letter <- post_letter(s$node)
  letter$tag <- message$data$tag
  letter$verb <- verb
  s$letters <- c(s$letters, list(letter))
  s$cluster$outstanding <- s$cluster$outstanding + 1L
  sent <- FALSE
  on.exit(if (!sent) {
    member_give_up(s, list(letter))
    verb_ends(s$cluster, verb)
  })
  post_send(letter, "call", message$data)
  sent <- TRUE
}

# The first thing that one of the nodes has to say, as list(node, value): the place of the
# node, and the message.
members_receive <- function(states) {
  places <- which(vapply(states, function(s) length(s$letters) > 0L, NA))
  if (length(places) == 0L) {
    stop_nothing_sent(vapply(states, function(s) s$node, 0L))
  }
  letters <- lapply(states[places], function(s) s$letters[[1L]])
  received <- FALSE
  on.exit(if (!received) verb_ends(states[[places[[1L]]]]$cluster, letters[[1L]]$verb))
  k <- post_wait(letters)
  place <- places[[k]]
  value <- member_answer(states[[place]], letters[[k]])
  received <- TRUE
  list(node = place, value = value)
}

member_answer <- function(s, letter) {
  if (length(letter$told) > 0L) {
    value <- letter$told[[1L]]
    letter$told <- letter$told[-1L]
    bell_take(s)
    return(value)
  }
  member_cross_out(s, list(letter))
  bell_take(s)
  e <- letter$failure
  if (is.null(e)) {
    letter$value
  } else if (inherits(e, c("pool_task_error", "pool_serialize_error"))) {
    # What has come of it cannot be sent, or read.
    list(
      type = "VALUE", value = try_error(e), success = FALSE, time = proc.time() * 0,
      tag = letter$tag
    )
  } else {
    stop(letter_failure(letter))
  }
}

member_cross_out <- function(s, letters) {
  out <- vapply(s$letters, function(x) any(vapply(letters, identical, NA, x)), NA)
  s$letters <- s$letters[!out]
  cluster <- s$cluster
  cluster$outstanding <- cluster$outstanding - sum(out)
  if (cluster$outstanding == 0L) {
    cluster$verb <- NULL # and all that it holds
  }
}

# Nobody will ask for these answers any more.
member_give_up <- function(s, letters = s$letters) {
  if (length(letters) > 0L) {
    member_cross_out(s, letters)
    bell_remove(s) # it may ring, or may not
    post_drop(letters)
  }
}

# ---- Functions of parallel ---------------------------------------------------

# By sendData.pool_node(): the frame of the function that is at work with the cluster. It has
# called sendCall(), that postNode(), and that sendData().
verb_frame <- function() {
  k <- sys.nframe() - 5L
  if (k < 1L) {
    return(NULL)
  }
  f <- sys.function(k)
  env <- environment(f)
  parallel <- asNamespace("parallel")
  if (identical(env, parallel)) {
    sys.frame(k)
  } else if (identical(topenv(env), parallel)) {
    env # one of its own, as clusterApplyLB() has it
  }
}

# What an earlier one has left, by a jump that was none of ours.
verb_begins <- function(cluster, verb) {
  if (identical(verb, cluster$verb)) {
    return()
  }
  for (s in cluster$members) {
    left <- Filter(function(letter) {
      !identical(letter$verb, verb) && verb_is_over(letter)
    }, s$letters)
    member_give_up(s, left)
  }
  cluster$verb <- verb
}

verb_is_over <- function(letter) {
  !is.null(letter$verb) && !any(vapply(sys.frames(), identical, NA, letter$verb))
}

# It is being left.
verb_ends <- function(cluster, verb) {
  if (!is.null(verb)) {
    given_up <- list()
    for (s in cluster$members) {
      own <- Filter(function(letter) identical(letter$verb, verb), s$letters)
      if (length(own) > 0L) {
        member_cross_out(s, own)
        bell_remove(s)
        given_up <- c(given_up, own)
      }
    }
    post_drop(given_up) # together: their nodes may then stay
  }
}
