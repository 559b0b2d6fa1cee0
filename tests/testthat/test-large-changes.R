# A large vector is mapped by several processes at once. Who changes it, in
# whatever way, has a copy from then on, and nobody else sees the change.

# Of some megabytes: more pages than one is touched.
zeros <- at_top(function(n) numeric(n))
n <- 3e5
first <- at_top(function(x) x[[1]])

test_that("a node's change stays with the node", {
  local_pool(3)
  x <- numeric(n)
  pool_export("x", environment())
  pid <- node_pids()
  change <- at_top(function(pid) {
    if (Sys.getpid() == pid) x[c(1, length(x))] <<- 99
    y <- x
    y[2] <- 5
    c(x[1:2], x[length(x)], y[2], sum(x))
  })
  same <- c(0, 0, 0, 5, 0)
  changed <- c(99, 0, 99, 5, 198)
  expect_identical(pool_call(change, pid[2]), list(same, changed, same))
  expect_identical(sum(abs(x)), 0)
  # As it was exported, in a node that knows no more.
  tools::pskill(pid[2], tools::SIGKILL)
  expect_true(gone(pid[2]))
  expect_identical(pool_call(change, 0), list(same, same, same))
  # A constant argument is shared by all elements of a call.
  bad <- at_top(function(i, x) {
    before <- x[i]
    x[] <- 7
    c(before, sum(x))
  })
  expect_identical(pool_lapply(1:20, bad, x), rep(list(c(0, 7 * n)), 20))
})

test_that("the session's change stays in the session", {
  local_pool(2)
  x <- numeric(n)
  pool_export("x", environment())
  x[1] <- 100
  expect_identical(pool_evalq(x[1]), list(0, 0))
  found <- pool_call(zeros, n)
  a <- found[[1]]
  b <- a
  b[1] <- 1
  expect_identical(c(a[1], b[1], found[[1]][1], found[[2]][1]), c(0, 1, 0, 0))
  a[2] <- 2
  expect_identical(b[1:2], c(1, 0))
  expect_identical(found[[1]][1:2], c(0, 0))
  # What is sent on is what it has become.
  expect_identical(pool_call(at_top(function(...) vapply(list(...), sum, 1)), a, b, found[[1]]),
                   rep(list(c(2, 1, 0)), 2))
})

test_that("a vector that is sent, changed in place and sent again is the new one", {
  local_pool(2)
  x <- pool_call(zeros, n)[[1]]
  for (k in 1:10) {
    x[k] <- k # nobody else has it: the data is changed where it is
    expect_identical(pool_lapply(1:2, at_top(function(i, x) x[1:11]), x)[[2]],
                     as.numeric(c(1:k, rep(0, 11 - k))))
    if (k == 5) gc()
  }
  copy <- x + 0
  expect_identical(pool_call(at_top(function(x) sum(x)), x), rep(list(sum(copy)), 2))
})

test_that("a vector may go back and forth, changed on either side", {
  local_pool(2)
  x <- numeric(n)
  for (k in 1:10) {
    x <- pool_lapply(list(x), at_top(function(x) {
      x[1] <- x[1] + 1
      x
    }))[[1]]
    x[n] <- x[n] + 1
    expect_identical(x[c(1, 2, n)], c(k, 0, k))
  }
  # Unchanged it is not copied: the nodes send what they were sent.
  y <- x
  for (k in 1:10) y <- pool_lapply(list(y), identity)[[1]]
  expect_identical(y, x)
})

test_that("nodes that have the same vector change their own", {
  local_pool(3)
  x <- numeric(n)
  found <- pool_lapply(1:30, at_top(function(i, x) {
    x[i] <- i
    x
  }), x)
  for (i in seq_along(found)) {
    expect_identical(which(found[[i]] != 0), i)
    expect_identical(found[[i]][i], as.numeric(i))
  }
  # Sent on to others, changed and not.
  found[[3]][1] <- 33
  sums <- pool_lapply(found, at_top(sum))
  expect_identical(sums, as.list(c(1, 2, 36, 4:30)))
})

