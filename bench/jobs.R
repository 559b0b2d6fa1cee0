# Jobs in a directory: trivial tasks through it, beside the disk's own rate and package
# threadpool, where that is installed; and what a job of 100,000 tasks takes to look at.
#
#   Rscript bench/jobs.R [rounds]        (after `make install deps`, or: make bench)

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE),
  value = TRUE
)[1L])), "common.R"))

rounds <- rounds_asked(5L)
describe_machine()

directory <- tempfile("jobs")
store <- pool:::store_directory(directory)
ids <- new.env()
ids$count <- 0L

# A new job of n trivial tasks, made beforehand: `work` of it, in seconds a task.
job_of <- function(n, work, fun = identity_of) {
  ids$count <- ids$count + 1L
  job <- pool:::job_new(store, paste0("job", ids$count), "lapply", fun, tasks = seq_len(n))
  taken <- seconds_of(work(job)) / n
  values <- pool:::job_result_list(job)$values
  check(identical(values, as.list(seq_len(n))), "a result is wrong")
  pool:::job_delete(job)
  taken
}
identity_of <- function(x) x
environment(identity_of) <- globalenv()

seconds_of <- function(code) {
  begin <- now()
  force(code)
  now() - begin
}

# ---- Tasks a second ----------------------------------------------------------

n <- 20000L
suppressMessages(init_pool(2))

# Its nodes are forked for each of its clusters, as it is made: of 500 tasks that is
# little.
threadpool <- if (installed("threadpool")) {
  function() {
    name <- tempfile("cluster")
    few <- 500L
    taken <- seconds_of(utils::capture.output(
      found <- threadpool::cluster_map(as.list(seq_len(few)), identity_of, name, ncores = 2L)
    ))
    check(setequal(unlist(found), seq_len(few)), "a result is wrong")
    taken / few
  }
}

times <- measure("a trivial task of 20,000, through a directory, 2 nodes", list(
  pool = function() job_of(n, function(job) pool:::run_job(job, "pool")),
  "pool, in the calling process" = function() job_of(n, function(job) pool:::run_job(job)),
  "C: a page and fdatasync()" = in_c("syncs"),
  "threadpool, 2 nodes" = threadpool
), rounds, "microseconds")
note(
  "The nodes are there before, the job is made before, but threadpool's. The disk's figure is ",
  "of one page that is written and synced, as often as there is anything to be written."
)
goal("trivial tasks a second, 2 nodes", 1 / medians(times)[["pool"]], least = 10000)

# ---- Slower tasks --------------------------------------------------------------

nap_of <- function(x) {
  Sys.sleep(0.005)
  x
}
environment(nap_of) <- globalenv()

naps <- measure("a nap of 5 ms of 400, through a directory, 2 nodes", list(
  pool = function() job_of(400L, function(job) pool:::run_job(job, "pool"), nap_of),
  "pool_lapply()" = function() {
    seconds_of(pool_lapply(seq_len(400L), nap_of, chunk.size = 1)) / 400
  }
), rounds)
goal_time(naps, "pool_lapply()", 1.25)

# ---- A large job ---------------------------------------------------------------

large <- pool:::job_new(store, "large", "lapply", identity_of, tasks = seq_len(100000L))
pool:::run_job(large, "pool")
looks <- measure("a job of 100,000 tasks", list(
  "pool: its state" = function() seconds_of(pool:::job_status(large)),
  "pool: opened, and its state" = function() {
    seconds_of({
      job <- pool:::store_open_job(store, "large")
      pool:::job_status(job)
      pool:::job_close(job)
    })
  },
  "pool: its results" = function() seconds_of(pool:::job_result_list(large))
), rounds)
goal("a job of 100,000 tasks, opened and listed",
  medians(looks)[["pool: opened, and its state"]],
  most = 1, unit = " s"
)
pool:::job_delete(large)

suppressMessages(delete_pool())
unlink(directory, recursive = TRUE)
save_results()
