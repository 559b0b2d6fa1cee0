# The life of a pool: created, reused, grown, restarted, deleted.

messages_of <- function(expr) {
  seen <- character()
  withCallingHandlers(expr, message = function(m) {
    seen <<- c(seen, conditionMessage(m))
    invokeRestart("muffleMessage")
  })
  seen
}

creating <- "Creating background pool\n"
deleting <- "Deleting background pool\n"

test_that("without a pool there is none", {
  local_no_pool()
  expect_identical(pool_exists(), FALSE)
  expect_identical(pool_size(), 0L)
  expect_silent(delete_pool())
  expect_null(delete_pool())
  expect_invisible(delete_pool())
})

test_that("a pool is created and deleted with AzureRMR's messages", {
  local_no_pool()
  expect_message(init_pool(2), "^Creating background pool\n$")
  expect_identical(pool_exists(), TRUE)
  expect_identical(pool_size(), 2L)
  expect_message(delete_pool(), "^Deleting background pool\n$")
  expect_identical(pool_exists(), FALSE)
  expect_identical(pool_size(), 0L)
  expect_identical(messages_of(init_pool(1)), creating)
  expect_identical(messages_of(delete_pool()), deleting)
})

test_that("init_pool() and delete_pool() return NULL, invisibly", {
  local_no_pool()
  expect_invisible(quiet_init(1))
  expect_null(quiet_init(1))
  expect_null(quiet_init(1, restart = TRUE))
  expect_null(quiet_init(2))
  expect_invisible(suppressMessages(delete_pool()))
  quiet_init(1)
  expect_null(suppressMessages(delete_pool()))
})

test_that("the size is ten unless said otherwise, and may be of either type", {
  local_no_pool()
  quiet_init()
  expect_identical(pool_size(), 10L)
  suppressMessages(delete_pool())
  quiet_init(2L)
  expect_identical(pool_size(), 2L)
  expect_length(node_pids(), 2)
})

test_that("a pool large enough is reused silently, at its own size", {
  local_pool(3)
  expect_silent(init_pool(3))
  expect_identical(pool_size(), 3L)
  expect_silent(init_pool(2))
  expect_identical(pool_size(), 3L)
  expect_length(node_pids(), 3)
  expect_silent(init_pool(1, restart = FALSE))
  expect_usable()
})

test_that("a pool too small is made anew at the larger size", {
  local_pool(1)
  old <- node_pids()
  expect_identical(messages_of(init_pool(3)), c(deleting, creating))
  expect_identical(pool_size(), 3L)
  expect_false(any(old %in% node_pids()))
  expect_true(gone(old))
})

test_that("restart makes a pool anew, at the size asked for", {
  local_pool(3)
  old <- node_pids()
  expect_identical(messages_of(init_pool(2, restart = TRUE)), c(deleting, creating))
  expect_identical(pool_size(), 2L)
  expect_false(any(old %in% node_pids()))
  expect_true(gone(old))
  suppressMessages(delete_pool())
  expect_identical(messages_of(init_pool(2, restart = TRUE)), creating)
})

test_that("nodes are distinct processes, and not the session", {
  for (type in c("FORK", "PSOCK")) {
    local_pool(3, type = type)
    pids <- node_pids()
    expect_type(pids, "integer")
    expect_identical(anyDuplicated(c(pids, Sys.getpid())), 0L)
    expect_true(all(alive(pids)))
    quiet_init(3, restart = TRUE, type = type)
    expect_false(any(pids %in% node_pids()))
  }
})

test_that("delete_pool() ends the processes of the pool", {
  local_pool(2)
  pids <- node_pids()
  suppressMessages(delete_pool())
  expect_true(gone(pids))
})

test_that("delete_pool() does not mind a node that is dead", {
  local_pool(2)
  pids <- node_pids()
  tools::pskill(pids[1], tools::SIGKILL)
  expect_message(delete_pool(), "Deleting background pool")
  expect_false(pool_exists())
  expect_true(gone(pids))
  quiet_init(2)
  tools::pskill(node_pids(), tools::SIGKILL)
  expect_message(delete_pool(), "Deleting background pool")
  expect_false(pool_exists())
})

test_that("init_pool() does not mind a node that is dead", {
  local_pool(2)
  tools::pskill(node_pids()[2], tools::SIGKILL)
  quiet_init(2)
  expect_identical(pool_size(), 2L)
  expect_length(unique(node_pids()), 2)
  expect_usable()
})

test_that("a node killed between two calls is replaced", {
  local_pool(2)
  pids <- node_pids()
  tools::pskill(pids, tools::SIGKILL)
  expect_true(gone(pids))
  expect_usable()
  expect_identical(pool_size(), 2L)
  expect_false(any(pids %in% node_pids()))
})

test_that("one pool can be made and deleted many times", {
  local_no_pool()
  # Each pool has some descriptors in the session; none may stay behind.
  open_files <- function() length(list.files("/proc/self/fd"))
  quiet_init(2)
  suppressMessages(delete_pool())
  before <- open_files()
  for (i in 1:20) {
    quiet_init(2)
    expect_identical(pool_lapply(1:2, identity), list(1L, 2L))
    suppressMessages(delete_pool())
  }
  expect_identical(open_files(), before)
})

test_that("the session waits for no child but its own", {
  skip_if_not_installed("callr")
  local_pool(2)
  expect_identical(system("exit 3"), 3L)
  other <- callr::r_bg(function() 5)
  other$wait(60000)
  expect_identical(other$get_result(), 5)
  job <- parallel::mcparallel("forked")
  expect_usable()
  expect_identical(unname(parallel::mccollect(job)), list("forked"))
  expect_usable()
})

test_that("the pool is gone when its session ends", {
  pids <- in_session(function() {
    suppressMessages(pool::init_pool(2))
    unlist(pool::pool_call(Sys.getpid))
  })
  expect_length(pids, 2)
  expect_true(gone(pids))
})

test_that("nodes, their children and directories are gone when the session is killed", {
  skip_if_not_installed("callr")
  skip_if(!nzchar(system.file(package = "pool")), "pool is not installed")
  seen <- withr::local_tempfile()
  session <- callr::r_bg(at_top(function(seen) {
    suppressMessages(pool::init_pool(2))
    state <- pool::pool_call(function() {
      # Even what a node put into the background, away from its terminal.
      child <- system("nohup sleep 600 > /dev/null 2>&1 & echo $!", intern = TRUE)
      list(pid = Sys.getpid(), dir = tempdir(), child = as.integer(child))
    })
    saveRDS(state, paste0(seen, "-part"))
    file.rename(paste0(seen, "-part"), seen)
    # Busy when the session dies: a node must not end only when it is idle.
    pool::pool_lapply(1:2, function(i) Sys.sleep(600))
  }), list(seen))
  expect_true(wait_until(function() file.exists(seen)))
  state <- readRDS(seen)
  tools::pskill(session$get_pid(), tools::SIGKILL)
  expect_true(gone(vapply(state, `[[`, 1L, "pid")))
  expect_true(gone(vapply(state, `[[`, 1L, "child")))
  dirs <- vapply(state, `[[`, "", "dir")
  expect_true(wait_until(function() !any(dir.exists(dirs))))
})
