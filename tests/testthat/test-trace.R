# pool_trace(): who ran what when.

nap <- at_top(function(x) {
  Sys.sleep(x)
  x
})

# Every element 1 to n once, in rows that lie in their call and, on a node, one after
# the other.
expect_whole <- function(trace, n, number = 1L) {
  call <- trace$calls[trace$calls$call == number, ]
  tasks <- trace$tasks[trace$tasks$call == number, ]
  done <- tasks[tasks$outcome %in% c("done", "error"), ]
  elements <- unlist(Map(function(first, count) first + seq_len(count) - 1, done$first, done$count))
  expect_identical(sort(elements), as.numeric(seq_len(n)))
  expect_identical(call$elements, as.numeric(n))
  expect_true(all(tasks$begin >= call$begin & tasks$end <= call$end))
  expect_true(all(tasks$begin <= tasks$end))
  for (node in split(tasks, tasks$node)) {
    expect_true(all(node$begin[-1] >= node$end[-nrow(node)]))
  }
}

test_that("what is slow has a row each, as long as it took", {
  local_pool(2)
  pids <- node_pids()
  naps <- c(0.05, 0.01, 0.02, 0.03, 0.01)
  trace <- pool_trace(x <- pool_lapply(naps, nap))
  expect_s3_class(trace, "pool_trace")
  expect_identical(x, as.list(naps))
  expect_whole(trace, 5)
  tasks <- as.data.frame(trace)
  expect_identical(tasks, trace$tasks)
  expect_identical(nrow(tasks), 5L)
  took <- (tasks$end - tasks$begin)[order(tasks$first)]
  expect_true(all(took >= naps - 1e-4))
  expect_identical(tasks$pid, pids[tasks$node])
  expect_identical(as.character(tasks$outcome), rep("done", 5))
  expect_identical(tasks$try, rep(1L, 5))
  expect_identical(trace$calls$what, "pool_lapply(naps, nap)")
  expect_identical(trace$calls$kind, "lapply")
  expect_identical(trace$calls$nodes, 2)
  expect_identical(trace$calls$outcome, "done")
  expect_gte(trace$elapsed, trace$calls$end - trace$calls$begin)
  expect_setequal(unique(trace$session$what), c("send", "take"))
  expect_identical(nrow(trace$starts), 0L)
  expect_false(trace$full)
})

for (transport in c("memory", "socket")) {
  local({
    transport <- transport
    test_that(paste("quick ones share rows, and none is missing, over", transport), {
      withr::local_options(pool.transport = transport)
      local_pool(2)
      trace <- pool_trace({
        pool_lapply(1:5000, identity)
        pool_map(`+`, 1:500, 1)
        pool_lapply(1:500, identity, chunk.size = 100)
      })
      for (k in 1:3) expect_whole(trace, c(5000, 500, 500)[[k]], k)
      expect_identical(trace$calls$kind, c("lapply", "map", "lapply"))
      expect_lt(nrow(trace$tasks), 3000)
    })

    test_that(paste("slow ones among what is staged have rows of their own, over", transport), {
      withr::local_options(pool.transport = transport)
      local_pool(2)
      naps <- rep(0, 200)
      naps[c(50, 120)] <- 0.05
      trace <- pool_trace(pool_lapply(naps, nap))
      expect_whole(trace, 200)
      slow <- trace$tasks[trace$tasks$first %in% c(50, 120) & trace$tasks$count == 1, ]
      expect_identical(nrow(slow), 2L)
      expect_true(all(slow$end - slow$begin >= 0.0499))
    })
  })
}

test_that("errors are marked where they were", {
  local_pool(2)
  odd <- at_top(function(i) if (i %in% c(3, 70)) stop("odd") else i)
  trace <- pool_trace(x <- pool_lapply(1:100, odd, .on_error = "return"))
  expect_whole(trace, 100)
  failed <- trace$tasks[trace$tasks$outcome == "error", ]
  expect_identical(sort(failed$first), c(3, 70))
  expect_identical(failed$count, c(1, 1))
  expect_identical(trace$calls$outcome, "error")
})

