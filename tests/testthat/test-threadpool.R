# Clusters of threadpool's: what its documentation shows and its own tests ask, in our
# words, and what it did not do.

test_that("the example of threadpool's README", {
  withr::local_options(pool.jobs_dir = local_cluster_dir())
  data(airquality, envir = environment())
  clname <- tp_map(airquality, function(x, meta) {
    list(output = mean(x, na.rm = TRUE))
  })
  cl <- cluster_join(clname)
  expect_identical(round(peek(cl$outjob), 5), 42.12931)
  expect_identical(cluster_reduce(cl), lapply(airquality, mean, na.rm = TRUE))
  delete_cluster(clname)
})

test_that("a cluster is a list of two queues, a path and a name", {
  name <- local_name()
  cl <- cluster_create(name)
  expect_s3_class(cl$injob, "queue")
  expect_s3_class(cl$outjob, "queue")
  expect_identical(cl$meta, paste0(name, ".meta.rds"))
  expect_identical(cl$name, name)
  expect_true(file.exists(name))
  expect_null(readRDS(cl$meta))
  expect_true(is_empty(cl$injob))
  expect_true(is_empty(cl$outjob))
  expect_identical(names(cluster_join(name)), names(cl))
  expect_output(print(cl), "cluster")
})

test_that("results are in the order and with the names of x, whatever it is", {
  for (x in list(
    airquality, list(a = 1, 2, c = 3), 1:3, c(b = 2.5, a = 1), list(), character(), NULL,
    c(TRUE, NA), factor(c("u", "v")), as.Date("2020-01-01") + 0:1, list(NULL, list(1))
  )) {
    name <- local_name()
    initialize_cluster_queue(name, x, at_top(function(x, meta) list(output = list(x, meta))), "m")
    cl <- cluster_run(cluster_join(name))
    expect_identical(cluster_reduce(cl), lapply(as.list(x), function(e) list(e, "m")))
    delete_cluster(name)
    expect_identical(list.files(dirname(name), all.files = TRUE, no.. = TRUE), character())
  }
})

test_that("tp_map()'s nodes do all of it, and a name is returned", {
  name <- local_name()
  expect_identical(tp_map(c(a = 1, b = 2), doubled, cl_name = name, ncores = 1), name)
  cl <- cluster_join(name)
  expect_identical(cluster_reduce(cl), list(a = 2, b = 4))
  expect_identical(cluster_reduce(cl), list(a = 2, b = 4)) # they stay
  expect_identical(cluster_reduce(cluster_join(cl$name)), list(a = 2, b = 4))
})

test_that("f has its globals and packages in a session that has neither", {
  name <- local_name()
  out <- in_session(function(name) {
    assign("shift_by", 100, globalenv())
    assign("helper", function(x) x + shift_by, globalenv())
    library(stats4)
    f <- function(x, meta) list(output = list(helper(x), "package:stats4" %in% search()))
    environment(f) <- globalenv()
    initialize_cluster_queue(name, 1:2, f)
  }, list(name))
  expect_null(out)
  out <- in_session(function(name) {
    cl <- cluster_join(name)
    cluster_run(cl)
    cluster_reduce(cl)
  }, list(name))
  expect_identical(out, list(list(101, TRUE), list(102, TRUE)))
})

test_that("a function that is made in a function takes that along", {
  name <- local_name()
  make <- function(k) function(x, meta) list(output = x + k)
  tp_map(1:3, make(10), cl_name = name)
  expect_identical(cluster_reduce(cluster_join(name)), list(11, 12, 13))
})

test_that("tp_map() leaves nothing open", {
  open <- function() {
    grep(name, Sys.readlink(Sys.glob("/proc/self/fd/*")), value = TRUE, fixed = TRUE)
  }
  skip_if_not(dir.exists("/proc/self/fd"))
  name <- local_name()
  cl <- cluster_create(name)
  expect_true(length(open()) > 0)
  delete_cluster(cl)
  tp_map(1:2, function(x, meta) list(output = x), cl_name = name, ncores = 0)
  expect_identical(open(), character())
})

test_that("cluster_map() gives the values", {
  expect_identical(cluster_map(1:100, as.character, cl_name = local_name(), ncores = 2L),
    as.list(as.character(1:100))
  )
  name <- local_name()
  expect_identical(cluster_map(c(a = 1, b = 4), "sqrt", name, cleanup = TRUE), list(a = 1, b = 2))
  expect_false(file.exists(name))
  e <- error_of(cluster_map(1:2, function(x) stop("no"), name, cleanup = TRUE))
  expect_s3_class(e, "pool_job_task_error")
  expect_true(file.exists(name)) # results are not thrown away with an error
  local({
    inner <- function(x) x + 1
    expect_identical(cluster_map(1:2, "inner", local_name()), list(2, 3))
  })
})

