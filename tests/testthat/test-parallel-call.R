# pool_call(), pool_evalq() and pool_export() are held against clusterCall(),
# clusterEvalQ() and clusterExport().

test_that("pool_call() agrees with clusterCall()", {
  local_pool()
  same_call(at_top(function() 1))
  same_call(at_top(function(x, y = 2) x + y), 1)
  same_call(at_top(function(x, y = 2) x + y), y = 10, x = 1)
  same_call(at_top(function(...) list(...)), a = 1, NULL, b = list())
  same_call(at_top(function(value) value), val = 3)
  same_call(at_top(function() NULL))
  same_call(at_top(function() invisible(5)))
  same_call(at_top(function() globalenv()))
  same_call(paste, "a", "b", sep = "-")
  same_call("nchar", "abc")
  same_call(getwd, via = lengths)
  same_call(nchar, c(a = "x", b = "yy"))
  same_call(at_top(function(x, f) f(x)), 1:10, f = sum)
  same_call(at_top(function(fun, varlist) list(fun, varlist)), varlist = 2, 1,
            label = "names like ours")
  # A copy of an environment is another environment.
  for (what in setdiff(names(all_inputs()), "an environment")) {
    same_call(at_top(function(x) list(x, class(x), attributes(x))), all_inputs()[[what]],
              label = what)
  }
})

test_that("pool_call() gives one result per node, in node order", {
  local_pool(3)
  pids <- node_pids()
  expect_length(pids, 3)
  expect_false(anyDuplicated(pids) > 0)
  expect_false(Sys.getpid() %in% pids)
  for (i in 1:3) expect_identical(node_pids(), pids)
  expect_null(names(pool_call(Sys.getpid)))
})

test_that("an error on some or all nodes has parallel's message", {
  local_pool()
  same_call(at_top(function() stop("everywhere")))
  same_call("no_such_function")
  same_call(at_top(function(x) x), label = "an argument is missing")
  # On one node of two: the nodes know which they are from what they were sent.
  pids <- node_pids()
  expect_error(
    pool_call(at_top(function(pid) if (Sys.getpid() == pid) stop("here")), pids[2]),
    "^one node produced an error: here$", class = "pool_task_error"
  )
  expect_usable(pids)
})

test_that("pool_evalq() agrees with clusterEvalQ()", {
  local_pool()
  reference <- reference_cluster()
  both <- function(expr, via = identity) {
    code <- substitute(expr)
    same(
      eval(bquote(pool_evalq(.(code)))),
      eval(bquote(parallel::clusterEvalQ(reference, .(code)))),
      paste(deparse(code), collapse = " "), via
    )
  }
  both(1 + 1)
  both(NULL)
  both(quote(a + b))
  both(ls())
  both({
    kept <- 1:3
    sum(kept)
  })
  both(kept)
  both(rev(kept))
  both(kept <<- "elsewhere")
  both(get("kept", envir = globalenv()))
  both(identical(environment(), globalenv()))
  both(exists("reference"))
  both(function(x) x + 1, via = function(l) lapply(l, function(f) f(1)))
  both(stop("all of them"))
  both(nowhere)
  both(if (FALSE) 1)
  both(assign("made", "by assign", envir = globalenv()))
  both(made)
  both(rm(kept, made))
  both(ls())
  both(suppressWarnings(as.integer("x")))
  both(local({
    inside <- 5
    inside * 2
  }))
  both(ls())
})

test_that("pool_export() agrees with clusterExport()", {
  local_pool()
  reference <- reference_cluster()
  export <- function(varlist, envir = parent.frame(), label = deparse(varlist)) {
    force(envir)
    same(
      pool_export(varlist, envir),
      parallel::clusterExport(reference, varlist, envir),
      label
    )
  }
  read <- function(name, via = identity) {
    get_it <- at_top(function(n) get(n, envir = globalenv(), inherits = FALSE))
    same(pool_call(get_it, name), parallel::clusterCall(reference, get_it, name), name, via)
  }
  one <- 1
  two <- c(a = "x", b = NA)
  nothing <- NULL
  fun <- function(x) x + one
  export("one")
  read("one")
  export(c("one", "two", "nothing"))
  read("two")
  read("nothing")
  export("fun")
  read("fun", via = function(l) lapply(l, function(f) f(1)))
  export(character(0))
  export(c(named = "one"))
  export("pi")
  read("pi")
  export("letters", emptyenv(), "not there, and nothing to inherit from")
  export("no_such_variable")
  export(c("one", "no_such_variable"))
  `odd name` <- 5
  export("odd name")
  read("odd name")
  .hidden <- 6
  export(".hidden")
  read(".hidden")
  export("median", label = "found by inheriting")
  read("median", via = function(l) lapply(l, function(f) f(c(1, 3, 5))))
})

test_that("pool_export() takes the value a name has now, from where it is told", {
  local_pool()
  local_globals(from_top = "global")
  from_top <- "frame"
  node_value <- at_top(function() from_top)
  pool_export("from_top")
  expect_identical(pool_call(node_value), list("global", "global"))
  pool_export("from_top", environment())
  expect_identical(pool_call(node_value), list("frame", "frame"))
  from_top <- "changed since"
  expect_identical(pool_call(node_value), list("frame", "frame"))
  outer <- function() {
    inner <- "argument"
    (function() pool_export(c("inner", "from_top"), environment()))()
  }
  outer()
  expect_identical(pool_evalq(inner), list("argument", "argument"))
  expect_identical(pool_call(node_value), list("changed since", "changed since"))
  expect_null(pool_export("from_top"))
  expect_invisible(pool_export("from_top"))
})

test_that("active bindings and promises are exported as their values", {
  local_pool()
  env <- new.env()
  reads <- 0
  makeActiveBinding("active", function() {
    reads <<- reads + 1
    reads
  }, env)
  delayedAssign("lazy", {
    reads <- reads + 100
    "forced"
  }, assign.env = env)
  lockBinding("lazy", env)
  pool_export(c("active", "lazy"), env)
  expect_identical(reads, 101)
  expect_identical(pool_evalq(list(active, active, lazy)), rep(list(list(1, 1, "forced")), 2))
  pool_evalq(lazy <- "not locked there")
  expect_identical(pool_evalq(lazy), list("not locked there", "not locked there"))
})

test_that("what was exported can be used, changed and removed on the nodes", {
  local_pool()
  base <- 10
  pool_export("base", environment())
  f <- at_top(function(i) base + i)
  expect_identical(pool_sapply(1:6, f), 11:16 + 0)
  pool_evalq(base <- 20)
  expect_identical(pool_sapply(1:6, f), 21:26 + 0)
  base <- 30
  pool_export("base", environment())
  expect_identical(pool_sapply(1:6, f), 31:36 + 0)
  pool_evalq(rm(base))
  expect_error(pool_sapply(1:6, f), "object 'base' not found", class = "pool_task_error")
})
