# The pool as a cluster of parallel: what parallel's functions come to on it is held
# against a cluster that parallel has made.

square <- at_top(function(x) x^2)
fails_at <- at_top(function(i, where) if (i %in% where) stop("no ", i) else i)

verbs <- list(
  "clusterApply" = function(cl) parallel::clusterApply(cl, 1:5, square),
  "clusterApply, named" = function(cl) parallel::clusterApply(cl, c(a = 1, b = 2, c = 3), square),
  "clusterApply of nothing" = function(cl) parallel::clusterApply(cl, list(), square),
  "clusterApply of one" = function(cl) parallel::clusterApply(cl, 9, square),
  "clusterApply of a list with NULL" =
    function(cl) parallel::clusterApply(cl, list(1, NULL, "a"), identity),
  "clusterApplyLB" = function(cl) parallel::clusterApplyLB(cl, 1:7, square),
  "clusterApplyLB of one" = function(cl) parallel::clusterApplyLB(cl, 3, square),
  "clusterApplyLB, NULL results" =
    function(cl) parallel::clusterApplyLB(cl, 1:3, at_top(function(i) NULL)),
  "clusterCall" = function(cl) parallel::clusterCall(cl, at_top(function(...) list(...)), 1, b = 2),
  "clusterCall by name" = function(cl) parallel::clusterCall(cl, "paste", "a", 1, sep = "-"),
  "clusterCall of a function of parallel by name" =
    function(cl) parallel::clusterCall(cl, "splitIndices", 5, 2),
  "clusterEvalQ" = function(cl) parallel::clusterEvalQ(cl, 1 + 1),
  "clusterMap" = function(cl) {
    parallel::clusterMap(cl, at_top(function(x, y, z) x + y * z), c(a = 1, b = 2, c = 3), 4:6,
      MoreArgs = list(z = 10))
  },
  "clusterMap, simplified" = function(cl) {
    parallel::clusterMap(cl, at_top(function(x, y) c(x, y)), 1:5, 2, SIMPLIFY = TRUE)
  },
  "clusterMap, one by one" = function(cl) {
    parallel::clusterMap(cl, at_top(function(x, y) x * y), 1:5, 5:1,
      .scheduling = "dynamic")
  },
  "clusterMap with names from strings" = function(cl) {
    parallel::clusterMap(cl, nchar, c("one", "three", "x"), USE.NAMES = TRUE)
  },
  "parLapply" = function(cl) parallel::parLapply(cl, c(a = 1, b = 2, c = 3), square),
  "parLapply in chunks" = function(cl) parallel::parLapply(cl, 1:10, square, chunk.size = 3),
  "parLapplyLB" = function(cl) parallel::parLapplyLB(cl, 1:10, square),
  "parSapply" = function(cl) parallel::parSapply(cl, 1:4, at_top(function(i) c(i, i^2))),
  "parSapply of strings" = function(cl) parallel::parSapply(cl, c("b", "aa"), nchar),
  "parSapplyLB" = function(cl) parallel::parSapplyLB(cl, c(x = 1, y = 2), square),
  "parApply" = function(cl) parallel::parApply(cl, matrix(1:6, 2), 1, sum),
  "parApply over columns" = function(cl) {
    parallel::parApply(cl, matrix(1:6, 2, dimnames = list(NULL, c("a", "b", "c"))), 2, range)
  },
  "parApply over an array" =
    function(cl) parallel::parApply(cl, array(1:24, c(2, 3, 4)), c(1, 3), sum),
  "parRapply" = function(cl) parallel::parRapply(cl, matrix(1:6, 3), sum),
  "parCapply" = function(cl) parallel::parCapply(cl, matrix(1:6, 3), sum),
  "clusterSplit" = function(cl) parallel::clusterSplit(cl, 1:7),
  "clusterSetRNGStream" = function(cl) {
    parallel::clusterSetRNGStream(cl, 42)
    first <- parallel::clusterCall(cl, stats::rnorm, 3)
    list(first, parallel::parSapply(cl, 1:5, at_top(function(i) stats::runif(1))),
      parallel::clusterEvalQ(cl, RNGkind()))
  },
  "clusterExport" = function(cl) {
    here <- list2env(list(pool_test_x = 1:3, pool_test_f = at_top(function(x) x + 1)))
    parallel::clusterExport(cl, c("pool_test_x", "pool_test_f"), here)
    parallel::clusterEvalQ(cl, pool_test_f(pool_test_x))
  },
  "what stays on a node" = function(cl) {
    parallel::clusterEvalQ(cl, pool_test_count <- 0)
    parallel::clusterApply(cl, 1:5, at_top(function(i) {
      pool_test_count <<- pool_test_count + i
      NULL
    }))
    parallel::clusterEvalQ(cl, pool_test_count)
  },
  "the default cluster" = function(cl) {
    parallel::setDefaultCluster(cl)
    on.exit(parallel::setDefaultCluster(NULL))
    parallel::parSapply(X = 1:3, FUN = square)
  },
  "a subset" = function(cl) parallel::clusterApply(cl[2], 1:3, square),
  "the second node, then both" = function(cl) {
    parallel::clusterCall(cl[2], assign, "pool_test_who", 2, envir = globalenv())
    parallel::clusterEvalQ(cl, exists("pool_test_who"))
  },
  "one error" = function(cl) parallel::clusterApply(cl, 1:4, fails_at, 3),
  "two errors" = function(cl) parallel::clusterApplyLB(cl, 1:4, fails_at, 2:3),
  "errors on all nodes" = function(cl) parallel::clusterCall(cl, stop, "all"),
  "an error in a chunk" = function(cl) parallel::parLapply(cl, 1:9, fails_at, 4),
  "a function that is not there" = function(cl) parallel::clusterCall(cl, "pool_test_nobody"),
  "what an error leaves" = function(cl) {
    try(parallel::clusterCall(cl, stop, "x"), silent = TRUE)
    parallel::clusterCall(cl, identity, 1)
  },
  "errors as values" = function(cl) {
    for (i in 1:2) send_call(cl[[i]], stop, "low")
    answers <- lapply(cl, parallels("recvData"))
    lapply(answers, function(x) x[c("type", "value", "success", "tag")])
  },
  "a tag" = function(cl) {
    parallels("sendCall")(cl[[1]], identity, list(7), tag = "mine")
    d <- parallels("recvOneResult")(cl)
    d[c("value", "node", "tag")]
  },
  "two messages to a node, one after the other" = function(cl) {
    for (i in 1:2) send_call(cl[[1]], identity, i)
    list(receive(cl[[1]]), receive(cl[[1]]))
  },
  "attributes and closures" = function(cl) {
    factors <- lapply(1:3, function(i) factor(letters[i], levels = letters))
    make <- at_top(function(n) function(x) x + n)
    c(parallel::clusterApply(cl, factors, identity), list(parallel::clusterCall(cl, make(1), 2)))
  }
)

