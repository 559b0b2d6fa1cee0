# Nodes that die with a large vector, or a long message, on its way. Over any
# transport nothing of it may be taken for a result, nor waited for.

# In a session of its own: a call that never ends could not be ended here. The
# large vectors are passed; the strings are a long message, over any transport.
killed_while_sending <- function(transport, what) {
  options(pool.transport = transport)
  suppressMessages(pool::init_pool(2))
  if (what == "vectors") {
    elements <- lapply(1:10, function(i) rep(as.raw(i), 3 * 2^20))
    constant <- rep(as.raw(100), 2 * 2^20)
  } else {
    elements <- lapply(1:10, function(i) as.character(1:60000 + i))
    constant <- as.character(1:30000)
  }
  work <- function(x, y) {
    x[1] <- y[1]
    list(x, y)
  }
  expected <- lapply(elements, work, constant)
  took <- system.time(pool::pool_lapply(elements, work, constant))[["elapsed"]]
  wrong <- character()
  until <- Sys.time() + 1.5
  rounds <- 0
  while (rounds < 3 || (rounds < 40 && Sys.time() < until)) {
    rounds <- rounds + 1
    pid <- sample(unlist(pool::pool_call(Sys.getpid)), 1)
    kill <- sprintf("sleep %.3f; kill -9 %d", stats::runif(1, 0, 1.5 * took), pid)
    system2("sh", c("-c", shQuote(kill)), wait = FALSE, stderr = FALSE)
    error <- tryCatch(
      {
        found <- pool::pool_lapply(elements, work, constant)
        if (identical(found, expected)) NULL else "not what it should be"
      },
      error = conditionMessage
    )
    wrong <- c(wrong, error)
    while (dir.exists(file.path("/proc", pid))) Sys.sleep(0.002)
  }
  list(rounds = rounds, wrong = wrong)
}

for (what in c("vectors", "strings")) {
  local({
    what <- what
    test_that(paste("nodes that die while large", what, "travel lose nothing"), {
      skip_if(Sys.which("sh") == "", "there is no shell to kill with")
      transport <- getOption("pool.transport", "memory")
      came_to <- in_session(killed_while_sending, list(transport, what))
      expect_identical(came_to$wrong, character())
      expect_gt(came_to$rounds, 2)
    })
  })
}

# Its death is known only when it has long been seen that nothing more comes.
test_that("a node may die in a long result, and the news of it be late", {
  skip_if(Sys.which("sh") == "", "there is no shell to kill with")
  late <- function(transport, flag) {
    options(pool.transport = transport)
    suppressMessages(pool::init_pool(2))
    work <- function(i, flag) {
      if (i == 2 || file.exists(flag)) return(i)
      file.create(flag)
      x <- as.list(as.character(1:5e5)) # nothing that is mapped
      status <- readLines("/proc/self/status")
      parent <- as.integer(sub("PPid:", "", grep("^PPid:", status, value = TRUE)))
      system(wait = FALSE, sprintf(
        "(kill -STOP %d; sleep 0.1; kill -9 %d; sleep 0.5; kill -CONT %d) >/dev/null 2>&1",
        parent, Sys.getpid(), parent
      ))
      x
    }
    list(pool::pool_lapply(1:2, work, flag), pool::pool_sapply(1:3, function(i) i * 2))
  }
  transport <- getOption("pool.transport", "memory")
  came_to <- in_session(late, list(transport, withr::local_tempfile()))
  expect_identical(came_to, list(list(1L, 2L), c(2, 4, 6)))
})

test_that("a long result of a call that was given up is not waited for", {
  given_up <- function(transport) {
    options(pool.transport = transport)
    suppressMessages(pool::init_pool(2))
    lapply(1:3, function(round) {
      tryCatch(
        pool::pool_lapply(1:2, function(i) {
          x <- as.character(1:3e5)
          Sys.sleep(if (i == 2) 0.2 else 0.22)
          if (i == 2) warning("jump")
          rep(list(x), 20)
        }),
        warning = function(w) NULL
      )
      pool::pool_sapply(1:40, function(i) i + 1)
    })
  }
  came_to <- in_session(given_up, list(getOption("pool.transport", "memory")))
  expect_identical(came_to, rep(list(1:40 + 1), 3))
})

# The one that comes is whole, the one that is on its way is dropped.
test_that("large vectors of a call that was given up are nobody's", {
  local_pool(2)
  make <- at_top(function(i) {
    x <- rep(as.raw(i), 2^20)
    Sys.sleep(if (i == 2) 0.05 else 0.06)
    if (i == 2) warning("jump")
    list(x, x)
  })
  for (round in 1:5) {
    tryCatch(pool_lapply(1:2, make), warning = function(w) NULL)
    found <- pool_lapply(3:4, at_top(function(i) list(rep(as.raw(i), 2^20), i)))
    for (i in 1:2) expect_true(all(found[[i]][[1]] == as.raw(i + 2)))
  }
})

test_that("a node may die with large vectors that are read by nobody yet", {
  local_pool(2)
  for (round in 1:5) {
    dir <- withr::local_tempdir()
    found <- pool_lapply(1:6, at_top(function(i, x, dir) {
      mine <- file.path(dir, i)
      if (i %in% c(2, 5) && !file.exists(mine)) {
        file.create(mine)
        tools::pskill(Sys.getpid(), tools::SIGKILL)
      }
      list(x, replace(x, 1, as.raw(i)))
    }), rep(as.raw(round), 2^20), dir)
    for (i in 1:6) {
      expect_true(all(found[[i]][[1]] == as.raw(round)))
      expect_identical(found[[i]][[2]][1:2], as.raw(c(i, round)))
    }
  }
  constant <- rep(as.raw(7), 2^20)
  e <- error_of(pool_lapply(1:4, at_top(function(i, x) {
    if (i == 3) tools::pskill(Sys.getpid(), tools::SIGKILL)
    x
  }), constant))
  expect_identical(e$index, 3L)
  expect_identical(e$results[-3], list(constant, constant, constant))
})
