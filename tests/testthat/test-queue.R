# Queues on disk. What package queue's own tests ask is asked here too, in our words.

local_queue_dir <- function(create = create_queue, env = parent.frame()) {
  create(file.path(withr::local_tempdir(.local_envir = env), "q"))
}
local_jobs <- function(env = parent.frame()) local_queue_dir(create_job_queue, env)

drain <- function(x, from = is_empty, take = dequeue) {
  out <- list()
  while (!from(x)) out[length(out) + 1L] <- list(take(x))
  out
}

test_that("a queue is first in, first out", {
  dir <- withr::local_tempdir()
  path <- file.path(dir, "q")
  x <- expect_invisible(create_queue(path))
  expect_identical(class(x), "queue")
  expect_identical(x$path, path)
  expect_true(is_empty(x))
  expect_null(expect_invisible(enqueue(x, 2)))
  enqueue(x, 3)
  expect_false(is_empty(x))
  expect_identical(peek(x), 2)
  expect_identical(peek(x), 2)
  expect_identical(dequeue(x), 2)
  expect_identical(peek(x), 3)
  expect_identical(dequeue(x), 3)
  expect_true(is_empty(x))
  expect_null(expect_invisible(delete_queue(x)))
  expect_identical(list.files(dir, all.files = TRUE, no.. = TRUE), character())
})

test_that("equal values are elements of their own", {
  x <- local_queue_dir()
  for (i in c(1, 2, 3, 1, 1)) enqueue(x, i)
  expect_identical(drain(x), list(1, 2, 3, 1, 1))
})

test_that("any object comes back as it was", {
  x <- local_queue_dir()
  values <- list(NULL, NA, list(), "\u00e9", airquality, at_top(function(a) a + 1), quote(x + y),
    raw(0), -0, structure(1L, class = "thing"), as.list(1:3), bytes(300000)
  )
  for (value in values) enqueue(x, value)
  expect_equal(drain(x), values)
})

test_that("the order of hundreds is kept", {
  x <- local_queue_dir()
  for (i in 1:120) enqueue(x, i)
  first <- lapply(1:60, function(i) dequeue(x))
  for (i in 121:200) enqueue(x, i)
  expect_identical(c(first, drain(x)), as.list(1:200))
})

test_that("an empty queue is a classed error in all that takes", {
  x <- local_queue_dir()
  jobs <- local_jobs()
  for (e in list(
    error_of(peek(x)), error_of(dequeue(x)), error_of(peek(jobs)), error_of(dequeue(jobs)),
    error_of(input2shelf(jobs)), error_of(shelf2input(jobs))
  )) {
    expect_s3_class(e, c("pool_queue_empty_error", "pool_job_error", "pool_error"))
  }
  expect_match(conditionMessage(error_of(dequeue(x))), "queue is empty")
  expect_match(conditionMessage(error_of(dequeue(jobs))), "output queue is empty")
  expect_match(conditionMessage(error_of(input2shelf(jobs))), "input queue is empty")
  expect_s3_class(try(dequeue(x), silent = TRUE), "try-error")
})

test_that("a job queue's elements go from input to shelf to output", {
  x <- expect_invisible(create_job_queue(file.path(withr::local_tempdir(), "q")))
  expect_identical(class(x), "job_queue")
  enqueue(x, 1)
  enqueue(x, 2)
  expect_identical(peek(x), 1)
  expect_false(is_empty_input(x))
  expect_true(is_empty_output(x))
  expect_error(dequeue(x), class = "pool_queue_empty_error")
  k <- input2shelf(x)
  expect_named(k, c("key", "value"))
  expect_identical(k$value, 1)
  expect_identical(substr(k$key, 1, 6), "shelf_")
  expect_true(any_shelf(x) == 1)
  expect_identical(shelf_get(x, k$key), 1)
  expect_identical(shelf_list(x), stats::setNames(list(1), k$key))
  expect_identical(peek(x), 2)
  expect_error(dequeue(x), class = "pool_queue_empty_error")
  expect_null(expect_invisible(shelf2output(x, k$key, "Result")))
  expect_false(is_empty_output(x))
  expect_identical(dequeue(x), "Result")
  expect_true(is_empty_output(x))
  k <- input2shelf(x)
  expect_true(is_empty_input(x))
  expect_false(is_empty(x))
  shelf2output(x, k$key, "Result")
  expect_true(any_shelf(x) == 0)
  expect_length(shelf_list(x), 0L)
  expect_false(is_empty(x))
  expect_identical(dequeue(x), "Result")
  expect_true(is_empty(x))
})