test_that("a death, the replacement and the second try are there", {
  local_pool(2)
  file <- withr::local_tempfile()
  once <- at_top(function(i, file) {
    Sys.sleep(0.02)
    if (i == 3 && !file.exists(file)) {
      file.create(file)
      tools::pskill(Sys.getpid(), 9)
    }
    i
  })
  trace <- pool_trace(x <- pool_lapply(1:6, once, file))
  expect_identical(x, as.list(1:6))
  expect_whole(trace, 6)
  lost <- trace$tasks[trace$tasks$outcome == "lost", ]
  expect_identical(nrow(lost), 1L)
  expect_identical(c(lost$first, lost$count), c(3, 1))
  expect_identical(lost$try, 1L)
  again <- trace$tasks[trace$tasks$first == 3 & trace$tasks$outcome == "done", ]
  expect_identical(again$try, 2L)
  expect_gte(again$begin, lost$end - 1e-6)
  expect_false(again$pid == lost$pid)
  expect_identical(trace$starts$node, lost$node)
  skip_if(identical(getOption("pool.transport"), "socket"), "a socket does not tell when it began")
  expect_gte(lost$end - lost$begin, 0.0199)
})

test_that("what took too long, and what was given up, have the time they took", {
  local_pool(2)
  trace <- pool_trace(x <- pool_lapply(c(0, 60, 0), nap, .timeout = 0.2, .on_error = "return"))
  late <- trace$tasks[trace$tasks$outcome == "timeout", ]
  expect_identical(late$first, 2)
  expect_gte(late$end - late$begin, 0.199)
  expect_lt(late$end - late$begin, 30)
  # A handler of ours ends the call while element 2 runs.
  trace <- pool_trace(try(silent = TRUE, withCallingHandlers(
    pool_lapply(1:2, at_top(function(i) {
      if (i == 1) message("enough") else Sys.sleep(60)
    })),
    message = function(m) {
      Sys.sleep(0.1)
      stop("enough")
    }
  )))
  expect_identical(trace$calls$outcome, "cut")
  cut <- trace$tasks[trace$tasks$outcome == "cut", ]
  expect_true(all(cut$first %in% 1:2))
  expect_usable()
})

test_that("what runs on every node is there", {
  local_pool(3)
  y <- 5
  trace <- pool_trace({
    pool_export("y", environment())
    x <- pool_evalq(y + 1)
    pool_call(nap, 0)
  })
  expect_identical(x, list(6, 6, 6))
  expect_identical(trace$calls$kind, rep("each", 3))
  expect_identical(trace$calls$what, c(
    "pool_export(\"y\", environment())", "pool_evalq(y + 1)", "pool_call(nap, 0)"
  ))
  for (k in 1:3) expect_whole(trace, 3, k)
  # What nodes were told while it was recorded is told to replacements.
  tools::pskill(node_pids()[[1]], 9)
  expect_identical(pool_evalq(y), list(5, 5, 5))
})

test_that("only what is asked for is recorded", {
  local_pool(2)
  pool_lapply(1:3, identity)
  trace <- pool_trace(1)
  pool_lapply(1:3, identity)
  expect_identical(nrow(trace$calls), 0L)
  expect_identical(nrow(trace$tasks), 0L)
  expect_identical(nrow(pool_trace()$calls), 0L) # still the same
  expect_identical(nrow(pool_trace(2)$calls), 0L)
})

test_that("traces may be nested", {
  local_pool(2)
  outer <- pool_trace({
    pool_lapply(1:3, identity)
    Sys.sleep(0.05)
    inner <- pool_trace(pool_lapply(1:4, identity))
    pool_lapply(1:5, identity)
  })
  expect_identical(outer$calls$elements, c(3, 4, 5))
  expect_identical(inner$calls$elements, 4)
  expect_identical(inner$calls$call, 1L)
  expect_lt(inner$calls$begin, outer$calls$begin[[2]])
  for (k in 1:3) expect_whole(outer, 2 + k, k)
  expect_whole(inner, 4)
})

test_that("an error in the code is the code's, and leaves a trace", {
  local_pool(2)
  e <- error_of(pool_trace(pool_lapply(1:3, at_top(function(i) stop("no")))))
  expect_s3_class(e, "pool_task_error")
  expect_identical(e$call[[1]], quote(pool_lapply))
  trace <- pool_trace()
  expect_identical(trace$calls$outcome, "error")
  expect_identical(nrow(trace$tasks), 3L)
  expect_identical(nrow(pool_trace(1)$calls), 0L) # nothing is recorded any more
})

