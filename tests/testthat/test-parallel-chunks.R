# Which node runs which element: parallel's own assignment where the caller
# asks for it, the next free node otherwise.

node_of <- function(pids, nodes) match(unlist(pids), unlist(nodes))

test_that("chunk.size gives every node the elements parallel gives it", {
  local_pool()
  reference <- reference_cluster()
  ours <- pool_call(Sys.getpid)
  theirs <- parallel::clusterCall(reference, Sys.getpid)
  pid <- at_top(function(i) Sys.getpid())
  for (n in c(1, 2, 3, 7, 10, 25)) {
    for (size in c(1, 2, 3, 4, 10, 100, 1.5)) {
      same(
        node_of(pool_lapply(seq_len(n), pid, chunk.size = size), ours),
        node_of(parallel::parLapply(reference, seq_len(n), pid, chunk.size = size), theirs),
        paste(n, "elements, chunk.size", size)
      )
      same(
        node_of(pool_sapply(seq_len(n), pid, chunk.size = size), ours),
        node_of(parallel::parSapply(reference, seq_len(n), pid, chunk.size = size), theirs),
        paste(n, "elements, chunk.size", size, "simplified")
      )
    }
  }
})

test_that(".scheduling = \"static\", said so, gives clusterMap()'s assignment", {
  local_pool()
  reference <- reference_cluster()
  ours <- pool_call(Sys.getpid)
  theirs <- parallel::clusterCall(reference, Sys.getpid)
  pid <- at_top(function(...) Sys.getpid())
  for (n in c(1, 2, 5, 12)) {
    same(
      node_of(pool_map(pid, seq_len(n), .scheduling = "static"), ours),
      node_of(parallel::clusterMap(reference, pid, seq_len(n), .scheduling = "static"), theirs),
      paste(n, "elements")
    )
  }
})

test_that("elements of a chunk run in order, one after another, on one node", {
  local_pool()
  log <- at_top(function(i) {
    if (!exists("seen", globalenv(), inherits = FALSE)) assign("seen", NULL, globalenv())
    assign("seen", c(get("seen", globalenv()), i), globalenv())
    get("seen", globalenv())
  })
  reference <- reference_cluster()
  for (size in c(1, 2, 5)) {
    pool_evalq(seen <- NULL)
    parallel::clusterEvalQ(reference, seen <- NULL)
    same(
      pool_lapply(1:9, log, chunk.size = size),
      parallel::parLapply(reference, 1:9, log, chunk.size = size),
      paste("chunk.size", size)
    )
  }
  pool_evalq(seen <- NULL)
  parallel::clusterEvalQ(reference, seen <- NULL)
  same(
    pool_map(log, 1:9, .scheduling = "static"),
    parallel::clusterMap(reference, log, 1:9, .scheduling = "static"),
    "static map"
  )
})

test_that("chunk.size changes no value", {
  local_pool()
  x <- c(a = 1, b = 4, c = 9, d = 16, e = 25)
  for (size in list(NULL, 1, 2L, 3, 100)) {
    same_lapply(x, sqrt, chunk.size = size, label = paste("chunk.size", format(size)))
    same_sapply(names(x), nchar, chunk.size = size, label = paste("chunk.size", format(size)))
    same_lapply(list(), sqrt, chunk.size = size, label = paste("nothing, chunk.size", format(size)))
  }
  many <- seq_len(1e5)
  for (size in list(NULL, 7, 1e4, 1e6)) {
    expect_identical(pool_sapply(many, identity, chunk.size = size), many)
  }
})

# The first element ends only when all the others have: they can't then be
# waiting behind it. The limit is for a pool that has put one there.
first_waits <- at_top(function(i, dir, n) {
  if (i > 1) {
    file.create(file.path(dir, i))
    return(TRUE)
  }
  until <- Sys.time() + 60
  while (length(list.files(dir)) < n - 1 && Sys.time() < until) Sys.sleep(0.01)
  length(list.files(dir)) == n - 1
})

test_that("by default an element goes to the next free node", {
  local_pool()
  lapply_dir <- withr::local_tempdir()
  expect_true(all(pool_sapply(1:6, first_waits, lapply_dir, 6)))
  map_dir <- withr::local_tempdir()
  expect_true(all(pool_map(first_waits, 1:6, dir = map_dir, n = 6, SIMPLIFY = TRUE)))
  dynamic_dir <- withr::local_tempdir()
  expect_true(all(pool_map(first_waits, 1:6, dir = dynamic_dir, n = 6, SIMPLIFY = TRUE,
                           .scheduling = "dynamic")))
})

test_that("results keep the order of the elements, whoever ends first", {
  local_pool(3)
  x <- stats::setNames(30:1, paste0("n", 30:1))
  f <- at_top(function(i) {
    Sys.sleep(if (i %% 3 == 0) 0.01 else 0)
    i * 10
  })
  expect_identical(pool_lapply(x, f), lapply(x, f))
  expect_identical(pool_sapply(x, f), sapply(x, f))
  expect_identical(pool_map(f, x), Map(f, x))
})

test_that("more nodes than elements, and one node, give the same results", {
  for (n in c(1, 5)) {
    local_pool(n)
    expect_identical(pool_size(), as.integer(n))
    for (elements in list(integer(0), 1L, 1:2, 1:11)) {
      expect_identical(pool_lapply(elements, identity), as.list(elements))
      expect_identical(pool_map(identity, elements, .scheduling = "dynamic"),
                       if (length(elements)) as.list(elements))
    }
    expect_length(pool_call(Sys.getpid), n)
  }
})

test_that("function and constant arguments are the same for all elements", {
  local_pool()
  constant <- list2env(list(n = 0))
  # Within a node one environment serves all its elements of a call, as a chunk
  # of parLapply()'s does; the session's own is never touched.
  counts <- unlist(pool_lapply(1:20, at_top(function(i, env) env$n <- env$n + 1), constant))
  expect_identical(constant$n, 0)
  expect_gte(max(counts), 10)
  same_lapply(1:10, at_top(function(i, env) env$n <- env$n + 1), list2env(list(n = 0)),
              chunk.size = 5, label = "static chunks")
  # A node keeps no state of a closure from one call to the next.
  counter <- local({
    n <- 0
    function(i) n <<- n + 1
  })
  first <- pool_lapply(1:4, counter, chunk.size = 2)
  expect_identical(pool_lapply(1:4, counter, chunk.size = 2), first)
  expect_identical(first, list(1, 2, 1, 2))
})
