# A loop as a job: stored, run, and its results put together.

# What `obj %dopar% expr` is with .options.azure, or credentials.
foreach_job <- function(obj, expr, envir) {
  options <- job_loop_options(obj$options$azure)
  if (!options$wait && in_node()) {
    stop_job("a node of the pool cannot leave a job behind",
      why = "wait = FALSE, and the processes of a node end with it")
  }
  check_packages(obj$packages)
  outputs <- stored_outputs(options$outputFiles, ".options.azure",
    "'outputFiles' in '.options.azure'")
  store <- jobs_store()
  loop <- foreach_loop(obj, most = max_tasks() * options$chunkSize)
  check_loop(loop, options)
  seed <- check_seed(getOption("pool.seed"))
  task <- list2env(list(
    expr = if (is.call(expr)) utils::removeSource(expr) else expr,
    home = exported_world(expr, envir, obj$argnames, obj$export, obj$noexport, refuse_secret),
    packages = obj$packages, reduce = loop_reduce(obj, options), seed = seed
  ), parent = emptyenv())
  manifest <- list(
    chunk_size = options$chunkSize, max_tries = options$maxTaskRetryCount + 1,
    error_handling = obj$errorHandling, auto_delete = options$autoDeleteJob,
    output_files = outputs, seed = seed,
    workers = options$workers, iterations = loop$n, wait = options$wait,
    cloud_combine = options$enableCloudCombine, loop_packages = obj$packages,
    reduced = !is.null(task$reduce)
  )
  here <- in_node() && !pool_exists()
  if (options$wait && !here && loop$n > 0L && !pool_exists()) {
    # Before the job is open: no database is taken into a fork.
    if (is.null(options$workers)) init_pool() else init_pool(options$workers)
  }
  job <- with_new_id(options$job, function(id) {
    job_new(store, id, "foreach", foreach_chunk, list(task = task),
      loop_chunks(loop, options$chunkSize), manifest,
      globals = list(), packages = union(attached_packages(), obj$packages))
  })
  if (!options$wait) {
    return(leave_new(job, options))
  }
  wait_loop(job, if (here) "inline" else "pool", options)
  finish_loop(job, loop, options, expr)
}

# In this session, to its end, or that of the time to wait.
wait_loop <- function(job, nodes, options) {
  if (is.null(options$job)) {
    message("job '", job$id, "' is kept until deleteJob(\"", job$id, "\")")
  }
  shown <- job_progress(job$id, options$timeout)
  done <- FALSE
  on.exit({
    shown$end()
    if (!done) job_close(job)
  })
  tryCatch(
    if (job_status(job)$tasks > 0) run_joined(job, nodes, shown$update),
    pool_job_waiting_error = function(e) {
      # Somebody else is to go on with it.
      job_close(job)
      if (!in_node()) {
        start_supervisor(job$store, job$id, workers_of(options))
      }
      stop(e)
    }
  )
  done <- TRUE
}

finish_loop <- function(job, loop, options, expr) {
  on.exit(job_close(job))
  results <- loop_results(job)
  if (any(!results$there)) {
    stop_job_unfinished(job$id, sum(!results$there), results$values, job_status(job)$state)
  }
  value <- foreach_finish(loop, results$values, expr)
  if (options$autoDeleteJob) {
    job_delete(job)
  }
  value
}

# A new one, by a process of its own; this session goes on. Where there is no such
# process, there is no job.
leave_new <- function(job, options) {
  job_close(job)
  tryCatch(
    start_supervisor(job$store, job$id, workers_of(options)),
    error = function(e) {
      try(job_delete(store_open_job(job$store, job$id)), silent = TRUE)
      stop(e)
    }
  )
  job$id
}

workers_of <- function(options) {
  if (!is.null(options$workers)) {
    options$workers
  } else if (pool_exists()) {
    pool_size()
  } else {
    eval(formals(init_pool)$size)
  }
}

# ---- Tasks ----------------------------------------------------------------------

check_loop <- function(loop, options) {
  most <- max_tasks()
  if (loop$n > most * options$chunkSize) {
    stop_input("...", NULL, "the loop of '...' is without end, or would be a job of more than ",
      format(most, big.mark = ",", scientific = FALSE), " tasks: see options(pool.max_tasks), ",
      "and 'chunkSize' in '.options.azure'")
  }
}

