# Clusters outlive sessions, nodes and failing tasks.

test_that("nodes are not the session's children, and work when it has ended", {
  name <- local_name()
  dir <- local_cluster_dir()
  out <- in_session(function(name, dir) {
    f <- function(x, meta) {
      while (!file.exists(file.path(meta, "go"))) Sys.sleep(0.01)
      list(output = x)
    }
    tp_map(1:4, f, meta = dir, cl_name = name, wait_for_result = FALSE)
  }, list(name, dir))
  expect_identical(out, name)
  cl <- cluster_join(name)
  e <- error_of(cluster_reduce(cl))
  expect_s3_class(e, "pool_job_unfinished_error")
  expect_identical(as.numeric(e$missing), 4)
  expect_identical(cluster_reduce(cl, partial = TRUE), vector("list", 4))
  expect_true(is_empty(cl$outjob))
  expect_error(peek(cl$outjob), class = "pool_queue_empty_error")
  file.create(file.path(dir, "go"))
  expect_true(wait_until(function() {
    !inherits(try(cluster_reduce(cl), silent = TRUE), "try-error")
  }))
  expect_identical(cluster_reduce(cl), as.list(1:4))
})

test_that("it begins in one process, and nodes are added while it runs", {
  name <- local_name()
  dir <- local_cluster_dir()
  # The process that runs the first task waits for a task that only another can run.
  initialize_cluster_queue(name, 1:4, at_top(function(x, meta) {
    file.create(file.path(meta, x))
    while (length(list.files(meta)) < 2) Sys.sleep(0.01)
    list(output = Sys.getpid())
  }), dir)
  pid <- cluster_add_nodes(name, 1L)
  expect_true(is.numeric(pid))
  cl <- cluster_run(cluster_join(name))
  pids <- unlist(cluster_reduce(cl))
  expect_length(unique(pids), 2L)
  expect_true(Sys.getpid() %in% pids)
})

test_that("cluster_run() waits for what others are at", {
  name <- local_name()
  dir <- local_cluster_dir()
  initialize_cluster_queue(name, 1:2, at_top(function(x, meta) {
    file.create(file.path(meta, paste0("at-", x)))
    while (x == 1 && !file.exists(file.path(meta, "at-2"))) Sys.sleep(0.01)
    if (x == 1) Sys.sleep(0.3)
    list(output = x)
  }), dir)
  cluster_add_nodes(name)
  expect_true(wait_until(function() file.exists(file.path(dir, "at-1"))))
  cl <- cluster_run(cluster_join(name))
  expect_identical(cluster_reduce(cl), list(1L, 2L))
})

test_that("a task that fails is recorded once, the others finish", {
  name <- local_name()
  count <- local_cluster_dir()
  tp_map(c(a = 1, b = 2, c = 3), at_top(function(x, meta) {
    file.create(tempfile(paste0("ran-", x, "-"), meta))
    if (x == 2) stop("two")
    list(output = x)
  }), count, cl_name = name)
  cl <- cluster_join(name)
  e <- error_of(cluster_reduce(cl))
  expect_s3_class(e, c("pool_job_task_error", "pool_job_error", "pool_error"))
  expect_match(conditionMessage(e), "two")
  expect_identical(e$results, list(a = 1, b = NULL, c = 3))
  expect_length(e$errors, 1)
  expect_identical(conditionMessage(e$errors[[1]]$parent), "two")
  expect_identical(as.numeric(e$errors[[1]]$task), 2)
  part <- cluster_reduce(cl, partial = TRUE)
  expect_identical(part[c("a", "c")], list(a = 1, c = 3))
  expect_s3_class(part$b, "pool_job_task_error")
  expect_length(list.files(count, "ran-2"), 1)
  expect_identical(dequeue(cl$outjob), 1)
  expect_s3_class(dequeue(cl$outjob), "pool_job_task_error")
})

test_that("a function that returns no output is a failed task", {
  for (f in list(at_top(function(x, meta) 1), at_top(function(x, meta) list(out = 1)))) {
    cl <- cluster_create(local_name())
    cluster_add1_task(cl, new_task(1, f))
    cluster_run(cl)
    expect_error(cluster_reduce(cl), "list(output = )", fixed = TRUE, class = "pool_job_task_error")
  }
  cl <- cluster_create(local_name())
  cluster_add1_task(cl, new_task(1, at_top(function(x, meta) list(output = NULL))))
  cluster_run(cl)
  expect_identical(cluster_reduce(cl), list(NULL))
})

test_that("a task that kills its node is lost after its tries, the others finish", {
  name <- local_name()
  count <- local_cluster_dir()
  tp_map(1:3, at_top(function(x, meta) {
    file.create(tempfile(paste0("ran-", x, "-"), meta))
    if (x == 2) tools::pskill(Sys.getpid(), 9)
    list(output = x)
  }), count, cl_name = name)
  e <- error_of(cluster_reduce(cluster_join(name)))
  expect_s3_class(e, "pool_job_task_error")
  expect_identical(e$results, list(1L, NULL, 3L))
  expect_match(conditionMessage(e), "lost")
  expect_length(list.files(count, "ran-2"), 3)
})

