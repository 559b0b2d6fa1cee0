# Clusters step by step: tasks, queues, metadata.

test_that("tasks can be run by hand", {
  name <- local_name()
  cl <- cluster_create(name)
  saveRDS(10, cl$meta)
  f <- at_top(function(x, meta) list(output = x + meta))
  for (i in 1:3) expect_null(expect_invisible(cluster_add1_task(cl, new_task(i, f))))
  expect_equal(peek(cl$injob), new_task(1L, f))
  expect_equal(peek(cl$injob), new_task(1L, f))
  meta <- readRDS(cl$meta)
  n <- 0
  while (!inherits(task <- cluster_next_task(cl), "try-error")) {
    expect_named(task, c("data", "func"))
    result <- with(task, do.call(func, list(data, meta)))
    expect_null(expect_invisible(cluster_finish_task(cl, result$output)))
    n <- n + 1
  }
  expect_identical(n, 3)
  expect_s3_class(attr(task, "condition"), "pool_queue_empty_error")
  expect_identical(cluster_reduce(cl), list(11, 12, 13))
  # Once it is over: more of them.
  cluster_add1_task(cl, new_task(4, f))
  expect_error(cluster_reduce(cl), class = "pool_job_unfinished_error")
  cluster_run(cl)
  expect_identical(cluster_reduce(cl), list(11, 12, 13, 14))
})

test_that("what was taken last is finished first", {
  cl <- cluster_create(local_name())
  for (i in 1:3) cluster_add1_task(cl, new_task(i, identity))
  expect_error(cluster_finish_task(cl, 1), class = "pool_input_error")
  cluster_next_task(cl)
  cluster_next_task(cl)
  cluster_finish_task(cl, "second")
  expect_identical(peek(cl$outjob), "second")
  cluster_finish_task(cl, "first")
  expect_identical(peek(cl$outjob), "first")
  expect_error(cluster_finish_task(cl, 1), class = "pool_input_error")
  expect_identical(cluster_reduce(cl, partial = TRUE), list("first", "second", NULL))
})

test_that("the queues of a cluster are queues", {
  cl <- cluster_create(local_name())
  f <- at_top(function(x, meta) list(output = -x))
  for (i in 1:3) expect_null(enqueue(cl$injob, new_task(i, f)))
  expect_false(is_empty(cl$injob))
  task <- dequeue(cl$injob)
  expect_identical(task$data, 1L)
  enqueue(cl$outjob, task$func(task$data)$output)
  expect_false(is_empty(cl$outjob))
  expect_identical(dequeue(cl$outjob), -1L)
  expect_true(is_empty(cl$outjob))
  expect_error(dequeue(cl$outjob), class = "pool_queue_empty_error")
  expect_error(peek(cl$outjob), class = "pool_queue_empty_error")
  expect_input_error(delete_queue(cl$injob), "x")
  expect_input_error(delete_queue(cl$outjob), "x")
  cluster_run(cl)
  expect_true(is_empty(cl$injob))
  expect_error(peek(cl$injob), class = "pool_queue_empty_error")
  expect_error(dequeue(cl$injob), class = "pool_queue_empty_error")
  expect_identical(list(dequeue(cl$outjob), dequeue(cl$outjob)), list(-2L, -3L))
  expect_true(is_empty(cl$outjob))
  expect_identical(cluster_reduce(cl), list(-1L, -2L, -3L))
  # Another handle has its own place in the outputs.
  expect_identical(dequeue(cluster_join(cl$name)$outjob), -1L)
  expect_output(print(cl$injob), "<queue: ", fixed = TRUE)
})

test_that("abandoned tasks are put back, those of the living are not", {
  name <- local_name()
  cl <- cluster_create(name)
  cluster_add_tasks(cl, 1:4, doubled)
  expect_identical(abandoned(cl), 0L)
  mine <- cluster_next_task(cl)
  dead <- in_session(function(name) {
    cl <- cluster_join(name)
    cluster_next_task(cl)
    tools::pskill(Sys.getpid(), 9)
  }, list(name), error = "stack") |> try(silent = TRUE)
  expect_true(wait_until(function() abandoned(cl) == 1L))
  expect_identical(expect_invisible(requeue_abandoned(cl)), cl)
  expect_identical(abandoned(cl), 0L)
  requeue_abandoned(cl) # none: no error
  others <- in_session(function(name) {
    cl <- cluster_join(name)
    found <- numeric()
    while (!inherits(task <- cluster_next_task(cl), "try-error")) found <- c(found, task$data)
    found
  }, list(name))
  expect_identical(others, c(2, 3, 4))
  cluster_finish_task(cl, "mine")
  cluster_run(cl)
  expect_identical(cluster_reduce(cl), list("mine", 4, 6, 8))
})