test_that("parallel's functions come to the same as on parallel's own cluster", {
  cl <- local_cluster(2)
  for (name in names(verbs)) {
    same_on(cl, verbs[[name]], name)
  }
  expect_free()
})

test_that("values of every shape come to the same", {
  cl <- local_cluster(2)
  inputs <- c(plain_inputs(), object_inputs())
  for (name in names(inputs)) {
    x <- inputs[[name]]
    same_on(cl, function(cl) parallel::parLapply(cl, x, identity), name)
  }
})

test_that("over the socket alone it is the same", {
  withr::local_options(pool.transport = "socket")
  cl <- local_cluster(2)
  for (name in c("clusterApplyLB", "clusterMap", "clusterSetRNGStream", "errors as values")) {
    same_on(cl, verbs[[name]], name)
  }
  x <- stats::runif(1e6)
  expect_identical(parallel::clusterCall(cl, identity, x), list(x, x))
  expect_s3_class(cl[[1]]$con, "sockconn")
})

test_that("work is shared out as parallel shares it out", {
  cl <- local_cluster(3)
  pids <- node_pids()
  who <- at_top(function(i) Sys.getpid())
  expect_identical(unlist(parallel::clusterApply(cl, 1:7, who)), rep(pids, length.out = 7))
  expect_identical(
    parallel::parSapply(cl, 1:6, who), rep(pids, times = lengths(parallel::splitIndices(6, 3)))
  )
  expect_identical(unlist(parallel::clusterCall(cl[3:2], Sys.getpid)), pids[3:2])
  expect_setequal(unlist(parallel::clusterApplyLB(cl, 1:60, at_top(function(i) {
    Sys.sleep(0.005)
    Sys.getpid()
  }))), pids)
})

