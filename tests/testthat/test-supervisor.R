# Work that goes on without the session.

test_that("a supervisor works on the job, and leaves when it is over", {
  store <- local_store()
  job <- local_job(function(x) c(x, Sys.getpid()), 1:50, store = store)
  withr::defer(pool:::job_close(job))
  pid <- local_supervisor(store)
  expect_type(pid, "integer")
  expect_true(wait_for_job(job))
  values <- job_values(job)
  expect_identical(vapply(values, `[[`, 0L, 1L), 1:50)
  pids <- unique(vapply(values, `[[`, 0L, 2L))
  expect_false(any(c(pid, Sys.getpid()) %in% pids)) # nodes of its own
  expect_true(gone(c(pid, pids)))
  expect_true(file.exists(pool:::supervisor_log(store, "j", pid)))
})

test_that("it is nobody's child, and has nothing of the session's", {
  skip_if(!dir.exists("/proc/self"), "no /proc")
  store <- local_store()
  dir <- withr::local_tempdir()
  file <- file(file.path(dir, "open"), "w")
  withr::defer(close(file))
  job <- local_job(function(x) Sys.sleep(600), 1, store = store)
  withr::defer(pool:::job_close(job))
  pid <- local_supervisor(store)
  expect_false(identical(process_info(pid)$parent, Sys.getpid()))
  # A wait for any child of the session finds none.
  expect_identical(parallel::mccollect(wait = FALSE), NULL)
  fds <- Sys.readlink(dir(file.path("/proc", pid, "fd"), full.names = TRUE))
  expect_false(any(grepl(dir, fds, fixed = TRUE)))
  expect_identical(fds[[1]], "/dev/null")
})

test_that("it goes on when the session is killed", {
  store <- local_store()
  job <- local_job(function(x) {
    Sys.sleep(0.05)
    x
  }, 1:40, store = store)
  withr::defer(pool:::job_close(job))
  session <- callr::r_bg(at_top(function(path) {
    suppressMessages(pool::init_pool(1)) # its undertaker is not the supervisor's
    print(pool:::start_supervisor(pool:::store_directory(path), "j", 2))
    Sys.sleep(600)
  }), list(store$path), stdout = "|", supervise = FALSE)
  line <- character() # a line may come in parts
  wait_until(function() length(line <<- c(line, session$read_output_lines(1))) > 0)
  pid <- as.integer(sub(".* ", "", line))
  withr::defer(kill_tree(pid))
  kill_tree(session$get_pid())
  expect_true(alive(pid))
  expect_true(wait_for_job(job))
  expect_identical(job_values(job), as.list(1:40))
  expect_true(gone(pid))
})

# Interrupts this session once a condition of the shell holds; while R starts the shell
# it would not hear it.
interrupt_when <- function(condition) {
  system(sprintf(
    "( while ! { %s; }; do sleep 0.02; done; kill -INT %d )", condition, Sys.getpid()
  ), wait = FALSE)
}

session_sockets <- function() {
  fds <- Sys.readlink(dir("/proc/self/fd", full.names = TRUE))
  sort(fds[startsWith(fds, "socket:")])
}

test_that("one whose start was interrupted does no work, and its starter forgets it", {
  skip_if(!dir.exists("/proc/self"), "no /proc")
  store <- local_store()
  lib <- local_package("slowtocome", ".onLoad <- function(...) Sys.sleep(2)", character())
  withr::local_libpaths(lib, action = "prefix")
  job <- pool:::job_new(store, "j", "lapply", at_top(function(x) x), tasks = 1:5,
    packages = "slowtocome"
  )
  withr::defer(pool:::job_close(job))
  logs <- dirname(pool:::supervisor_log(store, "j", 1))
  sockets <- session_sockets()
  interrupt_when(sprintf("ls %s 2>&1 | grep -q '^[0-9]'", shQuote(logs)))
  # At once: the next garbage collection closes what nobody has any more.
  left <- tryCatch(pool:::start_supervisor(store, "j", 1),
    interrupt = function(e) session_sockets()
  )
  pid <- as.integer(sub("[.].*", "", dir(logs)))
  withr::defer(kill_tree(pid))
  system(sprintf("for i in $(seq 1000); do kill -0 %d 2>&1 || break; sleep 0.05; done", pid),
    intern = TRUE
  )
  expect_identical(left, sockets)
  expect_true(gone(pid))
  expect_identical(pool:::job_status(job)$queued, 5)
})

