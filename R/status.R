# What the nodes are at.

#' The state of the pool
#'
#' One row for each node: which process it is, what it has done, and what it
#' takes.
#'
#' @return A data frame, without rows where there is no pool: `node` (its number,
#'   as in the conditions of [pool_conditions]), `pid` (`NA` while it has no
#'   process), `state` (`"idle"`; `"busy"`, at a call; `"starting"`, `"setup"`,
#'   on its way to be idle; `"gone"`, died and not replaced yet, which the next
#'   call does; `"none"`, it could not be started), `tasks` (elements
#'   done by the node and by those it took the place of, since [init_pool()]),
#'   `restarts` (how often it was replaced), `memory` (bytes that are its own,
#'   and not shared with other processes; `NA` where the system does not tell)
#'   and `cpu` (seconds of processor time of its process).
#' @source Our own; `parallel` has nothing like it.
#' @examples
#' init_pool(2)
#' x <- pool_sapply(1:100, sqrt)
#' pool_status()
#' delete_pool()
#' @export
pool_status <- function() {
  found <- if (pool_exists()) .Call(C_pool_status, the$handle)
  pids <- as.integer(found$pid)
  data.frame(
    node = seq_along(pids), pid = pids, state = as.character(found$state),
    tasks = as.numeric(found$done), restarts = as.integer(found$restarts),
    memory = vapply(pids, private_memory, 0), cpu = as.numeric(found$cpu)
  )
}

# Bytes of a process that no other has.
private_memory <- function(pid) {
  path <- file.path("/proc", pid, "smaps_rollup")
  lines <- if (!is.na(pid)) {
    tryCatch(suppressWarnings(readLines(path)), error = function(e) NULL)
  }
  own <- grep("^Private_(Clean|Dirty):", lines, value = TRUE)
  if (length(own) == 0L) {
    return(NA_real_)
  }
  1024 * sum(as.numeric(gsub("[^0-9]", "", own)))
}
