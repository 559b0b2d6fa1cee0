# Every kind of function, seen from inside the call on a node as much as from
# outside: what parLapply(), clusterMap() and clusterCall() make of it holds.

test_that("primitives of every kind work, or fail as they do in parallel", {
  local_pool()
  same_lapply(1:4, `-`)
  same_lapply(1:4, `-`, 1L)
  same_lapply(list(1:3, 4:6), sum)
  same_lapply(list(1:3, c(NA, 1)), sum, na.rm = TRUE)
  same_lapply(list(list(a = 1), list(a = 2)), `[[`, "a")
  same_lapply(list(1:3, 4:6), `[`, -1)
  same_lapply(1:3, `(`)
  same_lapply(list(1, "a"), is.character)
  same_lapply(1:3, `if`, "yes")
  same_lapply(list(TRUE, FALSE), `&&`, TRUE)
  same_lapply(1:3, list)
  same_lapply(1:3, c, 10L)
  same_map(`+`, 1:3, 4:6)
  same_map(`[[`, list(letters, LETTERS), 3:4)
  same_map(`if`, c(TRUE, FALSE), 1:2, 3:4)
  same_call(`+`, 1, 2)
  same_call(list, a = 1, b = quote(z))
})

test_that("functions that look at their arguments unevaluated see the same", {
  local_pool()
  # One element: then one node fails, and the count in the message is the same.
  for (name in c("quote", "missing", "substitute", "nargs", "function", "on.exit",
                 "UseMethod", "environment<-", "expression", "interactive")) {
    f <- get(name)
    same_lapply(1L, f, label = name)
    same_map(f, 1L, label = paste(name, "in a map"))
  }
  same_map(quote, list(quote(a), quote(b + 1)))
  same_lapply(1:3, bquote)
  same_sapply(1:3, alist)
})

test_that("substitute(), match.call() and their kin see parallel's call", {
  local_pool()
  same_lapply(1:3, at_top(function(x) substitute(x)))
  same_lapply(1:3, at_top(function(x, ...) substitute(list(...))), quote(a), b = 2)
  same_lapply(1:3, at_top(function(x) sys.call()))
  same_lapply(1:3, at_top(function(x, y) match.call()), y = 2)
  same_lapply(1:3, at_top(function(x, y) match.call(expand.dots = FALSE)), 5)
  same_lapply(1:3, at_top(function(x, y) c(missing(x), missing(y), nargs())))
  same_lapply(1:3, at_top(function(x, y) c(missing(x), missing(y), nargs())), 3)
  same_lapply(1:3, at_top(function(x, ...) c(...length(), nargs())), 3, 4)
  same_lapply(1:3, at_top(function(x) deparse(sys.function())))
  same_lapply(1L, at_top(function(x) X[[x]]), label = "lapply's X is not in scope")
  same_map(at_top(function(x, y) substitute(x)), list(quote(a), quote(b + 1)), 1:2)
  same_map(at_top(function(x, y, z) sys.call()[-1]), 1:2, y = 3:4, MoreArgs = list(z = 1))
  same_map(at_top(function(x, y, z) as.list(match.call())[-1]), 1:2, 3:4, MoreArgs = list(z = 1))
  same_map(at_top(function(x, y) c(missing(x), missing(y), nargs())), 1:2)
  same_call(at_top(function(x) missing(x)))
  same_call(at_top(function(x, ...) list(substitute(x), sys.call()[-1], nargs())),
            quote(a + b), z = 1)
  same_call(at_top(function(...) match.call(expand.dots = FALSE)$...), 1, b = as.name("q"))
})

test_that("language as an element or argument is handed on unevaluated", {
  local_pool()
  same_lapply(list(quote(stop("evaluated")), as.name("nowhere")), identity)
  same_lapply(expression(a + b, c), at_top(function(e) class(e)))
  same_lapply(1:2, at_top(function(x, e) e), quote(stop("evaluated")))
  same_map(at_top(function(x, e) list(x, e)), 1:2, expression(stop("evaluated"), nowhere))
  same_map(at_top(function(x, e) e), 1:2, MoreArgs = list(e = quote(stop("evaluated"))))
  same_call(at_top(function(e) e), quote(stop("evaluated")))
  same_call(eval, quote(1 + 2))
})

test_that("closures carry what they captured", {
  local_pool()
  factor_of <- 3
  same_lapply(1:4, function(x) x * factor_of)
  add <- function(n) function(x) x + n
  same_sapply(1:4, add(10))
  # A promise not yet forced goes along and is forced on the node.
  lazy <- 5
  adder <- add(lazy)
  lazy <- 6
  same_sapply(1:4, adder)
  count <- local({
    n <- 0
    function(x) {
      n <<- n + 1
      n >= 1
    }
  })
  same_lapply(1:4, count)
  expect_identical(get("n", environment(count)), 0)
  forward <- function(...) same_lapply(1:3, function(x) c(x, ...))
  forward(4, 5)
})

