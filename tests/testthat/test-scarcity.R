# Where the system has no more of something: a clear error, what existed before
# still works, nothing leaks.

# A script under a limit of the shell's, in a mount namespace of its own where
# that is asked for: what it prints.
run_limited <- function(before, ..., namespace = FALSE) {
  skip_if(!nzchar(system.file(package = "pool")), "pool is not installed")
  dir <- withr::local_tempdir()
  script <- file.path(dir, "script.R")
  lines <- c(
    sprintf(".libPaths(%s)", paste(deparse(.libPaths()), collapse = "")),
    "library(pool)",
    if (nzchar(Sys.getenv("POOL_TEST_TRANSPORT"))) {
      sprintf("options(pool.transport = '%s')", Sys.getenv("POOL_TEST_TRANSPORT"))
    }, ...
  )
  writeLines(lines, script)
  command <- paste(before, "; exec timeout 120", file.path(R.home("bin"), "Rscript"), "--vanilla",
                   shQuote(script))
  program <- if (namespace) c("unshare", "-m", "bash", "-c") else c("bash", "-c")
  suppressWarnings(system2(program[[1]], c(program[-1], shQuote(command)),
                           stdout = TRUE, stderr = TRUE))
}

# What makes TMPDIR a file system with these options, in a namespace of its own.
small_tmpdir <- function(options, env = parent.frame()) {
  skip_if(!nzchar(Sys.which("unshare")), "no unshare(1)")
  dir <- shQuote(withr::local_tempdir(.local_envir = env))
  mount <- sprintf("mount -t tmpfs -o %s tmpfs %s && export TMPDIR=%s", options, dir, dir)
  probe <- suppressWarnings(system2("unshare", c("-m", "bash", "-c", shQuote(mount)),
                                    stdout = FALSE, stderr = FALSE))
  skip_if(probe != 0, "a file system cannot be mounted here")
  mount
}

expect_ok <- function(out) {
  expect(identical(tail(out, 1), "ok"), paste(c("the script printed:", out), collapse = "\n"))
}

test_that("64 descriptors are enough to work", {
  skip_if(!nzchar(Sys.which("prlimit")), "no prlimit(1)")
  expect_ok(run_limited(
    "true",
    # An R that is started under the limit refuses to.
    "system2('prlimit', c('--pid', Sys.getpid(), '--nofile=64:'))",
    "fds <- function() length(list.files('/proc/self/fd'))",
    "before <- fds()",
    "suppressMessages(init_pool(4))",
    "x <- lapply(1:60, function(i) rep(as.numeric(i), 2e5))",
    "stopifnot(identical(pool_lapply(x, function(v) v + 1), lapply(x, function(v) v + 1)))",
    "stopifnot(identical(pool_lapply(list(x), identity), list(x)))",
    "pool_export('x', environment())",
    "stopifnot(identical(pool_call(function() sum(x[[60]])), rep(list(60 * 2e5), 4)))",
    "for (i in 1:10) {",
    "  pids <- unlist(pool_call(Sys.getpid))",
    "  tools::pskill(pids[[1]], 9)",
    "  stopifnot(identical(pool_sapply(1:99, function(i) i), 1:99))",
    "}",
    "rm(x); invisible(gc()); suppressMessages(delete_pool()); invisible(gc())",
    "stopifnot(fds() <= before)",
    "cat('ok\\n')"
  ))
})

test_that("without descriptors for it no node is replaced, and the others work later", {
  skip_if(!nzchar(Sys.which("prlimit")), "no prlimit(1)")
  expect_ok(run_limited(
    "true",
    "suppressMessages(init_pool(2))",
    "invisible(loadNamespace('tools'))", # while files can be opened
    "limit <- function(...) system2('prlimit', c('--pid', Sys.getpid(), ...), stdout = TRUE)",
    "usual <- limit('--nofile', '--noheadings', '--raw', '-o', 'SOFT')",
    "pids <- unlist(pool_call(Sys.getpid))",
    "pool_evalq(kept <- 5)",
    "limit('--nofile=64:')",
    "held <- list()",
    "repeat {",
    "  one <- tryCatch(suppressWarnings(file('/dev/null', 'r')), error = function(e) NULL)",
    "  if (is.null(one)) break",
    "  held <- c(held, list(one))",
    "}",
    "tools::pskill(pids[[1]], 9)",
    "while (pool_status()$state[[1]] != 'gone') Sys.sleep(0.01)",
    "e <- tryCatch(pool_sapply(1:9, function(i) i), error = identity)",
    "for (one in held) close(one)",
    "limit(paste0('--nofile=', usual, ':'))",
    "stopifnot(inherits(e, 'pool_start_error') || identical(e, 1:9))",
    "stopifnot(identical(pool_sapply(1:9, function(i) i), 1:9))",
    "stopifnot(identical(pool_evalq(kept), list(5, 5)))",
    "stopifnot(identical(unlist(pool_call(Sys.getpid))[[2]], pids[[2]]))",
    "cat('ok\\n')"
  ))
})

