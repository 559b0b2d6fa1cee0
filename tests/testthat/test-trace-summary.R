# What a trace comes to.

# A trace of one call, made up: from 0 to `end`; tasks: vectors of node, first, begin,
# end, and what else is given.
made_up <- function(end, nodes, node, begin, until, first = seq_along(node), ...,
                    kind = "lapply", session = NULL) {
  tasks <- data.frame(
    call = 1L, node = node, pid = 100L + node, first = first, count = 1, begin = begin, end = until,
    outcome = factor("done", trace_outcomes), try = 1L
  )
  more <- list(...)
  tasks[names(more)] <- more
  if (is.character(tasks$outcome)) {
    tasks$outcome <- factor(tasks$outcome, trace_outcomes)
  }
  tasks <- tasks[order(tasks$begin), ]
  if (is.null(session)) {
    session <- data.frame(call = integer(), what = character(), node = integer(),
      begin = numeric(), end = numeric()
    )
  }
  structure(class = "pool_trace", list(
    start = Sys.time(), elapsed = end,
    calls = data.frame(
      call = 1L, what = "pool_lapply(x, f)", kind = kind, nodes = nodes,
      elements = length(unique(first)), begin = 0, end = end, outcome = "done"
    ),
    tasks = tasks, session = session,
    starts = data.frame(call = integer(), node = integer(), begin = numeric()), full = FALSE
  ))
}

# Two nodes: 1 runs 1, 3 and 4; 2 runs 2.
plain <- function() made_up(10, 2, c(1, 2, 1, 1), c(1, 1, 3, 6), c(3, 4, 5, 9))

verdict <- function(trace) trace_verdict(summary(trace)$calls)

test_that("the time of nodes adds up", {
  found <- summary(plain())
  call <- found$calls
  expect_equal(call$work, 10)
  expect_equal(call$utilisation, 0.5)
  expect_equal(c(call$wait_start, call$wait_between, call$wait_end), c(2, 1, 7))
  expect_equal(call$work + call$wait_start + call$wait_between + call$wait_end, 2 * 10)
  expect_equal(call$bound, 5) # shared out evenly
  expect_equal(call$longest_took, 3)
  expect_equal(call$used, 2)
  expect_equal(found$nodes$busy, c(7, 3))
  expect_equal(found$nodes$elements, c(3, 1))
  expect_equal(found$nodes$utilisation, c(0.7, 0.3))
  # One is as long as all the others.
  expect_equal(summary(made_up(9, 2, c(1, 2), c(0, 0), c(9, 1)))$calls$bound, 9)
})

test_that("the critical path is what the end had to wait for, without a gap", {
  path <- summary(plain())$path
  expect_identical(path$what, c("start", "run", "wait", "run", "wait", "run", "finish"))
  runs <- path[path$what == "run", ]
  expect_equal(runs$first, c(1, 3, 4))
  expect_equal(unique(runs$node), 1)
  expect_equal(path$begin[-1], path$end[-nrow(path)])
  expect_equal(c(path$begin[[1]], path$end[[nrow(path)]]), c(0, 10))
})

test_that("the critical path of what was run again leads over the earlier try", {
  # 1 is lost on node 1 at 5, and ends on node 2, which had ended 2 at 2.
  trace <- made_up(10, 2, c(1, 2, 2), c(0, 0, 6), c(5, 2, 9),
    first = c(1, 2, 1), try = c(1L, 1L, 2L), outcome = c("lost", "done", "done")
  )
  runs <- subset(summary(trace)$path, what == "run")
  expect_equal(runs$first, c(1, 1))
  expect_equal(runs$node, c(1, 2))
  expect_equal(runs$begin, c(0, 6))
  # Where its node was free later than that, it is its node that was waited for.
  trace$tasks$end[trace$tasks$first == 2] <- 5.5
  runs <- subset(summary(trace)$path, what == "run")
  expect_equal(runs$first, c(2, 1))
})

