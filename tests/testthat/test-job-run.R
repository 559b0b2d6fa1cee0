# The loop: claim, stream, commit, renew. On a store in memory that notes what it was
# asked, and can be made to fail.

run_job <- pool:::run_job

asked <- function(job, what) sum(job$store$calls == what)

# Both ways to run tasks do the same.
for (nodes in c("inline", "pool")) {
  local({
    nodes <- nodes
    test_that(paste("every task gets its result,", nodes), {
      if (nodes == "pool") local_pool(2)
      job <- local_job(function(x) x^2, 1:500)
      status <- run_job(job, nodes)
      expect_identical(status$state, "completed")
      expect_identical(job_values(job), as.list((1:500)^2))
      expect_true(all(job$data$by == 0))
      # None: nothing to do.
      expect_identical(run_job(local_job(identity, list()), nodes)$state, "completed")
    })

    test_that(paste("an error is the task's, and recorded once,", nodes), {
      if (nodes == "pool") local_pool(2)
      job <- local_job(function(x) if (x %% 5 == 0) stop("five") else x, 1:20)
      status <- run_job(job, nodes)
      expect_identical(c(status$completed, status$failed), c(16L, 4L))
      e <- job_values(job)[[10]]
      expect_identical(conditionMessage(e), "five")
      expect_match(e$traceback, "stop", all = FALSE)
      expect_identical(asked(job, "charge"), 0L)
    })

    test_that(paste("what tasks say is in files of the job,", nodes), {
      if (nodes == "pool") local_pool(2)
      job <- local_job(function(x) {
        if (x == 2) message("two")
        x
      }, 1:3)
      suppressMessages(run_job(job, nodes))
      expect_identical(rawToChar(job$data$files[["logs/2.txt"]]), "message: two\n")
      expect_identical(grep("/1.txt", names(job$data$files)), integer())
      # Those of a batch are put at once.
      expect_gt(asked(job, "files"), 0L)
    })

    test_that(paste("a job that was terminated is left,", nodes), {
      if (nodes == "pool") local_pool(2)
      job <- local_job(function(x) {
        Sys.sleep(0.02)
        x
      }, 1:1000)
      job$store$fail <- function(what) {
        if (asked(job, "commit") == 5) job$data$terminated <- TRUE
      }
      status <- run_job(job, nodes)
      expect_identical(status$state, "terminated")
      expect_gt(status$completed, 0)
      expect_lt(status$completed, 900)
      expect_true(all(job$data$by == 0))
    })

    test_that(paste("an error of the store ends it, and gives back what was claimed,", nodes), {
      if (nodes == "pool") local_pool(2)
      job <- local_job(function(x) x, 1:300)
      job$store$fail <- function(what) {
        if (what == "commit" && asked(job, "commit") == 3) pool:::stop_job("the disk is full", "j")
      }
      e <- error_of(run_job(job, nodes))
      expect_identical(class(e)[[1]], "pool_job_error")
      expect_match(conditionMessage(e), "the disk is full")
      expect_true(all(job$data$by == 0))
      if (nodes == "pool") expect_usable()
      # Nothing is lost: who goes on finishes it.
      job$store$fail <- NULL
      run_job(job, nodes)
      expect_identical(job_values(job), as.list(1:300))
    })

    test_that(paste("a Ctrl-C gives back what was claimed,", nodes), {
      if (nodes == "pool") local_pool(2)
      job <- local_job(function(x) if (x > 10) Sys.sleep(600) else x, 1:50)
      interrupted(run_job(job, nodes), after = 1)
      expect_true(all(job$data$by == 0))
      expect_identical(asked(job, "charge"), 0L)
      done <- unlist(job_values(job, partial = TRUE))
      expect_true(length(done) > 0 && all(done %in% 1:10))
      if (nodes == "pool") expect_usable()
    })
  })
}