test_that("a job queue works from within a list, hundreds of times", {
  x <- list(jq = local_jobs())
  for (i in 1:200) enqueue(x$jq, i)
  for (i in 1:200) {
    k <- input2shelf(x$jq)
    shelf2output(x$jq, k$key, k$value * 2)
  }
  expect_identical(drain(x$jq, is_empty_output), as.list(1:200 * 2))
})

test_that("what is on the shelf goes back to the input, in its order", {
  x <- local_jobs()
  for (i in 1:50) enqueue(x, i)
  for (i in 1:50) input2shelf(x)
  expect_true(is_empty_input(x))
  expect_true(any_shelf(x) == 50)
  expect_null(expect_invisible(shelf2input(x)))
  expect_true(any_shelf(x) == 0)
  expect_true(is_empty_output(x))
  expect_identical(lapply(1:50, function(i) input2shelf(x)$value), as.list(1:50))
})

test_that("an element leaves the shelf once", {
  x <- local_jobs()
  enqueue(x, "a")
  k <- input2shelf(x)
  shelf2output(x, k$key, 1)
  expect_error(shelf2output(x, k$key, 2), class = "pool_job_absent_error")
  expect_error(shelf_get(x, k$key), class = "pool_job_absent_error")
  expect_identical(drain(x, is_empty_output), list(1))
  # What has been worked on is never taken for another.
  enqueue(x, "b")
  expect_false(input2shelf(x)$key == k$key)
})

test_that("another handle, and another process, see the same queue", {
  x <- local_queue_dir()
  enqueue(x, "here")
  y <- init_queue(x$path)
  expect_identical(class(y), "queue")
  expect_identical(peek(y), "here")
  # By its path, and as an object that was sent there.
  there <- in_session(function(path, x) {
    y <- init_queue(path)
    list(dequeue(y), is_empty(y), enqueue(y, "there"), peek(x))
  }, list(x$path, x))
  expect_identical(there, list("here", TRUE, NULL, "there"))
  expect_identical(dequeue(x), "there")
})

test_that("a fork has the queue too", {
  skip_on_os("windows")
  x <- local_queue_dir()
  enqueue(x, 1)
  job <- parallel::mcparallel({
    enqueue(x, 2)
    dequeue(x)
  })
  expect_identical(parallel::mccollect(job)[[1]], 1)
  expect_identical(drain(x), list(2))
})

test_that("many processes lose and double nothing", {
  x <- local_jobs()
  n <- 60L
  jobs <- lapply(1:4, function(k) {
    parallel::mcparallel({
      for (i in 1:n) enqueue(x, c(k, i))
      for (i in 1:n) {
        task <- input2shelf(x)
        shelf2output(x, task$key, task$value)
      }
    })
  })
  parallel::mccollect(jobs)
  found <- do.call(rbind, drain(x, is_empty_output))
  expect_true(is_empty(x))
  expect_identical(nrow(unique(found)), 4L * n)
  expect_identical(nrow(found), 4L * n)
})

test_that("a process that is killed at work leaves its element on the shelf", {
  x <- local_jobs()
  for (i in 1:3) enqueue(x, i)
  job <- parallel::mcparallel({
    input2shelf(x)
    tools::pskill(Sys.getpid(), 9)
  })
  suppressWarnings(parallel::mccollect(job))
  expect_identical(unname(shelf_list(x)), list(1L))
  shelf2input(x)
  expect_identical(lapply(1:3, function(i) input2shelf(x)$value), list(2L, 3L, 1L))
})

test_that("what R cannot take stays, behind the others", {
  x <- local_queue_dir()
  large <- rep(as.raw(7), 5e7)
  enqueue(x, large)
  enqueue(x, "b")
  # A process that has memory for the bytes of one, or of none.
  said <- callr::r(function(path) {
    x <- pool::init_queue(path)
    if (mem.maxVSize(70) > 70) return() # it has more already
    before <- raw(3e7)
    failed <- try(pool::dequeue(x), silent = TRUE)
    list(class(failed), pool::dequeue(x), pool::is_empty(x))
  }, list(x$path))
  skip_if(is.null(said), "a session of less than 70 MB")
  expect_identical(said, list("try-error", "b", FALSE))
  expect_identical(dequeue(x), large)
  .Call(C_queue_push, queue_pointer(x), "input", list(as.raw(1:9)))
  enqueue(x, "c")
  expect_error(dequeue(x))
  expect_identical(dequeue(x), "c")
  expect_error(dequeue(x))
  expect_false(is_empty(x))
})

test_that("the working directory may change, the path be a relative one", {
  dir <- withr::local_tempdir()
  withr::local_dir(dir)
  x <- create_queue("q")
  expect_identical(x$path, "q")
  expect_output(print(x), "<queue: q>", fixed = TRUE)
  expect_output(print(create_job_queue("jobs")), "<job_queue: jobs>", fixed = TRUE)
  enqueue(x, 1)
  withr::local_dir(withr::local_tempdir())
  expect_identical(peek(x), 1)
  expect_identical(peek(init_queue(file.path(dir, "q"))), 1)
  delete_queue(x)
  expect_false(file.exists(file.path(dir, "q")))
})

