# Many processes on one job: they come and go, and each task has one result.

# Each joins by itself, in a process of its own: how many results it wrote.
join <- at_top(function(path, id, until = "complete") {
  job <- pool:::store_open_job(pool:::store_directory(path), id)
  on.exit(pool:::job_close(job))
  pool:::run_job(job, until = until)$state
})

mark <- at_top(function(x, marks) {
  cat(sprintf("%d %d\n", x, Sys.getpid()), file = marks, append = TRUE)
  x + 0.5
})

marked_job <- function(store, n, env = parent.frame()) {
  marks <- withr::local_tempfile(.local_envir = env)
  file.create(marks)
  job <- pool:::job_new(store, "j", "lapply", mark, list(marks = marks), seq_len(n))
  withr::defer(pool:::job_close(job), envir = env)
  list(job = job, marks = marks)
}

read_marks <- function(path) {
  x <- scan(path, list(task = 0, pid = 0), quiet = TRUE)
  as.data.frame(x)
}

test_that("50 processes that have joined lose no task, and run none twice", {
  store <- local_store()
  n <- 3000
  made <- marked_job(store, n)
  local_pool(50)
  expect_identical(unique(pool_call(join, store$path, "j")), list("completed"))
  expect_identical(job_values(made$job), as.list(seq_len(n) + 0.5))
  found <- read_marks(made$marks)
  expect_identical(sort(found$task), as.numeric(seq_len(n)))
  expect_gt(length(unique(found$pid)), 10)
})

test_that("a job begun in one process is taken up by another", {
  skip_if_not_installed("callr")
  store <- local_store()
  marks <- withr::local_tempfile()
  # It has a variable and a function of its own, does some of the work, and ends.
  in_session(function(path, marks) {
    half <- 0.5
    plus <- function(x) x + half
    local({
      assign("half", half, globalenv())
      environment(plus) <- globalenv()
      assign("plus", plus, globalenv())
    })
    fun <- function(x, marks) {
      cat(sprintf("%d %d\n", x, Sys.getpid()), file = marks, append = TRUE)
      plus(x)
    }
    environment(fun) <- globalenv()
    job <- pool:::job_new(pool:::store_directory(path), "j", "lapply", fun,
      list(marks = marks), 1:100
    )
    got <- pool:::job_claim(job, 10)
    pool:::job_commit(job, list(
      task = got$task, status = rep("completed", 10),
      result = lapply(got$task + 0.5, pool:::job_pack), seconds = rep(0, 10)
    ), 5) # 5 more are its own when it ends
  }, list(store$path, marks))
  job <- pool:::store_open_job(store, "j")
  withr::defer(pool:::job_close(job))
  expect_equal(pool:::job_status(job)$completed, 10)
  pool:::run_job(job)
  expect_identical(job_values(job), as.list(1:100 + 0.5))
  expect_identical(sort(read_marks(marks)$task), as.numeric(11:100))
  expect_false(exists("plus", globalenv()))
})

test_that("processes join and leave at any time", {
  store <- local_store()
  n <- 400
  made <- marked_job(store, n)
  local_pool(4)
  # Those that leave do so when there is nothing for them right now.
  states <- pool_lapply(1:12, at_top(function(i, join, path) {
    join(path, "j", if (i %% 2) "idle" else "complete")
  }), join, store$path)
  expect_true(all(unlist(states) %in% c("active", "completed")))
  expect_identical(job_values(made$job), as.list(seq_len(n) + 0.5))
  expect_identical(sort(read_marks(made$marks)$task), as.numeric(seq_len(n)))
})

test_that("tasks may be added while others work on the job", {
  store <- local_store()
  made <- marked_job(store, 10)
  job <- made$job
  claim <- pool:::job_claim(job, 1) # it is not over as long as this is open
  pid <- local_supervisor(store)
  for (k in 1:10) {
    more <- pool:::job_status(job)$tasks + 1:20
    expect_equal(pool:::job_add(job, lapply(as.integer(more), pool:::job_pack)), more)
    Sys.sleep(0.02)
  }
  pool:::job_release(job, claim$task)
  expect_true(wait_for_job(job))
  expect_identical(job_values(job), as.list(1:210 + 0.5))
  expect_identical(sort(read_marks(made$marks)$task), as.numeric(1:210))
  # One that was completed goes on with what comes later.
  expect_true(gone(pid))
  pool:::job_add(job, list(pool:::job_pack(211L)))
  expect_identical(pool:::job_status(job)$state, "active")
  pool:::run_job(job)
  expect_identical(job_values(job)[[211]], 211.5)
})