test_that("a slow element does not hold up the others of clusterApplyLB()", {
  cl <- local_cluster(2)
  dir <- withr::local_tempdir()
  # The first one waits for all the others.
  found <- parallel::clusterApplyLB(cl, 1:6, at_top(function(i, dir) {
    file.create(file.path(dir, i))
    until <- Sys.time() + 60
    while (i == 1 && length(list.files(dir)) < 6 && Sys.time() < until) Sys.sleep(0.01)
    length(list.files(dir))
  }), dir)
  expect_identical(found[[1]], 6L)
})

test_that("nodes are those of the pool", {
  cl <- local_cluster(2)
  x <- 42
  pool_export("x", environment())
  expect_identical(parallel::clusterEvalQ(cl, x), list(42, 42))
  y <- 43
  parallel::clusterExport(cl, "y", environment())
  expect_identical(pool_evalq(y), list(43, 43))
  expect_identical(unlist(parallel::clusterCall(cl, Sys.getpid)), node_pids())
})

test_that("a cluster is printed without asking its nodes", {
  cl <- local_cluster(3)
  expect_output(print(cl), "^cluster of 3 nodes of the pool$")
  expect_output(print(cl[2]), "^cluster of 1 node of the pool: 2$")
  expect_output(print(cl[c(3, 1)]), "^cluster of 2 nodes of the pool: 3, 1$")
  expect_output(print(cl[[2]]), "^node 2 of the pool$")
  expect_s3_class(cl, c("pool_cluster", "cluster"), exact = TRUE)
  expect_length(cl, 3)
  expect_identical(cl[[3]]$rank, 3L)
  expect_identical(as.character(cl[[3]][["host"]]), "localhost")
  expect_null(cl[[3]]$session_info)
})

test_that("it holds over init_pool() as long as the pool has that size", {
  cl <- local_cluster(2)
  sum_of <- function() parallel::parSapply(cl, 1:3, square)
  parallel::clusterExport(cl, "square", environment(sum_of))
  init_pool(2)
  expect_identical(sum_of(), c(1, 4, 9))
  expect_identical(parallel::clusterEvalQ(cl, exists("square")), list(FALSE, FALSE))
  quiet_init(2, restart = TRUE)
  expect_identical(sum_of(), c(1, 4, 9))
  quiet_init(3)
  e <- error_of(sum_of())
  expect_s3_class(e, c("pool_cluster_error", "pool_error", "error", "condition"), exact = TRUE)
  expect_match(conditionMessage(e), "pool of 2 nodes, and there is one of 3.*pool_cluster()")
  expect_null(cl[[1]]$con)
  expect_identical(parallel::parSapply(pool_cluster(), 1:3, square), c(1, 4, 9))
  suppressMessages(delete_pool())
  e <- error_of(sum_of())
  expect_s3_class(e, "pool_absent_error")
  expect_match(conditionMessage(e), "init_pool()", fixed = TRUE)
  expect_null(cl[[1]]$con)
  expect_s3_class(error_of(pool_cluster()), "pool_absent_error")
  quiet_init(2)
  expect_identical(sum_of(), c(1, 4, 9))
})

test_that("a stopped cluster is of no more use, and the pool stays", {
  cl <- local_cluster(2)
  other <- pool_cluster()
  pids <- node_pids()
  parallel::stopCluster(cl)
  e <- error_of(parallel::clusterCall(cl, Sys.getpid))
  expect_s3_class(e, "pool_cluster_error")
  expect_match(conditionMessage(e), "has been stopped: make another with pool_cluster()",
    fixed = TRUE)
  parallel::stopCluster(cl) # once more does no harm
  expect_identical(unlist(parallel::clusterCall(other, Sys.getpid)), pids)
  parallel::stopCluster(other[1])
  expect_identical(error_class(parallel::clusterCall(other, Sys.getpid)), "pool_cluster_error")
  expect_identical(parallel::clusterCall(other[2], Sys.getpid), list(pids[[2]]))
  expect_usable(pids)
})