test_that("without address space an object is an error, and the pool stays", {
  expect_ok(run_limited(
    "true",
    "suppressMessages(init_pool(2))",
    "limit <- function(...) system2('prlimit', c('--pid', Sys.getpid(), ...), stdout = TRUE)",
    "x <- numeric(5e7); x[1] <- 1", # 400 MB
    "size <- grep('^VmSize', readLines('/proc/self/status'), value = TRUE)",
    "size <- as.numeric(sub('.* ([0-9]+) kB', '\\\\1', size))",
    "limit(sprintf('--as=%.0f:', size * 1024 + 2e8))",
    "e <- tryCatch(pool_lapply(list(x, 1), function(v) c(v, 1), .retries = 0), error = identity)",
    "stopifnot(inherits(e, 'pool_error') || identical(e[[2]], c(1, 1)))",
    "stopifnot(identical(pool_sapply(1:9, function(i) i), 1:9))",
    "rm(e); invisible(gc())",
    "e <- tryCatch(pool_call(function() numeric(5e7)), error = identity)",
    "stopifnot(inherits(e, 'pool_error') || length(e) == 2L)",
    "stopifnot(identical(pool_sapply(1:9, function(i) i), 1:9))",
    "cat('ok\\n')"
  ))
})

test_that("without room for temporary files there is a clear error, or none", {
  expect_ok(run_limited(
    small_tmpdir("size=64k,nr_inodes=12"),
    "fill <- function() {",
    "  con <- file(file.path(dirname(tempdir()), 'full'), 'w')",
    "  try(for (i in 1:100) cat(strrep('x', 1e4), file = con), silent = TRUE)",
    "  try(close(con), silent = TRUE)",
    "  files <- file.path(dirname(tempdir()), paste0('f', 1:20))",
    "  for (file in files) suppressWarnings(file.create(file))",
    "}",
    "suppressMessages(init_pool(2))",
    "stopifnot(identical(pool_sapply(1:9, function(i) i), 1:9))",
    "suppressWarnings(fill())",
    "stopifnot(identical(pool_sapply(1:9, function(i) i), 1:9))",
    "e <- tryCatch(suppressMessages(init_pool(4)), error = identity)",
    "stopifnot(is.null(e) || inherits(e, 'pool_start_error'))",
    "stopifnot(pool_exists(), identical(pool_sapply(1:9, function(i) i), 1:9))",
    "unlink(list.files(dirname(tempdir()), '^f', full.names = TRUE))",
    "suppressMessages(init_pool(5))",
    "stopifnot(pool_size() == 5L, identical(pool_sapply(1:9, function(i) i), 1:9))",
    "cat('ok\\n')",
    namespace = TRUE
  ))
})

test_that("without room for what a connection holds nothing is uploaded", {
  expect_ok(run_limited(
    small_tmpdir("size=20m"),
    # Nobody is there: no request is made.
    "cont <- storage_container(storage_endpoint('http://127.0.0.1:1/a', key = 'a2V5'), 'cont')",
    "con <- pipe('head -c 40000000 /dev/zero', 'rb')",
    "e <- tryCatch(suppressWarnings(storage_upload(cont, con, 'x')), error = identity)",
    "stopifnot(inherits(e, 'pool_transfer_error'), !inherits(e, 'pool_http_error'))",
    "stopifnot(grepl('40000000 bytes', conditionMessage(e)))",
    "stopifnot(length(list.files(tempdir(), '^pool-upload-')) == 0L)",
    "cat('ok\\n')",
    namespace = TRUE
  ))
})