test_that("a Ctrl-C of the terminal, which nodes get too, fails no task", {
  local_pool(2)
  dir <- withr::local_tempdir()
  job <- pool:::job_new(memory_store(), "j", "lapply", at_top(function(x, dir) {
    file.create(file.path(dir, x))
    if (!file.exists(file.path(dir, "go"))) Sys.sleep(600)
    x
  }), args = list(dir = dir), tasks = 1:6)
  pids <- c(pool_status()$pid, Sys.getpid())
  begun <- sprintf("test $(ls %s | wc -l) -ge 2", shQuote(dir))
  wait <- paste("for i in $(seq 400); do", begun, "&& break; sleep 0.05; done")
  system(paste0("(", wait, "; kill -INT ", paste(pids, collapse = " "), ") &"))
  value <- tryCatch(run_job(job, "pool"), interrupt = function(e) "interrupted")
  expect_identical(value, "interrupted")
  expect_true(all(is.na(job$data$status)) && all(job$data$by == 0))
  file.create(file.path(dir, "go"))
  expect_usable()
  expect_identical(run_job(job, "pool")$completed, 6L)
})

test_that("a task that interrupts itself each time is lost after its tries", {
  local_pool(2)
  job <- local_job(function(x) {
    if (x == 3) {
      tools::pskill(Sys.getpid(), tools::SIGINT)
      Sys.sleep(5)
    }
    x
  }, 1:5)
  status <- run_job(job, "pool")
  expect_identical(c(status$completed, status$lost), c(4L, 1L))
  expect_match(conditionMessage(job_values(job, partial = TRUE)[[3]]), "its node was interrupted")
})

test_that("a task that kills its node is lost after its tries, the others finish", {
  local_pool(2)
  dir <- withr::local_tempdir()
  job <- pool:::job_new(memory_store(), "j", "lapply", at_top(function(x, dir) {
    cat("x", file = file.path(dir, x), append = TRUE)
    if (x == 7) tools::pskill(Sys.getpid(), tools::SIGKILL)
    x
  }), args = list(dir = dir), tasks = 1:40)
  status <- run_job(job, "pool")
  expect_identical(c(status$completed, status$lost), c(39L, 1L))
  e <- job_values(job)[[7]]
  expect_s3_class(e$parent, "pool_worker_error")
  expect_match(conditionMessage(e), "task 7 was lost: its node was killed by signal 9")
  expect_identical(asked(job, "charge"), 3L)
  # Three tries alone, and at most one more in a batch with others.
  expect_lte(file.size(file.path(dir, 7)), 4)
  # The others ran once, or were in that batch.
  others <- file.size(file.path(dir, setdiff(1:40, 7)))
  expect_true(all(others %in% 1:2))
})

# Each of them once: chance, which is left to the soaks, would now and then hit one task
# as often as it may be tried.
test_that("a node that is killed from outside costs a try, and no result", {
  local_pool(2)
  marks <- withr::local_tempdir()
  job <- pool:::job_new(memory_store(), "j", "lapply", at_top(function(x, marks) {
    mark <- file.path(marks, x)
    if (x %% 8 == 0 && !file.exists(mark)) {
      cat(Sys.getpid(), file = paste0(mark, ".new"))
      file.rename(paste0(mark, ".new"), mark)
      Sys.sleep(600)
    }
    x
  }), list(marks = marks), 1:40, list(timeout = 300)) # so each is alone
  killed <- character()
  job$store$fail <- function(what) {
    for (mark in setdiff(dir(marks, "^[0-9]+$"), killed)) {
      killed <<- c(killed, mark)
      tools::pskill(scan(file.path(marks, mark), 0L, quiet = TRUE), tools::SIGKILL)
    }
  }
  run_job(job, "pool")
  expect_setequal(as.integer(killed), seq(8, 40, 8))
  expect_identical(job_values(job), as.list(1:40))
  expect_identical(job$data$tries, rep(c(0L, 0L, 0L, 0L, 0L, 0L, 0L, 1L), 5))
})

