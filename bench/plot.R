# The figure: each row a work, each point a candidate's time (or memory) as a
# multiple of the pool's; marks where the goals are.

peer_colours <- c(
  "parallel PSOCK" = "#0072B2", "parallel FORK" = "#56B4E9", mclapply = "#009E73",
  mirai = "#D55E00", callr = "#E69F00", future = "#CC79A7", clustermq = "#8B5A2B",
  shard = "#7E57C2"
)
other_shapes <- c(C = 5L, serial = 0L, bound = 2L)

# "parallel PSOCK, parLapply" is of parallel PSOCK, "C: memcpy ..." of C.
kind_of <- function(candidate) sub("[:,].*", "", candidate)

# Those of a row lie a little above each other, each in a lane of its own.
lane_of <- function(candidate) {
  kinds <- c(names(other_shapes), names(peer_colours))
  0.34 - 0.68 * (match(kind_of(candidate), kinds) - 1) / (length(kinds) - 1)
}

point_of <- function(candidate) {
  kind <- kind_of(candidate)
  other <- kind %in% names(other_shapes)
  list(
    pch = ifelse(other, other_shapes[kind], 19L),
    col = ifelse(other, "black", peer_colours[kind])
  )
}

# Beyond these a point is drawn at the edge.
edges <- c(0.03, 3000)
within_edges <- function(x) pmin(pmax(x, edges[1L]), edges[2L])

# A goal's mark, and how far its candidate is from it: that should be right of
# the mark.
draw_goal <- function(goal, rows, y) {
  row <- rows[rows$title == goal$title & rows$candidate == goal$candidate, ]
  at <- y + lane_of(goal$candidate)
  colour <- if (goal$verdict == "met") "#2E7D32" else "#C62828"
  segments(goal$at, at, within_edges(row$ratio), at, col = colour, lwd = 1.2)
  segments(goal$at, at - 0.13, goal$at, at + 0.13, col = colour, lwd = 3)
}

draw_rows <- function(rows, goals, titles) {
  heights <- rev(seq_along(titles))
  plot(NA,
    xlim = edges, ylim = c(0.5, length(titles) + 0.5), log = "x", xaxt = "n", yaxt = "n",
    xlab = "times the pool's (logarithmic; at an edge: beyond it)", ylab = "",
    xaxs = "i", yaxs = "i", bty = "n"
  )
  odd <- heights[heights %% 2L == 1L]
  rect(edges[1L], odd - 0.5, edges[2L], odd + 0.5, col = "#F3F3F3", border = NA)
  ticks <- c(0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)
  abline(v = ticks, col = "#DDDDDD")
  abline(v = 1, lwd = 2)
  axis(1L, ticks, format(ticks, drop0trailing = TRUE, scientific = FALSE, trim = TRUE))
  axis(3L, 1, "the pool", tick = FALSE, line = -0.8, font = 2L)
  labels <- vapply(titles, function(title) paste(strwrap(title, 40L), collapse = "\n"), "")
  axis(2L, heights, labels, las = 1L, tick = FALSE, line = -0.5)
  for (i in seq_len(nrow(goals))) {
    draw_goal(goals[i, ], rows, heights[titles == goals$title[i]])
  }
  y <- heights[match(rows$title, titles)] + lane_of(rows$candidate)
  look <- point_of(rows$candidate)
  points(within_edges(rows$ratio), y,
    pch = look$pch, col = look$col, cex = 1.1, lwd = 1.6, xpd = NA
  )
}

draw_legend <- function() {
  plot.new()
  legend("left",
    c(names(peer_colours), "a figure in C", "lapply()", "a bound", "goal met", "goal missed"),
    pch = c(rep(19L, length(peer_colours)), other_shapes, 124L, 124L),
    col = c(peer_colours, rep("black", 3L), "#2E7D32", "#C62828"),
    bty = "n", y.intersp = 1.3, title = "right of the line:\nthe pool is faster", title.adj = 0
  )
}

draw_figure <- function(found, path) {
  rows <- do.call(rbind, lapply(found, `[[`, "rows"))
  goals <- do.call(rbind, lapply(found, `[[`, "goals"))
  rows <- rows[is.finite(rows$ratio) & rows$ratio > 0 & !is_pool(rows$candidate), ]
  goals <- goals[paste(goals$title, goals$candidate) %in% paste(rows$title, rows$candidate), ]
  titles <- unique(rows$title)
  png(path, 1300, 170 + 62 * length(titles), res = 110, type = "cairo")
  layout(matrix(1:2, 1L), widths = c(5.2, 1))
  par(mar = c(4, 19, 2, 1), cex = 0.9, mgp = c(2.4, 0.7, 0))
  draw_rows(rows, goals, titles)
  par(mar = c(4, 0.5, 2, 0.5))
  draw_legend()
  invisible(dev.off())
}