test_that("a name is a path: relative, with a tilde, with anything in it", {
  dir <- local_cluster_dir()
  withr::local_dir(dir)
  for (name in c("plain", "with space", "dots.in.it", "\u00e9t\u00e9", "a#b?c%41", "-x",
    strrep("n", 100))) {
    expect_identical(tp_map(1:2, doubled, cl_name = name, ncores = 0L), name)
    cluster_run(cluster_join(name))
    expect_identical(cluster_reduce(cluster_join(file.path(dir, name))), list(2, 4))
    cl <- cluster_join(name)
    withr::with_dir("/", expect_identical(cluster_reduce(cl), list(2, 4)))
    delete_cluster(name)
  }
  tp_map(1:2, doubled, cl_name = "what's new?", ncores = 1L)
  expect_identical(cluster_reduce(cluster_join("what's new?")), list(2, 4))
  delete_cluster("what's new?")
  expect_identical(list.files(dir, all.files = TRUE, no.. = TRUE), character())
  withr::local_envvar(HOME = dir)
  tp_map(1, doubled, cl_name = "~/home", ncores = 1L)
  expect_identical(cluster_reduce(cluster_join(file.path(dir, "home"))), list(2))
})

test_that("without a name it is where jobs are, and the user's random numbers are not drawn", {
  withr::local_preserve_seed()
  set.seed(1)
  seed <- .Random.seed
  dir <- file.path(local_cluster_dir(), "jobs")
  withr::local_options(pool.jobs_dir = dir)
  names <- vapply(1:2, function(i) tp_map(1, doubled, ncores = 1L), "")
  expect_identical(.Random.seed, seed)
  expect_identical(dirname(names), rep(normalizePath(dir), 2L))
  expect_false(names[[1]] == names[[2]])
  # By its id alone.
  cl <- cluster_join(basename(names[[1]]))
  expect_identical(cluster_reduce(cl), list(2))
  for (name in names) delete_cluster(name)
  expect_identical(list.files(dir), character())
})

test_that("a name that is taken is an error, and what is there stays", {
  name <- local_name()
  tp_map(1, doubled, meta = "m", cl_name = name)
  expect_error(tp_map(2, doubled, cl_name = name), class = "pool_job_exists_error")
  expect_error(cluster_create(name), class = "pool_job_exists_error")
  expect_error(initialize_cluster_queue(name, 1, doubled), class = "pool_job_exists_error")
  expect_identical(cluster_reduce(cluster_join(name)), list(2))
  expect_identical(readRDS(cluster_join(name)$meta), "m")
})

test_that("what is no cluster is not joined, and not deleted", {
  dir <- local_cluster_dir()
  withr::local_options(pool.jobs_dir = file.path(dir, "jobs"))
  file.create(file.path(dir, "precious"))
  expect_error(cluster_join(file.path(dir, "none")), class = "pool_job_absent_error")
  expect_error(cluster_join("no_such_job"), class = "pool_job_absent_error")
  expect_error(cluster_add_nodes(file.path(dir, "none")), class = "pool_job_absent_error")
  expect_error(delete_cluster(file.path(dir, "none")), class = "pool_job_absent_error")
  expect_error(cluster_join(dir), class = "pool_job_format_error")
  expect_error(delete_cluster(dir), class = "pool_job_format_error")
  expect_true(file.exists(file.path(dir, "precious")))
  e <- error_of(tp_map(1, doubled, cl_name = file.path(dir, "precious")))
  expect_s3_class(e, "pool_job_exists_error")
  expect_match(conditionMessage(e), "precious' already, and it is no job$")
  expect_error(tp_map(1, doubled, cl_name = file.path(dir, "none", "x")), class = "pool_job_error")
  expect_false(file.exists(file.path(dir, "none")))
})

test_that("the functions of jobs know a cluster that is where jobs are", {
  dir <- local_cluster_dir()
  withr::local_options(pool.jobs_dir = dir)
  name <- tp_map(1:3, doubled)
  id <- basename(name)
  expect_identical(getJobList()$Id, id)
  expect_output(getJob(id))
  e <- error_of(getJobResult(id))
  expect_s3_class(e, "pool_job_format_error")
  expect_match(conditionMessage(e), "cluster_reduce")
  deleteJob(id, verbose = FALSE)
  expect_identical(list.files(dir, all.files = TRUE, no.. = TRUE), character())
})

