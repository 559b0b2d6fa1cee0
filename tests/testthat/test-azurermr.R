# What AzureRMR's own test of its pool asserts, and what its vignette and its
# help page show, as a script that was written for it would run.

test_that("the pool does what AzureRMR's test asserts", {
  local_no_pool()
  expect_false(pool_exists())
  expect_identical(as.integer(pool_size()), 0L)
  expect_error(pool_sapply(1:5, function(x) x), "init_pool()", fixed = TRUE)

  quiet_init(5)
  expect_true(pool_exists())
  expect_identical(pool_size(), 5L)
  expect_identical(pool_sapply(1:5, function(x) x), 1:5)
  expect_identical(pool_lapply(1:5, function(x) x), list(1L, 2L, 3L, 4L, 5L))
  expect_identical(pool_map(function(x, y) x + y, 1:5, 2), list(3, 4, 5, 6, 7))

  y <- 42
  pool_export("y", environment())
  # Gone from here, so that the function can only find it on its node.
  rm(y)
  expect_identical(pool_sapply(1:5, function(x) y), rep(42, 5))

  init_pool(5)
  left <- pool_evalq(ls())
  expect_identical(left, rep(list(character(0)), 5))
  expect_error(pool_sapply(1:5, function(x) y), "object 'y' not found")

  quiet_delete <- function() suppressMessages(delete_pool())
  quiet_delete()
  expect_false(pool_exists())
})

test_that("the same holds for a pool of two", {
  local_no_pool()
  quiet_init(2)
  expect_identical(pool_size(), 2L)
  expect_identical(pool_sapply(1:5, function(x) x), 1:5)
  expect_identical(pool_map(function(x, y) x + y, 1:5, 2), list(3, 4, 5, 6, 7))
  y <- 42
  pool_export("y", environment())
  rm(y)
  expect_identical(pool_sapply(1:5, function(x) y), rep(42, 5))
  init_pool(2)
  expect_identical(pool_evalq(ls()), list(character(0), character(0)))
  expect_error(pool_sapply(1:5, function(x) y), "object 'y' not found")
})

test_that("the vignette's example runs as written", {
  local_no_pool()
  result <- run_script({
    suppressMessages(init_pool())
    size <- pool_size()
    x <- 42
    pool_export("x")
    answer <- pool_sapply(1:10, function(y) x + y)
    list(size, answer)
  })
  expect_identical(result, list(10L, 42 + 1:10))
})

test_that("the help page's example runs as written", {
  local_no_pool()
  result <- run_script({
    suppressMessages(init_pool())
    size <- pool_size()
    x <- 42
    pool_export("x")
    before <- pool_sapply(1:5, function(i) i + x)
    init_pool()
    after <- try(pool_sapply(1:5, function(i) i + x), silent = TRUE)
    suppressMessages(delete_pool())
    list(size, before, after)
  })
  expect_identical(result[[1]], 10L)
  expect_identical(result[[2]], 1:5 + 42)
  expect_s3_class(result[[3]], "try-error")
  expect_match(result[[3]], "object 'x' not found", fixed = TRUE)
  expect_false(pool_exists())
})

test_that("the vignette's upload of many files runs, with a copy for an upload", {
  local_no_pool()
  from <- withr::local_tempdir()
  to <- withr::local_tempdir()
  src_files <- file.path(from, sprintf("file%d.txt", 1:9))
  for (i in 1:9) writeLines(rep(as.character(i), i * 100), src_files[i])
  dest_files <- basename(src_files)
  cont <- list(name = "container", dir = to)

  quiet_init(2)
  pool_export("cont", environment())
  done <- pool_map(
    at_top(function(src, dest) file.copy(src, file.path(cont$dir, dest))),
    src_files, dest_files
  )
  expect_identical(done, stats::setNames(rep(list(TRUE), 9), src_files))
  expect_identical(
    unname(tools::md5sum(file.path(to, dest_files))),
    unname(tools::md5sum(src_files))
  )
})

test_that("nodes work in the session's directory, as AzureRMR's do", {
  local_no_pool()
  quiet_init(2)
  dir <- withr::local_tempdir()
  withr::local_dir(dir)
  init_pool(2)
  expect_identical(pool_call(getwd), list(getwd(), getwd()))
})
