# What holds for all loops that are jobs, until it is set otherwise.

#' @rdname foreach_jobs
#' @export
setChunkSize <- function(value = 1) {
  if (!is.numeric(value) || length(value) != 1L || is.na(value) || is.infinite(value)) {
    stop_input("value", value, "'value' must be a number, not ", given(value))
  }
  the$chunk_size <- max(round(value), 1)
  invisible(NULL)
}

#' @rdname foreach_jobs
#' @export
setAutoDeleteJob <- function(value = TRUE) {
  the$auto_delete <- check_flag(value, "value")
  invisible(NULL)
}

#' @rdname foreach_jobs
#' @export
setReduce <- function(fun = NULL, ...) {
  the$reduce <- if (missing(fun)) {
    TRUE
  } else if (is.function(fun)) {
    list(fun = fun, args = list(...))
  } else if (!is.null(fun)) {
    stop_input("fun", fun, "'fun' must be a function or NULL, not ", given(fun))
  }
  invisible(NULL)
}

#' @rdname foreach_jobs
#' @export
setVerbose <- function(value = FALSE) {
  options(azureVerbose = check_flag(value, "value"))
  invisible(NULL)
}

#' @rdname foreach_jobs
#' @export
setHttpTraffic <- function(value = FALSE) {
  options(azureHttpTraffic = check_flag(value, "value"))
  invisible(NULL)
}

# ---- Progress -------------------------------------------------------------------

# update(status), which is an error once the time is over; clear(), before something else
# is written to the terminal; end(). shows: is anything to be seen of it?
job_progress <- function(id, seconds = Inf, shows = show_progress()) {
  until <- seconds_now() + seconds
  display <- NULL # there is one once it is known how many tasks there are
  finished <- FALSE
  list(
    update = function(status) {
      if (shows && status$tasks > 0) {
        over <- status$completed + status$failed + status$lost
        finished <<- over == status$tasks
        if (is.null(display)) {
          display <<- progress_displays(status$tasks, paste("job", id), "task", job_bar(id))
        }
        display$update(c(over, status$tasks, status$failed + status$lost), status)
      }
      if (status$state == "active" && seconds_now() > until) {
        stop_job_waiting(id, seconds)
      }
    },
    clear = function() if (!is.null(display)) display$clear(),
    end = function() if (!is.null(display)) display$end(finished)
  )
}

job_bar <- function(id) {
  progress_bar(1, "{cli::pb_bar} {cli::pb_extra$text}", function(state, status = NULL) {
    list(text = if (is.null(status)) paste("job", id) else job_progress_line(id, status))
  })
}

job_progress_line <- function(id, status) {
  over <- status$completed + status$failed + status$lost
  percent <- if (status$tasks > 0) 100 * over / status$tasks else 100
  paste0("job ", id, ": ", sprintf("%.0f%% (%.0f/%.0f)", floor(percent), over, status$tasks),
    sprintf(", running %.0f, queued %.0f, failed %.0f", status$running, status$queued,
      status$failed + status$lost))
}
