# Tasks of a job, where they run: in a node of the pool, or in this very process. Here
# is nothing of the store; what comes of tasks goes back to the run loop.

# A batch ends before its end where it takes longer, or where the run loop cuts it short:
# what is left of it can then be shared out anew.
batch_seconds <- 0.1

# batch: list(task, data), as claimed, and outputs, as signed_outputs() made them. The
# value is what has come of its first tasks, mostly at least of one: list(task, status, result,
# seconds, files), where files is a list of list(path, data) to be put into the job.
# capture: output goes into files too, and what is signalled is not signalled again; in
# this process it is left to the user.
run_task_batch <- function(batch, manifest, id, capture = TRUE) {
  room <- new.env(parent = emptyenv())
  on.exit(task_room_leave(room))
  task_room_enter(room, manifest, capture)
  at <- task_loop(batch, manifest, id, room)
  .Call(C_claim_steps, length(batch$task))
  # One set of handlers serves until something fails.
  repeat {
    over <- tryCatch(
      withCallingHandlers(at$go_on(),
        error = room$on_error, warning = room$on_warning, message = room$on_message
      ),
      error = at$failed
    )
    if (over) {
      return(at$outcome())
    }
  }
}

# Functions that share where the batch is: go_on(), TRUE at its end; failed(), with what
# has ended the running task; outcome(). (Vectors in an environment would be copied for
# each element that is set.)
task_loop <- function(batch, manifest, id, room) {
  n <- length(batch$task)
  manifest$options$output_files <- batch$outputs
  status <- character(n)
  result <- files <- vector("list", n)
  seconds <- numeric(n)
  begin <- before <- time_now()
  done <- 0L
  doing <- "task"

  end <- function(how, value) {
    task_home_tidy(room)
    now <- time_now()
    k <- done + 1L
    status[[k]] <<- how
    result[[k]] <<- value
    seconds[[k]] <<- max(0, now - before)
    left <- task_files(batch$task[[k]], room)
    if (!is.null(left)) files[[k]] <<- left
    before <<- now
    done <<- k
  }
  go_on <- function() {
    while (done < n && (done == 0L || before - begin < batch_seconds) && .Call(C_claim_step)) {
      task <- batch$task[[done + 1L]]
      task_begin(task, manifest, id, room)
      x <- task_call(manifest, batch$data[[done + 1L]])
      setTimeLimit() # what the task has set was for itself
      doing <<- "store"
      x <- job_pack(x)
      doing <<- "task"
      task_outputs(room, manifest)
      end("completed", x)
    }
    TRUE
  }
  failed <- function(e) {
    setTimeLimit()
    if (doing == "store") {
      e <- simpleError(paste("the result cannot be stored:", conditionMessage(e)))
      doing <<- "task"
    }
    if (done < n) { # else it is nobody's
      value <- task_failed(e, room)
      try_outputs(room, manifest)
      end("failed", value)
    }
    FALSE
  }
  outcome <- function() {
    k <- seq_len(done)
    list(
      task = batch$task[k], status = status[k], result = result[k], seconds = seconds[k],
      files = unlist(files[k], recursive = FALSE)
    )
  }
  list(go_on = go_on, failed = failed, outcome = outcome)
}

time_now <- function() as.numeric(Sys.time())

# The frame that a task is called from, which tracebacks are cut at.
task_value <- function(FUN, X, ...) FUN(X, ...)

task_call <- function(manifest, data) {
  x <- job_unpack(data)
  if (length(manifest$args) == 0L) {
    task_value(manifest$fun, x)
  } else {
    do.call(task_value, c(list(manifest$fun, x), manifest$args), quote = TRUE)
  }
}

# Every task finds what the first one finds.
task_begin <- function(task, manifest, id, room) {
  if (length(manifest$globals)) {
    list2env(manifest$globals, globalenv())
  }
  set_task_seed(manifest$options$seed, task)
  if (manifest$kind == "foreach") {
    task_home(task, id, room)
  }
}

task_failed <- function(e, room) {
  log <- room$log
  e <- shown_condition(e)
  task_log(log, "error: ", conditionMessage(e))
  if (length(log$traceback)) {
    task_log(log, paste(c("calls:", log$traceback), collapse = "\n  "))
  }
  value <- failed_result(e, log$traceback)
  log$traceback <- NULL
  value
}

# The results of a task do not depend on where it runs, nor on what ran before.
set_task_seed <- function(seed, number) {
  if (!is.null(seed)) {
    state <- .Call(C_seed_stream, seed, number - 1)
    assign(".Random.seed", state, envir = globalenv())
  }
}

