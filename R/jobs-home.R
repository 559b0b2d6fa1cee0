# Where jobs live, and what is secret about it.

# The store that this session's jobs are in.
jobs_store <- function() {
  if (is.null(the$credentials)) {
    return(store_directory(jobs_dir()))
  }
  if (is.null(the$credentials$queue)) {
    stop_credentials("must have storageAccount$queueEndpoint too, for jobs: ",
      "where 'endpoint' is given, or the suffix has a port, it cannot be told from that")
  }
  store_account(credentials_blob(),
    queue_endpoint(the$credentials$queue, key = the$credentials$key))
}

# The job, open. Whoever calls it closes it.
open_job <- function(jobId) store_open_job(jobs_store(), check_job_id(jobId))

jobs_dir <- function() {
  dir <- getOption("pool.jobs_dir")
  if (is.null(dir)) {
    return(tools::R_user_dir("pool", "data"))
  }
  check_strings(dir, "options(pool.jobs_dir)", 1L)
  if (!nzchar(dir)) {
    stop_input("options(pool.jobs_dir)", dir, "'options(pool.jobs_dir)' is empty")
  }
  path.expand(dir)
}

# What a supervisor needs of this session, and must not be in a file, nor among a
# process's arguments: as a list; and taken over, in the supervisor.
session_secrets <- function() {
  list(credentials = the$credentials, signatures = the$signatures)
}

take_secrets <- function(secrets) {
  the$credentials <- secrets$credentials
  the$signatures <- secrets$signatures
}
