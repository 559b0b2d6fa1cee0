test_that("a job is made, opened, run, read and deleted", {
  store <- directory_store()
  expect_identical(store_job_ids(store), character())
  job <- local_directory_job(40, store = store)
  expect_identical(job_manifest(job), charToRaw("the manifest"))
  expect_identical(store_job_ids(store), "job")
  expect_identical(job_status(job), list(state = "active", tasks = 40, queued = 40,
    running = 0, completed = 0, failed = 0, lost = 0))

  other <- store_open_job(store, "job")
  expect_identical(other$id, "job")
  expect_identical(job_manifest(other), charToRaw("the manifest"))
  got <- job_claim(other, 3)
  expect_identical(got, list(task = c(1, 2, 3), data = some_tasks(3), tries = c(0L, 0L, 0L)))
  expect_identical(counts(job)[c("queued", "running")], c(queued = 37, running = 3))
  expect_identical(finish(other, got), list(task = numeric(), data = list(), tries = integer()))
  expect_identical(counts(job)[c("queued", "completed")], c(queued = 37, completed = 3))
  expect_identical(job_renew(other), Inf)

  found <- job_results(job, 2, 10)
  expect_identical(found$task, c(2, 3))
  expect_identical(found$status, rep("completed", 2))
  expect_identical(found$seconds, rep(0.001, 2))
  expect_identical(lapply(found$result, unserialize), list(4, 9))
  expect_identical(job_results(job, 20, 5), list(task = numeric(), status = character(),
    result = list(), seconds = numeric()))
  expect_identical(job_results(job, 1000, Inf)$task, numeric())

  expect_identical(run_all(job, 7), as.numeric(4:40))
  expect_all_right(other, 40)
  expect_identical(job_add(job, list(as.raw(1), raw())), c(41, 42))
  expect_identical(job_add(job, list()), numeric())
  expect_identical(job_status(other)$state, "active")
  got <- job_claim(job, 9)
  expect_identical(got$data, list(as.raw(1), raw()))
  job_release(job, got$task)
  expect_identical(counts(job)[["queued"]], 2)

  job_close(other)
  job_close(other)
  expect_error(job_claim(other, 1), "closed", class = "pool_job_error")
  job_delete(job)
  expect_error(job_status(job), class = "pool_job_error")
  expect_identical(store_job_ids(store), character())
  expect_error(store_open_job(store, "job"), class = "pool_job_absent_error")
  expect_identical(dir(store$path, all.files = TRUE, no.. = TRUE), character())
})

test_that("values of any size come back as they were", {
  store <- directory_store()
  values <- lapply(c(0, 1, 100, 5000, 65536, 65537, 3e6), random_bytes)
  job <- store_create_job(store, "sizes", values[[7]], values)
  withr::defer(job_close(job))
  expect_identical(job_manifest(job), values[[7]])
  got <- job_claim(job, 100)
  expect_identical(got$data, values)
  job_commit(job, list(task = got$task, status = rep(c("completed", "failed"), length.out = 7),
    result = rev(values), seconds = rep(1e6, 7)))
  job_close(job)
  job <- store_open_job(store, "sizes")
  expect_identical(job_manifest(job), values[[7]])
  found <- job_results(job, 1, 100)
  expect_identical(found$result, rev(values))
  expect_identical(found$status, rep(c("completed", "failed"), length.out = 7))
  # Two tasks and the manifest in one file, two results in another.
  expect_length(dir(job_path(job, "large")), 2)
  job_close(job)
})

test_that("files of a job are the user's alone", {
  job <- local_directory_job(2)
  job_add(job, list(random_bytes(1e5)))
  job_put_file(job, "stdout/1.txt", charToRaw("text"))
  paths <- c(job_path(job), dir(job_path(job), recursive = TRUE, full.names = TRUE,
    include.dirs = TRUE))
  info <- file.info(paths)
  expect_true(all(format(info$mode) == ifelse(info$isdir, "700", "600")))
  expect_gt(sum(!info$isdir), 4)
})

