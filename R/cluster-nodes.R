# The nodes of a cluster: detached from the session, and waited for.

# Seconds between two looks at a cluster that is waited for.
wait_least <- 0.01
wait_most <- 0.25

start_cluster <- function(x, f, meta, cl_name, mapsize, plain = FALSE) {
  check_mapsize(mapsize)
  x <- as_cluster_data(x)
  make_cluster(cl_name, x, f, meta, plain, "cl_name")
}

# The number of the process that they belong to.
add_nodes <- function(cl, ncores) {
  handle <- cl$injob$queue
  start_supervisor(handle_store(handle), handle$id, ncores)
}

# Starts them for a new cluster, and waits for the work to be done, if that is asked for;
# shows: and is to be seen.
run_nodes <- function(cl, ncores, wait, shows) {
  if (ncores == 0L) {
    return()
  }
  pid <- tryCatch(add_nodes(cl, ncores), error = function(e) {
    # Its name is free for another try.
    delete_cluster(cl)
    stop(e)
  })
  if (wait) {
    shown <- job_progress(cluster_job(cl)$id, shows = shows)
    on.exit(shown$end())
    withCallingHandlers(
      wait_for_cluster(cl, pid, shown),
      interrupt = function(e) {
        shown$clear()
        message("The work goes on; cluster_join(\"", cl$name, "\") finds it.")
      }
    )
  }
}

# Until every task has a result, or nobody is left who works for one.
wait_for_cluster <- function(cl, pid, shown) {
  job <- cluster_job(cl)
  pause <- wait_least
  repeat {
    # In this order: who has left may have finished it.
    lives <- process_lives(pid)
    status <- job_status(job)
    shown$update(status)
    if (status$state != "active") {
      return()
    }
    if (!lives && status$running == length(job_abandoned(job))) {
      return(warn_no_nodes(cl$name, status))
    }
    Sys.sleep(pause)
    pause <- min(1.5 * pause, wait_most)
  }
}

# Somebody else's process does not take signal 0, but is there.
process_lives <- function(pid) tools::pskill(pid, 0L) || dir.exists(file.path("/proc", pid))

# By a signal, or a debugger. Where there is no /proc, nobody knows.
process_is_stopped <- function(pid) {
  lines <- tryCatch(suppressWarnings(readLines(file.path("/proc", pid, "status"), 5L)),
    error = function(e) character())
  any(grepl("^State:\\s*[Tt]", lines))
}

warn_no_nodes <- function(name, status) {
  left <- status$tasks - status$completed - status$failed - status$lost
  warning("all nodes are gone, and ", format(left, scientific = FALSE), " of ",
    format(status$tasks, scientific = FALSE), " tasks have no result; ",
    "cluster_add_nodes(\"", name, "\") goes on with them",
    call. = FALSE
  )
}

# ---- logs ----

# So many of the tasks' files are shown where nobody says which.
shown_files <- 50L

# What is in logs, as lines with a header each: list(name, lines).
node_logs <- function(store, id, pid = NULL) {
  paths <- if (is.null(pid)) {
    sort(Sys.glob(file.path(log_directory(store, id), "*.txt")))
  } else {
    supervisor_log(store, id, pid)
  }
  lapply(paths, function(path) {
    lines <- tryCatch(suppressWarnings(readLines(path)), error = function(e) {
      stop_job_absent(id, paste0("log of process ", pid))
    })
    list(name = paste("process", sub("[.]txt$", "", basename(path))), lines = lines)
  })
}

# What tasks have printed and said. task: their numbers, or NULL.
task_logs <- function(job, task = NULL) {
  pattern <- "^(stdout|stderr)/([0-9]+)[.]txt$"
  names <- grep(pattern, job_files(job, "std")$name, value = TRUE)
  numbers <- as.numeric(sub(pattern, "\\2", names))
  order <- order(numbers, names)
  if (!is.null(task)) {
    order <- order[numbers[order] %in% task]
  } else if (length(order) > shown_files) {
    message("Of ", length(order), " files of tasks the last ", shown_files, " are shown.")
    order <- utils::tail(order, shown_files)
  }
  lapply(order, function(i) {
    text <- rawToChar(job_get_file(job, names[[i]]))
    list(name = paste0("task ", format(numbers[[i]], scientific = FALSE), ", ",
      sub("/.*", "", names[[i]])), lines = strsplit(text, "\n", fixed = TRUE)[[1L]])
  })
}