# setReduce()'s function, or with setReduce() alone that of `.combine`.
loop_reduce <- function(obj, options) {
  reduce <- the$reduce
  if (is.null(reduce) || options$chunkSize == 1) {
    return(NULL)
  }
  if (!identical(class(obj), "foreach")) {
    stop_input(".options.azure", NULL, "setReduce() is for loops without others in them, ",
      "and not with this '.options.azure'")
  }
  if (isTRUE(reduce)) {
    reduce <- obj$combineInfo$fun
    return(if (!is_list_combine(reduce)) list(fun = reduce, args = list()))
  }
  reduce
}

# Lists of n and columns, or of elements; first is the index of the first of them.
loop_chunks <- function(loop, size) {
  starts <- seq.int(1, by = size, length.out = ceiling(loop$n / size))
  lapply(starts, function(first) {
    k <- seq.int(first, min(first + size - 1, loop$n))
    if (is.null(loop$elements)) {
      list(first = first, n = length(k), columns = lapply(loop$columns, function(x) unname(x[k])))
    } else {
      list(first = first, elements = loop$elements[k])
    }
  })
}

# In a task: the list of the values of its iterations. The error of one that is alone
# is the task's; of several, what there is goes along with the error.
foreach_chunk <- function(x, task) {
  for (name in task$packages) {
    if (!paste0("package:", name) %in% search()) {
      suppressPackageStartupMessages(attach_package(name))
    }
  }
  node_foreach_nested()
  elements <- x$elements
  if (is.null(elements)) {
    elements <- lapply(seq_len(x$n), function(i) lapply(x$columns, `[[`, i))
  }
  run <- function(i) {
    # An iteration's numbers do not depend on the size of tasks.
    set_task_seed(task$seed, x$first + i - 1)
    loop_value(task$expr, list2env(elements[[i]], parent = task$home))
  }
  if (length(elements) == 1L) {
    return(list(run(1L)))
  }
  failed <- logical(length(elements))
  traceback <- NULL
  values <- lapply(seq_along(elements), function(i) {
    tryCatch(
      withCallingHandlers(run(i),
        error = function(e) traceback <<- node_traceback(sys.nframe() - 1L)),
      error = function(e) {
        failed[[i]] <<- TRUE
        list(condition = shown_condition(e), traceback = traceback)
      }
    )
  })
  if (any(failed)) {
    stop(chunk_condition(values, failed))
  }
  reduce <- task$reduce
  if (is.null(reduce)) {
    values
  } else {
    list(Reduce(function(a, b) do.call(reduce$fun, c(list(a, b), reduce$args)), values))
  }
}

# ---- Results --------------------------------------------------------------------

# What has come of an open job's iterations: values (a list; a pool_job_task_error with
# the iteration's index where one failed, NULL where there is nothing yet) and there. Of
# chunks that were reduced there is one for each.
loop_results <- function(job, manifest = job_read_manifest(job)) {
  options <- manifest$options
  size <- if (isTRUE(options$reduced)) 1 else options$chunk_size
  n <- if (isTRUE(options$reduced)) job_status(job)$tasks else options$iterations
  values <- vector("list", n)
  there <- logical(n)
  job_each_result(job, function(task, status, result) {
    last <- task * size
    at <- seq.int(last - size + 1, min(last, n))
    values[at] <<- if (status == "completed") result else failed_iterations(result, at)
    there[at] <<- TRUE
  })
  list(values = values, there = there)
}

# e: the condition of a task.
failed_iterations <- function(e, at) {
  parts <- if (inherits(e$parent, "pool_chunk_error")) e$parent$values
  failed <- e$parent$failed
  lapply(seq_along(at), function(i) {
    if (!is.null(parts) && length(parts) == length(at)) {
      if (!isTRUE(failed[[i]])) {
        return(parts[[i]])
      }
      e$parent <- parts[[i]]$condition
      e$traceback <- parts[[i]]$traceback
      e$message <- conditionMessage(e$parent)
    }
    e$index <- at[[i]]
    e
  })
}