test_that("what was taken by hand is given back by cluster_run() and cluster_shutdown()", {
  cl <- cluster_create(local_name())
  cluster_add_tasks(cl, 1:2, doubled)
  cluster_next_task(cl)
  expect_null(expect_invisible(cluster_shutdown(cl)))
  expect_identical(cluster_next_task(cl)$data, 1L)
  cluster_run(cl)
  expect_identical(cluster_reduce(cl), list(2, 4))
  cluster_shutdown(cl)
  cluster_shutdown(cl)
})

test_that("what another object of this session holds is given back, too", {
  name <- local_name()
  cl <- cluster_create(name)
  cluster_add_tasks(cl, 1:3, doubled)
  cluster_next_task(cl)
  other <- cluster_join(name)
  cluster_next_task(other)
  rm(other)
  gc()
  expect_identical(cluster_next_task(cluster_join(name))$data, 2L)
  expect_identical(cluster_reduce(cluster_run(cluster_join(name))), list(2, 4, 6))
})

test_that("tasks are added with names, also while others run", {
  cl <- cluster_create(local_name())
  expect_identical(expect_invisible(cluster_add_tasks(cl, 1:2, doubled)), cl)
  cluster_add_tasks(cl, c(a = 3, b = 4), function(x, meta) list(output = -x))
  cluster_add_tasks(cl, list(), doubled)
  cluster_add1_task(cl, new_task(5, "identity"))
  by_name <- doubled
  cluster_add_tasks(cl, list(z = 6), "by_name")
  cluster_run(cl)
  e <- error_of(cluster_reduce(cl))
  expect_identical(names(e$results), c("", "", "a", "b", "", "z"))
})

test_that("metadata is a file, which who joins reads", {
  name <- local_name()
  initialize_cluster_queue(name, 1:3, at_top(function(x, meta) list(output = meta)), "first")
  cl <- cluster_join(name)
  expect_identical(readRDS(cl$meta), "first")
  expect_identical(format(file.mode(cl$meta)), "600")
  saveRDS("second", cl$meta)
  cluster_run(cl)
  expect_identical(cluster_reduce(cl), list("second", "second", "second"))
  name <- local_name()
  initialize_cluster_queue(name, 1, at_top(function(x, meta) list(output = meta)), "first")
  cl <- cluster_join(name)
  unlink(cl$meta)
  expect_identical(cluster_reduce(cluster_run(cl)), list("first"))
  name <- local_name()
  initialize_cluster_queue(name, 1, at_top(function(x, meta) list(output = meta)), "first")
  cl <- cluster_join(name)
  writeLines("no R object", cl$meta)
  expect_error(cluster_run(cl), class = "pool_job_corrupt_error")
  expect_error(cluster_reduce(cl), class = "pool_job_unfinished_error")
})

test_that("where metadata cannot be written there is no cluster", {
  name <- local_name()
  dir.create(paste0(name, ".meta.rds"))
  e <- error_of(initialize_cluster_queue(name, 1:3, doubled))
  expect_s3_class(e, "pool_job_error")
  expect_match(conditionMessage(e), "meta.rds", fixed = TRUE)
  expect_identical(dir(dirname(name), all.files = TRUE, no.. = TRUE), "cluster.meta.rds")
})

test_that("a cluster that was deleted is gone for its handles", {
  name <- local_name()
  initialize_cluster_queue(name, 1:2, doubled)
  cl <- cluster_join(name)
  other <- cluster_join(name)
  expect_null(expect_invisible(delete_cluster(other)))
  expect_false(file.exists(name))
  expect_false(file.exists(cl$meta))
  expect_error(cluster_run(cl), class = "pool_job_error")
  expect_error(cluster_reduce(other), class = "pool_job_absent_error")
  initialize_cluster_queue(name, 1, doubled)
  expect_identical(cluster_reduce(cluster_run(cluster_join(name))), list(2))
})

test_that("a cluster can be sent to another process", {
  name <- local_name()
  initialize_cluster_queue(name, 1:2, doubled)
  cl <- cluster_join(name)
  expect_identical(in_session(function(cl) {
    cluster_run(cl)
    cluster_reduce(cl)
  }, list(cl)), list(2, 4))
  job <- parallel::mcparallel(cluster_reduce(cl))
  expect_identical(parallel::mccollect(job)[[1]], list(2, 4))
  expect_identical(cluster_reduce(cl), list(2, 4))
})

test_that("of several that make one cluster one does", {
  name <- local_name()
  jobs <- lapply(1:4, function(i) {
    parallel::mcparallel(tryCatch({
      cluster_create(name)
      "made"
    }, pool_job_exists_error = function(e) "taken"))
  })
  out <- unlist(parallel::mccollect(jobs), use.names = FALSE)
  expect_identical(sort(out), c("made", "taken", "taken", "taken"))
})

