# How long a large vector lives: as long as anybody has it, and no longer.

# Of one size, so that one's memory would do for another.
size <- 2^20
marked <- function(k) rep(as.raw(k %% 256), size)
unchanged <- at_top(function(x, k) all(x == as.raw(k %% 256)))

# The files that large vectors are mapped from.
segments <- at_top(function() {
  lines <- grep("memfd:pool", readLines("/proc/self/maps"), fixed = TRUE, value = TRUE)
  unique(vapply(strsplit(lines, " +"), `[[`, "", 5))
})

test_that("results outlive their node, the pool, and another pool", {
  local_pool(2)
  sent <- marked(3)
  results <- pool_lapply(1:4, at_top(function(i, x) list(rep(as.raw(i), length(x)), x)), sent)
  pids <- node_pids()
  tools::pskill(pids, tools::SIGKILL)
  expect_true(gone(pids))
  right <- function() {
    for (i in 1:4) {
      if (!unchanged(results[[i]][[1]], i) || !unchanged(results[[i]][[2]], 3)) return(FALSE)
    }
    TRUE
  }
  gc()
  expect_true(right())
  suppressMessages(delete_pool())
  gc()
  expect_true(right())
  results[[1]][[2]][1] <- as.raw(0)
  expect_true(unchanged(sent, 3) && unchanged(results[[2]][[2]], 3))
  results[[1]][[2]][1] <- as.raw(3)
  local_pool(2)
  expect_true(right())
  expect_identical(
    pool_lapply(results, at_top(function(x) c(x[[1]][9], x[[2]][9]))),
    lapply(1:4, function(i) as.raw(c(i, 3)))
  )
  invisible(pool_lapply(1:40, marked))
  expect_true(right())
})

test_that("the package may go before they do", {
  alive <- in_session(function() {
    suppressMessages(pool::init_pool(1))
    x <- pool::pool_call(function() rep(as.raw(9), 2^20))[[1]]
    suppressMessages(pool::delete_pool())
    unloadNamespace("pool")
    gc()
    before <- all(x == as.raw(9))
    rm(x)
    gc()
    before
  })
  expect_true(alive)
})

test_that("a vector in use is never overwritten by one that follows", {
  local_pool(2)
  rounds <- 40
  take <- at_top(function(x, k, look) {
    if (!exists("kept", globalenv())) kept <<- list()
    if (k %% 3 == 0) kept[[as.character(k)]] <<- x
    if (k %% 12 == 0) kept <<- kept[-1]
    x <- NULL
    gc(full = k %% 12 == 0)
    right <- if (look) {
      vapply(names(kept), function(name) {
        all(kept[[name]] == as.raw(as.integer(name) %% 256))
      }, NA)
    }
    list(all(right), rep(as.raw(k %% 256), 2^20))
  })
  kept <- list()
  right <- logical()
  used <- character()
  for (k in seq_len(rounds)) {
    for (found in pool_call(take, marked(k), k, k %% 5 == 0)) {
      right <- c(right, found[[1]], unchanged(found[[2]], k))
      if (k %% 4 == 0) kept[[length(kept) + 1]] <- list(k, found[[2]])
    }
    found <- NULL
    if (k %% 16 == 0) kept <- kept[-(1:3)]
    gc(full = k %% 16 == 0)
    if (k %% 5 == 0) {
      right <- c(right, vapply(kept, function(x) unchanged(x[[2]], x[[1]]), NA))
    }
    if (!over_socket() && dir.exists("/proc/self")) used <- c(used, segments())
  }
  expect_identical(which(!right), integer())
  # Were no memory used again, nothing would have been tried.
  if (length(used)) expect_lt(length(unique(used)), 1.5 * rounds)
})

test_that("what a task's own child still reads is not overwritten", {
  local_pool(1)
  dir <- withr::local_tempdir()
  pool_call(at_top(function(x, dir) {
    parallel::mcparallel({
      file.create(file.path(dir, "begun"))
      while (!file.exists(file.path(dir, "go"))) Sys.sleep(0.01)
      writeLines(as.character(all(x == as.raw(77))), file.path(dir, "part"))
      file.rename(file.path(dir, "part"), file.path(dir, "found"))
    }, detached = TRUE)
    NULL
  }), marked(77), dir)
  expect_true(wait_until(function() file.exists(file.path(dir, "begun"))))
  follow <- at_top(function(x, k) {
    right <- all(x == as.raw(k))
    x <- NULL
    gc(full = k == 1)
    right
  })
  for (k in 1:30) {
    expect_true(pool_call(follow, marked(k), k)[[1]])
  }
  file.create(file.path(dir, "go"))
  expect_true(wait_until(function() file.exists(file.path(dir, "found")), 20))
  expect_identical(readLines(file.path(dir, "found")), "TRUE")
})

