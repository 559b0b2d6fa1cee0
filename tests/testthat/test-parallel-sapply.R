# pool_sapply() is held against parSapply(): simplification and names.

result_shapes <- list(
  "scalars" = function(x) length(x) + 0.5,
  "named scalars" = function(x) c(n = length(x)),
  "pairs" = function(x) c(length(x), 2L),
  "named pairs" = function(x) c(first = 1, second = length(x)),
  "matrices" = function(x) matrix(1:4, 2, dimnames = list(c("a", "b"), NULL)),
  "one by one matrices" = function(x) matrix(length(x)),
  "unequal lengths" = function(x) seq_len(length(x) + (identical(x, "a") || identical(x, 2L))),
  "NULL" = function(x) NULL,
  "some NULL" = function(x) if (identical(x, "b") || identical(x, 1L)) NULL else 1,
  "lists" = function(x) list(x, 2),
  "single lists" = function(x) list(x),
  "factors" = function(x) factor(letters[2], levels = letters[1:3]),
  "dates" = function(x) as.Date("2024-05-01") + length(x),
  "strings" = function(x) paste0("<", format(x), ">"),
  "functions" = function(x) sum,
  "mixed types" = function(x) if (is.character(x)) "s" else 1i
)
result_shapes <- lapply(result_shapes, at_top)

for (what in names(result_shapes)) {
  local({
    what <- what
    test_that(paste("pool_sapply() simplifies as parSapply():", what), {
      local_pool()
      f <- result_shapes[[what]]
      for (simplify in list(TRUE, FALSE, "array")) {
        how <- paste("simplify =", format(simplify))
        same_sapply(1:5, f, simplify = simplify, label = how)
        same_sapply(c("a", "b", "c"), f, simplify = simplify, label = paste(how, "characters"))
        same_sapply(c(x = 1L, y = 2L), f, simplify = simplify, label = paste(how, "named"))
        same_sapply(list(), f, simplify = simplify, label = paste(how, "nothing"))
        same_sapply("b", f, simplify = simplify, label = paste(how, "one element"))
      }
    })
  })
}

test_that("USE.NAMES does what parSapply()'s does", {
  local_pool()
  named <- c(a = "x", b = "y", c = "z")
  with_na <- c("x", NA, "y")
  for (use in c(TRUE, FALSE)) {
    for (simplify in list(TRUE, FALSE, "array")) {
      how <- paste("USE.NAMES =", use, "simplify =", format(simplify))
      same_sapply(letters[1:5], nchar, USE.NAMES = use, simplify = simplify, label = how)
      same_sapply(named, nchar, USE.NAMES = use, simplify = simplify, label = paste(how, "named"))
      same_sapply(with_na, toupper, USE.NAMES = use, simplify = simplify, label = paste(how, "NA"))
      same_sapply(1:3, sqrt, USE.NAMES = use, simplify = simplify, label = paste(how, "numbers"))
      same_sapply(character(0), nchar, USE.NAMES = use, simplify = simplify,
                  label = paste(how, "character(0)"))
      same_sapply(list(a = "p", "q"), nchar, USE.NAMES = use, simplify = simplify,
                  label = paste(how, "a list"))
    }
  }
})

test_that("pool_sapply() agrees with parSapply() on every input", {
  local_pool()
  for (what in names(all_inputs())) {
    x <- all_inputs()[[what]]
    same_sapply(x, identity, label = what)
    same_sapply(x, class, simplify = FALSE, label = paste(what, "classes"))
  }
})

test_that("odd values of simplify are taken as parSapply() takes them", {
  local_pool()
  for (simplify in list(NA, 0, 1, "no", "matrix")) {
    same_sapply(1:3, at_top(function(x) c(x, x)), simplify = simplify,
                label = paste(deparse(simplify), collapse = " "))
  }
})

test_that("arguments are found by name, by part of a name, and in order", {
  local_pool()
  f <- at_top(function(x, alpha = 1, beta = 2) c(x, alpha, beta))
  same_sapply(1:3, f, 10)
  same_sapply(1:3, f, 10, 20)
  same_sapply(1:3, f, beta = 10)
  same_sapply(1:3, f, be = 10)
  same_sapply(1:3, f, 10, al = 5)
  same_sapply(FUN = f, X = 1:3, 7)
  expect_error(pool_sapply(1:3, f, gamma = 1), "unused argument (gamma = ",
               fixed = TRUE, class = "pool_task_error")
  same_sapply(1:4, at_top(function(x, ...) sum(x, ...)), 1, 2, 3)
  same_sapply(1:4, at_top(function(x, ...) names(list(...))), a = 1, simp = 2)
})

test_that("names of arguments of parallel's inner functions are free to use", {
  # parLapply() hands `...` to clusterApply(cl, x, fun, ...) and that to
  # lapply(X, FUN, ...), whose own names it then can't tell from the user's.
  local_pool()
  expect_error(parallel::parLapply(reference_cluster(), 1:2, function(i, x) i + x, x = 5),
               "matched by multiple actual arguments")
  expect_identical(pool_lapply(1:3, function(i, x) i + x, x = 5), list(6, 7, 8))
  expect_identical(pool_sapply(1:3, function(x, y) c(x, y), x = 5),
                   rbind(rep(5, 3), c(1, 2, 3)))
  expect_identical(pool_lapply(1:2, function(i, cl) i + cl, cl = 5), list(6, 7))
  expect_identical(pool_sapply(1:2, function(i, fun) i + fun, fun = 5), c(6, 7))
  expect_identical(pool_map(function(i, cl) i + cl, 1:2, cl = 5), list(6, 7))
  expect_identical(pool_call(function(cl, x, X, FUN) cl + x + X + FUN,
                             cl = 1, x = 2, X = 3, FUN = 4), list(10, 10))
})