test_that("the first result of a task counts", {
  job <- local_directory_job(3)
  got <- job_claim(job, 1)
  done <- function(status, byte) {
    list(task = 1, status = status, result = list(as.raw(byte)), seconds = 1)
  }
  job_commit(job, done("completed", 1))
  job_commit(job, done("failed", 2))
  expect_identical(job_results(job, 1, 1),
    list(task = 1, status = "completed", result = list(as.raw(1)), seconds = 1))
  # Also of one that was not claimed.
  job_commit(job, list(task = 3, status = "failed", result = list(raw()), seconds = 0))
  expect_identical(job_claim(job, 5)$task, 2)
  expect_identical(counts(job), c(tasks = 3, queued = 0, running = 1, completed = 1,
    failed = 1, lost = 0))
})

test_that("a task that its node dies in is charged, and then lost", {
  job <- local_directory_job(2)
  for (tries in 0:1) {
    got <- job_claim(job, 1)
    expect_identical(got$task, 1)
    expect_identical(got$tries, tries)
    expect_identical(job_charge(job, 1, 3, charToRaw("lost")), "again")
  }
  expect_identical(job_claim(job, 1)$tries, 2L)
  expect_identical(job_charge(job, 1, 3, charToRaw("lost")), "lost")
  expect_identical(job_results(job, 1, 2), list(task = 1, status = "lost",
    result = list(charToRaw("lost")), seconds = NA_real_))
  expect_identical(job_claim(job, 1)$task, 2)
  expect_error(job_charge(job, 7, 3, raw()), "no such task", class = "pool_job_error")
})

test_that("claims of a process that was killed go back, free of charge", {
  job <- local_directory_job(10)
  p <- job_session(job, function(job) {
    pool:::job_claim(job, 4)
    Sys.sleep(600)
  })
  expect_true(wait_until(function() counts(job)[["running"]] == 4))
  expect_identical(job_abandoned(job), numeric())
  expect_identical(job_requeue(job), 0)
  mine <- job_claim(job, 2)
  expect_identical(mine$task, c(5, 6))
  tools::pskill(p$get_pid(), tools::SIGKILL)
  p$wait()
  expect_identical(job_abandoned(job), as.numeric(1:4))
  got <- job_claim(job, 3)
  expect_identical(got$task, as.numeric(1:3))
  expect_identical(got$tries, rep(0L, 3))
  expect_identical(job_abandoned(job), numeric())
  finish(job, got)
  finish(job, mine)
  expect_setequal(run_all(job), c(4, 7:10))
  expect_all_right(job, 10)
})

test_that("claims of a job that is closed, or forgotten, go back", {
  job <- local_directory_job(5)
  other <- store_open_job(job$store, "job")
  job_claim(other, 2)
  job_close(other)
  expect_identical(counts(job)[["queued"]], 5)
  other <- store_open_job(job$store, "job")
  job_claim(other, 2)
  rm(other)
  gc()
  expect_identical(job_abandoned(job), c(1, 2))
  expect_identical(job_requeue(job), 2)
  expect_identical(run_all(job), as.numeric(1:5))
})

test_that("several processes share the tasks of a job that is added to", {
  job <- local_directory_job(300)
  work <- function(job, tasks) {
    answer <- function(data) serialize(unserialize(data)^2, NULL, xdr = FALSE)
    got <- pool:::job_claim(job, 5)
    n <- 0
    while (n < tasks || length(got$task)) {
      n <- n + length(got$task)
      got <- pool:::job_commit(job, list(task = got$task,
        status = rep("completed", length(got$task)), result = lapply(got$data, answer),
        seconds = rep(0, length(got$task))), 5)
      if (pool:::job_status(job)$queued == 0 && !length(got$task)) break
    }
    pool:::job_close(job)
    n
  }
  here <- environment()
  all <- lapply(1:3, function(i) job_session(job, work, list(50), env = here))
  job_add(job, lapply(301:400, serialize, NULL, xdr = FALSE))
  done <- sapply(all, function(p) {
    p$wait()
    p$get_result()
  })
  run_all(job)
  expect_all_right(job, 400)
  expect_lte(sum(done), 400)
})

test_that("a job is ended early", {
  job <- local_directory_job(6)
  got <- job_claim(job, 2)
  job_terminate(job)
  job_terminate(job)
  expect_identical(job_status(job)$state, "terminated")
  expect_identical(job_claim(job, 2)$task, numeric())
  expect_identical(finish(job, got, 3)$task, numeric())
  expect_identical(counts(job), c(tasks = 6, queued = 4, running = 0, completed = 2,
    failed = 0, lost = 0))
  expect_identical(job_results(job, 1, 6)$task, c(1, 2))
})

