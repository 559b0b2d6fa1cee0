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

test_that("an interrupt of a call that comes late is not the next one's", {
  skip_if(any(!nzchar(Sys.which(c("taskset", "renice")))), "there is no util-linux")
  # On one core, with a template that has to wait for it, a node is at the next call before
  # the second signal, to its group, is sent: R's own select() in Sys.sleep() has left a
  # handler that cannot tell whose it is.
  hit <- in_session(function() {
    status <- grep("^Cpus_allowed_list", readLines("/proc/self/status"), value = TRUE)
    core <- sub("\\D.*", "", sub("^\\D*", "", status))
    system2("taskset", c("-cp", core, Sys.getpid()), stdout = FALSE)
    suppressMessages(init_pool(2))
    on.exit(suppressMessages(delete_pool()))
    template <- pool_call(function() {
      sub("\\D*", "", grep("^PPid", readLines("/proc/self/status"), value = TRUE))
    })[[1]]
    system2("renice", c("-n", "19", "-p", template), stdout = FALSE)
    busy <- function(i) {
      until <- proc.time()[["elapsed"]] + 0.02
      while (proc.time()[["elapsed"]] < until) NULL
    }
    environment(busy) <- globalenv()
    vapply(seq_len(80), function(k) {
      s <- pool:::stream_open(Sys.sleep)
      for (i in 1:4) pool:::stream_put(s, 600)
      pool:::stream_wait(s, 0.02)
      pool:::stream_close(s)
      tryCatch({
        pool_sapply(1:5, busy)
        FALSE
      }, pool_task_error = function(e) TRUE)
    }, NA)
  })
  expect_identical(sum(hit), 0L)
})