test_that("nor does one that had just reported", {
  skip_if(!dir.exists("/proc/self"), "no /proc")
  dir <- withr::local_tempdir()
  mark <- file.path(dir, "mark")
  script <- sprintf("cat >/dev/null; printf x >&0; : > %s; exec sleep 600", shQuote(mark))
  interrupt_when(paste("test -e", shQuote(mark))) # by then it has been told
  started <- .Call(
    pool:::C_detach_start, c("/bin/sh", "-c", script), "PATH=/usr/bin:/bin", file.path(dir, "log")
  )
  withr::defer(kill_tree(started[[2]]))
  value <- tryCatch(.Call(pool:::C_detach_tell, started[[1]], raw(1), 600),
    interrupt = function(e) "interrupted"
  )
  expect_identical(value, "interrupted")
  expect_true(gone(started[[2]]))
})

test_that("it is what the session is: libraries, options, locale, directory, variables", {
  store <- local_store()
  dir <- withr::local_tempdir()
  withr::local_dir(dir)
  withr::local_envvar(POOL_TEST_VARIABLE = "here")
  withr::local_options(pool.log_max = 77, digits = 9)
  withr::local_locale(LC_COLLATE = "C")
  lib <- local_package("onlyhere", "there <- function() 'found'", "there")
  withr::local_libpaths(lib, action = "prefix")
  job <- local_job(function(x) {
    list(
      getwd(), Sys.getenv("POOL_TEST_VARIABLE"), getOption("pool.log_max"),
      getOption("digits"), Sys.getlocale("LC_COLLATE"),
      getExportedValue("onlyhere", "there")(), .libPaths(), interactive(), pool_exists()
    )
  }, 1, store = store)
  withr::defer(pool:::job_close(job))
  local_supervisor(store, workers = 1)
  expect_true(wait_for_job(job))
  value <- job_values(job)[[1]]
  expect_identical(normalizePath(value[[1]]), normalizePath(dir))
  expect_identical(value[-1], list("here", 77, 9L, "C", "found", .libPaths(), FALSE, FALSE))
})

test_that("the packages of the job are in its nodes from the start", {
  store <- local_store()
  lib <- local_package("slowtoload", c(
    ".onAttach <- function(...) packageStartupMessage('attached in ', Sys.getpid())",
    "value <- function() 5"
  ), "value")
  withr::local_libpaths(lib, action = "prefix")
  job <- pool:::job_new(store, "j", "lapply", at_top(function(x) {
    c(value(), match("package:slowtoload", search()) < match("package:stats", search()))
  }), tasks = 1:3, packages = "slowtoload")
  withr::defer(pool:::job_close(job))
  local_supervisor(store)
  expect_true(wait_for_job(job))
  expect_identical(unique(job_values(job)), list(c(5, 1)))
})

test_that("what is wrong with the job is the starter's error", {
  store <- local_store()
  expect_s3_class(error_of(pool:::start_supervisor(store, "none", 1)), "pool_job_absent_error")
  lib <- local_package("gonelater", "value <- function() 5", "value")
  withr::with_libpaths(lib, action = "prefix", {
    attachNamespace("gonelater")
    job <- local_job(function(x) value(), 1:2, store = store)
    detach("package:gonelater", unload = TRUE, character.only = TRUE)
  })
  withr::defer(pool:::job_close(job))
  e <- error_of(pool:::start_supervisor(store, "j", 1))
  expect_s3_class(e, "pool_job_error")
  expect_match(conditionMessage(e), "gonelater")
  # It has touched nothing.
  status <- pool:::job_status(job)
  expect_identical(c(status$queued, status$running), c(2, 0))
})

