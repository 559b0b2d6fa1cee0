# The tasks of a cluster: how one is made, what a node does with it, where
# names are.
#
# What is stored of a task is list(data), or, where its function is not the cluster's,
# list(data, func, globals, packages).

as_cluster_data <- function(x) {
  if (missing(x)) {
    stop_missing("x")
  }
  if (is.function(x)) {
    stop_input("x", NULL, "'x' must be a vector, a list or a data frame, not a function")
  }
  as_input("x", x, as.list(x))
}

# NULL stands for a name only where one is made up.
check_named <- function(name, argument) {
  if (missing(name)) {
    stop_missing(argument)
  }
  if (is.null(name)) {
    stop_input(argument, name, "'", argument, "' must be a string, not NULL")
  }
}

find_task_function <- function(f, envir) {
  if (missing(f)) {
    stop_missing("f")
  }
  find_function(f, "f", envir)
}

check_ncores <- function(ncores, least = 0) {
  if (!is.numeric(ncores) || length(ncores) != 1L || is.na(ncores) || ncores < least ||
    ncores != trunc(ncores) || ncores > max_nodes) {
    stop_input("ncores", ncores, "'ncores' must be a whole number from ", least, " to ",
      max_nodes, ", not ", given(ncores)
    )
  }
  as.integer(ncores)
}

# A new cluster, open, and its metadata. plain: f(element) is called, and its value kept.
make_cluster <- function(name, x, f, meta, plain = FALSE, argument = "name") {
  place <- if (is.null(name)) made_up_place() else named_place(name, argument)
  meta_file <- meta_path(place$store, place$id)
  # Left by one that was not deleted to its end.
  if (!is.null(meta_file)) unlink(meta_file)
  job <- job_new(place$store, place$id, "threadpool", run_cluster_task,
    list(f = f, meta = meta, plain = plain), lapply(unname(x), function(data) list(data = data)),
    names = names(x)
  )
  if (!is.null(meta_file)) {
    tryCatch(write_meta(meta_file, meta), error = function(e) {
      job_delete(job)
      stop(e)
    })
  }
  new_cluster(place$store, place$id, place$name, job)
}

# What a node makes of a task. It is stored with the job.
run_cluster_task <- function(task, f, meta, plain) {
  func <- f
  if (!is.null(task$func)) {
    func <- task$func
    attach_packages(task$packages)
    before <- put_globals(task$globals)
    on.exit(put_globals(before$values, before$absent))
  }
  value <- if (plain) task_value(func, task$data) else task_value(func, task$data, meta)
  if (plain) {
    return(value)
  }
  if (!is.list(value) || !"output" %in% names(value)) {
    stop("the function of a cluster's task must return list(output = )", call. = FALSE)
  }
  value$output
}

# ---- tasks that are added ----

check_task <- function(task, envir) {
  if (missing(task)) {
    stop_missing("task")
  }
  if (!is.list(task) || !all(c("data", "func") %in% names(task))) {
    stop_input("task", task, "'task' must be a list of 'data' and 'func', as new_task() ",
      "makes it, not ", given(task)
    )
  }
  list(data = task$data, func = find_function(task$func, "task$func", envir))
}

# What is stored of tasks with a function: that goes with each, where it is not the
# cluster's own.
pack_cluster_tasks <- function(cl, data, func) {
  refuse_secrets(data, "a task")
  own <- list()
  if (!identical(without_srcref(func), cluster_manifest(cl)$args$f)) {
    needs <- find_needs(list(func))
    refuse_secrets(c(needs$globals, list(func)), "the function")
    own <- list(func = without_srcref(func), globals = lapply(needs$globals, without_srcref),
      packages = attached_packages()
    )
  }
  lapply(data, function(x) job_pack(c(list(data = x), own)))
}

# It does not change, so it is read once.
cluster_manifest <- function(cl) {
  entry <- open_entry(check_cluster(cl)$injob$queue)
  if (is.null(entry$manifest)) {
    manifest <- job_read_manifest(entry$job)
    if (!identical(manifest$kind, "threadpool")) {
      stop_job_kind(entry$id, "is one of a loop: cluster_run() runs its tasks, getJobResult() ",
        "has its results")
    }
    entry$manifest <- manifest
  }
  entry$manifest
}

# Names of tasks that came later: from which one on.
add_names <- function(job, from, names) {
  path <- sprintf("names/%.0f.rds", from)
  job_put_file(job, path, job_pack(names))
}

# The names of all n tasks, or NULL.
cluster_names <- function(cl, n) {
  job <- cluster_job(cl)
  names <- cluster_manifest(cl)$names
  if (!is.null(names)) names <- c(names, character(n))[seq_len(n)]
  pattern <- "^names/([0-9]{1,15})[.]rds$"
  for (path in grep(pattern, job_files(job, "names/")$name, value = TRUE)) {
    added <- tryCatch(job_unpack(job_get_file(job, path)), error = function(e) NULL)
    places <- as.numeric(sub(pattern, "\\1", path)) - 1 + seq_along(added)
    if (!is.character(added) || length(added) == 0L) {
      stop_job_corrupt(job$id, paste0("its file '", path, "' has no names"))
    }
    # More may have come since n was asked for.
    there <- places <= n
    names <- names %||% character(n)
    names[places[there]] <- added[there]
  }
  names
}
