# The pool as a cluster of package parallel.

#' The pool as a cluster
#'
#' `pool_cluster()` is the pool as a cluster object of package `parallel`, for code that
#' asks for one: [parallel::parLapply()] and all the others of `parallel`, and what is
#' built on them, like packages boot, pbapply, doParallel, future and AzureRMR.
#' (For code of your own, [pool_lapply()] and the other functions of the pool do more.)
#'
#' Node k of the cluster is node k of the pool: what [pool_export()] has put there is there,
#' and what [parallel::clusterExport()] puts there is there for [pool_lapply()]. A subset
#' (`cluster[1:2]`) is a cluster too. It costs nothing to make one, and several may be used in
#' turn.
#'
#' The object holds as long as there is a pool of that size, also after an [init_pool()] that
#' has replaced its nodes. In R 4.5 and later `parallel::makeCluster(4, type = "POOL")` is
#' `init_pool(4)` and `pool_cluster()`.
#'
#' # What differs
#' Results are those of the clusters that [parallel::makeCluster()] makes, to the letter. What
#' differs:
#' - **A node that dies** is replaced. Whoever waits for its answer gets a
#'   `pool_worker_error`; the cluster can still be used. The new node went through what
#'   [pool_export()] and [pool_evalq()] told all nodes, but not through
#'   `clusterExport()`, `clusterEvalQ()` and `clusterSetRNGStream()`: repeat these, or
#'   prepare nodes with the pool's functions. (A cluster of `parallel` is of no use after
#'   that.) Nothing is run again by itself, as [pool_lapply()] does it.
#' - **Ctrl-C** ends what nodes are at, and the cluster can still be used. (On one of
#'   `parallel`, the next call gets the answers of the one that was interrupted.)
#' - **`stopCluster()`** ends the object and gives up what is outstanding on it. The pool is a
#'   shared resource and stays: see [delete_pool()].
#' - While an answer is outstanding, which only code that sends by itself ever sees (futures do),
#'   the pool is busy for its own functions: `pool_busy_error`. `delete_pool()` gives up what is
#'   outstanding.
#' - Nodes have the session's packages, options and working directory from the start, as
#'   [init_pool()] says.
#' - `node$con` is no connection to the node, but a socket by which it tells that there is an
#'   answer: made when it is first asked for.
#'
#' What does not differ: elements are shared out beforehand, or one by one, as the function of
#' `parallel` has it; warnings and messages of tasks are not signalled in the session, but go
#' where output goes (`outfile` of [init_pool()]).
#'
#' # In the place of AzureRMR's own pool
#' AzureRMR and AzureStor keep the cluster that their transfers run on in a variable. This
#' line puts the pool there (which has to have as many nodes as the
#' transfers ask for, 10 where nothing is said, or AzureRMR makes a cluster of its own):
#' ```r
#' init_pool(10)
#' assign("pool", pool_cluster(), envir = AzureRMR:::.AzureR)
#' ```
#' `AzureRMR::delete_pool()` takes it away again. (This package's own [storage_multiupload()]
#' needs none of that.)
#'
#' @return `pool_cluster()`: a list of nodes, of class `pool_cluster` and `cluster`.
#' @section Errors: `pool_absent_error`: there is no pool. `pool_cluster_error`: the cluster was
#'   stopped, or made for a pool of another size, or in another process; or an answer was
#'   asked for and nothing had been sent. `pool_worker_error`: see above. Those of tasks are
#'   `parallel`'s own. See [pool_conditions].
#' @source Package `parallel`: `?parallel::makeCluster`, and, in R 4.5 and later,
#'   `?parallel::sendData`.
#' @seealso [pool_future] for a backend of package future that needs no cluster.
#' @examples
#' init_pool(2)
#' cl <- pool_cluster()
#' cl
#' parallel::parSapply(cl, 1:4, sqrt)
#' parallel::clusterSetRNGStream(cl, 42)
#' parallel::clusterCall(cl, rnorm, 1)
#' delete_pool()
#' @export
pool_cluster <- function() {
  pool_handle()
  loadNamespace("parallel")
  cluster <- new.env(parent = emptyenv())
  cluster$size <- the$size
  cluster$process <- Sys.getpid()
  the$cluster_number <- sum(the$cluster_number, 1)
  cluster$key <- paste(cluster$process, the$cluster_number)
  cluster$members <- list()
  cluster$outstanding <- 0L
  structure(
    lapply(seq_len(the$size), function(node) cluster_member(cluster, node)),
    class = c("pool_cluster", "cluster")
  )
}