test_that("functions that return functions return working ones", {
  local_pool()
  call_each <- function(made) lapply(made, function(f) f(100))
  same_lapply(1:3, at_top(function(x) function(y) x + y), via = call_each)
  same_lapply(1:3, at_top(function(x) {
    force(x)
    function(y) x * y
  }), via = call_each)
  same_map(at_top(function(a, b) function(y) a + b * y), 1:2, 3:4, via = call_each)
  same_lapply(c(2, 3), at_top(function(x) stats::approxfun(0:x, 0:x)), via = function(made) {
    lapply(made, function(f) f(0.5))
  })
  same_lapply(1:2, at_top(function(x) at <- function(y) y), via = call_each)
})

test_that("a function by name is looked up where parallel looks it up", {
  local_pool()
  same_lapply(c(1, 4, 9), "sqrt")
  same_sapply(c(1, 4, 9), "sqrt")
  same_map("paste", 1:3, c("a", "b", "c"), MoreArgs = list(sep = "-"))
  same_call("sum", 1, 2)
  same_lapply(1:3, as.name("sqrt"), label = "a symbol")

  # The session has one of this name, the nodes another.
  local_globals(twice = at_top(function(x) x * 2))
  same_lapply(1L, "twice", label = "not on the node")
  same_map("twice", 1L, label = "not on the node, map")
  reference <- reference_cluster()
  parallel::clusterExport(reference, "twice")
  pool_export("twice")
  local_globals(twice = at_top(function(x) x * 200))
  same(pool_lapply(1:3, "twice"), parallel::parLapply(reference, 1:3, "twice"))
  same(pool_map("twice", 1:3), parallel::clusterMap(reference, "twice", 1:3))
  same(pool_call("twice", 5), parallel::clusterCall(reference, "twice", 5))
  expect_identical(pool_lapply(1:3, "twice"), list(2, 4, 6))
  expect_identical(pool_sapply(1:3, at_top(function(x) twice(x))), c(2, 4, 6))
})

test_that("compiled, recursive, replacement and namespace functions work", {
  local_pool()
  same_sapply(1:5, compiler::cmpfun(at_top(function(n) sum(seq_len(n)))))
  fib <- function(n) if (n < 2) n else fib(n - 1) + fib(n - 2)
  same_sapply(1:12, fib)
  same_lapply(1:3, `names<-`, "n")
  same_lapply(list(1:3, 4:6), stats::median)
  same_lapply(list(1:9, 2:4), stats::quantile, probs = c(0.1, 0.9), names = FALSE)
  same_sapply(1:4, Vectorize(at_top(function(x) x^2)))
  same_sapply(1:4, Negate(at_top(function(x) x > 2)))
  same_lapply(1:3, at_top(function(x) invisible(x)))
  same_lapply(1:3, at_top(function(x) return(x)))
  same_lapply(1:3, at_top(function(x) {
    tryCatch(stop("inner"), error = function(e) conditionMessage(e))
  }))
  same_lapply(1:3, at_top(function(x) try(log(-1:x), silent = TRUE)), via = suppressWarnings)
})

test_that("a try-error among the results is a value, which parallel only sometimes takes it for", {
  local_pool()
  failed <- at_top(function(x) try(stop("inner"), silent = TRUE))
  # The call in the condition that try() keeps is of its own making.
  same_lapply(1:2, failed)
  # clusterMap() takes it for an error of the node.
  expect_s3_class(pool_map(failed, 1L)[[1]], "try-error")
})

test_that("one failing element has parallel's message, whatever it failed with", {
  local_pool()
  same_lapply(1L, at_top(function(x) stop("plain")))
  same_lapply(1:5, at_top(function(x) if (x == 4) stop("of ", x)))
  same_sapply(letters, at_top(function(x) if (x == "q") stop("q!") else x))
  same_map(at_top(function(x, y) if (x == 2) stop("at two")), 1:3, 4:6)
  same_lapply(1L, at_top(function(x) stop("")), label = "an empty message")
  same_lapply(1L, at_top(function(x) stop("two\nlines")), label = "lines")
  same_lapply(1L, at_top(function(x) stop("\u00e9t\u00e9 100% %s")), label = "no format")
  same_lapply(1L, at_top(function(x) log("a")), label = "a base function's")
  same_lapply(1L, at_top(function(x) nowhere), label = "a variable that isn't there")
  same_lapply(1L, at_top(function(x) stopifnot("must be two" = x == 2)))
  same_lapply(1L, at_top(function(x) match.arg(x, c("a", "b"))))
  same_lapply(1L, at_top(function(x) stop(structure(
    class = c("custom", "error", "condition"), list(message = "made", call = NULL)
  ))))
  # (A name that R CMD check does not see, or it would look for it.)
  same_lapply(1L, at_top(function(x) loadNamespace(paste0("not", ".there"))))
  same_lapply(1L, at_top(function(a, b) b), label = "a missing argument")
  same_lapply(1L, at_top(function() 1), label = "an unused argument")
  # How deep is too deep depends on the frames below, not only on the function.
  expect_error(pool_lapply(1L, at_top(function(x) Recall(x))),
               "one node produced an error: (evaluation nested too deeply|C stack usage)",
               class = "pool_task_error")
})