test_that("what tasks and nodes have said is shown", {
  name <- local_name()
  tp_map(1:3, at_top(function(x, meta) {
    if (x > 1) cat("printed by", x, "\n")
    if (x == 3) message("said by 3")
    list(output = x)
  }), cl_name = name)
  out <- utils::capture.output(lines <- logfile_show(name))
  expect_identical(out, lines)
  pid <- sub("-- process ", "", grep("^-- process", lines, value = TRUE))
  expect_length(pid, 1)
  said <- c("-- task 2, stdout", "printed by 2 ", "-- task 3, stderr", "said by 3")
  expect_true(all(said %in% lines))
  expect_output(logfile_show(name, as.numeric(pid)), "process")
  expect_output(logfile_show(name, task = 2), "^-- task 2, stdout\nprinted by 2 $")
  expect_silent(logfile_show(cluster_join(name), task = 1))
  expect_error(logfile_show(name, pid = 1), class = "pool_job_absent_error")
  expect_input_error(logfile_show(name, pid = "a"), "pid")
  expect_input_error(logfile_show(name, task = "a"), "task")
})

test_that("bad input is an error that names the argument, and makes nothing", {
  dir <- local_cluster_dir()
  withr::local_options(pool.jobs_dir = dir)
  name <- file.path(dir, "x")
  expect_input_error(tp_map(quote(x), 1), "f")
  expect_input_error(tp_map(1, "no such function"), "f")
  expect_input_error(tp_map(sum, doubled, cl_name = name), "x")
  expect_input_error(tp_map(f = doubled, cl_name = name), "x")
  for (bad in list(-1, 1.5, NA, "2", NULL, c(1, 2), Inf)) {
    expect_input_error(tp_map(1, doubled, cl_name = name, ncores = bad), "ncores")
    expect_input_error(cluster_add_nodes(name, bad), "ncores")
    expect_input_error(cluster_map(1, identity, name, bad), "ncores")
  }
  expect_input_error(cluster_map(1, identity, name, 0), "ncores")
  for (bad in list(NA, "yes", NULL, 1)) {
    expect_input_error(tp_map(1, doubled, cl_name = name, wait_for_result = bad), "wait_for_result")
    expect_input_error(cluster_map(1, identity, name, cleanup = bad), "cleanup")
    expect_input_error(tp_map(1, doubled, cl_name = name, .progress = bad), ".progress")
    expect_input_error(cluster_map(1, identity, name, .progress = bad), ".progress")
  }
  for (bad in list(1, NA_character_, character(), c("a", "b"), "", "/", ".hidden",
    strrep("n", 201), "not valid \xff")) {
    expect_input_error(tp_map(1, doubled, cl_name = bad), "cl_name")
    expect_input_error(initialize_cluster_queue(bad, 1, doubled), "cl_name")
    expect_input_error(cluster_create(bad), "name")
    expect_input_error(cluster_join(bad), "name")
    expect_input_error(delete_cluster(bad), "name")
  }
  expect_input_error(tp_map(1, doubled, cl_name = name, mapsize = "big"), "mapsize")
  expect_input_error(cluster_join(name, mapsize = 0), "mapsize")
  expect_input_error(cluster_map(1, identity, name, envir = 1), "envir")
  for (f in list(cluster_run, cluster_reduce, cluster_shutdown, abandoned, requeue_abandoned,
    cluster_next_task)) {
    expect_input_error(f(name), "cl")
    expect_input_error(f(list(injob = 1)), "cl")
    expect_input_error(f(), "cl")
  }
  expect_input_error(cluster_join(), "name")
  expect_input_error(delete_cluster(), "name")
  expect_input_error(tp_map(1), "f")
  expect_input_error(cluster_map(1), "f")
  expect_input_error(initialize_cluster_queue(name, 1), "f")
  expect_input_error(new_task(), "data")
  expect_input_error(new_task(1), "func")
  expect_identical(list.files(dir), character())
  cl <- cluster_create(name)
  for (bad in list(1, NULL, list(data = 1), list(func = identity), "task")) {
    expect_input_error(cluster_add1_task(cl, bad), "task")
    expect_input_error(enqueue(cl$injob, bad), "task")
  }
  expect_input_error(cluster_add1_task(cl, new_task(1, 2)), "task$func")
  expect_input_error(cluster_add1_task(cl), "task")
  expect_input_error(cluster_add_tasks(cl, 1, 2), "f")
  expect_input_error(cluster_reduce(cl, partial = NA), "partial")
  expect_identical(cluster_reduce(cl), list())
})
