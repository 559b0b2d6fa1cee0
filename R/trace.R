# Who ran what when: recording, and what is made of it.

#' Who ran what when
#'
#' `pool_trace()` evaluates code and records which node of the pool ran which
#' elements when, how they ended, and what the session was doing meanwhile. Plotted,
#' nodes are rows and elements are bars, and what is not a bar is waiting;
#' `summary()` says how busy the nodes were and what the time was spent on; printing
#' gives the outline.
#'
#' Every call on the pool that begins while the code is evaluated is recorded:
#' those of [pool_lapply()] and its like, also where another function makes them.
#' Nothing is recorded of `storage_multiupload()` and its like, which move files in
#' the session itself, nor of pools that nodes make for themselves.
#'
#' @section How precise it is: Nodes time every element themselves, by the clock that
#'   all processes of the machine share, from just before to just after the call of
#'   the function: to a microsecond or so, whether elements were sent to a node or
#'   claimed by it, in ranges, from those that are staged in shared memory. Elements
#'   that take less than 0.1 ms and follow each other without a pause share a row
#'   (`count` of them; for at most 10 ms), so that a trace is not larger than the
#'   time it is of. What a node had not yet sent when it died is lost with it, but
#'   for the element that it was at; those elements are run again. Times of the
#'   session include what it does between two messages. A death is dated when the
#'   session learns of it.
#'
#'   To record costs a node a tenth of a microsecond for an element, and a call some
#'   50 microseconds (its function is sent anew); what is not recorded costs nothing.
#'   There is room for about four million rows; what comes then is left out, and
#'   printing says so.
#'
#' @param expr Code that uses the pool. Its value is dropped: assign it inside, as with
#'   [system.time()]. Left out: the trace of the code that was recorded last, also if
#'   it ended in an error.
#' @param x,object A trace.
#' @param call Which calls to draw, by their numbers in `x$calls`. All of them by
#'   default.
#' @param xlim From when to when, in seconds from the beginning of what is drawn.
#' @param main The title. By default the call, and what came of it.
#' @param session Whether the session has a row, on top.
#' @param row.names,optional,... Not used.
#' @return `pool_trace()`: an object of class `pool_trace`, a list. Moments are seconds
#'   since its `start`. `NULL` where nothing was recorded yet. `plot()` and `print()`
#'   return it, invisibly.
#'
#'   - `start`: a time, and `elapsed`, the seconds that the code took.
#'   - `calls`: a data frame with a row for each call: `call` (its number), `what` (the
#'     call as it was written), `kind` (`"lapply"`, `"map"`, `"each"`: once on every node,
#'     or `"open"`: elements came while it ran, as those of [pool_cluster()] do, and are
#'     numbered by the places that they have in turn), `nodes`, `elements`, `begin`, `end`,
#'     `outcome` (`"done"`, `"error"`, `"cut"`: it was given up).
#'   - `tasks`, also given by `as.data.frame()`: a data frame with a row for each element,
#'     or for `count` quick ones from `first` on: `call`, `node`, `pid`, `first`, `count`,
#'     `begin`, `end`, `outcome` (`"done"`, `"error"`, `"lost"` with its node, `"timeout"`,
#'     `"cut"` with its call) and `try` (1 at first). A node that died at no element
#'     has a row without one (`count` 0).
#'   - `session`: what the session did: `"send"` a node its work, `"take"` its results.
#'   - `starts`: when a node was replaced.
#'
#'   `summary()`: a list of class `summary.pool_trace` with `calls` and `nodes` (data
#'   frames), and `path` (the critical path: a data frame of what each moment of a call
#'   went by with). The critical path leads from the end of a call backwards: from the
#'   element that ended last to the one before it on its node, or, where it had been lost
#'   before, to its earlier try. `utilisation` is the share of their time that nodes ran
#'   elements; `bound` is the time that no pool of that size could be below: that of
#'   the longest element, or of all of them shared out evenly.
#' @seealso `.progress` in [pool_lapply()], to look on; [pool_status()].
#' @source Our own; `snow.time()` of the package snow is of the kind.
#' @examples
#' init_pool(2)
#' trace <- pool_trace(
#'   x <- pool_lapply(c(5, 1, 1, 3, 1, 2) / 50, Sys.sleep)
#' )
#' trace
#' summary(trace)
#' plot(trace)
#' delete_pool()
#' @order 1
#' @export
pool_trace <- function(expr) {
  if (missing(expr)) {
    return(the$trace)
  }
  start <- Sys.time()
  mark <- .Call(C_trace_begin)
  on.exit(the$trace <- new_trace(start, .Call(C_trace_end, mark)))
  force(expr)
  on.exit()
  the$trace <- new_trace(start, .Call(C_trace_end, mark))
  the$trace
}

trace_outcomes <- c("done", "error", "lost", "timeout", "cut")

