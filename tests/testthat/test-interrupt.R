# An interrupt of the session is R's own, and leaves the pool whole.

for (type in c("FORK", "PSOCK")) {
  local({
    type <- type
    test_that(paste("an interrupt ends the call, not the pool,", type), {
      skip_if_not_installed("callr")
      skip_if(!nzchar(system.file(package = "pool")), "pool is not installed")
      dir <- withr::local_tempdir()
      session <- callr::r_bg(at_top(function(dir, type) {
        suppressMessages(pool::init_pool(2, type = type))
        wait <- function(i, dir) {
          file.create(file.path(dir, i))
          Sys.sleep(600)
        }
        first <- tryCatch(
          pool::pool_lapply(1:4, wait, dir),
          interrupt = function(i) class(i)
        )
        list(first, pool::pool_size(), pool::pool_sapply(1:9, function(i) i * 2),
             pool::pool_call(function() "all there"))
      }), list(dir, type))
      expect_true(wait_until(function() length(list.files(dir)) == 2))
      session$interrupt()
      session$wait(120000)
      session$kill()
      result <- session$get_result()
      expect_true("interrupt" %in% result[[1]])
      expect_identical(result[-1], list(2L, 1:9 * 2, list("all there", "all there")))
      # What had not begun is not begun any more.
      expect_setequal(list.files(dir), c("1", "2"))
    })

    test_that(paste("a task that will not be interrupted is ended,", type), {
      skip_if_not_installed("callr")
      skip_if(!nzchar(system.file(package = "pool")), "pool is not installed")
      dir <- withr::local_tempdir()
      session <- callr::r_bg(at_top(function(dir, type) {
        suppressMessages(pool::init_pool(2, type = type))
        stubborn <- function(i, dir) {
          file.create(file.path(dir, i))
          repeat tryCatch(Sys.sleep(600), interrupt = function(i) NULL)
        }
        first <- tryCatch(
          pool::pool_lapply(1:2, stubborn, dir),
          interrupt = function(i) class(i)
        )
        list(first, pool::pool_sapply(1:9, function(i) i * 2))
      }), list(dir, type))
      expect_true(wait_until(function() length(list.files(dir)) == 2))
      session$interrupt()
      session$wait(120000)
      session$kill()
      result <- session$get_result()
      expect_true("interrupt" %in% result[[1]])
      expect_identical(result[[2]], 1:9 * 2)
    })
  })
}