test_that("it works without a pool, and over a new one", {
  local_no_pool()
  expect_identical(nrow(pool_trace(1)$calls), 0L)
  trace <- pool_trace({
    quiet_init(1)
    pool_lapply(1:2, identity)
    quiet_init(3)
    pool_lapply(1:2, identity)
  })
  expect_identical(trace$calls$nodes, c(1, 3))
})

test_that("random numbers and kept functions are what they are without", {
  local_pool(2)
  draw <- at_top(function(i) rnorm(1))
  expected <- pool_lapply(1:50, draw, .seed = 1)
  trace <- pool_trace(x <- pool_lapply(1:50, draw, .seed = 1))
  expect_identical(x, expected)
  expect_identical(pool_lapply(1:50, draw, .seed = 1), expected)
  stops <- at_top(function(i) if (i == 2) stop("two") else Sys.sleep(0.01))
  pool_trace(expect_error(pool_lapply(1:100, stops, .on_error = "stop"), class = "pool_task_error"))
  expect_usable()
})

test_that("what cannot be sent back, and what cannot be read, stay errors", {
  local_pool(2)
  trace <- pool_trace(x <- pool_lapply(1:2, at_top(function(i) {
    structure(list(), class = "bad", data = if (i == 1) textConnection("x") else 1)
  }), .on_error = "return"))
  expect_identical(nrow(trace$calls), 1L)
  unreadable <- structure(list(1), class = "not_there")
  expect_identical(pool_trace(pool_call(length, unreadable))$calls$outcome, "done")
})

test_that("in a fork, and in a node with a pool of its own, it is that process's", {
  local_pool(1)
  trace <- pool_trace({
    pool_lapply(1:2, identity)
    n <- parallel::mclapply(1:2, function(i) nrow(pool_trace(1)$calls), mc.cores = 2)
    inside <- pool_lapply(1, at_top(function(i) {
      suppressMessages(pool::init_pool(1))
      on.exit(suppressMessages(pool::delete_pool()))
      nrow(pool::pool_trace(pool::pool_lapply(1:7, identity))$tasks)
    }))
  })
  expect_identical(n, list(0L, 0L))
  expect_gte(inside[[1]], 1L)
  expect_identical(trace$calls$elements, c(2, 1))
})

test_that("no secret is in the name of a call", {
  local_pool(1)
  endpoint <- storage_endpoint("https://a.blob.core.windows.net", key = "c2VjcmV0")
  trace <- pool_trace(do.call(pool_lapply, list(list(endpoint), length)))
  expect_false(any(grepl("c2VjcmV0", unlist(lapply(trace$calls, as.character)))))
})

test_that("a trace has the calls that other functions made", {
  local_pool(1)
  twice <- function(x) pool_sapply(pool_sapply(x, at_top(function(i) 2 * i)), sqrt)
  trace <- pool_trace(twice(1:3))
  expect_identical(nrow(trace$calls), 2L)
  expect_match(trace$calls$what, "^pool_sapply")
  long <- at_top(function(i) {
    paste("a function that is written over", "more lines than can be shown of it", i)
  })
  trace <- eval(bquote(pool_trace(pool_lapply(1:3, .(long)))))
  expect_lte(nchar(trace$calls$what), 60)
  expect_match(trace$calls$what, "\\.\\.\\.$")
})

test_that("calls with an open end have as many elements as came", {
  local_pool(2)
  trace <- pool_trace({
    s <- stream_open(at_top(function(x) x^2))
    for (i in 1:3) stream_put(s, i)
    while (stream_left(s) > 0) stream_wait(s)
    stream_close(s)
  })
  expect_identical(trace$calls$kind, "open")
  expect_identical(trace$calls$elements, 3)
  expect_identical(trace$calls$outcome, "done")
  expect_identical(sum(trace$tasks$count), 3)
})

test_that("their elements keep their numbers, though places are used again", {
  local_pool(1)
  trace <- pool_trace({
    s <- stream_open(at_top(function(x) Sys.sleep(x)))
    for (i in 1:3) {
      stream_put(s, 0.002)
      while (stream_left(s) > 0) stream_wait(s)
    }
    stream_put(s, 60)
    stream_wait(s, 0.2)
    stream_close(s)
  })
  expect_identical(trace$tasks$first, c(1, 2, 3, 4))
  expect_identical(as.character(trace$tasks$outcome), c("done", "done", "done", "cut"))
})