test_that("to create one where there is one is an error, and what is there stays", {
  x <- local_queue_dir()
  enqueue(x, 1)
  expect_error(create_queue(x$path), class = "pool_job_exists_error")
  expect_error(create_job_queue(x$path), class = "pool_job_exists_error")
  expect_identical(peek(x), 1)
})

test_that("what is no queue is not opened, and not deleted", {
  dir <- withr::local_tempdir()
  file.create(file.path(dir, "precious"))
  expect_error(init_queue(file.path(dir, "none")), class = "pool_job_absent_error")
  expect_error(init_job_queue(file.path(dir, "none")), class = "pool_job_absent_error")
  expect_error(init_queue(dir), class = "pool_job_format_error")
  expect_error(delete_queue(file.path(dir, "none")), class = "pool_job_absent_error")
  expect_error(delete_queue(dir), class = "pool_job_format_error")
  expect_true(file.exists(file.path(dir, "precious")))
  expect_error(create_queue(file.path(dir, "none", "q")), class = "pool_job_error")
  expect_error(create_queue(dir), class = "pool_job_error")
})

test_that("a queue is deleted by its path, too, and is gone for its handles", {
  x <- local_queue_dir()
  enqueue(x, 1)
  delete_queue(x$path)
  expect_false(file.exists(x$path))
  expect_error(peek(x), class = "pool_job_absent_error")
  expect_error(delete_queue(x), class = "pool_job_absent_error")
  y <- create_queue(x$path)
  expect_true(is_empty(y))
})

test_that("files are the owner's alone", {
  old <- Sys.umask("000")
  on.exit(Sys.umask(old))
  x <- local_queue_dir()
  enqueue(x, bytes(200000))
  files <- list.files(x$path, all.files = TRUE, no.. = TRUE, full.names = TRUE, recursive = TRUE)
  expect_gt(length(files), 0L)
  expect_identical(unique(format(file.mode(files))), "600")
  expect_identical(format(file.mode(x$path)), "700")
})

test_that("no random numbers are drawn", {
  withr::local_preserve_seed()
  set.seed(1)
  seed <- .Random.seed
  x <- local_jobs()
  enqueue(x, 1)
  k <- input2shelf(x)
  shelf2input(x)
  expect_identical(.Random.seed, seed)
})

test_that("is_empty() of anything else looks at the length", {
  expect_true(is_empty(NULL))
  expect_true(is_empty(character()))
  expect_true(is_empty(list()))
  expect_false(is_empty(""))
  expect_false(is_empty(NA))
  expect_false(is_empty(airquality))
})

test_that("bad input is an error that names the argument", {
  jobs <- local_jobs()
  enqueue(jobs, 1)
  dir <- withr::local_tempdir()
  for (create in list(create_queue, create_job_queue, init_queue, init_job_queue)) {
    for (bad in list(1, NULL, NA_character_, character(), c("a", "b"), "")) {
      expect_input_error(create(bad), "qfile")
    }
    expect_input_error(create(file.path(dir, "q"), mapsize = "big"), "mapsize")
    expect_input_error(create(file.path(dir, "q"), mapsize = -1), "mapsize")
  }
  expect_input_error(create_queue(), "qfile")
  expect_identical(list.files(dir), character())
  plain <- local_queue_dir()
  for (take in list(peek, dequeue)) expect_input_error(take(5), "x")
  for (f in list(is_empty_input, is_empty_output, input2shelf, shelf2input, shelf_list,
    any_shelf)) {
    expect_input_error(f(plain), "x")
    expect_input_error(f("q"), "x")
  }
  expect_input_error(enqueue("q", 1), "x")
  expect_input_error(shelf_get(plain, "shelf_1"), "x")
  expect_input_error(shelf2output(plain, "shelf_1", 1), "x")
  expect_input_error(delete_queue(5), "x")
  for (bad in list(1, NULL, NA_character_, "1", "shelf_", "shelf_x", "shelf_-1", c("a", "b"))) {
    expect_input_error(shelf_get(jobs, bad), "key")
    expect_input_error(shelf2output(jobs, bad, 1), "key")
  }
  expect_input_error(enqueue(plain), "val")
  expect_input_error(enqueue(jobs), "val")
  expect_error(enqueue(jobs, stop("mine")), "mine")
  expect_error(shelf2output(jobs, input2shelf(jobs)$key, stop("mine")), "mine")
  expect_true(any_shelf(jobs) == 1)
})