task_outputs <- function(room, manifest) {
  specs <- manifest$options$output_files
  if (!is.null(room$home) && length(specs)) {
    upload_outputs(room$home, specs)
  }
}

# Files of a task that failed are wanted all the more.
try_outputs <- function(room, manifest) {
  tryCatch(task_outputs(room, manifest), error = function(e) {
    task_log(room$log, "output files: ", conditionMessage(e))
  })
}

# ---- what tasks of a batch share ----

# Globals are there, as they are in the session that made the job, for so long only;
# packages stay.
task_room_enter <- function(room, manifest, capture) {
  room$log <- new.env(parent = emptyenv())
  room$capture <- capture
  attach_packages(manifest$packages)
  # Without a seed a node goes on where it is: to be put back, it would draw the same
  # numbers in every batch.
  room$random <- if (!capture || !is.null(manifest$options$seed)) random_state()
  room$dir <- getwd()
  if (!capture && is.null(manifest$options$seed) && !is.null(room$random$seed)) {
    rm(".Random.seed", envir = globalenv()) # the user's stays where it is
  }
  room$globals <- put_globals(manifest$globals)
  if (capture) {
    room$sinks <- sink.number()
    room$out <- rawConnection(raw(), "w")
    room$err <- rawConnection(raw(), "w")
    sink(room$out)
    sink(room$err, type = "message")
  }
  task_handlers(room)
}

task_room_leave <- function(room) {
  task_home_leave(room)
  if (!is.null(room$dir) && !identical(room$dir, getwd())) {
    setwd(room$dir)
  }
  if (!is.null(room$sinks)) {
    sink(type = "message")
    while (sink.number() > room$sinks) {
      sink()
    }
    close(room$err)
    close(room$out)
  }
  if (!is.null(room$globals)) {
    put_globals(room$globals$values, room$globals$absent)
  }
  if (!is.null(room$random)) {
    set_random_state(room$random)
  }
}

# What was there before: list(values, absent).
put_globals <- function(values, absent = character()) {
  env <- globalenv()
  names <- as.character(names(values))
  there <- vapply(names, exists, NA, envir = env, inherits = FALSE)
  before <- list(values = mget(names[there], envir = env), absent = names[!there])
  list2env(values, env)
  rm(list = intersect(absent, ls(env, all.names = TRUE)), envir = env)
  before
}

# A package that is not here is missed when it is asked for: others may not need it.
attach_packages <- function(packages) {
  for (name in packages[!paste0("package:", packages) %in% search()]) {
    tryCatch(
      suppressWarnings(suppressPackageStartupMessages(attach_package(name))),
      error = function(e) NULL
    )
  }
}

# ---- what tasks say ----

task_log <- function(log, ...) log$lines <- c(log$lines, paste0(...))

task_handlers <- function(room) {
  log <- room$log
  quiet <- room$capture
  room$on_error <- function(e) {
    # Of several iterations the first one's.
    chunk <- if (inherits(e, "pool_chunk_error")) e$values[[which(e$failed)[[1L]]]]
    log$traceback <- chunk$traceback %||% node_traceback(sys.nframe() - 1L)
  }
  room$on_warning <- function(w) {
    task_log(log, "warning: ", conditionMessage(w))
    if (quiet) {
      cat("Warning: ", conditionMessage(w), "\n", file = stderr(), sep = "")
      tryInvokeRestart("muffleWarning")
    }
  }
  room$on_message <- function(m) {
    task_log(log, "message: ", sub("\n$", "", conditionMessage(m)))
    if (quiet) {
      cat(conditionMessage(m), file = stderr())
      tryInvokeRestart("muffleMessage")
    }
  }
}

# What the task has left in log and output, which are empty then.
task_files <- function(task, room) {
  lines <- room$log$lines
  out <- if (room$capture) drain_output(room$out)
  err <- if (room$capture) drain_output(room$err)
  if (is.null(lines) && length(out) == 0L && length(err) == 0L) {
    return(NULL)
  }
  room$log$lines <- NULL
  found <- list(logs = if (length(lines)) log_bytes(lines), stdout = out, stderr = err)
  found <- found[lengths(found) > 0L]
  paths <- paste0(names(found), "/", format(task, scientific = FALSE), ".txt")
  .mapply(function(path, data) list(path = path, data = data), list(paths, found), NULL)
}

log_bytes <- function(lines) charToRaw(paste0(paste(enc2utf8(lines), collapse = "\n"), "\n"))

drain_output <- function(con) {
  bytes <- rawConnectionValue(con)
  if (length(bytes)) {
    seek(con, 0, rw = "write")
    truncate(con)
  }
  bytes
}
