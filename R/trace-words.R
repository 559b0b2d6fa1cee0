# The words of a trace's picture: title, outline, legend, shares, names of calls.

draw_words <- function(picture, main, lines) {
  calls <- picture$calls
  draw_shares(picture)
  if (nrow(calls) > 1L && nrow(calls) <= 100L) {
    draw_calls(picture)
  }
  if (is.null(main)) {
    main <- if (nrow(calls) == 1L) calls$what else sprintf("%d calls on the pool", nrow(calls))
  }
  graphics::title(main = main, line = 2 + 0.9 * lines, cex.main = fitting(main, 1.05, font = 2L),
    adj = 0
  )
  outline <- trace_outline(picture)
  graphics::mtext(outline, 3L, line = 0.85 + 0.9 * lines, adj = 0, col = "grey30",
    cex = fitting(outline, 0.85) * graphics::par("cex")
  )
  words <- picture$legend
  for (line in seq_len(lines)) {
    part <- ceiling(seq_along(words) / length(words) * lines) == line
    draw_trace_legend(words[part], lines - line)
  }
}

# The size of a line above the rows: smaller where it would be too long.
fitting <- function(text, size, ...) {
  room <- graphics::par("fin")[[1L]] - graphics::par("mai")[[2L]]
  long <- max(0, graphics::strwidth(text, "inches", ...))
  if (long > 0) min(size, 0.95 * room / long) else size
}

trace_outline <- function(picture) {
  calls <- picture$calls
  tasks <- picture$tasks
  nodes <- max(calls$nodes)
  spent <- sum(calls$nodes * (calls$end - calls$begin))
  text <- sprintf("%s on %s in %s, nodes busy for %s of it",
    count_text(sum(calls$elements), "element"), count_text(nodes, "node"),
    seconds_text(sum(calls$end - calls$begin)),
    percent_text(sum(tasks$end - tasks$begin) / spent)
  )
  paste(c(text, trimws(trace_accidents(tasks))), collapse = "; ")
}

# Right of each row: how busy the node was.
draw_shares <- function(picture) {
  if (picture$nodes > 40L) {
    return()
  }
  tasks <- picture$tasks
  span <- sum(picture$calls$end - picture$calls$begin)
  busy <- vapply(seq_len(picture$nodes), function(node) {
    own <- tasks$node == node
    sum(tasks$end[own] - tasks$begin[own])
  }, 0)
  size <- if (picture$nodes > 24L) 0.6 else 0.85
  margin_text(4L, row_of(picture, seq_len(picture$nodes)), percent_text(busy / span),
    cex = size, col = "grey30"
  )
  margin_text(4L, picture$nodes + 0.5 + 0.15 * strip_height(picture), "busy",
    cex = 0.85, col = "grey30"
  )
}

# Where calls begin and end; what they are, as far as there is room.
draw_calls <- function(picture) {
  calls <- picture$calls
  top <- session_row(picture) - 0.25
  graphics::segments(c(calls$begin, calls$end), 0.5, y1 = top, col = "grey50", lwd = 0.6)
  size <- min(0.75, 0.3 * graphics::par("pin")[[2L]] / diff(graphics::par("usr")[3:4]) /
    graphics::par("cin")[[2L]] * 1.4)
  if (size < 0.4) {
    return()
  }
  words <- paste0(calls$call, "  ", calls$what)
  for (i in seq_along(words)) {
    room <- calls$end[[i]] - calls$begin[[i]]
    fits <- vapply(seq_len(nchar(words[[i]])), function(n) {
      graphics::strwidth(substr(words[[i]], 1L, n), cex = size)
    }, 0) < 0.96 * room
    if (any(fits)) {
      graphics::text(calls$begin[[i]] + 0.02 * room, picture$nodes + 0.63,
        substr(words[[i]], 1L, sum(fits)), adj = c(0, 0.4), cex = size, col = "grey20"
      )
    }
  }
}

# What there is to explain: names of trace_colours and words.
trace_legend <- function(picture) {
  tasks <- picture$tasks
  words <- c(
    done = "element", retry = "run again", error = "error", lost = "lost with its node",
    timeout = "took too long", cut = "given up", waiting = "waiting", death = "node died",
    path = "critical path", send = "sending", take = "taking results in"
  )
  bad <- c("error", "lost", "timeout", "cut")
  here <- c(
    "done", "waiting", "path", unique(as.character(tasks$outcome[tasks$outcome %in% bad])),
    if (any(tasks$try > 1L & tasks$outcome == "done")) "retry",
    if (any(tasks$outcome %in% c("lost", "timeout"))) "death", picture$session$what
  )
  words[names(words) %in% here]
}

# In one line above the rows, `up` lines higher, smaller where it would be too long.
draw_trace_legend <- function(words, up) {
  usr <- graphics::par("usr")
  line <- graphics::par("cxy")[[2L]]
  needed <- function(cex) {
    sum(graphics::strwidth(words, cex = cex)) + length(words) * graphics::strwidth("MMn", cex = cex)
  }
  most <- diff(usr[1:2]) * (1 + graphics::par("mai")[[4L]] / graphics::par("pin")[[1L]])
  cex <- min(0.8, 0.8 * most / needed(0.8))
  em <- graphics::strwidth("M", cex = cex)
  x <- usr[[1L]]
  y <- usr[[4L]] + (0.75 + 0.9 * up) * line
  size <- 0.35 * line * cex
  for (name in names(words)) {
    colour <- trace_colours[[name]]
    if (name == "death") {
      graphics::points(x + 0.6 * em, y, pch = 4L, lwd = 2, col = colour, xpd = NA)
    } else if (name == "path") {
      graphics::segments(x, y, x + 1.2 * em, y, col = colour, lwd = 2, lend = 1L, xpd = NA)
    } else {
      graphics::rect(x, y - size, x + 1.2 * em, y + size, col = colour, border = NA, xpd = NA)
    }
    graphics::text(x + 1.5 * em, y, words[[name]], adj = c(0, 0.4), cex = cex, xpd = NA)
    x <- x + graphics::strwidth(words[[name]], cex = cex) + 2.6 * em
  }
}
