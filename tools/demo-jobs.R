# A job that outlives its session: one R process starts it and ends, its workers are
# killed, others go on with it, and a new process fetches the results; in a directory,
# and in a storage account. Ends with status 1 if a result is wrong, or a task ran again
# that was not being worked on at the kill.
#
#   tools/with-azurite.sh BUILD_DIRECTORY Rscript tools/demo-jobs.R

library(pool)

tasks <- 30L
nodes <- 2L
home <- tempfile("jobs-")
dir.create(home)

# A claim in a directory ends with its process; in an account with its lease.
options(pool.job_lease = 2)

# The emulator's account and key are the same everywhere and documented.
service <- function(port) sprintf("http://127.0.0.1:%s/devstoreaccount1", Sys.getenv(port))
credentials <- list(sharedKey = list(storageAccount = list(
  name = "devstoreaccount1",
  key = paste0(
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErC",
    "z4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
  ),
  endpoint = service("AZURITE_PORT"), queueEndpoint = service("AZURITE_QUEUE_PORT")
)))

# The value of a function in an R process of its own, which has ended then.
in_new_session <- function(fun, ...) {
  files <- file.path(home, c("call.rds", "value.rds"))
  saveRDS(list(fun = fun, args = list(...)), files[1L])
  code <- "x <- readRDS('%s'); library(pool); saveRDS(do.call(x$fun, x$args), '%s')"
  script <- file.path(home, "session.R")
  writeLines(sprintf(code, files[1L], files[2L]), script)
  stopifnot(system2(file.path(R.home("bin"), "Rscript"), script) == 0L)
  readRDS(files[2L])
}

slowly <- function(x, meta) {
  cat(paste0(x, "\n"), file = meta, append = TRUE)
  Sys.sleep(0.1)
  list(output = x^2)
}

start <- function(name, log, credentials, nodes, tasks, slowly) {
  options(pool.job_lease = 2)
  if (is.null(name)) setCredentials(credentials, verbose = FALSE)
  tp_map(stats::setNames(seq_len(tasks), paste0("task", seq_len(tasks))), slowly, log,
    cl_name = name, ncores = nodes, wait_for_result = FALSE
  )
}

fetch <- function(name, credentials) {
  if (!grepl("/", name, fixed = TRUE)) setCredentials(credentials, verbose = FALSE)
  cluster_reduce(cluster_join(name))
}

clock <- function(expr) system.time(expr)[["elapsed"]]
done <- function(cl) sum(lengths(cluster_reduce(cl, partial = TRUE)))

run <- function(name) {
  log <- file.path(home, "log.txt")
  unlink(log)
  seconds <- clock(name <- in_new_session(start, name, log, credentials, nodes, tasks, slowly))
  cl <- cluster_join(name)
  while (done(cl) < 8L) Sys.sleep(0.05)
  said <- utils::capture.output(logfile_show(name))
  pid <- as.integer(sub("-- process ", "", grep("^-- process", said, value = TRUE)))
  tools::pskill(pid, tools::SIGKILL)
  Sys.sleep(0.3)
  at_kill <- done(cl)
  went_on <- clock({
    cluster_add_nodes(name, nodes)
    invisible(cluster_run(cl))
  })
  results <- in_new_session(fetch, name, credentials)
  ran <- table(factor(readLines(log), seq_len(tasks)))
  delete_cluster(cl)
  expected <- as.list(stats::setNames(seq_len(tasks)^2, paste0("task", seq_len(tasks))))
  list(
    start = sprintf("%.1f s", seconds), killed = sprintf("%d of %d", at_kill, tasks),
    finish = sprintf("%.1f s", went_on),
    results = if (identical(results, expected)) "right" else "WRONG",
    twice = sum(ran > 1L), ok = identical(results, expected) && all(ran >= 1L) &&
      sum(ran) <= tasks + 2L * nodes # some were done, and not yet written
  )
}

cat(sprintf("\nA job of %d tasks of 0.1 s\n", tasks))
directory <- run(file.path(home, "job"))
setCredentials(credentials, verbose = FALSE)
account <- run(NULL)

row <- function(label, field) {
  cat(sprintf("%-58s %12s %16s\n", label, directory[[field]], account[[field]]))
}
cat(sprintf("%-58s %12s %16s\n", "", "directory", "storage account"))
row("a session starts it on two nodes, and ends", "start")
row("its nodes are killed: tasks that are done", "killed")
row("two others and a session that joins finish the rest", "finish")
row("a new session fetches the results", "results")
row("tasks that ran twice, as they were at work at the kill", "twice")
unlink(home, recursive = TRUE)
quit(status = if (directory$ok && account$ok) 0L else 1L)