test_that("100,000 tasks are made and counted in no time", {
  store <- directory_store()
  tasks <- some_tasks(1e5)
  took <- system.time(job <- store_create_job(store, "many", raw(), tasks))[["elapsed"]]
  withr::defer(job_close(job))
  expect_lt(took, 5)
  run_all(job, 1000)
  took <- system.time(status <- job_status(job))[["elapsed"]]
  expect_identical(status$completed, 1e5)
  expect_lt(took, 0.5)
  job_close(job)
  took <- system.time(job <- store_open_job(store, "many"))[["elapsed"]]
  expect_lt(took, 1)
  expect_length(job_results(job, 99991, 100)$task, 10)
})

# ---- what is refused ----

test_that("ids and paths that cannot be are input errors", {
  store <- directory_store()
  for (id in list("", ".", "..", ".hidden", "a/b", strrep("x", 201), NA_character_, 1, NULL,
    c("a", "b"), "a\xff")) {
    e <- error_of(store_create_job(store, id, raw(), list()))
    expect_s3_class(e, "pool_input_error")
    expect_identical(e$argument, "id")
    expect_s3_class(error_of(store_open_job(store, id)), "pool_input_error")
  }
  expect_false(dir.exists(store$path))
  for (path in list("", NA_character_, 1, NULL, c("a", "b"))) {
    e <- error_of(pool:::store_directory(path))
    expect_s3_class(e, "pool_input_error")
    expect_identical(e$argument, "path")
  }
  withr::local_dir(withr::local_tempdir())
  relative <- pool:::store_directory("jobs")
  job <- store_create_job(relative, "here", raw(), list())
  job_close(job)
  withr::local_dir(tempdir())
  expect_identical(store_job_ids(relative), "here")
})

test_that("a taken id is an error, and that job is as it was", {
  job <- local_directory_job(4)
  finish(job, job_claim(job, 2))
  for (i in 1:2) {
    e <- error_of(store_create_job(job$store, "job", as.raw(9), list(as.raw(9))))
    expect_s3_class(e, "pool_job_exists_error")
    expect_s3_class(e, "pool_job_error")
    expect_s3_class(e, "pool_error")
    expect_identical(e$id, "job")
    expect_match(conditionMessage(e), "'job'", fixed = TRUE)
    expect_identical(job_manifest(job), charToRaw("the manifest"))
    expect_identical(counts(job)[["tasks"]], 4)
    job_close(job)
    job <- store_open_job(job$store, "job")
  }
  # So is that of a file, or a directory of somebody's.
  dir.create(file.path(job$store$path, "empty"))
  file.create(file.path(job$store$path, "file"))
  for (id in c("empty", "file")) {
    expect_error(store_create_job(job$store, id, raw(), list()),
      class = "pool_job_exists_error")
  }
  expect_setequal(dir(job$store$path, all.files = TRUE, no.. = TRUE), c("empty", "file", "job"))
  job_close(job)
})

test_that("what is no job is told apart from one that is not there", {
  store <- directory_store()
  refused <- function(id, class, store. = store) {
    e <- error_of(store_open_job(store., id))
    expect_s3_class(e, class)
    expect_identical(e$id, id)
  }
  refused("none", "pool_job_absent_error")
  dir.create(file.path(store$path, "empty"), recursive = TRUE)
  refused("empty", "pool_job_format_error")
  file.create(file.path(store$path, "file"))
  refused("file", "pool_job_format_error")
  dir.create(file.path(store$path, "text"))
  writeLines(strrep("some text ", 5000), file.path(store$path, "text", "data.mdb"))
  refused("text", "pool_job_format_error")
  file.create(file.path(store$path, "empty", "data.mdb"))
  refused("empty", "pool_job_format_error")
  create_queue(file.path(store$path, "queue"))
  refused("queue", "pool_job_format_error")
  refused("a", "pool_job_format_error",
    pool:::store_directory(file.path(store$path, "file")))
})

