# The session's end, however it comes: no process, no memory and no directory of
# the pool is left within two seconds.

most <- 2 # seconds

# A session that has a pool and keeps it busy; it tells its processes and where
# their directories are.
busy_session <- function(task, type, dir) {
  skip_if_not_installed("callr")
  skip_if(!nzchar(system.file(package = "pool")), "pool is not installed")
  session <- callr::r_bg(at_top(function(task, type, dir, transport) {
    options(pool.transport = transport)
    suppressMessages(pool::init_pool(3, type = type))
    nodes <- unlist(pool::pool_call(Sys.getpid))
    homes <- unlist(pool::pool_call(tempdir))
    large <- pool::pool_lapply(1:3, function(i) rep(as.numeric(i), 3e5)) # shared memory
    info <- list(nodes = nodes, homes = homes, own = tempdir())
    saveRDS(info, file.path(dir, "part"))
    file.rename(file.path(dir, "part"), file.path(dir, "info"))
    pool::pool_lapply(1:9, task, dir)
  }), list(at_top(task), type, dir, getOption("pool.transport")),
  env = c(callr::rcmd_safe_env(), TMPDIR = dir))
  info <- file.path(dir, "info")
  expect_true(wait_until(function() file.exists(info)))
  info <- readRDS(info)
  expect_true(wait_until(function() length(list.files(dir, "^busy")) == 3))
  info$template <- unique(process_info(info$nodes)$parent)
  expect_length(info$template, 1)
  info$session <- session
  files <- list.files(dir, "^child", full.names = TRUE)
  info$children <- as.integer(unlist(lapply(files, readLines)))
  info
}

expect_nothing_left <- function(info, children = TRUE) {
  pids <- c(info$nodes, info$template, if (children) info$children)
  begin <- Sys.time()
  expect_true(gone(pids), label = "all processes are gone")
  took <- as.numeric(Sys.time() - begin, units = "secs")
  expect_lt(took, most)
  expect_true(wait_until(function() !any(file.exists(info$homes)), most))
}

tasks <- list(
  sleeping = function(i, dir) {
    file.create(file.path(dir, paste0("busy", Sys.getpid())))
    Sys.sleep(600)
  },
  deaf = function(i, dir) {
    file.create(file.path(dir, paste0("busy", Sys.getpid())))
    repeat tryCatch(Sys.sleep(600), interrupt = function(e) NULL, error = function(e) NULL)
  },
  parents = function(i, dir) {
    for (kind in c("", "setsid ", "nohup ")) {
      file <- tempfile("child", dir)
      system(sprintf("%ssh -c 'trap \"\" HUP INT TERM; echo $$ >%s; exec sleep 600' &", kind,
                     shQuote(file)), ignore.stdout = TRUE, ignore.stderr = TRUE)
      while (!file.exists(file) || file.size(file) == 0) Sys.sleep(0.01)
    }
    file.create(file.path(dir, paste0("busy", Sys.getpid())))
    Sys.sleep(600)
  }
)

for (type in c("FORK", "PSOCK")) {
  for (name in names(tasks)) {
    local({
      type <- type
      task <- tasks[[name]]
      test_that(paste0("a session that is killed leaves nothing: ", name, ", ", type), {
        info <- busy_session(task, type, withr::local_tempdir())
        info$session$signal(9)
        expect_nothing_left(info)
      })
    })
  }
}

test_that("a session that ends in the middle of a call leaves nothing", {
  for (signal in c(tools::SIGTERM, tools::SIGHUP)) {
    info <- busy_session(tasks$parents, "FORK", withr::local_tempdir())
    info$session$signal(signal)
    expect_nothing_left(info)
  }
})

test_that("session and template killed together leave no worker", {
  info <- busy_session(tasks$deaf, "FORK", withr::local_tempdir())
  tools::pskill(info$template, 9)
  info$session$signal(9)
  expect_true(gone(info$nodes))
})

test_that("a session that is stopped, not ended, keeps its pool", {
  info <- busy_session(tasks$sleeping, "FORK", withr::local_tempdir())
  info$session$signal(tools::SIGSTOP)
  Sys.sleep(0.5)
  expect_true(all(alive(c(info$nodes, info$template))))
  info$session$signal(9)
  expect_nothing_left(info)
})
