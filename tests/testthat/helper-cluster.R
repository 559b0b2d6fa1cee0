# Clusters for tests: where they are, and who works for one.

local_cluster_dir <- function(env = parent.frame()) withr::local_tempdir(.local_envir = env)

# A cluster's name that nothing has yet.
local_name <- function(env = parent.frame()) {
  file.path(local_cluster_dir(env), "cluster")
}

# The processes that were started to work for a cluster and are still there: each
# supervisor, and those that come from it.
job_processes <- function(name) {
  found <- as.integer(sub("[.]txt$", "", list.files(file.path(name, "nodes"), "^[0-9]+[.]txt$")))
  pids <- as.integer(list.files("/proc", "^[0-9]+$"))
  parents <- process_info(pids)$parent
  repeat {
    more <- setdiff(pids[parents %in% found], found)
    if (length(more) == 0L) {
      return(found[alive(found)])
    }
    found <- c(found, more)
  }
}

doubled <- function(x, meta) list(output = x * 2)
environment(doubled) <- globalenv()