test_that("a job of a newer format is refused", {
  job <- local_directory_job(3)
  job_close(job)
  seal <- function(format) {
    content <- c(as.raw(0), le_bytes(format, 4))
    crc <- crc32c(c(as.raw(c(0, 6)), le_bytes(5, 8), charToRaw("format"), content))
    c(charToRaw("format"), le_bytes(crc, 4), content)
  }
  expect_identical(crc32c(charToRaw("123456789")), 0xe3069283)
  spoil(job, function(bytes) {
    at <- places_of(seal(1), bytes)
    expect_gt(length(at), 0)
    for (i in at) bytes[i - 1 + seq_along(seal(2))] <- seal(2)
    bytes
  })
  e <- error_of(store_open_job(job$store, "job"))
  expect_s3_class(e, "pool_job_format_error")
  expect_match(conditionMessage(e), "newer")
})

test_that("a store of another user is refused", {
  skip_if(Sys.info()[["effective_user"]] != "root", "not root")
  job <- local_directory_job(3)
  job_close(job)
  system2("chown", c("-R", "12345", shQuote(job_path(job))))
  e <- error_of(store_open_job(job$store, "job"))
  expect_s3_class(e, "pool_job_error")
  expect_match(conditionMessage(e), "another user")
})

test_that("a file system of a network is refused, with the reason", {
  # That C refuses it is tested there, where what the kernel says can be made up.
  e <- error_of(pool:::throw_job("remote", "open", "job", 66L, "", NA))
  expect_s3_class(e, "pool_job_error")
  expect_match(conditionMessage(e), "cannot open job 'job'.*network")
  e <- error_of(pool:::throw_job("remote", "create", "job", 66L, "", NA))
  expect_match(conditionMessage(e), "network")
})

test_that("where no directory can be made, the error says where and why", {
  skip_if_not(dir.exists("/proc/self"), "no /proc")
  # Of what the system says of a place, two mean something else of a job that is there.
  store <- pool:::store_directory("/proc")
  e <- error_of(store_create_job(store, "job", raw(), list()))
  expect_identical(class(e)[1:2], c("pool_job_error", "pool_error"))
  expect_match(conditionMessage(e), "^cannot create job 'job' in '/proc': no directory can be made")
  expect_identical(e$errno, 2L)
  expect_identical(e$id, "job")
  for (kind in c("absent", "foreign")) {
    e <- error_of(pool:::throw_job(kind, "create", "job", 1L, "the reason", NA))
    expect_match(conditionMessage(e), "there: the reason$")
  }
  e <- error_of(create_queue("/proc/queue"))
  expect_match(conditionMessage(e), "cannot create queue '/proc/queue': no directory can be made")
  e <- error_of(create_queue("/no/such/queue"))
  expect_match(conditionMessage(e), "there is no directory '/no/such'$")
})

# A process that does little but write, as long as it is there.
writer <- function(job, env = parent.frame()) {
  p <- job_session(job, function(job) {
    tasks <- rep(list(raw(100)), 20000)
    file.create(file.path(job$store$path, "writes"))
    repeat pool:::job_add(job, tasks)
  }, env = env)
  expect_true(wait_until(function() file.exists(file.path(job$store$path, "writes"))))
  p
}

test_that("who waits for a process that was stopped in a write is told so, once", {
  job <- local_directory_job(1)
  p <- writer(job)
  told <- character()
  said <- NULL
  for (i in 1:50) {
    Sys.sleep(0.05)
    p$signal(19L) # SIGSTOP: mostly in the middle of a write
    withCallingHandlers(job_add(job, some_tasks(1)), message = function(m) {
      told <<- c(told, conditionMessage(m))
      said <<- Sys.time()
      system(sprintf("(sleep 7; kill -CONT %d) >/dev/null 2>&1 &", p$get_pid()))
      invokeRestart("muffleMessage")
    })
    p$signal(18L)
    if (length(told)) break
  }
  expect_identical(told, sprintf(paste0(
    "Waiting to write to 'job': process %d has been writing to it for 5 seconds, and is stopped. ",
    "'kill -CONT %d' lets it go on, 'kill -KILL %d' ends it, and what it was at goes back.\n"
  ), p$get_pid(), p$get_pid(), p$get_pid()))
  expect_gt(as.numeric(Sys.time() - said, units = "secs"), 5) # waited on, in silence
})

test_that("a job is closed while somebody is stopped in a write", {
  job <- local_directory_job(3)
  expect_identical(job_claim(job, 1)$task, 1)
  p <- writer(job)
  busy <- FALSE
  for (i in 1:50) {
    Sys.sleep(0.05)
    p$signal(19L)
    begin <- Sys.time()
    job_close(job)
    busy <- Sys.time() - begin > 3
    p$signal(18L)
    if (busy) break
    job <- store_open_job(job$store, job$id)
    job_claim(job, 1)
  }
  expect_true(busy)
  p$kill()
  # Its claim goes back all the same.
  job <- store_open_job(job$store, job$id)
  expect_identical(job_requeue(job), 1)
  job_close(job)
})

