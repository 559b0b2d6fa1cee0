# What a call or a job shows of itself while it runs, where `.progress` asks for it:
# signals of progressr's, a bar in a terminal, now and then a line in a log.

# Seconds between two looks; what C calls it by.
progress_interval <- 0.1

# Of n elements.
call_progress <- function(n) progress_displays(n, progress_name(), "element", progress_bar(n))

# n units of what has that name; bar: what a terminal shows. A list of functions:
# update(c(done, n, failed), more for the bar); clear(), before something else is written
# to the terminal; end(whether it came to its end).
progress_displays <- function(n, name, unit, bar) {
  signals <- if (isNamespaceLoaded("progressr")) progress_signals(n)
  shown <- if (isTRUE(getOption("knitr.in.progress")) || !is.null(signals) && progressr_listens()) {
    NULL # a page is no place for it; or it is shown already
  } else if (cli::is_dynamic_tty(cli::cli_output_connection())) {
    bar
  } else {
    progress_lines(name, Sys.time(), unit)
  }
  displays <- Filter(Negate(is.null), list(signals, shown))
  all <- function(what) function(...) for (display in displays) display[[what]](...)
  list(update = all("update"), clear = all("clear"), end = all("end"))
}

progress_name <- function() {
  call <- user_call()
  name <- if (is.call(call)) call[[1L]]
  if (is.name(name) || is_qualified(name)) deparse(name) else "the pool"
}

nothing <- function(...) NULL

# ---- progressr ----

progress_signals <- function(n) {
  progressor <- getExportedValue("progressr", "progressor")
  p <- progressor(steps = n, on_exit = FALSE, auto_finish = FALSE, envir = environment())
  told <- 0
  update <- function(state, ...) {
    done <- min(state[[1L]], n) # a job may have got more of them
    if (done > told) {
      p(amount = done - told)
      told <<- done
    }
  }
  end <- function(finished) {
    if (finished) {
      update(n)
    }
    p(type = "finish")
  }
  list(update = update, clear = nothing, end = end)
}

# Is there somebody who shows the signals, or keeps them from being shown?
progressr_listens <- function() {
  namespace <- asNamespace("progressr")
  those <- mget(c("with_progress", "without_progress"), namespace)
  on_stack <- vapply(seq_len(sys.nframe()), function(k) {
    any(vapply(those, identical, NA, sys.function(k)))
  }, NA)
  any(on_stack) || any(vapply(globalCallingHandlers(), function(handler) {
    identical(topenv(environment(handler)), namespace)
  }, NA))
}

# ---- A terminal ----

# Shown once the call has taken as long as cli's option says: cli itself would show some
# sooner, and what is shown has to be known to be cleared. Drawn when there is something
# new, or the time that it says is left would grow until the next element is over, and
# each time it is told to: its own timer need not be running. extra: from what update()
# is given, or nothing, what the format has of it.
progress_bar <- function(n, format = element_format, extra = element_extra) {
  env <- environment()
  due <- proc.time()[["elapsed"]] + getOption("cli.progress_show_after", 2)
  drawn <- NULL
  id <- cli::cli_progress_bar(
    total = n, .envir = env, .auto_close = FALSE, auto_terminate = FALSE, clear = TRUE,
    format = format, extra = extra()
  )
  update <- function(state, ...) {
    new <- list(as.vector(state), extra(state, ...))
    if (proc.time()[["elapsed"]] >= due && !identical(new, drawn)) {
      drawn <<- new
      cli::cli_progress_update(
        set = state[[1L]], total = max(1, state[[2L]]), extra = new[[2L]], id = id,
        force = TRUE, .envir = env
      )
    }
  }
  # What is written over the bar would leave the rest of it behind.
  clear <- function() {
    if (!is.null(drawn)) {
      drawn <<- NULL
      clear_line()
    }
  }
  end <- function(finished) cli::cli_progress_done(id = id, .envir = env)
  list(update = update, clear = clear, end = end)
}

element_format <- paste(
  "{cli::pb_bar} {cli::pb_current}/{cli::pb_total}",
  "{cli::pb_percent}{cli::pb_extra$failed} {cli::pb_eta_str}"
)

element_extra <- function(state = c(0, 0, 0)) list(failed = failed_text(state[[3L]]))

clear_line <- function() {
  empty <- if (cli::is_ansi_tty()) "\033[K" else c(strrep(" ", cli::console_width() - 1L), "\r")
  cat("\r", empty, file = cli::cli_output_connection(), sep = "")
}

failed_text <- function(n) if (n > 0) sprintf(", %.0f failed", n) else ""

# ---- A log ----

# Not before 10 seconds, then more and more seldom.
progress_lines <- function(name, begin, unit = "element") {
  due <- 10
  last <- NULL
  passed <- function() as.numeric(Sys.time()) - as.numeric(begin)
  update <- function(state, ...) {
    seconds <- passed()
    if (seconds >= due) {
      due <<- seconds + max(10, seconds / 10)
      last <<- state
      tell_progress(progress_text(name, state, seconds, unit))
    }
  }
  end <- function(finished) {
    if (!is.null(last)) {
      tell_progress(sprintf(if (finished) "%s: %s in %s" else "%s: %s after %s", name,
        if (finished) count_text(last[[2L]], unit) else "given up", seconds_text(passed())
      ))
    }
  }
  list(update = update, clear = nothing, end = end)
}

progress_text <- function(name, state, seconds, unit) {
  done <- state[[1L]]
  n <- state[[2L]]
  left <- if (done > 0) seconds / done * (n - done)
  paste0(
    name, ": ", format(done, big.mark = ",", scientific = FALSE), " of ",
    count_text(n, unit), ", ", percent_text(done / n), failed_text(state[[3L]]),
    if (!is.null(left) && left > 0) paste0(", about ", time_text(left), " left")
  )
}
