# What is known of a job, and what has come of it.

test_that("the state of a job prints in a line", {
  job <- local_job(function(x) if (x == 2) stop("no") else x, 1:1200)
  state <- pool:::job_state_object(job)
  expect_s3_class(state, "pool_job_state")
  expect_identical(state$jobId, "j")
  expect_identical(state$state, "active")
  expect_identical(names(state$tasks), c("active", "running", "completed", "failed", "total"))
  expect_output(print(state),
    "job j: active, 1,200 tasks (1,200 active, 0 running, 0 completed, 0 failed)",
    fixed = TRUE
  )
  pool:::run_job(job)
  state <- pool:::job_state_object(job)
  expect_identical(state$state, "completed")
  expect_identical(unlist(state$tasks[3:4], use.names = FALSE), c(1199L, 1L))
})

test_that("results are in the order of tasks, with their names", {
  job <- local_job(function(x) x * 2, c(b = 1, a = 2, c = 3))
  pool:::run_job(job)
  expect_identical(job_values(job), list(b = 2, a = 4, c = 6))
  unnamed <- local_job(function(x) NULL, 1:2)
  pool:::run_job(unnamed)
  expect_identical(job_values(unnamed), list(NULL, NULL))
})

test_that("a failed task is a condition in its place, with all that is known of it", {
  job <- local_job(function(x) if (x == 2) stop("no ", x) else x, 1:3)
  pool:::run_job(job)
  all <- pool:::job_result_list(job)
  expect_identical(all$status, c("completed", "failed", "completed"))
  e <- all$values[[2]]
  expect_s3_class(e, c("pool_job_task_error", "pool_job_error", "pool_error"))
  expect_identical(conditionMessage(e), "no 2")
  expect_identical(e$task, 2)
  expect_identical(e$id, "j")
  expect_s3_class(e$parent, "simpleError")
  expect_match(e$traceback, "stop", all = FALSE)
  stopped <- error_of(pool:::stop_job_tasks("j", list(e), all$values))
  expect_identical(conditionMessage(stopped), "one task of job 'j' failed: task 2: no 2")
  expect_identical(stopped$results, all$values)
})

test_that("what is not finished is an error that counts what is missing", {
  job <- local_job(function(x) x, 1:3)
  claim <- pool:::job_claim(job, 2)
  pool:::job_commit(job, list(
    task = 2, status = "completed", result = list(pool:::job_pack("two")), seconds = 1
  ))
  e <- error_of(pool:::job_result_list(job))
  expect_s3_class(e, "pool_job_unfinished_error")
  expect_identical(e$missing, 2L)
  expect_identical(e$results, list(NULL, "two", NULL))
  expect_match(conditionMessage(e), "2 tasks have no result")
  part <- pool:::job_result_list(job, partial = TRUE)
  expect_identical(part, list(values = list(NULL, "two", NULL), status = c(NA, "completed", NA)))
})

test_that("a result that cannot be read names its task", {
  job <- local_job(function(x) x, 1:3)
  pool:::run_job(job)
  job$data$result[[2]] <- as.raw(1:10)
  e <- error_of(job_values(job))
  expect_s3_class(e, "pool_job_corrupt_error")
  expect_identical(e$task, 2)
  job$data$status[[3]] <- "failed"
  job$data$result[[2]] <- pool:::job_pack(1)
  expect_s3_class(error_of(job_values(job)), "pool_job_corrupt_error")
})

test_that("results are read in blocks", {
  job <- local_job(function(x) x, 1:2500)
  pool:::run_job(job)
  job$store$calls <- character()
  seen <- numeric()
  pool:::job_each_result(job, function(task, status, result) seen <<- c(seen, result))
  expect_identical(seen, as.numeric(1:2500))
  expect_identical(sum(job$store$calls == "results"), 3L)
})