test_that("a directory that cannot be written to is an error, and nothing is left", {
  store <- pool:::store_directory("/proc/no/such")
  e <- error_of(store_create_job(store, "job", raw(), list()))
  expect_s3_class(e, "pool_job_error")
  expect_match(conditionMessage(e), "/proc/no/such", fixed = TRUE)
  expect_identical(store_job_ids(store), character())
  file <- withr::local_tempfile(lines = "text")
  e <- error_of(store_create_job(pool:::store_directory(file), "job", raw(), list()))
  expect_s3_class(e, "pool_job_error")

  skip_if(Sys.info()[["effective_user"]] == "root", "root may write anywhere")
  job <- local_directory_job(3)
  job_close(job)
  Sys.chmod(job$store$path, "0500")
  withr::defer(Sys.chmod(job$store$path, "0700"))
  e <- error_of(store_create_job(job$store, "other", raw(), list()))
  expect_s3_class(e, "pool_job_error")
  expect_gt(e$errno, 0)
  Sys.chmod(job_path(job), "0500")
  Sys.chmod(job_path(job, "data.mdb"), "0400")
  e <- error_of(store_open_job(job$store, "job"))
  expect_s3_class(e, "pool_job_error")
  Sys.chmod(job_path(job), "0700")
  Sys.chmod(job_path(job, "data.mdb"), "0600")
  job <- store_open_job(job$store, "job")
  run_all(job)
  expect_all_right(job, 3)
})

test_that("a read-only file system is an error", {
  skip_if(Sys.info()[["effective_user"]] != "root", "not root")
  job <- local_directory_job(3)
  job_close(job)
  mount <- withr::local_tempdir()
  skip_if(system2("mount", c("-t", "tmpfs", "none", mount), stderr = FALSE) != 0, "no mount(8)")
  withr::defer(system2("umount", mount))
  file.copy(job$store$path, mount, recursive = TRUE)
  remount <- function(how) system2("mount", c("-o", paste0("remount,", how), mount))
  expect_identical(remount("ro"), 0L)
  store <- pool:::store_directory(file.path(mount, basename(job$store$path)))
  for (e in list(error_of(store_open_job(store, "job")),
    error_of(store_create_job(store, "new", raw(), list())))) {
    expect_identical(class(e)[1], "pool_job_error")
    expect_match(conditionMessage(e), "Read-only")
  }
  expect_identical(remount("rw"), 0L)
  job <- store_open_job(store, "job")
  run_all(job)
  expect_all_right(job, 3)
  job_close(job)
})

# ---- a full disk ----

fill_up <- function(job) {
  e <- NULL
  n <- 0
  while (is.null(e) && n < 1000) {
    e <- tryCatch({
      job_add(job, list(random_bytes(5e4)))
      NULL
    }, error = identity)
    n <- n + is.null(e)
  }
  list(error = e, added = n)
}

test_that("a full disk is an error; what is there stays, and goes on later", {
  skip_if(Sys.info()[["effective_user"]] != "root", "not root")
  mount <- withr::local_tempdir()
  options <- c("-t", "tmpfs", "-o", "size=3m", "none", mount)
  skip_if(system2("mount", options, stderr = FALSE) != 0, "no mount(8)")
  withr::defer(system2("umount", mount))
  store <- pool:::store_directory(mount)
  job <- store_create_job(store, "job", raw(), some_tasks(50))
  got <- job_claim(job, 10)
  filled <- fill_up(job)
  expect_identical(class(filled$error)[1], "pool_job_error")
  expect_match(conditionMessage(filled$error), "No space left")
  expect_gt(filled$added, 5)
  # Large values are files, and those go again.
  e <- error_of(job_add(job, list(random_bytes(3e6))))
  expect_match(conditionMessage(e), "No space left")
  expect_identical(dir(job_path(job, "large")), character())
  e <- error_of(store_create_job(store, "new", raw(), list(random_bytes(3e6))))
  expect_match(conditionMessage(e), "No space left")
  expect_identical(dir(mount, all.files = TRUE, no.. = TRUE), "job")
  expect_identical(counts(job)[c("tasks", "running")],
    c(tasks = 50 + filled$added, running = 10))
  system2("mount", c("-o", "remount,size=30m", mount))
  finish(job, got)
  job_close(job)
  job <- store_open_job(store, "job")
  got <- job_claim(job, 40)
  expect_identical(got$task, as.numeric(11:50))
  expect_identical(job_claim(job, 1000)$task, 50 + as.numeric(seq_len(filled$added)))
  job_close(job)
})

