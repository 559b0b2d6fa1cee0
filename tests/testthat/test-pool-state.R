# What a node is like when init_pool() has returned: the session's packages,
# options, environment variables and directory, and nothing of any task.

for (type in c("FORK", "PSOCK")) {
  local({
    type <- type
    test_that(paste("init_pool() takes away what tasks left behind,", type), {
      skip_if("stats4" %in% loadedNamespaces())
      local_pool(2, type = type)
      state <- at_top(function() {
        list(
          objects = ls(globalenv(), all.names = TRUE),
          options = options()[c("digits", "scipen", "pool_test_option")],
          variable = Sys.getenv("POOL_TEST_VARIABLE", NA),
          zone = Sys.getenv("TZ", NA),
          collate = Sys.getlocale("LC_COLLATE"),
          loaded = "stats4" %in% loadedNamespaces(),
          attached = search(),
          directory = getwd(),
          class = methods::isClass("PoolTestClass"),
          method = is.null(utils::getS3method("print", "pool_test", optional = TRUE)),
          devices = grDevices::dev.list(),
          connections = nrow(showConnections()),
          sinks = sink.number(),
          umask = format(Sys.umask())
        )
      })
      pool_call(state)
      original <- pool_call(state)
      expect_identical(original[[1]]$objects, character(0))
      pool_call(at_top(function() {
        assign("left", 1, globalenv())
        assign(".left", 1, globalenv())
        options(digits = 3, scipen = 50, pool_test_option = "task")
        Sys.setenv(POOL_TEST_VARIABLE = "task")
        Sys.setenv(TZ = "Asia/Tokyo")
        Sys.setlocale("LC_COLLATE", "C")
        library("stats4")
        setwd(tempdir())
        methods::setClass("PoolTestClass", representation(x = "numeric"), where = globalenv())
        registerS3method("print", "pool_test", function(x, ...) NULL)
        grDevices::pdf(NULL)
        file(tempfile(), "w")
        sink(tempfile())
        Sys.umask("077")
        NULL
      }))
      expect_false(identical(pool_call(state), original))
      init_pool(2)
      expect_identical(pool_call(state), original)
    })

    test_that(paste("nodes have the session's side of things,", type), {
      local_pool(2, type = type)
      withr::local_options(pool_test_option = "session", digits = 4)
      withr::local_envvar(POOL_TEST_VARIABLE = "session")
      dir <- withr::local_tempdir()
      withr::local_dir(dir)
      look <- at_top(function() {
        list(getOption("pool_test_option"), getOption("digits"),
             Sys.getenv("POOL_TEST_VARIABLE", NA), getwd(), .libPaths())
      })
      init_pool(2)
      expected <- list("session", 4L, "session", getwd(), .libPaths())
      expect_equal(pool_call(look), list(expected, expected))
      withr::local_options(pool_test_option = NULL)
      withr::local_envvar(POOL_TEST_VARIABLE = NA)
      init_pool(2)
      expected[c(1, 3)] <- list(NULL, NA_character_)
      expect_equal(pool_call(look), list(expected, expected))
    })

    test_that(paste("the session's objects are not on the nodes,", type), {
      local_globals(pool_test_object = 1, .pool_test_hidden = 2)
      local_pool(2, type = type)
      names <- pool_call(ls, globalenv(), all.names = TRUE)
      expect_false(any(c("pool_test_object", ".pool_test_hidden") %in% unlist(names)))
      expect_identical(pool_evalq(exists("pool_test_object")), list(FALSE, FALSE))
      expect_identical(get("pool_test_object", globalenv()), 1)
    })

    test_that(paste("each node has a temporary directory of its own,", type), {
      local_pool(3, type = type)
      dirs <- unlist(pool_call(tempdir))
      expect_identical(anyDuplicated(normalizePath(c(dirs, tempdir()))), 0L)
      expect_true(all(dir.exists(dirs)))
      files <- unlist(pool_call(at_top(function() {
        path <- tempfile()
        writeLines("kept", path)
        path
      })))
      expect_identical(normalizePath(dirname(files)), normalizePath(dirs))
      expect_identical(unlist(lapply(files, readLines)), rep("kept", 3))
      # A node new with init_pool() has a new directory; the old one goes.
      init_pool(3)
      fresh <- unlist(pool_call(tempdir))
      expect_identical(pool_call(at_top(function() list.files(tempdir()))),
                       rep(list(character(0)), 3))
      suppressMessages(delete_pool())
      expect_true(wait_until(function() !any(dir.exists(c(dirs, fresh)))))
      expect_true(dir.exists(tempdir()))
      mine <- tempfile()
      writeLines("x", mine)
      expect_true(file.remove(mine))
    })

    test_that(paste("random numbers differ from node to node and from run to run,", type), {
      withr::local_preserve_seed()
      set.seed(1)
      local_pool(3, type = type)
      draw <- at_top(function() stats::runif(3))
      first <- pool_call(draw)
      second <- pool_call(draw)
      pool_call(set.seed, 5)
      same_now <- pool_call(draw)
      expect_identical(same_now[[1]], same_now[[2]])
      init_pool(3)
      third <- pool_call(draw)
      mine <- list(stats::runif(3))
      expect_identical(anyDuplicated(c(first, second, same_now[1], third, mine)), 0L)
    })

    test_that(paste("a node is not interactive and reads nothing,", type), {
      local_pool(2, type = type)
      expect_identical(pool_call(interactive), list(FALSE, FALSE))
      expect_identical(pool_call(at_top(function() readLines(file("stdin")))),
                       list(character(0), character(0)))
      expect_identical(pool_call(at_top(function() getOption("error"))), list(NULL, NULL))
    })
  })
}