test_that("when all that work for it are killed, it goes on where it stopped", {
  name <- local_name()
  dir <- local_cluster_dir()
  f <- at_top(function(x, meta) {
    cat(paste0(x, "\n"), file = file.path(meta, "ran"), append = TRUE) # one write
    while (x > 2 && !file.exists(file.path(meta, "go"))) Sys.sleep(0.01)
    list(output = c(x, Sys.getpid()))
  })
  tp_map(1:6, f, dir, cl_name = name, wait_for_result = FALSE)
  cl <- cluster_join(name)
  ran <- function() suppressWarnings(tryCatch(readLines(file.path(dir, "ran")), error = identity))
  # The results of the first two are there, and not only the one's.
  done <- function() sum(!vapply(cluster_reduce(cl, partial = TRUE), is.null, NA))
  expect_true(wait_until(function() length(ran()) >= 4 && done() == 2))
  first <- cluster_reduce(cl, partial = TRUE)
  workers <- job_processes(name)
  tools::pskill(workers, 9)
  expect_true(gone(workers))
  # The kernel may take a moment to tell that they are dead.
  expect_true(wait_until(function() abandoned(cl) > 0))
  file.create(file.path(dir, "go"))
  cluster_run(cl)
  expect_identical(abandoned(cl), 0L)
  out <- cluster_reduce(cl)
  expect_identical(lapply(out, `[[`, 1L), as.list(1:6))
  had <- !vapply(first, is.null, NA)
  expect_identical(out[had], first[had])
  # Twice only what was at work when they died.
  expect_true(all(table(ran()) <= ifelse(seq_len(6) <= 2, 1, 2)))
})

test_that("Ctrl-C ends the waiting, not the work, and says so", {
  skip_if_not_installed("processx")
  name <- local_name()
  dir <- local_cluster_dir()
  script <- c(
    "library(pool)",
    sprintf("options(pool.transport = %s)", deparse(getOption("pool.transport"))),
    "f <- function(x, meta) {",
    "  file.create(file.path(meta, paste0('at-', x)))",
    "  while (!file.exists(file.path(meta, 'go'))) Sys.sleep(0.01)",
    "  list(output = x)",
    "}",
    sprintf("tp_map(1:2, f, meta = %s, cl_name = %s)", deparse(dir), deparse(name))
  )
  file <- withr::local_tempfile(lines = script, fileext = ".R")
  p <- processx::process$new(file.path(R.home("bin"), "Rscript"), file, stderr = "|", stdout = "|")
  expect_true(wait_until(function() length(list.files(dir, "at-")) == 2))
  p$signal(2L)
  p$wait(10000)
  expect_false(p$is_alive())
  expect_match(p$read_all_error(), "cluster_join(", fixed = TRUE)
  cl <- cluster_join(name)
  expect_error(cluster_reduce(cl), class = "pool_job_unfinished_error")
  file.create(file.path(dir, "go"))
  expect_true(wait_until(function() all(!vapply(cluster_reduce(cl, TRUE), is.null, NA))))
  expect_identical(cluster_reduce(cl), list(1L, 2L))
})

test_that("nodes leave when their cluster is deleted", {
  name <- local_name()
  dir <- local_cluster_dir()
  tp_map(1:50, at_top(function(x, meta) {
    file.create(file.path(meta, x))
    Sys.sleep(0.1)
    list(output = x)
  }), dir, cl_name = name, wait_for_result = FALSE)
  expect_true(wait_until(function() length(list.files(dir)) > 0))
  workers <- job_processes(name)
  expect_gte(length(workers), 3) # supervisor, what nodes are forked from, nodes
  delete_cluster(name)
  expect_true(gone(workers))
  expect_identical(list.files(dirname(name), all.files = TRUE, no.. = TRUE), character())
})

# Says that it has begun, and waits.
waits_for_go <- at_top(function(x, meta) {
  file.create(file.path(meta, x))
  while (!file.exists(file.path(meta, "go"))) Sys.sleep(0.01)
  list(output = x)
})

test_that("tp_map() comes back when its nodes are killed, with a warning", {
  name <- local_name()
  dir <- local_cluster_dir()
  session <- callr::r_bg(at_top(function(name, dir, f) {
    library(pool)
    withCallingHandlers(
      tp_map(1:4, f, dir, cl_name = name),
      warning = function(w) cat(conditionMessage(w))
    )
  }), list(name, dir, waits_for_go), stdout = "|", stderr = NULL)
  expect_true(wait_until(function() length(list.files(dir)) == 2))
  tools::pskill(job_processes(name), 9)
  expect_true(wait_until(function() !session$is_alive()))
  expect_identical(session$get_result(), name)
  expect_match(session$read_all_output(), "4 of 4 tasks have no result", fixed = TRUE)
  file.create(file.path(dir, "go"))
  expect_identical(cluster_reduce(cluster_run(cluster_join(name))), as.list(1:4))
})