test_that("what the time was lost by is said", {
  expect_match(verdict(made_up(1, 4, 1, 0, 1, kind = "each")), "once on every node")
  expect_match(verdict(made_up(1, 4, 1:2, 0, 1)), "2 elements for 4 nodes")
  expect_match(verdict(made_up(10, 2, c(1, 2, 2), c(0, 0, 1), c(10, 1, 2))), "element 1 alone")
  expect_match(verdict(made_up(10, 2, c(1, 2, 1), c(0, 0, 5), c(5, 5, 6))), "lapply")
  expect_match(verdict(made_up(10, 2, c(1, 2, 1), c(0, 0, 5), c(5, 9.9, 10))), "nodes were busy")
  # Of four nodes three are at their end early, of elements that are all the same.
  expect_match(
    verdict(made_up(10, 4, c(1:4, 1), c(0, 0, 0, 0, 5), c(5, 5, 5, 5, 10))), "for the last ones"
  )
  # A slow one came last, after three of a second on each.
  expect_match(
    verdict(made_up(10, 4, c(rep(1:4, 3), 1), c(rep(0:2, each = 4), 3), c(rep(1:3, each = 4), 10))),
    "element 13, the slowest"
  )
  waiting <- list(10, 4, rep(1:4, 2), rep(c(0, 8), each = 4), rep(c(2, 10), each = 4))
  expect_match(verdict(do.call(made_up, waiting)), "waited between elements")
  session <- data.frame(call = 1L, what = "take", node = 1L, begin = 2, end = 8)
  expect_match(verdict(do.call(made_up, c(waiting, list(session = session)))), "for the session")
  expect_match(
    verdict(made_up(10, 4, rep(1:4, 2), rep(c(6, 8), each = 4), rep(c(8, 10), each = 4))),
    "before the first"
  )
})

test_that("accidents are counted", {
  trace <- made_up(10, 2, c(1, 2, 2, 1), c(0, 0, 6, 6), c(5, 2, 9, 9),
    first = c(1, 2, 1, 3), try = c(1L, 1L, 2L, 1L),
    outcome = c("lost", "timeout", "done", "error")
  )
  expect_output(print(trace), "1 node died, 1 element run again, 1 element took too long")
  expect_equal(summary(trace)$nodes$deaths, c(1, 1))
  expect_output(print(summary(trace)), "deaths")
  expect_false(any(grepl("deaths", capture.output(print(summary(plain()))))))
})

test_that("printing gives the outline, and returns the object", {
  withr::local_options(width = 120)
  out <- capture.output(value <- withVisible(print(plain())))
  expect_false(value$visible)
  expect_s3_class(value$value, "pool_trace")
  expect_match(out[[1]], "<pool_trace> 1 call, 10.00 s", fixed = TRUE)
  expect_match(out[[2]],
    "pool_lapply(x, f): 4 elements on 2 nodes in 10.00 s, 50% busy", fixed = TRUE
  )
  out <- capture.output(value <- withVisible(print(summary(plain()))))
  expect_false(value$visible)
  for (word in c("time", "work", "waiting", "session", "critical path", "so", "utilisation")) {
    expect_true(any(grepl(word, out)), info = word)
  }
  withr::local_options(width = 60)
  expect_true(all(nchar(capture.output(print(plain()), print(summary(plain())))) <= 60))
  full <- plain()
  full$full <- TRUE
  expect_output(print(full), "no room")
})

test_that("it is printed without a warning where a node had nothing to do", {
  idle <- made_up(1, 3, c(1, 2), c(0, 0), c(1, 1))
  expect_identical(summary(idle)$nodes$elements, c(1, 1, 0))
  expect_warning(out <- capture.output(print(summary(idle))), NA)
  expect_false(any(grepl("deaths", out)))
})

test_that("many calls are put together, none is no error", {
  local_pool(1)
  trace <- pool_trace(for (k in 1:12) pool_lapply(1:2, identity))
  expect_output(print(trace), "and 2 more")
  expect_output(print(summary(trace)), "On average")
  expect_output(print(summary(trace)), "The 3 longest")
  empty <- pool_trace(1)
  expect_output(print(empty), "0 calls")
  expect_output(print(summary(empty)), "0 calls")
  expect_identical(nrow(summary(empty)$nodes), 0L)
})

test_that("times are in units that one reads", {
  skip_if_not(l10n_info()[["UTF-8"]])
  expect_identical(
    vapply(c(NA, 0, 5e-5, 0.001234, 0.0123, 0.123, 1.234, 100.2, 125, 3600), seconds_text, ""),
    c("?", "0 \u00b5s", "50 \u00b5s", "1.23 ms", "12.3 ms", "123 ms", "1.23 s", "100 s",
      "2 min 5 s", "60 min 0 s")
  )
  expect_identical(count_text(1, "node"), "1 node")
  expect_identical(count_text(1e6, "node"), "1,000,000 nodes")
})
