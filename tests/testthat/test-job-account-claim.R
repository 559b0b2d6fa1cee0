# Claimants in processes of their own, which are killed.

test_that("claimants side by side: every task once, every result right", {
  job <- local_account_job(300)
  log <- withr::local_tempfile()
  others <- lapply(1:3, function(i) claimant(job$store, job$id, log, 30, n = 7))
  join_all(others)
  expect_all_right(job, 300)
  expect_setequal(begun(log), 1:300)
  expect_identical(anyDuplicated(begun(log)), 0L)
  expect_gt(length(unique(sub(" .*", "", readLines(log)))), 1)
  expect_identical(nrow(peek_queue_messages(queue_of(job), 32)), 0L)
})

test_that("work is shared: who comes later finds some, though one has claimed all there is", {
  job <- local_account_job(8)
  # One message with all of them, as of a job that was put back.
  clear_queue_messages(queue_of(job))
  pool:::account_put_tasks(job$state, as.double(1:8), 1)
  expect_identical(peek_queue_messages(queue_of(job), 32)$text,
    paste0("pool tasks 1\n", job$state$uid, "\n1-8"))
  got <- job_claim(job, 2)
  expect_identical(got$task, c(1, 2))
  other <- store_open_job(job$store, job$id)
  expect_identical(job_claim(other, 3)$task, c(3, 4, 5))
  third <- store_open_job(job$store, job$id)
  expect_identical(job_claim(third, 9)$task, c(6, 7, 8))
  expect_identical(counts(job)[["running"]], 8)
})

test_that("what was claimed ahead goes back when it is not asked for", {
  job <- local_account_job(200)
  got <- job_claim(job, 2)
  for (i in 1:3) got <- finish(job, got, 2) # so quickly that more is kept
  free <- function() {
    sum(vapply(job$state$held, function(entry) sum(entry$state == 0), 0))
  }
  expect_gt(free(), 0)
  again <- job_renew(job)
  expect_lte(again, 2)
  Sys.sleep(2.1)
  expect_gt(job_renew(job), 2)
  expect_identical(free(), 0)
  other <- store_open_job(job$store, job$id)
  expect_length(unique(run_all(other, 50)), 200 - 6 - length(got$task))
  finish(job, got)
  expect_all_right(job, 200)
})

test_that("a claim outlives its lease as long as it is renewed", {
  withr::local_options(pool.job_lease = 2)
  job <- local_account_job(1)
  other <- store_open_job(job$store, job$id)
  got <- job_claim(job, 1)
  for (i in 1:4) {
    Sys.sleep(0.8)
    expect_lte(job_renew(job), 2 / 3)
    expect_identical(job_claim(other, 1)$task, numeric())
  }
  Sys.sleep(2.2)
  late <- job_claim(other, 1)
  expect_identical(late$task, 1)
  # Who was silent for too long may still say what came of it: who is first counts.
  job_renew(job)
  finish(job, got)
  job_commit(other, list(task = 1, status = "completed", result = list(serialize(0, NULL)),
    seconds = 0))
  expect_all_right(job, 1)
  expect_identical(nrow(peek_queue_messages(queue_of(job))), 0L)
})

test_that("a range that comes back from a death is many of one task, without what is done", {
  withr::local_options(pool.job_lease = 1)
  job <- local_account_job(96)
  dead <- store_open_job(job$store, job$id)
  got <- job_claim(dead, 6)
  expect_identical(got$task, as.double(1:6))
  n <- length(got$task)
  # It dies, after its results and before it has said so.
  s <- dead$state
  pool:::account_write_results(s, list(task = got$task[1:2], status = rep("completed", 2),
    result = lapply(got$data[1:2], answer_of), seconds = c(0, 0)))
  expect_identical(job_abandoned(job), numeric())
  Sys.sleep(1.5)
  expect_identical(job_abandoned(job), as.double(3:6))
  expect_identical(job_requeue(job), 4L)
  back <- list()
  while (length(back) < 4) {
    got <- job_claim(job, 10)
    if (any(got$task %in% 3:6)) {
      expect_length(got$task, 1) # alone
      expect_identical(got$tries, 0L) # and free of charge
      back <- c(back, list(got$task))
    }
    expect_false(any(got$task %in% 1:2))
    finish(job, got)
  }
  run_all(job)
  expect_all_right(job, 96)
})

test_that("claimants are killed, again and again: nothing is lost, and only that doubles any", {
  skip_on_cran()
  job <- local_account_job(150)
  log <- withr::local_tempfile()
  kills <- 0
  for (round in 1:5) {
    before <- length(begun(log))
    others <- lapply(1:2, function(i) {
      claimant(job$store, job$id, log, 2, n = 3, each = 0.02)
    })
    expect_true(wait_until(function() length(begun(log)) >= before + 15))
    for (p in others) p$kill() # SIGKILL
    kills <- kills + 2
    expect_false(any(vapply(others, function(p) p$is_alive(), NA)))
  }
  done <- counts(job)[["completed"]]
  expect_gt(done, 0)
  last <- lapply(1:2, function(i) claimant(job$store, job$id, log, 2, n = 3))
  join_all(last)
  expect_all_right(job, 150)
  runs <- table(factor(begun(log), 1:150))
  expect_true(all(runs >= 1))
  # In flight at a kill are at most the tasks of a claim.
  expect_lte(sum(runs) - 150, 3 * kills)
})

test_that("a task that kills whoever claims it is lost in the end, and stops nobody else", {
  withr::local_options(pool.job_lease = 1)
  job <- local_account_job(2)
  # As often as the service has counted.
  deadly <- function() {
    dead <- store_open_job(job$store, job$id)
    got <- job_claim(dead, 1)
    got$task
  }
  local_binding(most_returns = 2)
  seen <- numeric()
  for (i in 1:12) {
    seen <- c(seen, deadly())
    Sys.sleep(0.6)
    if (all(job_status(job)$lost == 2)) break
  }
  expect_identical(job_status(job)$state, "completed")
  expect_identical(counts(job)[["lost"]], 2)
  found <- job_results(job, 1, 2)
  e <- pool:::read_result(job$id, 1, "lost", found$result[[1]])
  expect_s3_class(e, "pool_job_task_error")
  expect_match(conditionMessage(e), "lost")
})

test_that("two who find the same death do not double its tasks for good", {
  withr::local_options(pool.job_lease = 1)
  job <- local_account_job(4)
  clear_queue_messages(queue_of(job))
  pool:::account_put_tasks(job$state, as.double(1:4), 1)
  pool:::account_put_tasks(job$state, as.double(3:4), 1) # dead between put and update
  got <- job_claim(job, 4)
  expect_identical(got$task, as.double(1:4))
  expect_identical(job_claim(job, 4)$task, numeric())
  finish(job, got, 4)
  expect_all_right(job, 4)
  expect_identical(pool:::account_queue_count(job$state), 0)
})

test_that("leases are options that are looked at", {
  job <- local_account_job(1)
  for (bad in list("x", 0, NA, c(1, 2))) {
    withr::local_options(pool.job_lease = bad)
    expect_input_error(job_claim(job, 1), "options(pool.job_lease)")
  }
})
