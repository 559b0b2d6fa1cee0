# The picture of a trace.

# What is drawn, as calls of the graphics engine would see it: no device is asked for
# more than that it draws without a warning.
draws <- function(code, width = 7, height = 4) {
  grDevices::pdf(NULL, width, height)
  on.exit(grDevices::dev.off())
  expect_silent(code)
}

test_that("small and large traces are drawn, also where there is little room", {
  local_pool(3)
  file <- withr::local_tempfile()
  trace <- pool_trace(try(silent = TRUE, pool_lapply(1:20, at_top(function(i, file) {
    Sys.sleep(0.005)
    if (i == 4) stop("four")
    if (i == 7 && !file.exists(file)) {
      file.create(file)
      tools::pskill(Sys.getpid(), 9)
    }
    if (i == 9) Sys.sleep(60)
  }), file, .timeout = 0.3)))
  expect_setequal(as.character(unique(trace$tasks$outcome)), c("done", "error", "lost", "timeout"))
  draws(value <- withVisible(plot(trace)))
  expect_identical(value, list(value = trace, visible = FALSE))
  draws(plot(trace), 3, 2.5)
  draws(plot(trace, main = "mine", xlim = c(0, 0.01), session = FALSE), 12, 8)
  many <- pool_trace(for (k in 1:120) pool_sapply(1:50, sqrt))
  draws(plot(many))
  draws(plot(many, call = 2:4))
  draws(plot(pool_trace(pool_sapply(1:20000, sqrt))))
  draws(plot(pool_trace(1)))
})

test_that("a line that is too long for the picture is written smaller", {
  grDevices::pdf(NULL, 4, 3)
  withr::defer(grDevices::dev.off())
  graphics::plot.new()
  text <- strrep("long ", 30)
  size <- fitting(text, 1.05, font = 2L)
  expect_lt(size, 1.05)
  expect_lt(size * graphics::strwidth(text, "inches", font = 2L), 4 - graphics::par("mai")[[2L]])
  expect_identical(fitting("short", 1.05), 1.05)
  expect_identical(fitting("", 0.85), 0.85)
  local_pool(1)
  trace <- pool_trace(pool_lapply(1:2, identity))
  draws(plot(trace, main = text), 4, 3)
  draws(plot(trace, main = NA), 4, 3)
})

test_that("a plot leaves the device's parameters as they were", {
  local_pool(1)
  trace <- pool_trace(pool_lapply(1:3, identity))
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  before <- graphics::par(c("mar", "mgp", "las", "tcl"))
  plot(trace)
  expect_identical(graphics::par(c("mar", "mgp", "las", "tcl")), before)
})

test_that("bad arguments are refused", {
  local_pool(1)
  trace <- pool_trace(pool_lapply(1:3, identity))
  refused <- function(code, argument) {
    e <- error_of(code)
    expect_s3_class(e, "pool_input_error")
    expect_identical(e$argument, argument)
  }
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  refused(plot(trace, call = 2), "call")
  refused(plot(trace, call = "1"), "call")
  refused(plot(trace, xlim = c(2, 1)), "xlim")
  refused(plot(trace, xlim = c(0, NA)), "xlim")
  refused(plot(trace, xlim = 1), "xlim")
  refused(plot(trace, session = NA), "session")
})

test_that("how busy nodes were is counted by time, not by bars", {
  rows <- data.frame(begin = c(0, 4, 4.5), end = c(2, 5, 5.5)) # of two nodes
  expect_equal(busy_until(rows, c(0, 1, 2, 3, 4.25, 5, 9)), c(0, 1, 2, 2, 2.25, 3.5, 4))
  expect_equal(busy_until(rows[0, ], 1:3), c(0, 0, 0))
})

test_that("colours tell the kinds of elements apart", {
  tasks <- data.frame(
    node = c(1, 1, 1, 2, 2), outcome = c("done", "done", "error", "done", "lost"),
    try = c(1L, 1L, 1L, 2L, 2L)
  )
  expect_identical(
    bar_colour(tasks), unname(trace_colours[c("done", "done2", "error", "retry", "lost")])
  )
})

test_that("the legend has what is there", {
  picture <- list(
    tasks = data.frame(outcome = c("done", "lost", "done"), try = c(1L, 1L, 2L)),
    session = data.frame(what = "send")
  )
  expect_setequal(
    names(trace_legend(picture)), c("done", "retry", "lost", "waiting", "death", "path", "send")
  )
})
