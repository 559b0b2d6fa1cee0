# Character vectors of 65,536 strings or more, which are mapped, and become R's
# strings when they are asked for.

least_strings <- 2^16

# Every kind of string, anywhere in it.
strings_of_all_kinds <- function(n = least_strings) {
  latin <- "caf\xe9"
  Encoding(latin) <- "latin1"
  bytes <- "\xff\xfe"
  Encoding(bytes) <- "bytes"
  x <- paste0("s", seq_len(n))
  x[seq(2, n, 97)] <- NA
  x[seq(3, n, 97)] <- ""
  x[seq(4, n, 97)] <- "\u20ac and more"
  x[seq(5, n, 97)] <- latin
  x[seq(6, n, 97)] <- bytes
  x[seq(7, n, 97)] <- "NA"
  x[c(1, n)] <- c("", "last")
  x
}

# identical() takes strings for the same that only read the same.
kinds <- function(x) list(is.na(x), Encoding(x), nchar(x[!is.na(x)], "bytes"))

expect_exactly <- function(x, y, label = "") {
  expect(exactly(x, y) && exactly(kinds(x), kinds(y)), paste("not what it was", label))
}

test_that("every kind of string arrives as it was, just below, at and above the limit", {
  local_pool(2)
  for (n in least_strings + c(-1, 0, 1)) {
    x <- strings_of_all_kinds(n)
    expect_there_and_back(x, paste(n, "strings"))
    expect_exactly(pool_lapply(list(x), identity)[[1]], x, n)
  }
})

test_that("what is large is mapped, and stays so while it is only handed on", {
  skip_if_no_memory()
  local_pool(2)
  x <- strings_of_all_kinds()
  y <- pool_lapply(list(x), identity)[[1]]
  expect_true(is_mapped(y))
  expect_false(is_mapped(pool_lapply(list(x[-1]), identity)[[1]]))
  z <- pool_lapply(list(y), identity)[[1]] # and back, with nobody looking
  expect_true(is_mapped(z))
  expect_exactly(z, x)
  seen <- pool_call(at_top(function(x, described) grepl("mapped", described(x))), x, described)
  expect_identical(seen, list(TRUE, TRUE))
})

test_that("strings of the locale's own encoding go as R sends them", {
  local_pool(2)
  x <- strings_of_all_kinds()
  x[9] <- "\xe9" # native, whatever that is
  y <- pool_lapply(list(x), identity)[[1]]
  expect_false(is_mapped(y))
  expect_identical(charToRaw(y[9]), charToRaw(x[9]))
  expect_identical(y[-9], x[-9])
})

test_that("it has attributes, and is part of lists and data frames", {
  local_pool(2)
  x <- structure(strings_of_all_kinds(), names = rev(strings_of_all_kinds()), mine = list(1))
  expect_true(exactly(pool_lapply(list(x), identity)[[1]], x))
  frame <- data.frame(a = strings_of_all_kinds(), b = seq_len(least_strings) / 7)
  both <- list(frame, list(x, frame))
  expect_true(exactly(pool_lapply(both, identity), both))
  m <- matrix(strings_of_all_kinds(), 16)
  expect_true(exactly(pool_call(at_top(function(m) m), m), list(m, m)))
  f <- factor(paste0("l", rep_len(1:7e4, 1e5)))
  expect_true(exactly(pool_lapply(list(f), identity)[[1]], f))
})

test_that("changes stay with whoever makes them", {
  local_pool(2)
  x <- strings_of_all_kinds()
  y <- pool_lapply(list(x), identity)[[1]]
  z <- y
  y[2] <- "mine"
  y[10] <- ""
  expect_exactly(z, x)
  expect_exactly(y, replace(x, c(2, 10), c("mine", "")))
  w <- pool_lapply(list(y), identity)[[1]]
  expect_exactly(w, y)
  changed <- pool_lapply(list(x, x), at_top(function(x) {
    before <- x
    x[c(1, 3)] <- c("a", NA)
    list(before, x)
  }))
  for (one in changed) {
    expect_exactly(one[[1]], x)
    expect_exactly(one[[2]], replace(x, c(1, 3), c("a", NA)))
  }
})

test_that("R's own operations do with it what they do with any vector", {
  local_pool(2)
  x <- strings_of_all_kinds()
  x[Encoding(x) == "bytes"] <- "b" # cannot be sorted, or matched with others
  fresh <- function() pool_lapply(list(x), identity)[[1]]
  operations <- list(
    length, function(x) x[5:9], function(x) x[["7"]], rev, sort, order, unique, duplicated,
    nchar, toupper, function(x) paste0(x, "!"), function(x) match("s100", x), function(x) table(x),
    function(x) grepl("9", x), function(x) x == "last", as.factor, is.na, anyNA,
    function(x) unserialize(serialize(x, NULL)), function(x) c(x, "more"), head, tail,
    function(x) `names<-`(x, x), function(x) vapply(x[1:100], nchar, 1L), as.list,
    function(x) split(x, seq_along(x) %% 3), function(x) {
      attr(x, "a") <- 1
      x[[1]] <- "q"
      x
    }, function(x) {
      length(x) <- 10
      x
    }, function(x) outer(x[1:3], x[4:6], paste), function(x) identical(x, x),
    function(x) as.numeric(sub("s", "", x[8:20])), function(x) rapply(list(x), nchar)
  )
  for (f in operations) {
    label <- deparse(f)[[1]]
    same(f(fresh()), f(x), label)
  }
  found <- pool_lapply(list(x), at_top(function(x) list(sort(x), nchar(x), rev(x))))[[1]]
  expect_true(exactly(found, list(sort(x), nchar(x), rev(x))))
})

test_that("strings that were asked for stay what they are", {
  local_pool(2)
  x <- strings_of_all_kinds()
  y <- pool_lapply(list(x), identity)[[1]]
  some <- y[c(1, 100, 65536)]
  gc()
  gc()
  expect_identical(some, x[c(1, 100, 65536)])
  suppressMessages(delete_pool())
  expect_exactly(y, x)
})

test_that("long strings are in it as well", {
  local_pool(2)
  x <- rep(c(strrep("a", 5000), strrep("\u00e9", 300), NA), length.out = least_strings)
  expect_exactly(pool_lapply(list(x), identity)[[1]], x)
})