test_that("the session's death by a kill stops nothing", {
  name <- local_name()
  dir <- local_cluster_dir()
  session <- callr::r_bg(at_top(function(name, dir, f) {
    library(pool)
    tp_map(1:3, f, dir, cl_name = name)
  }), list(name, dir, waits_for_go))
  expect_true(wait_until(function() length(list.files(dir)) == 2))
  session$kill()
  file.create(file.path(dir, "go"))
  cl <- cluster_join(name)
  expect_true(wait_until(function() job_status(cluster_job(cl))$state == "completed"))
  expect_identical(cluster_reduce(cl), as.list(1:3))
})

test_that("where no node can be started, the name is free", {
  name <- local_name()
  local_pool(1)
  e <- error_of(pool_lapply(1, at_top(function(i, name) {
    pool::tp_map(1:3, identity, cl_name = name)
  }), name))
  expect_s3_class(e$parent, "pool_job_error")
  expect_identical(list.files(dirname(name), all.files = TRUE, no.. = TRUE), character())
})

test_that("many join and leave at the same time, and each task runs once", {
  name <- local_name()
  log <- file.path(local_cluster_dir(), "ran")
  initialize_cluster_queue(name, 1:300, at_top(function(x, meta) {
    cat(paste0(x, "\n"), file = meta, append = TRUE)
    list(output = c(x, Sys.getpid()))
  }), log)
  cl <- cluster_join(name)
  cluster_add_nodes(name, 2)
  jobs <- lapply(1:4, function(i) {
    parallel::mcparallel({
      # Some only for a while.
      if (i > 2) {
        for (k in 1:10) {
          task <- cluster_next_task(cl)
          if (inherits(task, "try-error")) break
          cluster_finish_task(cl, task$func(task$data, log)$output)
        }
      } else {
        cluster_run(cl)
      }
      NULL
    })
  })
  cluster_run(cl)
  parallel::mccollect(jobs)
  out <- do.call(rbind, cluster_reduce(cl))
  expect_identical(out[, 1L], 1:300)
  expect_gt(length(unique(out[, 2L])), 2L)
  expect_identical(sort(as.integer(readLines(log))), 1:300)
})

test_that("after total kills each task has one result, and ran again only by a kill it was in", {
  name <- local_name()
  log <- file.path(local_cluster_dir(), "ran")
  n <- 120L
  initialize_cluster_queue(name, seq_len(n), at_top(function(x, meta) {
    cat(paste0(x, "\n"), file = meta, append = TRUE)
    Sys.sleep(0.02)
    list(output = x^2)
  }), log)
  cl <- cluster_join(name)
  done <- function() sum(lengths(cluster_reduce(cl, partial = TRUE)))
  kills <- 4L
  for (i in seq_len(kills)) {
    cluster_add_nodes(name, 2)
    least <- done() + 10L
    wait_until(function() done() >= least)
    workers <- job_processes(name)
    tools::pskill(workers, 9)
    expect_true(gone(workers))
  }
  had <- cluster_reduce(cl, partial = TRUE)
  cluster_run(cl)
  out <- cluster_reduce(cl)
  expect_identical(out, as.list(seq_len(n)^2))
  there <- lengths(had) > 0L
  expect_identical(out[there], had[there])
  ran <- table(factor(as.integer(readLines(log)), seq_len(n)))
  expect_true(all(ran >= 1L))
  # At a kill two nodes were at a batch of some 20 ms each, and as much was on its way.
  expect_lte(sum(ran) - n, kills * 2L * 4L)
})

test_that("a full disk is an error, and work goes on where it stopped", {
  skip_if(Sys.info()[["effective_user"]] != "root", "not root")
  mount <- withr::local_tempdir()
  options <- c("-t", "tmpfs", "-o", "size=3m", "none", mount)
  skip_if(system2("mount", options, stderr = FALSE) != 0, "no mount(8)")
  withr::defer(system2("umount", mount))
  f <- at_top(function(x, meta) list(output = stats::runif(5e4) * 0 + x))
  e <- error_of(tp_map(1, f, meta = stats::runif(1e6), cl_name = file.path(mount, "large")))
  expect_s3_class(e, "pool_job_error")
  expect_match(conditionMessage(e), "No space left")
  expect_identical(dir(mount, all.files = TRUE, no.. = TRUE), character())
  name <- file.path(mount, "c")
  initialize_cluster_queue(name, 1:20, f)
  cl <- cluster_join(name)
  expect_match(conditionMessage(error_of(cluster_run(cl))), "No space left")
  # Nodes end, and tp_map() comes back.
  expect_warning(tp_map(1:20, f, cl_name = file.path(mount, "d")), "all nodes are gone")
  expect_output(logfile_show(file.path(mount, "d")), "process") # the log is on that disk, too
  system2("mount", c("-o", "remount,size=40m", mount))
  cluster_run(cl)
  expect_identical(vapply(cluster_reduce(cl), sum, 0), 1:20 * 5e4)
  cl <- cluster_join(file.path(mount, "d"))
  expect_identical(vapply(cluster_reduce(cluster_run(cl)), sum, 0), 1:20 * 5e4)
  cluster_shutdown(cl)
  delete_cluster(name)
  gc() # what is open there, and nobody has any more
})