test_that("using the pool leaves the session's random numbers alone", {
  withr::local_preserve_seed()
  set.seed(7)
  expected <- stats::runif(4)
  set.seed(7)
  got <- stats::runif(1)
  local_pool(2)
  got <- c(got, stats::runif(1))
  pool_lapply(1:10, function(i) stats::runif(1))
  got <- c(got, stats::runif(1))
  init_pool(2)
  suppressMessages(delete_pool())
  expect_identical(c(got, stats::runif(1)), expected)

  rm(".Random.seed", envir = globalenv())
  local_pool(2)
  pool_call(stats::runif, 1)
  expect_false(exists(".Random.seed", globalenv(), inherits = FALSE))
})

test_that("the session's global environment is as it was", {
  local_globals(pool_test_kept = list2env(list(a = 1)), .pool_test_dot = quote(x + y))
  kept <- get("pool_test_kept", globalenv())
  before <- ls(globalenv(), all.names = TRUE)
  local_pool(2)
  pool_evalq(pool_test_kept <- NULL)
  init_pool(2)
  suppressMessages(delete_pool())
  expect_identical(ls(globalenv(), all.names = TRUE), before)
  expect_identical(get("pool_test_kept", globalenv()), kept)
  expect_identical(kept$a, 1)
})

test_that("a package loaded in the session reaches the nodes with init_pool()", {
  for (type in c("FORK", "PSOCK")) {
    result <- in_session(function(type) {
      suppressMessages(init_pool(2, type = type))
      seen <- function() {
        pool_call(function() {
          c("package:splines" %in% search(), "stats4" %in% loadedNamespaces())
        })
      }
      before <- seen()
      library(splines)
      loadNamespace("stats4")
      said <- character()
      withCallingHandlers(init_pool(2), message = function(m) said <<- conditionMessage(m))
      list(before, seen(), said, pool_sapply(1:3, function(i) ncol(bs(1:10, df = 3 + i))))
    }, list(type))
    expect_identical(result[[1]], list(c(FALSE, FALSE), c(FALSE, FALSE)))
    expect_identical(result[[2]], list(c(TRUE, TRUE), c(TRUE, TRUE)))
    expect_identical(result[[3]], character())
    expect_identical(result[[4]], 4:6)
  }
})

test_that("the nodes' attached packages are the session's", {
  local_pool(2)
  packages <- grep("^package:", search(), value = TRUE)
  expect_identical(pool_call(at_top(function() grep("^package:", search(), value = TRUE))),
                   list(packages, packages))
})
