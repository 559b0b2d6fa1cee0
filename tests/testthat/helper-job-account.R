# Jobs in a storage account: Azurite's, beside the suite.

account_store <- function(style = "path", ...) {
  skip_without_azurite()
  endpoints <- list(...)
  pool:::store_account(
    endpoints$blob %||% blob_endpoint(azurite_url(style), key = azurite_key),
    endpoints$queue %||% queue_endpoint(azurite_url(style, "queue"), key = azurite_key)
  )
}

`%||%` <- function(x, y) if (is.null(x)) y else x

# Methods are tested as what they are: not exported.
for (name in c(
  "store_create_job", "store_open_job", "store_job_ids", "job_manifest", "job_add", "job_claim",
  "job_commit", "job_charge", "job_release", "job_renew", "job_status", "job_results",
  "job_abandoned", "job_requeue", "job_terminate", "job_delete", "job_close", "job_put_file",
  "job_put_files", "job_get_file", "job_files"
)) {
  assign(name, getFromNamespace(name, "pool"))
}

some_tasks <- function(n) lapply(seq_len(n), function(i) serialize(i, NULL, xdr = FALSE))

# What a task comes to: its square.
answer_of <- function(data) serialize(unserialize(data)^2, NULL, xdr = FALSE)

# A new job, which goes with its test.
local_account_job <- function(n = 10, id = unique_name("Job_"), store = account_store(),
                              env = parent.frame()) {
  job <- store_create_job(store, id, charToRaw("the manifest"), some_tasks(n))
  defer_job(store, id, env)
  job
}

defer_job <- function(store, id, env = parent.frame()) {
  force(store)
  force(id)
  withr::defer(try(pool:::account_delete(pool:::account_state(store, id)), silent = TRUE),
    envir = env)
}

counts <- function(job) {
  status <- job_status(job)
  unlist(status[c("tasks", "queued", "running", "completed", "failed", "lost")])
}

# Runs what has been claimed, in no time.
finish <- function(job, got, claim = 0, seconds = 0.001) {
  n <- length(got$task)
  job_commit(job, list(task = got$task, status = rep("completed", n),
    result = lapply(got$data, answer_of), seconds = rep(seconds, n)), claim)
}

# Until there is nothing to be had: the tasks, in the order of claims.
run_all <- function(job, n = 5, seconds = 0.001) {
  all <- numeric()
  got <- job_claim(job, n)
  while (length(got$task)) {
    all <- c(all, got$task)
    got <- finish(job, got, n, seconds)
  }
  all
}

expect_all_right <- function(job, n) {
  testthat::expect_identical(job_status(job)$state, "completed")
  found <- job_results(job, 1, n)
  testthat::expect_identical(found$task, as.double(seq_len(n)))
  testthat::expect_identical(lapply(found$result, unserialize), as.list(seq_len(n)^2))
}

# Names of the blobs of a job.
blobs_of <- function(job, prefix = NULL) {
  list_blobs(job$state$container, info = "name", prefix = prefix)
}

queue_of <- function(job) {
  storage_queue(job$store$queue, job$state$container$name)
}

# ---- claimants in processes of their own ----

# Claims, "runs" (which takes `each` seconds, and leaves a line in `log`) and commits,
# until the job is over or a file says to stop. All the while it renews its claims.
claimant <- function(store, id, log, lease, n = 3, each = 0, seconds = 0.001) {
  skip_if_not_installed("callr")
  callr::r_bg(function(store, id, log, lease, n, each, seconds) {
    options(pool.job_lease = lease, pool.http_retries = 10)
    job <- pool:::store_open_job(store, id)
    got <- pool:::job_claim(job, n)
    renew <- 0
    repeat {
      for (i in seq_along(got$task)) {
        cat(sprintf("%d %.0f\n", Sys.getpid(), got$task[i]), file = log, append = TRUE)
        until <- Sys.time() + each
        while (Sys.time() < until) {
          Sys.sleep(min(0.05, each))
          if (proc.time()[["elapsed"]] > renew) {
            renew <- proc.time()[["elapsed"]] + pool:::job_renew(job)
          }
        }
      }
      k <- length(got$task)
      got <- pool:::job_commit(job, list(task = got$task, status = rep("completed", k),
        result = lapply(got$data, function(x) serialize(unserialize(x)^2, NULL, xdr = FALSE)),
        seconds = rep(seconds, k)), n)
      if (!length(got$task)) {
        if (pool:::job_status(job)$state != "active") break
        Sys.sleep(0.1)
      }
    }
    pool:::job_close(job)
    TRUE
  }, list(store, id, log, lease, n, each, seconds), package = TRUE)
}

# Waits until these are over.
join_all <- function(processes, seconds = 90) {
  for (p in processes) {
    p$wait(1000 * seconds)
    if (p$is_alive()) {
      p$kill()
      stop("a claimant did not come to an end")
    }
    p$get_result()
  }
}

# The tasks that were begun, as often as they were.
begun <- function(log) {
  if (!file.exists(log)) {
    return(integer())
  }
  lines <- grep("^[0-9]+ [0-9]+$", readLines(log, warn = FALSE), value = TRUE)
  as.integer(sub(".* ", "", lines))
}

# ---- an Azurite of one's own, which can be stopped and started ----

local_azurite <- function(env = parent.frame()) {
  skip_without_azurite()
  skip_if_not_installed("processx")
  dir <- withr::local_tempdir(.local_envir = env)
  ports <- vapply(1:2, function(i) free_port(), 1L)
  here <- new.env()
  here$up <- list()
  here$start <- function() {
    here$up <- Map(function(service, port) {
      program <- file.path(Sys.getenv("AZURITE_PROGRAMS"), paste0("azurite-", service))
      p <- processx::process$new(program, c(paste0("--", service, "Port"), port, "--location",
        file.path(dir, service), "--skipApiVersionCheck", "--disableTelemetry"),
        stdout = "|", stderr = NULL, wd = dir)
      wait_until(function() {
        p$poll_io(100)
        any(grepl("successfully listens", p$read_output_lines()))
      })
      p
    }, c("blob", "queue"), ports)
  }
  here$stop <- function() {
    for (p in here$up) {
      p$signal(15L)
      p$wait(10000)
      p$kill()
    }
  }
  withr::defer(here$stop(), envir = env)
  here$start()
  url <- sprintf("http://127.0.0.1:%d/%s", ports, azurite_account)
  here$store <- pool:::store_account(blob_endpoint(url[1], key = azurite_key),
    queue_endpoint(url[2], key = azurite_key))
  here
}

free_port <- function() {
  for (i in 1:50) {
    port <- as.integer(20000 + (Sys.getpid() * 37 + as.integer(stats::runif(1) * 30000)) %% 30000)
    con <- tryCatch(serverSocket(port), error = function(e) NULL)
    if (!is.null(con)) {
      close(con)
      return(port)
    }
  }
  stop("no free port")
}