test_that("one that cannot come up is an error that shows its last words", {
  store <- local_store()
  job <- local_job(function(x) x, 1:2, store = store)
  withr::defer(pool:::job_close(job))
  profile <- withr::local_tempfile(lines = c("message('profile: no way')", "quit(status = 3)"))
  withr::local_envvar(R_PROFILE_USER = profile)
  e <- error_of(pool:::start_supervisor(store, "j", 1))
  expect_s3_class(e, "pool_job_error")
  expect_match(conditionMessage(e), "profile: no way")
})

test_that("so is one that dies when it knows the job", {
  store <- local_store()
  lib <- local_package("leaves", c(
    ".onAttach <- function(...) {", "message('leaves: now')", "quit(status = 3)", "}",
    "value <- function() 5"
  ), "value")
  withr::local_libpaths(lib, action = "prefix")
  job <- pool:::job_new(store, "j", "lapply", at_top(identity), tasks = 1:2, packages = "leaves")
  withr::defer(pool:::job_close(job))
  e <- error_of(pool:::start_supervisor(store, "j", 1))
  expect_s3_class(e, "pool_job_error")
  expect_match(conditionMessage(e), "leaves: now")
})

test_that("in a node of a pool it is refused, also in a child of one", {
  store <- local_store()
  job <- local_job(function(x) x, 1:2, store = store)
  withr::defer(pool:::job_close(job))
  local_pool(1)
  start <- at_top(function(path) {
    try_it <- function() {
      tryCatch(pool:::start_supervisor(pool:::store_directory(path), "j", 1), error = class)
    }
    list(try_it(), parallel::mccollect(parallel::mcparallel(try_it()))[[1]])
  })
  found <- pool_call(start, store$path)[[1]]
  expect_identical(found[[1]][[1]], "pool_job_error")
  expect_identical(found[[2]], found[[1]])
})

test_that("no key is in its arguments, its environment, or a file", {
  skip_if(!dir.exists("/proc/self"), "no /proc")
  endpoint <- engine_endpoint()
  store <- pool:::store_account(
    blob_endpoint(endpoint$url, key = endpoint$key),
    queue_endpoint(
      sprintf("http://127.0.0.1:%s/devstoreaccount1", Sys.getenv("AZURITE_QUEUE_PORT")),
      key = endpoint$key
    )
  )
  id <- paste0("supervisor-", Sys.getpid())
  job <- local_job(function(x) {
    while (!file.exists(x)) Sys.sleep(0.05)
    "went"
  }, go <- withr::local_tempfile(), store = store, id = id)
  withr::defer(pool:::job_delete(job))
  cache <- withr::local_tempdir()
  withr::local_envvar(R_USER_CACHE_DIR = cache)
  pid <- local_supervisor(store, id, 1)
  bytes <- function(path) rawToChar(Filter(as.logical, readBin(path, "raw", 1e6)))
  for (p in process_tree(pid)) {
    for (what in c("cmdline", "environ")) {
      text <- bytes(file.path("/proc", p, what))
      expect_gt(nchar(text), 0)
      expect_false(grepl("Eby8vdM02", text, fixed = TRUE))
    }
  }
  file.create(go)
  expect_true(wait_for_job(job))
  expect_identical(job_values(job), list("went"))
  expect_true(gone(pid))
  files <- dir(cache, recursive = TRUE, full.names = TRUE)
  expect_length(files, 1)
  expect_false(any(grepl("Eby8vdM02", lapply(files, bytes), fixed = TRUE)))
  files <- pool:::job_files(job)$name
  expect_false(any(grepl("Eby8vdM02", lapply(files, function(f) {
    rawToChar(Filter(as.logical, pool:::job_get_file(job, f)))
  }), fixed = TRUE)))
})