test_that("stopping a cluster gives up what is outstanding on it", {
  cl <- local_cluster(2)
  pids <- node_pids()
  send_call(cl[[1]], Sys.sleep, 600)
  expect_s3_class(error_of(pool_lapply(1:2, identity)), "pool_busy_error")
  parallel::stopCluster(cl)
  # The task let itself be interrupted.
  expect_usable(pids)
})

test_that("it is of no use in another process", {
  cl <- local_cluster(2)
  ask <- at_top(function(i, cl) {
    tryCatch(parallel::clusterCall(cl, identity, 1), error = function(e) class(e)[[1]])
  })
  expect_identical(
    parallel::clusterApply(cl, 1:2, ask, cl), list("pool_cluster_error", "pool_cluster_error")
  )
  expect_identical(parallel::mclapply(1:2, ask, cl, mc.cores = 2),
    list("pool_cluster_error", "pool_cluster_error"))
  # Not even where there is a pool of that size.
  expect_identical(parallel::clusterApply(cl, 1, at_top(function(i, cl, ask) {
    suppressMessages(pool::init_pool(2))
    on.exit(suppressMessages(pool::delete_pool()))
    c(ask(i, cl), parallel::parSapply(pool::pool_cluster(), 1:2, sqrt))
  }), cl, ask)[[1]], as.character(c("pool_cluster_error", sqrt(1:2))))
  expect_usable()
})

test_that("an answer that nobody was asked for is an error, not waited for", {
  cl <- local_cluster(2)
  for (ask in list(function() receive(cl[[2]]), function() parallels("recvOneData")(cl))) {
    e <- error_of(ask())
    expect_s3_class(e, "pool_cluster_error")
    expect_match(conditionMessage(e), "sent")
  }
  # Messages that are no work have no answer.
  parallels("postNode")(cl[[1]], "DONE")
  parallels("postNode")(cl[[1]], "NONSENSE")
  expect_s3_class(error_of(receive(cl[[1]])), "pool_cluster_error")
  expect_free()
})

test_that("while an answer is outstanding the pool is busy, and says why", {
  cl <- local_cluster(2)
  file <- file.path(withr::local_tempdir(), "go")
  for (i in 1:2) send_call(cl[[i]], at_top(function(file) {
    until <- Sys.time() + 60
    while (!file.exists(file) && Sys.time() < until) Sys.sleep(0.01)
    "over"
  }), file)
  for (call in list(
    function() pool_lapply(1:3, identity), function() pool_call(Sys.getpid),
    function() pool_export("cl", environment()), function() init_pool(2)
  )) {
    e <- error_of(call())
    expect_s3_class(e, "pool_busy_error")
    expect_match(conditionMessage(e), "pool_cluster().*futures.*delete_pool()")
  }
  expect_identical(pool_size(), 2L)
  expect_identical(pool_status()$state, c("busy", "busy"))
  file.create(file)
  # Answers that are there do not keep the pool, and are not lost by its use.
  expect_true(wait_until(function() error_class(pool_lapply(1:3, identity)) == "none"))
  init_pool(2)
  expect_identical(list(receive(cl[[2]]), receive(cl[[1]])), list("over", "over"))
  expect_free()
})

test_that("delete_pool() and a restart give up what is outstanding", {
  cl <- local_cluster(2)
  endings <- list(
    function() suppressMessages(delete_pool()),
    function() quiet_init(2, restart = TRUE),
    function() quiet_init(3)
  )
  for (end in endings) {
    quiet_init(2, restart = TRUE)
    cl <- pool_cluster()
    send_call(cl[[1]], Sys.sleep, 600)
    send_call(cl[[2]], Sys.sleep, 600)
    end()
    if (pool_size() == 2) {
      e <- error_of(receive(cl[[1]]))
      expect_s3_class(e, "pool_worker_error")
      expect_match(conditionMessage(e), "node 1 was lost: it was deleted or restarted")
      expect_s3_class(error_of(receive(cl[[2]])), "pool_worker_error")
    } else {
      expect_true(error_class(receive(cl[[1]])) %in% c("pool_absent_error", "pool_cluster_error"))
    }
    quiet_init(2)
    expect_free()
  }
})

