# Conditions of pool_cluster() and of futures.

# why: what is wrong with it.
stop_cluster <- function(why) {
  stop(pool_condition("pool_cluster_error",
    paste0("this cluster ", why, ": make another with pool_cluster()"), user_call()
  ))
}

stop_nothing_sent <- function(nodes) {
  what <- if (length(nodes) == 1L) {
    paste0("node ", nodes, " has been sent nothing that it could answer")
  } else {
    "none of the nodes has been sent anything that it could answer"
  }
  stop(pool_condition("pool_cluster_error",
    paste0(what, ": each answer can be asked for once, after parallel's sendCall()"), user_call()
  ))
}

stop_post_full <- function() {
  stop(pool_condition("pool_busy_error",
    "too many messages wait for the pool's nodes: collect the results of some first",
    user_call()
  ))
}

# node: its number, or 0. status: how it ended. more: what else there is to say.
lost_node <- function(node, status, more = NULL) {
  which <- if (node > 0L) paste("node", node) else "the node that was at it"
  pool_condition("pool_worker_error", paste0(which, " was lost: it ", status, more), NULL,
    node = node, status = status
  )
}

# What has become of a letter that has no value.
letter_failure <- function(letter) {
  e <- letter$failure
  if (inherits(e, c("pool_worker_error", "pool_timeout_error")) && !is.null(e$index)) {
    e <- lost_node(e$node, e$status %||% "was killed for it", paste(
      "; a new node is in its place, with what pool_export() and pool_evalq() told all",
      "nodes: repeat clusterExport(), clusterEvalQ() and their like"
    ))
  }
  e["call"] <- list(user_call())
  e
}

busy_message <- function() {
  if (is.null(the$post)) {
    paste(
      "the pool is in the middle of another call, as in a handler of what tasks signal: it can",
      "be used again when that call is over"
    )
  } else {
    paste(
      "nodes are at work for a cluster of pool_cluster(), or for futures: collect the",
      "results first, or give them up with delete_pool()"
    )
  }
}

# For user_call(), which has found frame k: where that is a method which package parallel or
# package future has called, the frame of what the user called.
calling_frame <- function(k) {
  methods <- list(sendData.pool_node, recvData.pool_node, recvOneData.pool_cluster)
  if (any(vapply(methods, identical, NA, sys.function(k)))) {
    for (j in seq_len(k - 1L)) {
      if (identical(frame_package(j), "parallel")) {
        return(j)
      }
    }
  }
  futures_frame(k)
}

# That of the function of package future, or of one that is built on it, by which it came to
# frame k: k itself where it did not.
futures_frame <- function(k) {
  found <- k
  for (j in rev(seq_len(k - 1L))) {
    package <- frame_package(j)
    if (package == "future" || found < k && uses_futures(package)) {
      found <- j
    } else if (package != "base") {
      break
    }
  }
  found
}

frame_package <- function(k) environmentName(topenv(environment(sys.function(k))))

uses_futures <- function(package) {
  package != "base" && isNamespaceLoaded(package) &&
    "future" %in% names(getNamespaceImports(package))
}
