# Work that outlives the session: a supervisor is a fresh R that has joined a job, with
# a pool of its own, and leaves when the job is over. It is no child of the session, has
# no terminal, and none of its descriptors (detach.c). Where a logout kills all processes
# of a user (systemd's KillUserProcesses), it is killed, too: the job then waits for
# whoever joins next.

# Starts one with so many nodes: its pid, once it has opened the job and its nodes are
# there. Its log is supervisor_log().
start_supervisor <- function(store, id, workers) {
  if (.Call(C_detach_refused)) {
    stop_job(paste(
      "nothing that is to outlive the session can be started in a node of a pool,",
      "which takes with it whatever was started there"
    ), id)
  }
  log <- new_log(store, id)
  orders <- job_pack(supervisor_orders(store, id, workers, log))
  started <- .Call(C_detach_start, supervisor_program(), supervisor_environment(), log)
  if (started[[2L]] < 0L) {
    unlink(log)
    stop_job("a supervisor cannot be started", id, -started[[2L]], started[[3L]])
  }
  # Left by a jump, it closes what the report would come over: no work is done then.
  report <- .Call(C_detach_tell, started[[1L]], orders, start_patience)
  # Its log has another name once it knows the job.
  supervisor_started(report, id, started[[2L]], c(log, supervisor_log(store, id, started[[2L]])))
}

# Seconds it may take to start.
start_patience <- 120

supervisor_started <- function(report, id, pid, logs) {
  if (is.null(report)) {
    tools::pskill(pid, tools::SIGKILL)
    stop_job(paste("a supervisor has not come up within", start_patience, "seconds"), id)
  }
  report <- if (length(report)) job_unpack(report)
  if (inherits(report, "condition")) {
    report$call <- user_call()
    stop(report)
  }
  if (!identical(report, pid)) {
    lines <- unlist(lapply(logs[file.exists(logs)], readLines, warn = FALSE))
    stop_job("a supervisor has died while it started", id,
      why = if (length(lines)) paste(utils::tail(lines, 5L), collapse = "\n")
    )
  }
  pid
}

# What a session knows that a fresh R does not, but for what the job says itself.
supervisor_orders <- function(store, id, workers, log) {
  options <- options()
  list(
    store = store, id = id, workers = workers, log = log, libraries = .libPaths(),
    locale = Sys.getlocale(), options = options[!names(options) %in% not_handed_on],
    secrets = session_secrets()
  )
}

# Of the session's front end.
not_handed_on <- c("device", "browser", "editor", "pager", "viewer", "error", "warn", "prompt")

# What it reads from standard input may name the package, so that is there before.
supervisor_program <- function() {
  c(file.path(R.home("bin"), "Rscript"), "-e", sprintf(paste0(
    "local({loadNamespace(\"pool\", lib.loc = %s); ",
    "con <- file(\"stdin\", \"rb\"); x <- unserialize(con); close(con); ",
    ".libPaths(x$libraries); pool:::supervisor_main(x)})"
  ), program_text(own_libraries())))
}

supervisor_environment <- function() {
  environment <- Sys.getenv()
  environment <- environment[names(environment) != "R_TESTS"]
  environment[["R_LIBS"]] <- paste(.libPaths(), collapse = .Platform$path.sep)
  paste0(names(environment), "=", environment)
}

# ---- logs ----

# Where those of a job are: of a directory's beside it, so that they go with it.
log_directory <- function(store, id) {
  if (inherits(store, "job_store_directory")) {
    file.path(store$path, id, "nodes")
  } else {
    file.path(tools::R_user_dir("pool", "cache"), "nodes", id)
  }
}

supervisor_log <- function(store, id, pid) {
  file.path(log_directory(store, id), paste0(format(pid, scientific = FALSE), ".txt"))
}

new_log <- function(store, id) {
  dir <- log_directory(store, id)
  if (!dir.exists(dirname(dir)) && inherits(store, "job_store_directory")) {
    stop_job_absent(id)
  }
  dir.create(dir, showWarnings = FALSE, recursive = TRUE, mode = "0700")
  tempfile("starting-", dir, ".txt")
}

# ---- in the supervisor ----

supervisor_main <- function(orders) {
  done <- tryCatch(
    {
      job <- supervisor_begin(orders)
      heard <- .Call(C_detach_report, job_pack(Sys.getpid()))
      # Who has started it and gave up before it was there wants no work done.
      if (heard) supervisor_work(job)
      TRUE
    },
    error = function(e) {
      message("Error: ", conditionMessage(e))
      .Call(C_detach_report, job_pack(supervisor_error(e, orders$id)))
      FALSE
    }
  )
  delete_quietly()
  quit(save = "no", status = if (done) 0L else 1L)
}

supervisor_error <- function(e, id) {
  if (!inherits(e, "pool_error")) {
    e <- job_condition("pool_job_error",
      paste0("a supervisor cannot be started: ", conditionMessage(e)), id,
      errno = 0L
    )
  }
  e$call <- NULL
  e
}

# The packages are there before the nodes, which have them at once; the job is opened
# after them: no database is taken into a fork.
supervisor_begin <- function(orders) {
  file.rename(orders$log, supervisor_log(orders$store, orders$id, Sys.getpid()))
  options(orders$options)
  set_locale(orders$locale)
  quiet_options()
  take_secrets(orders$secrets)
  job <- store_open_job(orders$store, orders$id)
  manifest <- tryCatch(job_read_manifest(job), finally = job_close(job))
  for (name in manifest$needs) {
    loadNamespace(name)
  }
  attach_packages(manifest$packages)
  suppressMessages(init_pool(orders$workers, outfile = ""))
  store_open_job(orders$store, orders$id)
}

supervisor_work <- function(job) {
  on.exit(job_close(job))
  run_job(job, "pool")
}