test_that("a limit of the size of files is an error, too, and not the end", {
  skip_if(!nzchar(Sys.which("prlimit")), "no prlimit(1)")
  job <- local_directory_job(50)
  path <- job_path(job, "data.mdb")
  p <- job_session(job, list(fill_up = fill_up, most = file.size(path) + 3e5),
    fun = function(job, fill_up, most) {
      limit <- function(n) {
        system2("prlimit", c("--pid", Sys.getpid(), sprintf("--fsize=%.0f:", n)), stdout = TRUE)
      }
      environment(fill_up) <- list2env(list(
        job_add = pool:::job_add, random_bytes = function(n) as.raw(seq_len(n) %% 256)
      ), parent = baseenv())
      limit(most)
      filled <- fill_up(job)
      large <- tryCatch(pool:::job_add(job, list(raw(1e6))), error = identity)
      file <- tryCatch(pool:::job_put_file(job, "file", raw(1e6)), error = identity)
      status <- pool:::job_status(job)
      list(class(filled$error), conditionMessage(filled$error), filled$added, class(large),
        status, class(file), nrow(pool:::job_files(job)))
    }
  )
  p$wait()
  out <- p$get_result()
  expect_identical(out[[1]][1], "pool_job_error")
  expect_match(out[[2]], "too large")
  expect_identical(out[[4]][1], "pool_job_error")
  expect_identical(out[[5]]$tasks, 50 + out[[3]])
  expect_identical(out[[6]][1], "pool_job_error")
  expect_identical(out[[7]], 0L)
  expect_identical(counts(job)[["tasks"]], 50 + out[[3]])
  expect_identical(job_claim(job, 60)$task, as.numeric(1:min(60, 50 + out[[3]])))
})

# ---- damage ----

test_that("a damaged result is an error that names its task, and the others are there", {
  job <- local_directory_job(0)
  values <- lapply(1:20, function(i) charToRaw(strrep(letters[i], 50)))
  job_add(job, values)
  got <- job_claim(job, 20)
  job_commit(job, list(task = got$task, status = rep("completed", 20),
    result = lapply(values, function(v) c(v, v)), seconds = rep(0, 20)))
  job_close(job)
  spoil(job, function(bytes) {
    for (at in places_of(c(values[[7]], values[[7]]), bytes)) {
      bytes[at + 60] <- xor(bytes[at + 60], as.raw(4))
    }
    bytes
  })
  job <- store_open_job(job$store, "job")
  e <- error_of(job_results(job, 1, 20))
  expect_s3_class(e, "pool_job_corrupt_error")
  expect_identical(e$task, 7)
  expect_identical(e$id, "job")
  expect_match(conditionMessage(e), "the result of task 7", fixed = TRUE)
  expect_identical(job_status(job)$completed, 20)
  expect_identical(job_results(job, 1, 6)$task, as.numeric(1:6))
  expect_identical(job_results(job, 8, 20)$task, as.numeric(8:20))
  expect_identical(job_results(job, 8, 1)$result[[1]], c(values[[8]], values[[8]]))
  job_close(job)
})

test_that("a damaged task is named, too", {
  job <- local_directory_job(0)
  job_add(job, lapply(1:5, function(i) charToRaw(strrep(letters[i], 50))))
  job_close(job)
  spoil(job, function(bytes) {
    for (at in places_of(charToRaw(strrep("c", 50)), bytes)) bytes[at] <- as.raw(0)
    bytes
  })
  job <- store_open_job(job$store, "job")
  expect_identical(job_claim(job, 2)$task, c(1, 2))
  e <- error_of(job_claim(job, 2))
  expect_s3_class(e, "pool_job_corrupt_error")
  expect_match(conditionMessage(e), "task 3", fixed = TRUE)
  expect_null(e$task) # there is no result of it
  expect_identical(counts(job)[["running"]], 2)
  job_close(job)
})

