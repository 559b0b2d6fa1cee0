# What plot() of a trace draws: bars of tasks, of waiting and of deaths, the session's row,
# the critical path, the strip below.

bar <- function(begin, end, y, half, ...) {
  if (length(begin)) {
    graphics::rect(begin, y - half, end, y + half, ...)
  }
}

draw_waiting <- function(picture) {
  calls <- picture$calls
  for (i in seq_len(nrow(calls))) {
    y <- row_of(picture, seq_len(calls$nodes[[i]]))
    bar(rep(calls$begin[[i]], length(y)), rep(calls$end[[i]], length(y)), y, 0.4,
      col = trace_colours[["waiting"]], border = NA
    )
  }
}

# What is too narrow to be seen as a bar is drawn as what part of the time was busy.
draw_nodes <- function(picture) {
  tasks <- picture$tasks[picture$tasks$count > 0, ]
  point <- point_width()
  narrow <- tasks$end - tasks$begin < 1.5 * point
  for (node in unique(tasks$node[narrow])) {
    rows <- tasks[narrow & tasks$node == node, ]
    draw_density(rows, row_of(picture, node), picture$xlim, 1.5 * point)
  }
  wide <- tasks[!narrow, ]
  y <- row_of(picture, wide$node)
  bar(wide$begin, wide$end, y, 0.4, col = bar_colour(wide),
    border = ifelse(wide$end - wide$begin > 4 * point, "white", NA), lwd = 0.6
  )
  special <- tasks[narrow & (tasks$outcome != "done" | tasks$try > 1L), ]
  bar(special$begin, pmax(special$end, special$begin + 1.5 * point), row_of(picture, special$node),
    0.4, col = bar_colour(special), border = NA
  )
  draw_numbers(wide, y, picture$xlim)
  draw_deaths(picture, point)
}

# Neighbours of a row differ, so that one sees where they meet.
bar_colour <- function(tasks) {
  turn <- stats::ave(seq_len(nrow(tasks)), tasks$node, FUN = function(i) seq_along(i) %% 2)
  colour <- trace_colours[ifelse(turn == 1, "done", "done2")]
  again <- tasks$try > 1L & tasks$outcome == "done"
  colour[again] <- trace_colours[["retry"]]
  other <- tasks$outcome != "done"
  colour[other] <- trace_colours[as.character(tasks$outcome[other])]
  unname(colour)
}

# By cells of the axis: the darker, the more of it there were elements.
draw_density <- function(rows, y, xlim, width,
                         colours = trace_colours[c("waiting", "done2", "done")], half = 0.4) {
  if (nrow(rows) == 0L) {
    return()
  }
  from <- max(xlim[[1L]], min(rows$begin))
  to <- min(xlim[[2L]], max(rows$end))
  if (to <= from) {
    return()
  }
  edges <- seq(from, to + width, by = width)
  share <- pmin(1, diff(busy_until(rows, edges)) / width)
  cells <- which(share > 1e-4)
  ramp <- grDevices::colorRamp(colours)
  colour <- grDevices::rgb(ramp(sqrt(share[cells])), maxColorValue = 255)
  bar(edges[cells], edges[cells + 1L], rep(y, length(cells)), half, col = colour, border = NA)
}

# Seconds of elements up to each moment; elements of all rows together.
busy_until <- function(rows, moments) {
  past <- function(x) {
    x <- sort(x)
    n <- findInterval(moments, x)
    n * moments - c(0, cumsum(x))[n + 1L]
  }
  past(rows$begin) - past(rows$end)
}

# The elements' numbers, where there is room, in the middle of what is seen of them.
draw_numbers <- function(tasks, y, xlim) {
  if (nrow(tasks) == 0L || nrow(tasks) > 2000L) {
    return()
  }
  label <- ifelse(tasks$count > 1,
    sprintf("%.0f-%.0f", tasks$first, tasks$first + tasks$count - 1),
    sprintf("%.0f", tasks$first)
  )
  size <- min(0.8, 0.62 * graphics::par("pin")[[2L]] / diff(graphics::par("usr")[3:4]) /
    (graphics::par("cin")[[2L]]) * 1.3)
  begin <- pmax(tasks$begin, xlim[[1L]])
  end <- pmin(tasks$end, xlim[[2L]])
  room <- end - begin > graphics::strwidth(label, cex = size) * 1.25
  if (any(room) && size > 0.3) {
    graphics::text(((begin + end) / 2)[room], y[room], label[room],
      col = "white", cex = size
    )
  }
}

