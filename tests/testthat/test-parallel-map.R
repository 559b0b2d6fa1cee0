# pool_map() is held against clusterMap(): recycling, names, simplification.

pair <- at_top(function(x, y = "none") list(x, y))

test_that("arguments are recycled as clusterMap() recycles them", {
  local_pool()
  f <- at_top(function(x, y) c(x, y))
  for (recycle in c(TRUE, FALSE)) {
    how <- paste("RECYCLE =", recycle)
    same_map(f, 1:5, 2, RECYCLE = recycle, label = how)
    same_map(f, 1:6, 1:2, RECYCLE = recycle, label = paste(how, "whole"))
    same_map(f, 1:5, 1:2, RECYCLE = recycle, label = paste(how, "fractional"))
    same_map(f, 1:2, 1:7, RECYCLE = recycle, label = paste(how, "the first is shorter"))
    same_map(f, c(a = 1), c(p = 1, q = 2, r = 3), RECYCLE = recycle,
             label = paste(how, "names of a shorter one"))
    same_map(pair, list(1, NULL, "c"), list(sum), RECYCLE = recycle, label = paste(how, "lists"))
    same_map(pair, factor(c("u", "v")), as.Date("2024-01-01") + 0:3, RECYCLE = recycle,
             label = paste(how, "a factor and dates"))
    same_map(pair, letters[1:3], RECYCLE = recycle, label = paste(how, "one argument"))
  }
})

test_that("zero-length arguments do what they do in clusterMap()", {
  local_pool()
  nothing <- list(integer(0), character(0), NULL, list(), c(a = 1)[0], factor(character(0)))
  for (recycle in c(TRUE, FALSE)) {
    for (use in c(TRUE, FALSE)) {
      for (simplify in list(FALSE, TRUE, "array")) {
        for (i in seq_along(nothing)) {
          how <- paste("RECYCLE", recycle, "USE.NAMES", use, "SIMPLIFY", simplify, "input", i)
          x <- nothing[[i]]
          same_map(pair, x, integer(0), RECYCLE = recycle, USE.NAMES = use,
                   SIMPLIFY = simplify, label = paste(how, "alone"))
          same_map(pair, x, 1:3, RECYCLE = recycle, USE.NAMES = use,
                   SIMPLIFY = simplify, label = paste(how, "mixed"))
          same_map(pair, 1:3, x, RECYCLE = recycle, USE.NAMES = use,
                   SIMPLIFY = simplify, label = paste(how, "mixed, second"))
        }
      }
    }
  }
  same_map(pair, c("a", "b"), integer(0), RECYCLE = FALSE, label = "named by characters")
  same_map(pair, label = "no argument at all")
  same_map(pair, MoreArgs = list(x = 1), label = "only MoreArgs")
})

test_that("names come from where clusterMap() takes them", {
  local_pool()
  for (use in c(TRUE, FALSE)) {
    how <- paste("USE.NAMES =", use)
    same_map(pair, c("a", "b"), 1:2, USE.NAMES = use, label = paste(how, "characters"))
    same_map(pair, c(p = "a", q = "b"), 1:2, USE.NAMES = use, label = paste(how, "both"))
    same_map(pair, 1:2, c(p = 1, q = 2), USE.NAMES = use, label = paste(how, "the second's"))
    same_map(pair, list(p = 1, 2), 1:2, USE.NAMES = use, label = paste(how, "partly"))
    same_map(pair, x = c("a", NA), y = 1:2, USE.NAMES = use, label = paste(how, "NA"))
    same_map(pair, c("a", "b"), 1:4, USE.NAMES = use, label = paste(how, "recycled characters"))
    same_map(pair, c(p = 1, q = 2), 1:4, USE.NAMES = use, label = paste(how, "recycled names"))
    same_map(pair, c("a", "b", "c"), 1:2, RECYCLE = FALSE, USE.NAMES = use,
             label = paste(how, "more names than results"))
    same_map(pair, c(p = 1, q = 2, r = 3), 1:2, RECYCLE = FALSE, USE.NAMES = use,
             label = paste(how, "more names than results, named"))
    same_map(nchar, as.character(1:3), USE.NAMES = use, label = paste(how, "deferred strings"))
  }
})

