# A node that dies in a task: the task is tried again, then reported as lost,
# and the pool is whole afterwards.

# Dies in the tries for which there is no file yet, `times` in all.
die_times <- function(i, victim, dir, times) {
  if (i == victim) {
    tries <- length(list.files(dir, "^try"))
    if (tries < times) {
      file.create(tempfile("try", dir))
      tools::pskill(Sys.getpid(), tools::SIGKILL)
      Sys.sleep(60)
    }
  }
  i * 10
}

for (type in c("FORK", "PSOCK")) {
  local({
    type <- type
    test_that(paste("an element that kills its node once or twice is run again,", type), {
      local_pool(2, type = type)
      for (times in 1:2) {
        dir <- withr::local_tempdir()
        expect_identical(pool_sapply(1:8, die_times, 5, dir, times), 1:8 * 10)
        expect_length(list.files(dir), times)
        expect_identical(pool_size(), 2L)
      }
      dir <- withr::local_tempdir()
      expect_identical(
        pool_map(die_times, 1:8, MoreArgs = list(victim = 1, dir = dir, times = 1)),
        as.list(1:8 * 10)
      )
      expect_usable()
    })

    test_that(paste("an element that always kills its node is lost, the others are not,", type), {
      local_pool(2, type = type)
      dir <- withr::local_tempdir()
      e <- error_of(pool_lapply(c(a = 1, b = 2, c = 3, d = 4), die_times, 3, dir, Inf))
      expect_s3_class(e, c("pool_worker_error", "pool_error", "error", "condition"), exact = TRUE)
      expect_identical(e$index, 3L)
      expect_identical(e$name, "c")
      expect_true(e$node %in% 1:2)
      expect_match(format(e$status), "9")
      expect_identical(e$results, list(a = 10, b = 20, c = NULL, d = 40))
      # Once, and twice again.
      expect_length(list.files(dir), 3)
      expect_identical(pool_size(), 2L)
      expect_length(unique(node_pids()), 2)
      expect_usable()
    })
  })
}

test_that("quit() in a task ends the node, and says with what status", {
  local_pool()
  e <- error_of(pool_lapply(1:3, function(i) if (i == 2) quit("no", status = 3) else i))
  expect_s3_class(e, "pool_error")
  expect_identical(e$index, 2L)
  expect_identical(e$results[c(1, 3)], list(1L, 3L))
  expect_match(format(e$status), "3")
  expect_error(pool_lapply(1, function(i) q("no")), class = "pool_error")
  expect_error(pool_lapply(1, function(i) base::quit()), class = "pool_error")
  expect_error(pool_evalq(quit("no")), class = "pool_error")
  expect_identical(pool_size(), 2L)
  expect_usable()
})

test_that("errors and deaths in one call are both reported", {
  local_pool()
  e <- error_of(pool_lapply(1:4, function(i) {
    if (i == 2) tools::pskill(Sys.getpid(), tools::SIGKILL)
    if (i == 3) stop("an error too")
    i
  }))
  expect_s3_class(e, "pool_worker_error")
  expect_identical(e$index, 2L)
  expect_length(e$errors, 2)
  expect_s3_class(e$errors[[1]], "pool_worker_error")
  expect_s3_class(e$errors[[2]], "pool_task_error")
  expect_identical(conditionMessage(e$errors[[2]]$parent), "an error too")
  expect_identical(e$results, list(1L, NULL, NULL, 4L))
  expect_usable()
})

test_that("chunks that are bound to a node survive its death", {
  local_pool()
  dir <- withr::local_tempdir()
  expect_identical(pool_sapply(1:9, die_times, 4, dir, 1, chunk.size = 3), 1:9 * 10)
  dir <- withr::local_tempdir()
  expect_identical(
    pool_map(die_times, 1:9, MoreArgs = list(victim = 2, dir = dir, times = 2),
             .scheduling = "static", SIMPLIFY = TRUE),
    1:9 * 10
  )
  dir <- withr::local_tempdir()
  e <- error_of(pool_lapply(1:6, die_times, 2, dir, Inf, chunk.size = 3))
  expect_identical(e$index, 2L)
  expect_identical(e$results, list(10, NULL, 30, 40, 50, 60))
})

test_that("pool_call() is run again on the node that replaces one", {
  local_pool()
  dir <- withr::local_tempdir()
  pids <- node_pids()
  answer <- pool_call(function(pid) {
    if (Sys.getpid() == pid) tools::pskill(pid, tools::SIGKILL)
    "answered"
  }, pids[1])
  expect_identical(answer, list("answered", "answered"))
  now <- node_pids()
  expect_false(pids[1] %in% now)
  expect_identical(now[2], pids[2])
})

test_that("a replacement knows what all nodes were told, and no more", {
  local_pool()
  told <- "exported"
  pool_export("told", environment())
  pool_evalq(options(pool_test_told = "evaluated"))
  pool_evalq(count <- 1)
  pool_evalq(count <- count + 1)
  told <- "exported again"
  pool_export("told", environment())
  pool_call(at_top(function() assign("called", "by pool_call", globalenv())))
  know <- at_top(function() {
    list(get("told", globalenv()), getOption("pool_test_told"), get("count", globalenv()))
  })
  expected <- list("exported again", "evaluated", 2)
  expect_identical(pool_call(know), list(expected, expected))
  old <- node_pids()
  tools::pskill(old[2], tools::SIGKILL)
  expect_true(gone(old[2]))
  expect_identical(pool_call(know), list(expected, expected))
  expect_identical(pool_evalq(exists("called")), list(TRUE, FALSE))
  # Those who die in a call are replaced by some that know it too.
  dir <- withr::local_tempdir()
  expect_identical(pool_sapply(1:4, function(i) die_times(i, 2, dir, 2)), 1:4 * 10)
  expect_identical(pool_call(know), list(expected, expected))
  # With init_pool() all is forgotten.
  init_pool(2)
  tools::pskill(node_pids(), tools::SIGKILL)
  expect_identical(pool_evalq(exists("told")), list(FALSE, FALSE))
})

test_that("all nodes at once may die", {
  local_pool(3)
  for (round in 1:3) {
    tools::pskill(node_pids(), tools::SIGKILL)
    expect_usable()
  }
  dir <- withr::local_tempdir()
  f <- function(i) {
    mine <- file.path(dir, i)
    if (!file.exists(mine)) {
      file.create(mine)
      tools::pskill(Sys.getpid(), tools::SIGKILL)
    }
    i
  }
  expect_identical(pool_sapply(1:12, f), 1:12)
  expect_identical(pool_size(), 3L)
})

test_that("the process that nodes are forked from may die", {
  parent_of <- function(pid) process_info(pid)$parent
  for (type in c("FORK", "PSOCK")) {
    local_pool(2, type = type)
    told <- "kept"
    pool_export("told", environment())
    template <- parent_of(node_pids()[1])
    expect_false(template == Sys.getpid())
    tools::pskill(template, tools::SIGKILL)
    expect_identical(pool_evalq(told), list("kept", "kept"))
    expect_usable()

    template <- parent_of(node_pids()[1])
    dir <- withr::local_tempdir()
    f <- function(i) {
      if (i == 3 && file.create(file.path(dir, "done")) && length(list.files(dir)) == 1 &&
        !file.exists(file.path(dir, "once"))) {
        file.rename(file.path(dir, "done"), file.path(dir, "once"))
        tools::pskill(template, tools::SIGKILL)
        Sys.sleep(60)
      }
      i * 2
    }
    expect_identical(pool_sapply(1:6, f), 1:6 * 2)
    expect_usable()
  }
})
