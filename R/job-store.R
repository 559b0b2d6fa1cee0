# What a job store does, whatever it is made of: a directory, or a storage account.
#
# A job is a manifest, its tasks 1 to n, and one immutable result per task, written
# once. The results are the truth, claims only a hint of who is at what. A store
# knows no values: manifest, tasks and results are raw vectors to it. A task's number
# is a whole double, from 1. Methods signal classed errors (conditions-job.R); one
# that fails has either done all of what it was to do, or can be called again.
#
# A claimant is a process that has a job open. Its claims last until they are over
# (job_commit(), job_charge(), job_release()) or it is dead, or, in a store that
# cannot see that, has not renewed them for too long. Only the process that opened a
# job may use it, never a fork of it.
#
# Methods are registered (@exportS3Method), none of it is exported.

# ---- a store: list(path) or list(blob, queue), classed ----

# A new job, open. tasks: a list of raw vectors, maybe empty. All of it is there then,
# or, after an error or a death, nothing that anybody sees; an id that is taken is a
# pool_job_exists_error, and that job is as it was.
store_create_job <- function(store, id, manifest, tasks) UseMethod("store_create_job")

# A job that is there, open. Errors: pool_job_absent_error; pool_job_format_error (not
# a job, or of a newer format); pool_job_corrupt_error.
store_open_job <- function(store, id) UseMethod("store_open_job")

# The ids of its jobs, in any order; none where the store is not there yet.
store_job_ids <- function(store) UseMethod("store_job_ids")

# A job is gone, whatever state it is in: also one that cannot be opened, because it is
# damaged, or because its creation has ended half-way. A pool_job_absent_error where there
# is nothing of that name; that or a pool_job_format_error where it is no job's.
store_delete_job <- function(store, id) UseMethod("store_delete_job")

# ---- an open job, with an element `id` and one `store` ----

# As given to store_create_job().
job_manifest <- function(job) UseMethod("job_manifest")

# More tasks: their numbers, the next ones. A completed job is active again.
job_add <- function(job, tasks) UseMethod("job_add")

# At most n tasks that nobody else has, the lowest numbers first as far as the store
# can: list(task = their numbers, data = list of raw, tries = deaths they are charged
# with, an integer each). Nothing where there is none to be had now, or the job is
# over. Claims of the dead are taken back first. What came back from a death is
# marked by tries > 0, or comes alone.
job_claim <- function(job, n) UseMethod("job_claim")

# Results, and the next claims, in one commit: as job_claim(job, claim). done:
# list(task, status ("completed" or "failed"), result = list of raw, seconds), a
# vector each. The first result of a task counts, another is dropped silently. What is
# done is no longer claimed. Once it returns, it is there after a power cut.
job_commit <- function(job, done, claim = 0) UseMethod("job_commit")

# A task of ours that its node has died in, alone: "again", it can be claimed again,
# with a try more; or, with max_tries of them, "lost": `result` is its result, and
# that its status.
job_charge <- function(job, task, max_tries, result) UseMethod("job_charge")

# Tasks of ours can be claimed by others, or us, again; free of charge.
job_release <- function(job, task) UseMethod("job_release")

# Our claims go on: how many seconds until this must be called again, Inf: never.
job_renew <- function(job) UseMethod("job_renew")

# list(state = "active", "completed" (every task has a result) or "terminated", tasks,
# queued, running, completed, failed, lost): counts, as doubles. Fast: 100,000 tasks
# in milliseconds.
job_status <- function(job) UseMethod("job_status")

# Of tasks from, ..., from + n - 1 those that have a result, in order: list(task,
# status, result = list of raw, seconds). One that was damaged is a
# pool_job_corrupt_error that names the task.
job_results <- function(job, from, n) UseMethod("job_results")

# The tasks whose claimants are dead; and puts them back: how many.
job_abandoned <- function(job) UseMethod("job_abandoned")
job_requeue <- function(job) UseMethod("job_requeue")

# Nothing is claimed any more; what is claimed may still be committed. Results stay.
job_terminate <- function(job) UseMethod("job_terminate")

# The job is gone, with its results and files; it is closed.
job_delete <- function(job) UseMethod("job_delete")

# Lets go of it; claims that are left are released. Once more does no harm.
job_close <- function(job) UseMethod("job_close")

# Files of a job, under relative names like "stdout/3.txt": a name that leads out of
# the job is a pool_input_error. x: raw, or the path of a file; what was there is
# replaced as a whole. One that is not there is a pool_job_absent_error.
job_put_file <- function(job, path, x) UseMethod("job_put_file")

# Many at once: a list of list(path, data), data as x.
job_put_files <- function(job, files) UseMethod("job_put_files")

#' @exportS3Method
job_put_files.default <- function(job, files) {
  for (file in files) {
    job_put_file(job, file$path, file$data)
  }
}

job_get_file <- function(job, path) UseMethod("job_get_file")

# data.frame(name, size) of those whose name begins with `prefix`, by name.
job_files <- function(job, prefix = "") UseMethod("job_files")
