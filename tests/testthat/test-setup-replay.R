# A node that takes the place of one that died behaves as if it were that one:
# it goes through what all nodes were told, in an order that makes sense.

kill_first <- function() {
  pid <- node_pids()[[1]]
  tools::pskill(pid, tools::SIGKILL)
  limit <- Sys.time() + 10
  while (file.exists(file.path("/proc", pid)) && Sys.time() < limit) Sys.sleep(0.01)
}

# What every node has for it, once node 1 is a replacement.
after_death <- function(name) {
  kill_first()
  pool_call(function(name) get0(name, globalenv()), name)
}

setup_length <- function() length(pool:::the$setup)

test_that("an expression is repeated with what it saw, also where that changed since", {
  local_pool(2)
  x <- 1
  pool_export("x", environment())
  pool_evalq(y <- x + 100)
  x <- 2
  pool_export("x", environment())
  expect_identical(after_death("y"), list(101, 101))
  expect_identical(pool_evalq(x), list(2, 2))
})

test_that("of equal expressions the first and the last count", {
  local_pool(2)
  pool_evalq(m <- "a")
  pool_evalq(m <- "b")
  pool_evalq(m <- "a")
  expect_identical(after_death("m"), list("a", "a"))
  local_pool(2)
  pool_evalq(base <- 1)
  pool_evalq(top <- base + 1)
  pool_evalq(base <- 1)
  expect_identical(after_death("top"), list(2, 2))
})

test_that("telling the same again and again does not add up", {
  local_pool(2)
  for (i in 1:30) {
    x <- i
    pool_export("x", environment())
    pool_evalq(y <- x * 2)
  }
  expect_lte(setup_length(), 4)
  expect_identical(after_death("y"), list(60, 60))
  local_pool(2)
  for (i in 1:5) pool_export("i", environment())
  expect_identical(setup_length(), 1L)
  local_pool(2)
  for (i in 1:5) {
    eval(parse(text = "pool_evalq({\n  z <- 1\n})", keep.source = TRUE))
  }
  expect_identical(setup_length(), 1L)
  local_pool(2)
  one <- 1
  two <- 2
  pool_export(c("one", "two"), environment())
  pool_export("one", environment())
  expect_identical(setup_length(), 2L)
  expect_identical(after_death("two"), list(2, 2))
})

test_that("what a replacement cannot repeat is reported", {
  local_pool(2)
  flag <- withr::local_tempfile()
  file.create(flag)
  pool_export("flag", environment())
  pool_evalq({
    if (!file.exists(flag)) stop("gone")
    z <- 1
  })
  unlink(flag)
  kill_first()
  expect_warning(
    expect_identical(pool_evalq(exists("z")), list(FALSE, TRUE)),
    "could not repeat"
  )
  expect_usable()
})

test_that("what kills replacements is an error", {
  local_pool(1)
  flag <- withr::local_tempfile()
  pool_export("flag", environment())
  pool_evalq(if (file.exists(flag)) tools::pskill(Sys.getpid(), 9))
  file.create(flag)
  kill_first()
  e <- error_of(pool_lapply(1:2, identity))
  expect_s3_class(e, c("pool_start_error", "pool_error", "error", "condition"), exact = TRUE)
  expect_match(conditionMessage(e), "pool_evalq()", fixed = TRUE)
  unlink(flag)
  expect_identical(pool_lapply(1:2, identity), as.list(1:2))
})

test_that("option pool.log_max bounds what is kept, and says so once a pool", {
  withr::local_options(pool.log_max = 1)
  a <- b <- c <- 1
  for (round in 1:2) {
    local_pool(2)
    expect_silent(pool_export("a", environment()))
    expect_warning(pool_export("b", environment()), "'?b'?.*pool.log_max")
    expect_silent(pool_export("c", environment()))
    expect_identical(after_death("a"), list(1, 1))
    expect_identical(pool_evalq(exists("b")), list(FALSE, TRUE))
  }
  withr::local_options(pool.log_max = "many")
  e <- error_of(pool_export("b", environment()))
  expect_s3_class(e, "pool_input_error")
  expect_identical(e$argument, "pool.log_max")
})

test_that("an element that takes the template down is lost, the others are not", {
  local_pool(2)
  dir <- withr::local_tempdir()
  kill_template <- function(i) {
    if (i == 3) {
      file.create(tempfile("try", dir))
      status <- readLines("/proc/self/status")
      tools::pskill(as.integer(sub("PPid:", "", grep("^PPid:", status, value = TRUE))), 9)
      Sys.sleep(60)
    }
    Sys.sleep(0.05)
    i
  }
  e <- error_of(suppressMessages(pool_lapply(1:8, kill_template)))
  expect_s3_class(e, c("pool_worker_error", "pool_error", "error", "condition"), exact = TRUE)
  expect_identical(e$index, 3L)
  expect_length(e$errors, 1)
  expect_identical(e$results, replace(as.list(1:8), 3, list(NULL)))
  expect_lte(length(list.files(dir)), 4) # once with others, then alone
  expect_usable()
})