test_that("tasks that R did not get, as one of them is damaged, go back at once", {
  job <- local_directory_job(0)
  job_add(job, list(as.raw(1), random_bytes(2e5), as.raw(3)))
  file <- dir(job_path(job, "large"), full.names = TRUE)
  file.rename(file, paste0(file, "x"))
  e <- error_of(job_claim(job, 3))
  expect_s3_class(e, "pool_job_corrupt_error")
  expect_match(conditionMessage(e), "task 2", fixed = TRUE)
  expect_identical(counts(job)[c("queued", "running")], c(queued = 3, running = 0))
  file.rename(paste0(file, "x"), file)
  expect_identical(job_claim(job, 3)$task, c(1, 2, 3))
  job_close(job)
})

test_that("a damaged file of large results is an error that names the task", {
  for (how in c("bit", "short", "gone", "link")) {
    job <- local_directory_job(3, id = how)
    big <- random_bytes(2e5)
    got <- job_claim(job, 3)
    job_commit(job, list(task = got$task, status = rep("completed", 3),
      result = list(raw(), big, as.raw(1)), seconds = rep(0, 3)))
    expect_identical(job_results(job, 2, 1)$result, list(big))
    path <- dir(job_path(job, "large"), full.names = TRUE)
    bytes <- read_bytes(path)
    switch(how,
      bit = {
        bytes[1e5] <- xor(bytes[1e5], as.raw(1))
        writeBin(bytes, path)
      },
      short = writeBin(bytes[-1], path),
      gone = unlink(path),
      link = {
        file.rename(path, file.path(job_path(job), "elsewhere"))
        file.symlink("../elsewhere", path)
      }
    )
    e <- error_of(job_results(job, 1, 3))
    expect_s3_class(e, "pool_job_corrupt_error")
    expect_identical(e$task, 2)
    expect_identical(job_results(job, 3, 1)$result, list(as.raw(1)))
    expect_identical(job_status(job)$completed, 3)
  }
})

test_that("a damaged file of tables is refused when it is opened", {
  job <- local_directory_job(200)
  run_all(job)
  job_close(job)
  whole <- read_bytes(job_path(job, "data.mdb"))
  refused <- 0
  set.seed(7)
  for (i in 1:60) {
    page <- (sample(length(whole) / 4096, 1) - 1) * 4096
    spoil(job, function(bytes) {
      bytes <- whole
      switch(i %% 4 + 1,
        bytes[page + sample(32, 4)] <- as.raw(sample(256, 4) - 1),
        bytes[page + 1:4096] <- as.raw(0),
        bytes[page + 1:4096] <- whole[sample(length(whole), 4096)],
        bytes <- bytes[seq_len(page)]
      )
      bytes
    })
    e <- tryCatch({
      job <- store_open_job(job$store, "job")
      expect_all_right(job, 200)
      NULL
    }, pool_error = identity)
    job_close(job)
    if (!is.null(e)) {
      expect_true(inherits(e, c("pool_job_corrupt_error", "pool_job_format_error")))
      refused <- refused + 1
    }
  }
  expect_gt(refused, 10)
  spoil(job, function(bytes) whole)
  job <- store_open_job(job$store, "job")
  expect_all_right(job, 200)
  job_close(job)
})

# ---- processes ----

test_that("a fork cannot use a job of its parent, and does it no harm", {
  job <- local_directory_job(6)
  got <- job_claim(job, 2)
  child <- parallel::mcparallel({
    e <- tryCatch(job_claim(job, 1), error = identity)
    own <- store_open_job(job$store, "job")
    theirs <- job_claim(own, 2)
    finish(own, theirs)
    job_close(job)
    rm(job)
    gc()
    job_close(own)
    list(class(e), conditionMessage(e), theirs$task)
  })
  out <- parallel::mccollect(child)[[1]]
  expect_identical(out[[1]][1], "pool_job_error")
  expect_match(out[[2]], "fork")
  expect_identical(out[[3]], c(3, 4))
  expect_identical(job_abandoned(job), numeric())
  expect_identical(counts(job)[c("running", "completed")], c(running = 2, completed = 2))
  finish(job, got)
  run_all(job)
  expect_all_right(job, 6)
})