test_that("a damaged cluster is an error, no end of work, and can be deleted", {
  name <- local_name()
  initialize_cluster_queue(name, 1:3, doubled)
  cl <- cluster_join(name)
  cluster_shutdown(cl)
  file <- file.path(name, "data.mdb")
  writeBin(readBin(file, "raw", 5000), file)
  for (f in list(cluster_next_task, cluster_run, cluster_reduce, abandoned)) {
    expect_error(f(cl), class = "pool_job_corrupt_error")
  }
  expect_error(cluster_join(name), class = "pool_job_corrupt_error")
  delete_cluster(name)
  expect_identical(list.files(dirname(name), all.files = TRUE, no.. = TRUE), character())
})

test_that("a job whose tables are garbage can be deleted, by either name", {
  dir <- local_jobs()
  for (delete in list(delete_cluster, function(name) deleteJob(basename(name), FALSE))) {
    for (spoil in list(bytes(70000), raw(), NULL)) {
      name <- file.path(dir, "spoilt")
      cluster_shutdown(cluster_create(name))
      file <- file.path(name, "data.mdb")
      if (is.null(spoil)) unlink(file) else writeBin(spoil, file)
      expect_error(cluster_join(name), class = "pool_job_format_error")
      delete(name)
      expect_identical(list.files(dir, all.files = TRUE, no.. = TRUE), character())
    }
  }
})

test_that("what may be something else is not deleted, and the error says how to", {
  dir <- local_jobs()
  name <- file.path(dir, "it's")
  cluster_shutdown(cluster_create(name))
  writeBin(bytes(70000), file.path(name, "data.mdb"))
  file.create(file.path(name, "precious"))
  e <- error_of(delete_cluster(name))
  expect_s3_class(e, "pool_job_format_error")
  expect_match(conditionMessage(e), "it was not deleted: if it is of no use, unlink(", fixed = TRUE)
  expect_true(file.exists(file.path(name, "precious")))
  text <- conditionMessage(e)
  eval(parse(text = regmatches(text, regexpr("unlink[(].*[)]", text))))
  expect_false(file.exists(name))

  # Another program's, and a queue.
  dir.create(file.path(dir, "other"))
  writeLines("x", file.path(dir, "other", "data.mdb"))
  queue <- create_queue(file.path(dir, "queue"))
  enqueue(queue, 1)
  for (id in c("other", "queue")) {
    expect_error(deleteJob(id), class = "pool_job_error")
    expect_error(delete_cluster(file.path(dir, id)), class = "pool_job_error")
  }
  expect_error(deleteJob("queue"), "is a queue, which delete_queue\\(\\) deletes")
  expect_identical(dequeue(queue), 1)
  expect_true(file.exists(file.path(dir, "other", "data.mdb")))
})

test_that("what belongs to another user is not read", {
  skip_if(Sys.info()[["effective_user"]] != "root", "only root can give files away")
  name <- local_name()
  initialize_cluster_queue(name, 1:3, doubled)
  x <- create_queue(file.path(dirname(name), "q"))
  enqueue(x, 1)
  chown <- function(...) system2("chown", c("-R", "65534", shQuote(c(...))))
  chown(paste0(name, ".meta.rds"))
  cl <- cluster_join(name)
  e <- error_of(cluster_run(cl))
  expect_s3_class(e, "pool_job_error")
  expect_match(conditionMessage(e), "another user")
  expect_identical(cluster_reduce(cl, partial = TRUE), vector("list", 3))
  cluster_shutdown(cl)
  chown(name, x$path)
  expect_error(cluster_join(name), class = "pool_job_error")
  expect_error(cluster_reduce(cl), class = "pool_job_error")
  expect_error(init_queue(x$path), class = "pool_job_error")
})

test_that("the example of threadpool's later README", {
  withr::local_dir(local_cluster_dir())
  f <- function(x) {
    mean(x, na.rm = TRUE)
  }
  cl <- expect_invisible(cluster_initialize("my_cluster", as.list(airquality), f))
  cl <- cluster_run(cl)
  r <- cluster_reduce(cl)
  expect_identical(r[1:3], lapply(airquality[1:3], mean, na.rm = TRUE))
  # What is added is called as the others are.
  cluster_add_tasks(cl, list(more = 1:3), sum)
  cluster_run(cl)
  expect_identical(cluster_reduce(cl)$more, 6L)
  delete_cluster("my_cluster")
  expect_input_error(cluster_initialize("x", 1, f, envir = 1), "envir")
  expect_input_error(cluster_initialize(NULL, 1, f), "cl_name")
  expect_input_error(cluster_initialize(x = 1, f = f), "cl_name")
  expect_input_error(cluster_create(NULL), "name")
  expect_identical(list.files(), character())
})

test_that("the traceback of a task that failed has its function's frames alone", {
  cl <- cluster_create(local_name())
  cluster_add1_task(cl, new_task(2, at_top(function(x, meta) stop("no"))))
  cluster_run(cl)
  e <- error_of(cluster_reduce(cl))
  expect_identical(e$traceback, c("FUN(X, ...)", 'stop("no")'))
})