# The methods are called by package parallel, which has their generics, some of them
# exported by R 4.5 and later only.

#' @exportS3Method parallel::sendData
sendData.pool_node <- function(node, data) {
  verb <- verb_frame() # asked here, as it counts frames
  member_send(usable_state(node), data, verb)
  invisible()
}

#' @exportS3Method parallel::recvData
recvData.pool_node <- function(node) {
  members_receive(list(usable_state(node)))$value
}

#' @exportS3Method parallel::recvOneData
recvOneData.pool_cluster <- function(cl) {
  members_receive(lapply(cl, usable_state))
}

#' @exportS3Method parallel::closeNode
closeNode.pool_node <- function(node) {
  s <- member_state(node)
  if (s$cluster$process == Sys.getpid()) {
    member_give_up(s)
    bell_remove(s)
    s$stopped <- TRUE
  }
  invisible()
}

#' @exportS3Method parallel::stopCluster
stopCluster.pool_cluster <- function(cl) {
  states <- lapply(cl, member_state)
  letters <- unlist(lapply(states, function(s) s$letters), recursive = FALSE)
  if (length(states) > 0L && states[[1L]]$cluster$process == Sys.getpid()) {
    post_drop(letters) # together: their nodes may then stay
  }
  lapply(cl, closeNode.pool_node)
  invisible()
}

# In a node: what a task has to say before its result.
#' @exportS3Method parallel::sendData
sendData.pool_session <- function(node, data) {
  node_tell(data)
  invisible()
}

#' @export
print.pool_cluster <- function(x, ...) {
  states <- lapply(x, member_state)
  numbers <- vapply(states, function(s) s$node, 0L)
  size <- if (length(states)) states[[1L]]$cluster$size else 0L
  cat("cluster of ", length(numbers), if (length(numbers) == 1L) " node" else " nodes",
    " of the pool",
    if (!identical(numbers, seq_len(size))) paste0(": ", paste(numbers, collapse = ", ")),
    "\n",
    sep = ""
  )
  invisible(x)
}

#' @export
print.pool_node <- function(x, ...) {
  cat("node ", member_state(x)$node, " of the pool\n", sep = "")
  invisible(x)
}

# What code written for other clusters looks for in a node.
#' @export
`$.pool_node` <- function(x, name) {
  s <- member_state(x)
  switch(name,
    con = if (is_usable(s)) bell_connection(s) else s$con,
    host = structure("localhost", localhost = TRUE),
    rank = s$node,
    NULL
  )
}

#' @export
`[[.pool_node` <- function(x, i, ...) {
  if (is.character(i)) do.call(`$.pool_node`, list(x, i)) else NextMethod()
}

is_usable <- function(s) {
  s$cluster$process == Sys.getpid() && !s$stopped && pool_exists() &&
    the$size == s$cluster$size
}

# ---- Package parallelly, which future asks about nodes -----------------------

# A node that is gone is replaced when it is needed.
isNodeAlive.pool_node <- function(x, ...) is_usable(member_state(x))

# What it is at, that is: the node that takes its place is the same one to others.
killNode.pool_node <- function(x, ...) {
  s <- member_state(x)
  if (!is_usable(s) || length(s$letters) == 0L) {
    return(FALSE)
  }
  for (letter in s$letters) {
    post_kill(letter)
  }
  TRUE
}

cloneNode.pool_node <- function(x, ...) {
  s <- member_state(x)
  member_give_up(s)
  cluster_member(s$cluster, s$node)
}