test_that("a time limit ends a task, which has failed then and is not run again", {
  local_pool(2)
  dir <- withr::local_tempdir()
  slow <- at_top(function(x, dir) {
    cat("x", file = file.path(dir, x), append = TRUE)
    for (i in seq_len(if (x == 3) 60000 else 0)) Sys.sleep(0.01)
    x
  })
  job <- pool:::job_new(memory_store(), "j", "lapply", slow, list(dir = dir), 1:6,
    list(timeout = 0.5)
  )
  status <- run_job(job, "pool")
  expect_identical(c(status$completed, status$failed), c(5L, 1L))
  e <- job_values(job)[[3]]
  expect_s3_class(e$parent, "pool_timeout_error")
  expect_match(conditionMessage(e), "task 3 took longer than the 0.5 seconds")
  expect_identical(unname(file.size(file.path(dir, 1:6))), rep(1, 6))
  expect_identical(asked(job, "charge"), 0L)
  # In this process R's own limit does it, where R looks at it.
  job <- pool:::job_new(memory_store(), "j", "lapply", slow, list(dir = dir), 1:6,
    list(timeout = 0.5)
  )
  expect_identical(run_job(job)$failed, 1L)
})

test_that("a jump out of a task is its failure", {
  local_pool(2)
  job <- local_job(function(x) if (x == 5) invokeRestart("abort") else x, 1:20)
  status <- run_job(job, "pool")
  expect_identical(c(status$completed, status$failed), c(19L, 1L))
  expect_match(conditionMessage(job_values(job)[[5]]), "jumped")
})

test_that("short tasks go in batches, and few commits", {
  local_pool(2)
  job <- local_job(function(x) x, 1:5000)
  run_job(job, "pool")
  expect_identical(job_values(job), as.list(1:5000))
  expect_lt(asked(job, "commit"), 500)
})

test_that("slow tasks go one by one, to whoever is free, and none is hoarded", {
  local_pool(2)
  job <- local_job(function(x) {
    Sys.sleep(0.15)
    x
  }, 1:12)
  most <- 0
  job$store$fail <- function(what) most <<- max(most, sum(job$data$by > 0))
  run_job(job, "pool")
  expect_identical(job_values(job), as.list(1:12))
  expect_lte(most, 5)
})

test_that("tasks that turn slow are given back, so that others may have them", {
  local_pool(2)
  job <- local_job(function(x) {
    if (x > 3000) Sys.sleep(0.05)
    x
  }, 1:3060)
  late <- 0
  job$store$fail <- function(what) {
    open <- sum(is.na(job$data$status))
    if (what == "commit" && open < 40) late <<- max(late, sum(job$data$by > 0))
  }
  run_job(job, "pool")
  expect_identical(job_values(job), as.list(1:3060))
  expect_lte(late, 20)
})

test_that("a slow task does not hold up those behind it in its batch", {
  skip_if(identical(getOption("pool.transport"), "socket"))
  local_pool(2)
  marks <- withr::local_tempfile()
  n <- 3000
  job <- pool:::job_new(memory_store(), "j", "lapply", at_top(function(x, marks, n) {
    cat(sprintf("%d\n", x), file = marks, append = TRUE)
    if (x == 1500) {
      # Until all the others are done, which it is in front of.
      until <- Sys.time() + 60
      while (length(readLines(marks)) < n && Sys.time() < until) Sys.sleep(0.05)
      return(Sys.time() < until)
    }
    x
  }), list(marks = marks, n = n), seq_len(n))
  run_job(job, "pool")
  values <- job_values(job)
  expect_true(values[[1500]])
  expect_identical(values[-1500], as.list(seq_len(n))[-1500])
  expect_identical(sort(as.integer(readLines(marks))), seq_len(n)) # none twice
})

test_that("claims are renewed in time, also while a task runs", {
  local_pool(1)
  store <- memory_store()
  store$lease <- 0.2
  job <- local_job(function(x) Sys.sleep(1.5), 1, store = store)
  run_job(job, "pool")
  expect_gte(asked(job, "renew"), 5)
  expect_lte(asked(job, "renew"), 30)
})