test_that("a replacement reads what was exported before the death, large and changed since", {
  local_pool(2)
  x <- marked(1)
  y <- list(marked(2), data.frame(v = numeric(2^17) + 2))
  pool_export(c("x", "y"), environment())
  x <- marked(9)
  pool_export("x", environment())
  x[] <- as.raw(8)
  y <- NULL
  for (k in 1:5) {
    invisible(pool_call(unchanged, marked(k), k))
    pid <- node_pids()[1 + k %% 2]
    tools::pskill(pid, tools::SIGKILL)
    expect_true(gone(pid))
    gc()
    found <- pool_evalq(c(all(x == as.raw(9)), all(y[[1]] == as.raw(2)), all(y[[2]]$v == 2)))
    expect_identical(unlist(found), rep(TRUE, 6))
  }
})

test_that("neither descriptors nor mappings pile up", {
  skip_if_no_memory()
  local_pool(2)
  pids <- c(Sys.getpid(), node_pids())
  pids <- c(pids, process_info(pids[2])$parent)
  go_around <- function(times) {
    for (k in seq_len(times)) {
      x <- marked(k)
      found <- pool_call(at_top(function(x) list(x, rev(x), x)), list(x, x))
      found <- pool_lapply(found, identity)
      e <- error_of(pool_lapply(list(x, 2), at_top(function(x) stop("no"))))
      pool_export("x", environment())
    }
  }
  look <- function() {
    collect_everywhere()
    list(descriptors(pids), mappings(pids), in_memory(pids, "Pss"))
  }
  go_around(10)
  before <- look()
  go_around(40)
  after <- look()
  expect_true(all(after[[1]] <= before[[1]] + 4))
  expect_true(all(after[[2]] <= before[[2]] + 4))
  expect_true(all(after[[3]] <= before[[3]] + 60)) # of some 400 that went through
})

test_that("a vector that all nodes have is in memory once", {
  skip_if_no_memory()
  skip_if(!file.exists("/proc/self/smaps_rollup"), "processes cannot be measured")
  local_pool(4)
  pids <- c(Sys.getpid(), node_pids())
  megabytes <- 100
  x <- numeric(megabytes * 2^17) + 1
  total <- at_top(function() sum(get("x", globalenv())))
  collect_everywhere()
  before <- in_memory(pids, "Pss")
  own <- in_memory(pids, "Anonymous")
  pool_export("x", environment())
  expect_identical(unlist(pool_call(total)), rep(length(x) + 0, 4))
  expect_lt(sum(in_memory(pids, "Pss") - before), 1.8 * megabytes)
  expect_lt(sum(in_memory(pids, "Anonymous") - own), 0.5 * megabytes)
  # Nor does a result have to be copied.
  found <- pool_lapply(1, at_top(function(i) numeric(100 * 2^17) + 2))[[1]]
  before <- in_memory(pids[1], "Anonymous")
  expect_identical(sum(found), 2 * length(x))
  expect_lt(in_memory(pids[1], "Anonymous") - before, 0.5 * megabytes)
})

test_that("forks of the session have a mapped vector as any other", {
  local_pool(1)
  x <- pool_call(at_top(function(n) numeric(n)), 3e5)[[1]]
  found <- parallel::mclapply(1:4, function(i) {
    x[i] <- i
    y <- x
    y[1] <- 50
    list(sum(x), sum(y), x)
  }, mc.cores = 2)
  for (i in 1:4) {
    expect_identical(found[[i]][[1]], as.numeric(i))
    expect_identical(found[[i]][[2]], if (i == 1) 50 else i + 50)
    expect_identical(found[[i]][[3]], replace(numeric(3e5), i, i))
  }
  expect_identical(sum(abs(x)), 0)
  expect_identical(pool_call(at_top(sum), x), list(0))
})

test_that("what nodes have inherited they can send", {
  local_pool(1)
  x <- pool_call(marked, 5)[[1]]
  attach(list(pool_test_inherited = x), name = "pool_test")
  withr::defer(detach("pool_test", character.only = TRUE))
  suppressMessages(init_pool(1, restart = TRUE, type = "FORK"))
  inherited <- at_top(function() get("pool_test_inherited"))
  expect_true(unchanged(pool_call(inherited)[[1]], 5))
  changed <- pool_call(at_top(function() {
    y <- get("pool_test_inherited")
    y[1] <- as.raw(6)
    y
  }))[[1]]
  expect_identical(changed[1:2], as.raw(6:5))
  expect_true(unchanged(pool_call(inherited)[[1]], 5))
})

test_that("a pool in a node has large vectors of its own", {
  local_pool(2)
  found <- pool_lapply(1:2, at_top(function(i, x) {
    mine <- x
    mine[1] <- i
    suppressMessages(pool::init_pool(2))
    inner <- pool::pool_lapply(list(x, mine), function(y) {
      y[2] <- 5
      y
    })
    pool::pool_export("mine", environment())
    told <- pool::pool_evalq(sum(mine))
    suppressMessages(pool::delete_pool())
    list(inner, x, mine, told)
  }), numeric(3e5))
  for (i in 1:2) {
    expect_identical(found[[i]][[1]][[1]][1:3], c(0, 5, 0))
    expect_identical(found[[i]][[1]][[2]][1:3], c(i, 5, 0))
    expect_identical(sum(found[[i]][[2]]), 0)
    expect_identical(sum(found[[i]][[3]]), as.numeric(i))
    expect_identical(found[[i]][[4]], rep(list(as.numeric(i)), 2))
  }
})