test_that("a job that is deleted is gone for who has it open", {
  job <- local_directory_job(6)
  other <- store_open_job(job$store, "job")
  job_claim(other, 2)
  job_delete(job)
  expect_error(job_claim(other, 1), class = "pool_job_absent_error")
  expect_error(job_status(other), class = "pool_job_absent_error")
  job_close(other)
  again <- local_directory_job(2, store = job$store)
  expect_identical(counts(again)[["tasks"]], 2)
})

test_that("no descriptor and no claim is left behind", {
  store <- directory_store()
  gc()
  before <- open_files()
  for (i in 1:20) {
    job <- store_create_job(store, paste0("job", i), raw(), some_tasks(2))
    job_claim(job, 1)
    if (i %% 2) job_close(job)
    try(store_open_job(store, "none"), silent = TRUE)
  }
  rm(job)
  gc()
  expect_identical(open_files(), before)
})

test_that("a handle that was saved points nowhere", {
  job <- local_directory_job(2)
  again <- unserialize(serialize(job, NULL))
  expect_error(job_status(again), "closed", class = "pool_job_error")
  expect_error(job_close(again), NA)
  expect_identical(counts(job)[["tasks"]], 2)
})

# ---- files ----

test_that("files of a job are put, got and listed", {
  job <- local_directory_job(1)
  expect_identical(job_files(job), data.frame(name = character(), size = numeric()))
  job_put_file(job, "stdout/10.txt", charToRaw("ten"))
  job_put_file(job, "stdout/9.txt", raw())
  job_put_file(job, "logs/\u00fc ber.txt", as.raw(0:255))
  file <- withr::local_tempfile()
  writeBin(random_bytes(1e5), file)
  job_put_file(job, "stderr/a/b", file)
  expect_identical(job_files(job), data.frame(
    name = c("logs/\u00fc ber.txt", "stderr/a/b", "stdout/10.txt", "stdout/9.txt"),
    size = c(256, 1e5, 3, 0)
  ))
  expect_identical(job_files(job, "stdout/")$size, c(3, 0))
  expect_identical(job_files(job, "none"), data.frame(name = character(), size = numeric()))
  expect_identical(job_get_file(job, "stdout/10.txt"), charToRaw("ten"))
  expect_identical(job_get_file(job, "stdout/9.txt"), raw())
  expect_identical(job_get_file(job, "logs/\u00fc ber.txt"), as.raw(0:255))
  expect_identical(job_get_file(job, "stderr/a/b"), read_bytes(file))
  # One name, in whatever encoding it is given.
  job_put_file(job, iconv("logs/\u00fc ber.txt", "UTF-8", "latin1"), as.raw(1))
  expect_identical(job_files(job, "logs/")$size, 1)
  job_put_file(job, "stdout/10.txt", charToRaw("other"))
  expect_identical(job_get_file(job, "stdout/10.txt"), charToRaw("other"))
  e <- error_of(job_get_file(job, "stdout/11.txt"))
  expect_s3_class(e, "pool_job_absent_error")
  expect_match(conditionMessage(e), "stdout/11.txt")
  expect_s3_class(error_of(job_put_file(job, "x", "/no/such/file")), "pool_job_error")
  expect_s3_class(error_of(job_get_file(job, "stdout")), "pool_job_error")
})

test_that("no name of a file leads out of the job", {
  job <- local_directory_job(1)
  outside <- withr::local_tempdir()
  file.create(file.path(outside, "theirs"))
  for (path in list("", "/", "/etc/passwd", "..", "../data.mdb", "a/../../data.mdb", "a/..",
    "./a", "a//b", "a/", NA_character_, 1, NULL, c("a", "b"), "a\xff", strrep("n", 300))) {
    for (e in list(error_of(job_get_file(job, path)), error_of(job_put_file(job, path, raw())))) {
      expect_true(inherits(e, c("pool_input_error", "pool_job_error")))
      if (inherits(e, "pool_input_error")) expect_identical(e$argument, "path")
    }
  }
  job_put_file(job, "a/b", raw())
  file.symlink(outside, job_path(job, "files", "link"))
  expect_s3_class(error_of(job_put_file(job, "link/theirs", charToRaw("x"))), "pool_job_error")
  expect_s3_class(error_of(job_get_file(job, "link/theirs")), "pool_job_error")
  expect_identical(file.size(file.path(outside, "theirs")), 0)
  expect_identical(job_files(job)$name, "a/b")
})
