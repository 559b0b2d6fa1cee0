# A trace as a picture: nodes are rows, elements are bars, what is left is waiting.

trace_colours <- c(
  done = "#2F6DA8", done2 = "#5C97CC", retry = "#E69F00", error = "#D55E00",
  lost = "#4D4D4D", timeout = "#8B4B8B", cut = "#A9B7C6", waiting = "#E8E6DF",
  send = "#009E73", take = "#B07AA1", work = "#BFD5EA", path = "#222222", death = "#B2182B"
)

#' @rdname pool_trace
#' @order 4
#' @export
plot.pool_trace <- function(x, call = NULL, xlim = NULL, main = NULL, session = TRUE, ...) {
  calls <- trace_chosen(x, call)
  check_flag(session, "session")
  if (nrow(calls) == 0L) {
    graphics::plot.new()
    graphics::title(main = if (is.null(main)) "no call on the pool" else main)
    return(invisible(x))
  }
  begin <- min(calls$begin)
  span <- max(calls$end) - begin
  xlim <- if (is.null(xlim)) c(0, span) else check_xlim(xlim)
  picture <- list(
    calls = trace_shift(calls, begin),
    tasks = trace_shift(x$tasks[x$tasks$call %in% calls$call, ], begin),
    session = trace_shift(x$session[session & x$session$call %in% calls$call, ], begin),
    starts = trace_shift(x$starts[x$starts$call %in% calls$call, ], begin),
    nodes = max(calls$nodes), xlim = xlim
  )
  picture$legend <- trace_legend(picture)
  lines <- if (length(picture$legend) > 6L && graphics::par("fin")[[1L]] < 8.5) 2L else 1L
  old <- graphics::par(
    mar = c(3.4, 4.6, 3.5 + 0.9 * lines, 3.4), mgp = c(2, 0.6, 0), las = 1L, tcl = -0.3
  )
  on.exit(graphics::par(old))
  draw_frame(picture, session)
  draw_waiting(picture)
  draw_nodes(picture)
  draw_path(picture)
  draw_session(picture)
  draw_strip(picture)
  draw_words(picture, main, lines)
  invisible(x)
}

trace_chosen <- function(x, call) {
  if (is.null(call)) {
    return(x$calls)
  }
  if (!is.numeric(call) || !all(call %in% x$calls$call)) {
    stop_input("call", call, "'call' must be numbers of calls in the trace, 1 to ",
      nrow(x$calls), ", not ", given(call)
    )
  }
  x$calls[x$calls$call %in% call, ]
}

check_xlim <- function(xlim) {
  if (!is.numeric(xlim) || length(xlim) != 2L || !all(is.finite(xlim)) ||
    xlim[[1L]] >= xlim[[2L]]) {
    stop_input("xlim", xlim, "'xlim' must be two numbers of seconds, the smaller first, not ",
      given(xlim)
    )
  }
  xlim
}

trace_shift <- function(rows, begin) {
  for (name in intersect(c("begin", "end"), names(rows))) {
    rows[[name]] <- rows[[name]] - begin
  }
  rows
}

# ---- Where things are --------------------------------------------------------

# Node 1 is on top; the session above it; below, how many were at work.
row_of <- function(picture, node) picture$nodes + 1 - node
session_row <- function(picture) picture$nodes + 1.1
strip_height <- function(picture) max(0.9, picture$nodes * 0.16)
strip_top <- -0.1 + 0.45

draw_frame <- function(picture, session) {
  graphics::plot.new()
  top <- if (session) session_row(picture) + 0.4 else picture$nodes + 0.5
  graphics::plot.window(picture$xlim, c(strip_top - strip_height(picture), top),
    xaxs = "i", yaxs = "i"
  )
  unit <- time_unit(diff(picture$xlim))
  at <- pretty(picture$xlim / unit$size, 7)
  graphics::axis(1L, at * unit$size, format(at, trim = TRUE), col = NA, col.ticks = "grey40",
    mgp = c(2, 0.35, 0)
  )
  graphics::mtext(unit$name, 1L, line = 1.9)
  labelled <- seq_len(picture$nodes)
  if (picture$nodes > 24) {
    labelled <- intersect(pretty(labelled, 20), labelled)
  }
  margin_text(2L, row_of(picture, labelled), labelled)
  graphics::mtext("node", 2L, line = 2.6, at = (picture$nodes + 1) / 2, las = 0L)
  if (session) {
    margin_text(2L, session_row(picture), "session")
  }
}

# Beside rows: 2, to the left, 4, to the right.
margin_text <- function(side, y, text, cex = 1, ...) {
  usr <- graphics::par("usr")
  gap <- 0.5 * graphics::par("cxy")[[1L]]
  x <- if (side == 2L) usr[[1L]] - gap else usr[[2L]] + gap
  graphics::text(rep(x, length(y)), y, text,
    adj = c(if (side == 2L) 1 else 0, 0.4), xpd = NA, cex = cex, ...
  )
}

time_unit <- function(span) {
  if (span >= 300) {
    list(size = 60, name = "minutes")
  } else if (span >= 1) {
    list(size = 1, name = "seconds")
  } else if (span >= 1e-3) {
    list(size = 1e-3, name = "milliseconds")
  } else {
    list(size = 1e-6, name = "microseconds")
  }
}

# The width of a point (1/72 inch) in what the axis counts.
point_width <- function() diff(graphics::par("usr")[1:2]) / graphics::par("pin")[[1L]] / 72
