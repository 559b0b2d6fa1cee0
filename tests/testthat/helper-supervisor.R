# Jobs that processes of their own work on.

local_store <- function(env = parent.frame()) {
  pool:::store_directory(file.path(withr::local_tempdir(.local_envir = env), "jobs"))
}

# Supervisors that were started; none outlives its test.
local_supervisor <- function(store, id = "j", workers = 2, env = parent.frame()) {
  pid <- pool:::start_supervisor(store, id, workers)
  withr::defer(kill_tree(pid), envir = env)
  pid
}

# A process and all below it, as far as they can be found.
process_tree <- function(pids) {
  found <- integer()
  while (length(pids)) {
    found <- c(found, pids)
    files <- Sys.glob(file.path("/proc", pids, "task", "*", "children"))
    text <- unlist(lapply(files, function(f) {
      tryCatch(suppressWarnings(readLines(f, warn = FALSE)), error = function(e) NULL)
    }))
    pids <- setdiff(as.integer(unlist(strsplit(as.character(text), " "))), found)
  }
  found
}

# All at once, as far as that is possible; and gone.
kill_tree <- function(pids) {
  pids <- process_tree(pids)
  tools::pskill(pids, tools::SIGKILL)
  gone(pids)
}

# Waits for the job, which others work on.
wait_for_job <- function(job, limit = 120) {
  wait_until(function() pool:::job_status(job)$state != "active", limit)
}