test_that("SIMPLIFY does what clusterMap()'s does", {
  local_pool()
  for (simplify in list(TRUE, FALSE, "array")) {
    how <- paste("SIMPLIFY =", simplify)
    same_map(`+`, 1:5, 2, SIMPLIFY = simplify, label = paste(how, "scalars"))
    same_map(c, 1:3, 4:6, SIMPLIFY = simplify, label = paste(how, "columns"))
    same_map(c, a = 1:3, b = c(x = 4, y = 5, z = 6), SIMPLIFY = simplify,
             label = paste(how, "names"))
    same_map(rep, 1:3, 3:1, SIMPLIFY = simplify, label = paste(how, "ragged"))
    same_map(at_top(function(x, y) matrix(x, 2, 2)), 1:3, 1, SIMPLIFY = simplify,
             label = paste(how, "matrices"))
    same_map(at_top(function(x) NULL), 1:3, SIMPLIFY = simplify, label = paste(how, "NULL"))
    same_map(identity, list(1, "a", TRUE), SIMPLIFY = simplify, label = paste(how, "mixed"))
    same_map(identity, "only", SIMPLIFY = simplify, label = paste(how, "one"))
    same_map(identity, list(quote(a), quote(b())), SIMPLIFY = simplify,
             label = paste(how, "language"))
  }
})

test_that("MoreArgs is handed on as clusterMap() does", {
  local_pool()
  f <- at_top(function(x, y, z = "none", ...) list(x, y, z, ...))
  same_map(f, 1:3, 4:6, MoreArgs = list(z = 1:10))
  same_map(f, 1:3, 4:6, MoreArgs = list("by position"))
  same_map(f, 1:3, 4:6, MoreArgs = list(z = NULL))
  same_map(f, 1:3, 4:6, MoreArgs = list(extra = 1, z = 2, more = "m"))
  same_map(f, 1:3, MoreArgs = list(y = "same"))
  same_map(f, y = 1:3, x = 4:6)
  same_map(f, 1:3, y = 4:6, MoreArgs = list())
  same_map(f, 1:2, 3:4, MoreArgs = c(z = 5), label = "a vector")
  same_map(f, 1L, 2L, MoreArgs = list(x = 3), label = "a name given twice", via = identity)
  same_map(at_top(function(x, value) x + value), 1:3, val = 4:6, label = "part of a name")
  same_map(at_top(function(x, value) x + value), 1:3, MoreArgs = list(val = 10))
  same_map(at_top(function(...) names(list(...))), a = 1:2, 3:4, b = 5:6, MoreArgs = list(d = 0))
})

test_that("pool_map() agrees with clusterMap() on every input", {
  local_pool()
  # clusterMap() takes a round trip per element: the long inputs are for others.
  for (what in names(Filter(function(x) length(x) < 100, all_inputs()))) {
    x <- all_inputs()[[what]]
    same_map(identity, x, label = what)
    same_map(pair, x, list("y"), label = paste(what, "beside a list of one"))
    same_map(pair, 1:2, x, RECYCLE = FALSE, label = paste(what, "not recycled"))
    same_map(class, x, SIMPLIFY = TRUE, label = paste(what, "classes"))
  }
})

test_that("both ways of scheduling give the same results", {
  local_pool()
  for (scheduling in c("static", "dynamic", "s", "d")) {
    same_map(pair, c(a = 1, b = 2, c = 3), 4:9, .scheduling = scheduling, label = scheduling)
    same_map(`+`, 1:50, 50:1, SIMPLIFY = TRUE, .scheduling = scheduling, label = scheduling)
    same_map(pair, integer(0), integer(0), .scheduling = scheduling, label = scheduling)
    same_map(at_top(function(x) if (x == 3) stop("third")), 1:5, .scheduling = scheduling,
             label = paste(scheduling, "an error"))
  }
  expect_error(pool_map(identity, 1:3, .scheduling = "sideways"),
               "static.*dynamic", class = "pool_input_error")
})