# A cross where a node died, a hollow bar until its replacement has something to do.
draw_deaths <- function(picture, point) {
  tasks <- picture$tasks
  for (i in seq_len(nrow(picture$starts))) {
    start <- picture$starts[i, ]
    next_one <- tasks$begin[tasks$node == start$node & tasks$begin >= start$begin]
    until <- if (length(next_one)) min(next_one) else max(picture$calls$end)
    bar(start$begin, max(until, start$begin + point), row_of(picture, start$node), 0.25,
      density = 30, angle = 45, col = trace_colours[["lost"]], border = trace_colours[["lost"]],
      lwd = 0.5
    )
  }
  dead <- tasks[tasks$outcome %in% c("lost", "timeout"), ]
  if (nrow(dead)) {
    y <- row_of(picture, dead$node)
    graphics::points(dead$end, y, pch = 4L, lwd = 4, cex = 1.2, col = "white", xpd = NA)
    graphics::points(dead$end, y,
      pch = 4L, lwd = 2, cex = 1.2, col = trace_colours[["death"]], xpd = NA
    )
  }
}

draw_session <- function(picture) {
  rows <- picture$session
  if (nrow(rows) == 0L) {
    return()
  }
  y <- session_row(picture)
  calls <- picture$calls
  bar(calls$begin, calls$end, rep(y, nrow(calls)), 0.2,
    col = trace_colours[["waiting"]], border = NA
  )
  width <- 1.5 * point_width()
  narrow <- rows$end - rows$begin < width
  for (what in c("send", "take")) {
    draw_density(rows[narrow & rows$what == what, ], y, picture$xlim, width,
      trace_colours[c("waiting", what)], 0.2
    )
  }
  wide <- rows[!narrow, ]
  bar(wide$begin, wide$end, rep(y, nrow(wide)), 0.2, col = trace_colours[wide$what], border = NA)
}

# A line under what the end of each call waited for.
draw_path <- function(picture) {
  path <- bind_rows(trace_calls(picture, trace_path))
  runs <- path[path$what == "run", ]
  if (nrow(runs)) {
    y <- row_of(picture, runs$node) - 0.44
    graphics::segments(runs$begin, y, runs$end, y,
      col = trace_colours[["path"]], lwd = 2, lend = 1L
    )
  }
}

# How many nodes were at work, by cells.
draw_strip <- function(picture) {
  tasks <- picture$tasks
  bottom <- strip_top - strip_height(picture)
  top <- strip_top - 0.25 * strip_height(picture)
  width <- max(point_width(), diff(picture$xlim) / 600)
  edges <- seq(picture$xlim[[1L]], picture$xlim[[2L]], by = width)
  at_work <- diff(busy_until(tasks, edges)) / width
  height <- bottom + (top - bottom) * pmin(1, at_work / picture$nodes)
  n <- length(at_work)
  x <- rep(edges, each = 2L)[-c(1L, 2L * n + 2L)]
  graphics::polygon(c(x, edges[[n + 1L]], edges[[1L]]),
    c(rep(height, each = 2L), bottom, bottom),
    col = trace_colours[["work"]], border = NA
  )
  graphics::segments(picture$xlim[[1L]], top, picture$xlim[[2L]], top, col = "grey70", lty = 3L)
  graphics::segments(picture$xlim[[1L]], bottom, picture$xlim[[2L]], bottom,
    col = "grey40", xpd = NA
  )
  margin_text(2L, top, picture$nodes, cex = 0.8, col = "grey30")
  margin_text(2L, (bottom + top) / 2, "at work    ", cex = 0.8)
}