test_that("who finds nothing to do waits for those at work, and takes over from the dead", {
  store <- memory_store()
  mine <- local_job(function(x) x, 1:10, store = store)
  other <- pool:::store_open_job(store, "j")
  pool:::job_claim(other, 4)
  looks <- 0
  store$fail <- function(what) {
    if (what == "claim" && all(!is.na(mine$data$status[5:10]))) {
      looks <<- looks + 1
      if (looks == 5) memory_die(other)
    }
  }
  run_job(mine)
  expect_identical(looks >= 5, TRUE)
  expect_identical(job_values(mine), as.list(1:10))
  # Asked now and then, not all the time.
  expect_lt(looks, 12)
})

test_that("until = \"idle\" leaves when there is nothing to be had", {
  store <- memory_store()
  mine <- local_job(function(x) x, 1:10, store = store)
  other <- pool:::store_open_job(store, "j")
  pool:::job_claim(other, 4)
  status <- run_job(mine, until = "idle")
  expect_identical(status$state, "active")
  expect_identical(is.na(mine$data$status), rep(c(TRUE, FALSE), c(4, 6)))
})

test_that("what came back from a death runs alone", {
  local_pool(2)
  job <- local_job(function(x) x, 1:200)
  job$data$tries[c(50, 51)] <- 1L
  batches <- list()
  trace <- pool:::run_fill
  run_job(job, "pool")
  expect_identical(job_values(job), as.list(1:200))
  run <- list2env(list(size = 10, most = 1000, task = 1:6,
    alone = c(FALSE, FALSE, TRUE, TRUE, FALSE, FALSE)))
  length_of <- pool:::run_batch_length
  expect_equal(length_of(run), 2)
  run$alone <- c(TRUE, FALSE)
  run$task <- 1:2
  expect_equal(length_of(run), 1)
  run$alone <- c(FALSE, FALSE)
  expect_equal(length_of(run), 2)
})

test_that("progress is told now and then, and at the end", {
  job <- local_job(function(x) {
    Sys.sleep(0.1)
    x
  }, 1:15)
  seen <- list()
  run_job(job, progress = function(status) seen[[length(seen) + 1]] <<- status)
  expect_gte(length(seen), 3)
  expect_lte(length(seen), 15)
  done <- vapply(seen, `[[`, 0L, "completed")
  expect_false(is.unsorted(done))
  expect_identical(done[[length(done)]], 15L)
})

test_that("without a pool, tasks of a job are not run on it", {
  local_no_pool()
  job <- local_job(function(x) x, 1:3)
  expect_s3_class(error_of(run_job(job, "pool")), "pool_absent_error")
  expect_true(all(job$data$by == 0))
})

test_that("the pool's nodes have nothing of a job afterwards", {
  local_pool(2)
  local_globals(k = 5)
  job <- local_job(function(x) x + k, 1:50)
  rm("k", envir = globalenv())
  run_job(job, "pool")
  expect_identical(job_values(job), as.list(1:50 + 5))
  expect_identical(pool_evalq(ls(globalenv(), all.names = TRUE)), list(character(), character()))
  local_globals(k = 5) # for the defer
})

test_that("seeded results do not depend on nodes, batches, or deaths", {
  seed <- pool:::check_seed(7)
  draw <- function(x) c(runif(2), sample.int(100, 1))
  inline <- local_job(draw, 1:60, seed = seed)
  run_job(inline)
  local_pool(3)
  pooled <- local_job(draw, 1:60, seed = seed)
  pooled$store$fail <- function(what) {
    if (what == "commit" && asked(pooled, "commit") == 2) {
      tools::pskill(.Call(pool:::C_pool_nodes, pool:::the$handle)[[1]], tools::SIGKILL)
    }
  }
  run_job(pooled, "pool")
  expect_identical(job_values(pooled), job_values(inline))
})