test_that("several clusters of a pool do not get in each other's way", {
  cl <- local_cluster(2)
  other <- pool_cluster()
  send_call(cl[[1]], identity, "a")
  send_call(other[[1]], identity, "b")
  send_call(other[[2]], identity, "c")
  expect_identical(list(receive(other[[2]]), receive(other[[1]]), receive(cl[[1]])),
    list("c", "b", "a"))
  send_call(cl[[1]], identity, "kept")
  expect_identical(parallel::parSapply(other, 1:4, square), c(1, 4, 9, 16))
  expect_identical(receive(cl[[1]]), "kept")
  expect_free()
})

test_that("what tasks signal goes where output goes, as with parallel", {
  file <- withr::local_tempfile()
  cl <- local_cluster(2, outfile = file)
  signals <- at_top(function(i) {
    warning("careful ", i)
    message("by the way ", i)
    cat("plain", i, "\n")
    i
  })
  # One behind the other: R writes a warning in pieces, and a file has no lines.
  for (i in 1:2) {
    expect_silent(found <- parallel::clusterApply(cl[i], i, signals))
    expect_identical(found, list(i))
  }
  said <- function() if (file.exists(file)) readLines(file) else character()
  expect_true(wait_until(function() length(said()) >= 6))
  expect_setequal(sub("^Warning in .*: careful", "careful", trimws(said())),
    paste(c("careful", "by the way", "plain"), rep(1:2, each = 3)))
  same_on(cl, function(cl) {
    parallel::clusterCall(cl, at_top(function() {
      old <- options(warn = 2)
      on.exit(options(old))
      warning("now an error")
    }))
  })
})

test_that("what cannot be sent is an error, and leaves nothing behind", {
  skip_if(is.na(Cstack_info()[["size"]]), "the C stack has no limit")
  nest <- at_top(function() {
    x <- NULL
    for (i in 1:100000) x <- list(x)
    x
  })
  cl <- local_cluster(2)
  pids <- node_pids()
  for (x in list(nest(), list(stats::runif(1e6), nest()))) {
    expect_s3_class(error_of(parallel::clusterCall(cl, identity, x)), "pool_serialize_error")
    expect_s3_class(error_of(parallel::clusterApply(cl, list(1, x), identity)),
      "pool_serialize_error")
    expect_free()
  }
  e <- error_of(parallel::clusterApply(cl, 1:2, at_top(function(i, nest) {
    if (i == 2) nest() else i
  }), nest))
  expect_match(conditionMessage(e), "one node produced an error: the result cannot be sent")
  expect_identical(parallel::parSapply(cl, 1:3, square), c(1, 4, 9))
  expect_free()
})

test_that("large vectors are shared, not copied", {
  cl <- local_cluster(2)
  x <- stats::runif(2e6)
  parallel::clusterExport(cl, "x", environment())
  expect_identical(parallel::clusterEvalQ(cl, sum(x)), list(sum(x), sum(x)))
  expect_identical(parallel::clusterCall(cl, at_top(function(y) y * 2), x), list(x * 2, x * 2))
  expect_identical(parallel::parLapply(cl, list(x, x + 1), identity), list(x, x + 1))
})

test_that("errors name the call that the user made", {
  cl <- local_cluster(2)
  e <- error_of(parallel::parLapply(cl, 1:2, at_top(function(i) quit())))
  expect_identical(as.character(conditionCall(e)[[1]]), c("::", "parallel", "parLapply"))
  parallel::stopCluster(cl)
  e <- error_of(parallel::clusterMap(cl, sqrt, 1:2))
  expect_identical(as.character(conditionCall(e)[[1]]), c("::", "parallel", "clusterMap"))
})