# What R can do to a vector; each is done to a mapped one and to one of R's own.
operations <- function() {
  list(
    `[<-` = function(x) replace(x, 3, x[1]),
    `[[<-` = function(x) {
      x[[length(x) + 1]] <- x[[1]]
      x
    },
    "a loop in place" = function(x) {
      for (i in 1:1000) x[i] <- x[1001 - i]
      x
    },
    "in an index" = function(x) {
      x[x == x[1]] <- x[2]
      x
    },
    longer = function(x) {
      length(x) <- length(x) + 10L
      x
    },
    shorter = function(x) {
      length(x) <- 5L
      x
    },
    names = function(x) {
      names(x) <- rep_len(letters, length(x))
      names(x)[2] <- "second"
      x[c("a", "second")]
    },
    dim = function(x) {
      dim(x) <- c(2, length(x) / 2)
      x[1, 3] <- x[2, 5]
      t(x)[1:10, ]
    },
    class = function(x) {
      class(x) <- "nobody_knows"
      y <- x
      y[1] <- x[2]
      list(unclass(x), unclass(y)[1:3])
    },
    attributes = function(x) {
      attr(x, "note") <- x[1:3]
      y <- structure(x, more = 1)
      y[2] <- y[1]
      list(x, y)
    },
    subsets = function(x) list(x[5:10], x[-1], head(x), tail(x, 3), x[c(1, NA)], rev(x)),
    combined = function(x) c(x, x[1:3]),
    unserialized = function(x) unserialize(serialize(x, NULL)),
    read = function(x) {
      file <- withr::local_tempfile()
      saveRDS(x, file, compress = FALSE)
      readRDS(file)
    },
    sizes = function(x) list(object.size(x), length(x), typeof(x), is.vector(x)),
    equal = function(x) list(identical(x, x[seq_along(x)]), isTRUE(all.equal(x, x))),
    text = function(x) as.character(x[1:100]),
    table = function(x) table(as.character(x[1:1000])),
    stored = function(x) {
      storage.mode(x) <- if (is.raw(x)) "integer" else "complex"
      x
    },
    "in an environment" = function(x) {
      e <- new.env()
      e$x <- x
      e$x[2] <- e$x[1]
      list(e$x, x[1:3])
    },
    "in a list" = function(x) {
      l <- list(a = x, b = list(x))
      l$b[[1]][1] <- l$a[2]
      l
    }
  )
}

ordered_operations <- function() {
  list(
    sort = function(x) sort(x, na.last = TRUE),
    order = order,
    unique = unique,
    sums = function(x) list(sum(x), mean(x), range(x, na.rm = TRUE), max(x), which.max(x)),
    missing = function(x) list(is.na(x), anyNA(x), which(is.na(x))),
    arithmetic = function(x) list(x + 1L, -x, x * x, cumsum(x)),
    comparison = function(x) list(x == x, x < 2L, x != rev(x), !x),
    sorted = function(x) list(is.unsorted(x), is.unsorted(sort(x))),
    lists = function(x) as.list(x)[1:5],
    apply = function(x) vapply(x[1:50], as.integer, 1L),
    product = function(x) crossprod(as.numeric(x), as.numeric(x)),
    factors = function(x) factor(x)
  )
}

test_that("R's own operations do with it what they do with any vector", {
  local_pool(1)
  for (type in c("logical", "integer", "double", "complex", "raw")) {
    own <- large(type, least[[type]] + 2)
    mapped <- pool_lapply(list(own), at_top(function(x) x))[[1]]
    todo <- c(operations(), if (type %in% c("logical", "integer", "double")) ordered_operations())
    for (name in names(todo)) {
      ours <- suppressWarnings(todo[[name]](mapped))
      theirs <- suppressWarnings(todo[[name]](own))
      expect(exactly(ours, theirs), paste(name, "of a mapped", type, "differs"))
      expect(exactly(mapped, own), paste(name, "has changed a", type))
    }
  }
})

test_that("a change in place shows in no copy that was made before, nor after", {
  local_pool(1)
  work <- at_top(function(x) {
    before <- x
    before[1] <- before[1] # a copy of its own
    for (i in 1:100) x[i] <- i
    after <- x
    x[1] <- -1
    list(before[1:3], x[1:3], after[1:3])
  })
  expected <- list(c(0, 0, 0), c(-1, 2, 3), c(1, 2, 3))
  expect_identical(work(numeric(n)), expected)
  expect_identical(work(pool_call(zeros, n)[[1]]), expected)
  expect_identical(pool_call(work, numeric(n)), list(expected))
  # Copies of what has been written to are of that.
  x <- pool_call(zeros, n)[[1]]
  x[5] <- 5
  copies <- lapply(1:3, function(i) {
    x[i] <- i
    x
  })
  expect_identical(lapply(copies, `[`, 1:6), lapply(1:3, function(i) {
    replace(c(0, 0, 0, 0, 5, 0), i, i)
  }))
})