# rows: the columns of C_trace_end(); NULL in a fork of the session that recorded.
new_trace <- function(start, rows) {
  elapsed <- as.numeric(Sys.time()) - as.numeric(start)
  kinds <- c("mark", "call", "task", "send", "take", "start") # enum trace_kind
  all <- list2DF(rows[c("call", "node", "pid", "tries", "first", "count", "begin", "end")])
  all$kind <- kinds[rows$kind + 1L]
  all$outcome <- trace_outcomes[rows$how + 1L]
  of <- function(kind, columns) {
    part <- all[all$kind %in% kind, columns, drop = FALSE]
    row.names(part) <- NULL
    part
  }
  calls <- of("call", c("call", "tries", "first", "count", "begin", "end", "outcome"))
  names(calls)[2:4] <- c("kind", "nodes", "elements")
  calls$kind <- c("each", "lapply", "map", "open")[calls$kind + 1L]
  calls <- cbind(calls[1L], what = as.character(rows$labels)[calls$call], calls[-1L])
  tasks <- of("task", c(
    "call", "node", "pid", "first", "count", "begin", "end", "outcome", "tries"
  ))
  tasks$first[tasks$count == 0] <- NA
  tasks$outcome <- factor(tasks$outcome, trace_outcomes)
  tasks$try <- tasks$tries + 1L
  tasks$tries <- NULL
  tasks <- tasks[order(tasks$begin), ]
  row.names(tasks) <- NULL
  open <- calls$kind == "open"
  calls$elements[open] <- vapply(calls$call[open], function(call) {
    sum(tasks$count[tasks$call == call & tasks$outcome %in% c("done", "error")])
  }, 0)
  session <- of(c("send", "take"), c("call", "kind", "node", "begin", "end"))
  names(session)[2L] <- "what"
  starts <- of("start", c("call", "node", "begin"))
  structure(
    class = "pool_trace",
    list(
      start = start, elapsed = elapsed, calls = calls, tasks = tasks, session = session,
      starts = starts, full = isTRUE(rows$full)
    )
  )
}

# Called from C: the call that is being made, as the user wrote it.
trace_label <- function() {
  text <- trimws(deparse(user_call(), width.cutoff = 60L, nlines = 3L))
  cut <- length(text) > 2L
  text <- paste(text[seq_len(min(length(text), 2L))], collapse = " ")
  if (cut || nchar(text) > 60L) paste0(substr(text, 1L, 57L), "...") else text
}

#' @rdname pool_trace
#' @order 5
#' @export
as.data.frame.pool_trace <- function(x, row.names = NULL, optional = FALSE, ...) x$tasks

#' @rdname pool_trace
#' @order 2
#' @export
print.pool_trace <- function(x, ...) {
  n <- nrow(x$calls)
  cat(sprintf("<pool_trace> %s, %s\n", count_text(n, "call"), seconds_text(x$elapsed)))
  shown <- utils::head(x$calls, 10L)
  for (i in seq_len(nrow(shown))) {
    call <- shown[i, ]
    text <- sprintf(
      "%s: %s on %s in %s, %s busy%s", call$what,
      count_text(call$elements, "element"), count_text(call$nodes, "node"),
      seconds_text(call$end - call$begin), percent_text(trace_utilisation(x, call)),
      switch(call$outcome, error = ", with errors", cut = ", given up", "")
    )
    lines <- strwrap(text, width = max(40, getOption("width") - 5))
    cat(sprintf("%3s  %s\n", c(call$call, rep("", length(lines) - 1L)), lines), sep = "")
  }
  if (n > nrow(shown)) {
    cat(sprintf("     and %d more\n", n - nrow(shown)))
  }
  cat(trace_accidents(x$tasks), sep = "")
  if (x$full) {
    cat("There was no room for all of it.\n")
  }
  invisible(x)
}

trace_accidents <- function(tasks) {
  died <- sum(tasks$outcome == "lost")
  late <- sum(tasks$outcome == "timeout")
  again <- length(unique(paste(tasks$call, tasks$first)[tasks$try > 1L & tasks$count == 1]))
  text <- c(
    if (died > 0L) paste(count_text(died, "node"), "died"),
    if (again > 0L) paste(count_text(again, "element"), "run again"),
    if (late > 0L) paste(count_text(late, "element"), "took too long")
  )
  if (length(text)) paste0(paste(text, collapse = ", "), "\n") else character()
}

# The share of their time that the nodes of a call ran elements.
trace_utilisation <- function(trace, call) {
  tasks <- trace$tasks[trace$tasks$call == call$call, ]
  sum(tasks$end - tasks$begin) / (call$nodes * (call$end - call$begin))
}

count_text <- function(n, what) {
  paste0(format(n, big.mark = ",", scientific = FALSE), " ", what, if (n != 1) "s")
}

percent_text <- function(x) sprintf("%.0f%%", 100 * x)

seconds_text <- function(x) {
  if (is.na(x)) {
    "?"
  } else if (x >= 120) {
    sprintf("%d min %d s", round(x) %/% 60, round(x) %% 60)
  } else if (x >= 0.9995) {
    sprintf("%.*f s", if (x >= 99.5) 0L else 2L, x)
  } else if (x >= 0.9995e-3) {
    sprintf("%.*f ms", if (x >= 0.0995) 0L else if (x >= 0.00995) 1L else 2L, x * 1e3)
  } else {
    sprintf("%.0f %ss", x * 1e6, if (l10n_info()[["UTF-8"]]) "\u00b5" else "u")
  }
}
