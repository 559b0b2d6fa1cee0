# Nodes keep a function that has no environment of its own, so that the next
# call with it need not send it again. Nobody may be able to tell: what a call
# runs is the session's function as it is now, and as new.

test_that("a function gives the same the second time, in every kind of call", {
  local_pool(3)
  f <- at_top(function(x, y = 10) x + y)
  for (round in 1:3) {
    for (n in c(1, 2, 5, 40)) {
      expect_identical(pool_lapply(seq_len(n), f), lapply(seq_len(n), f))
      expect_identical(pool_lapply(seq_len(n), f, 5), lapply(seq_len(n), f, 5))
      expect_identical(pool_map(f, seq_len(n), 1), Map(f, seq_len(n), 1))
      expect_identical(pool_map(f, seq_len(n)), Map(f, seq_len(n)))
      expect_identical(pool_lapply(seq_len(n), f, chunk.size = 2), lapply(seq_len(n), f))
    }
    g <- at_top(function() 7)
    expect_identical(pool_call(g), rep(list(7), 3))
    expect_identical(pool_call(g), rep(list(7), 3))
    expect_identical(pool_call(f, 1), rep(list(11), 3))
  }
  for (h in list(sqrt, `-`, identity, compiler::cmpfun(f), "sqrt", "sum")) {
    for (round in 1:2) {
      expect_identical(pool_lapply(c(4, 9), h), lapply(c(4, 9), h))
      expect_identical(pool_map(h, c(4, 9)), Map(match.fun(h), c(4, 9)))
    }
  }
})

# Calls f once with each of the pool's functions, twice, and compares.
expect_taken_up <- function(f, label) {
  for (round in 1:2) {
    expect(identical(pool_lapply(1:2, f), lapply(1:2, f)), paste(label, "in pool_lapply()"))
    expect(identical(pool_lapply(1:40, f), lapply(1:40, f)), paste(label, "in a staged call"))
  }
  for (round in 1:2) {
    expect(identical(pool_map(f, 1:2), lapply(1:2, f)), paste(label, "in pool_map()"))
  }
  expect(identical(pool_call(f, 3), list(f(3), f(3))), paste(label, "in pool_call()"))
}

test_that("a function that was changed is the new one", {
  local_pool(2)
  f <- at_top(function(i, k = 1) list(i + k, attr(sys.function(), "note")))
  # Compiled before, it is no other.
  expect_taken_up(f, "as it was")
  body(f) <- quote(list(i * k, attr(sys.function(), "note")))
  expect_taken_up(f, "body<-")
  body(f)[[2]][[1]] <- as.name("-")
  expect_taken_up(f, "a part of the body")
  formals(f)$k <- 5
  expect_taken_up(f, "formals<-")
  attr(f, "note") <- "a note"
  expect_taken_up(f, "attr<-")
  attr(f, "note")[2] <- "and another"
  expect_taken_up(f, "a part of an attribute")
  e <- new.env(parent = baseenv())
  e$k <- 100
  body(f) <- quote(i + k)
  formals(f) <- alist(i = )
  environment(f) <- e
  expect_taken_up(f, "environment<-")
  e$k <- 200
  expect_taken_up(f, "a variable of the environment")
  f <- at_top(function(i) -i)
  expect_taken_up(f, "another of that name")
  f <- compiler::cmpfun(f)
  expect_taken_up(f, "compiled")
})

test_that("what changes from one call to the next is never the last one's", {
  local_pool(2)
  f <- at_top(function(i) i)
  for (k in as.numeric(1:60)) {
    body(f) <- bquote(i + .(k))
    expect_identical(pool_lapply(1:2, f), list(k + 1, k + 2))
    g <- eval(bquote(function(i) i * .(k)), globalenv())
    expect_identical(pool_lapply(c(1, 2), g), list(k, 2 * k))
    # A new one may lie where the last one did.
    rm(g)
    if (k %% 10 == 0) gc()
  }
})

test_that("a function that is given by its name is the one that the node has", {
  local_pool(2)
  for (k in c(0.5, 1.5, 2.5)) {
    eval(bquote(pool_evalq(pool_test_f <- function(i) i + .(k))))
    for (round in 1:2) {
      expect_identical(pool_lapply(1:2, "pool_test_f"), list(1 + k, 2 + k))
      expect_identical(pool_map("pool_test_f", 1:2), list(1 + k, 2 + k))
    }
  }
  name <- "sqrt"
  expect_identical(pool_lapply(c(4, 9), name), list(2, 3))
  name[1] <- "abs"
  expect_identical(pool_lapply(c(4, 9), name), list(4, 9))
  # Tasks that define it while it is called.
  redefine <- at_top(function(i) {
    assign("pool_test_f", function(i) -i, globalenv())
    i
  })
  expect_identical(pool_call(redefine, 1), list(1, 1))
  expect_identical(pool_lapply(1:2, "pool_test_f"), list(-1L, -2L))
})

# Functions that carry something with a state of its own, by each way there is:
# every call begins with the state that the session has.
stateful <- function() {
  counter <- function() {
    e <- new.env(parent = baseenv())
    e$k <- 0
    e
  }
  make <- list(
    "its environment" = function(e) {
      f <- function(i) {
        k <<- k + 1
        k
      }
      environment(f) <- e
      f
    },
    "its body" = function(e) {
      eval(bquote(function(i) {
        e <- .(e)
        e$k <- e$k + 1
        e$k
      }), globalenv())
    },
    "a constant deep in its body" = function(e) {
      eval(bquote(function(i) {
        e <- .(list(1, list(state = e)))[[2]]$state
        e$k <- e$k + 1
        e$k
      }), globalenv())
    },
    "a function in its body" = function(e) {
      inner <- function() {
        k <<- k + 1
        k
      }
      environment(inner) <- e
      eval(bquote(function(i) .(inner)()), globalenv())
    },
    "an attribute" = function(e) {
      f <- at_top(function(i) {
        e <- attr(sys.function(), "state")
        e$k <- e$k + 1
        e$k
      })
      attr(f, "state") <- e
      f
    },
    "a default" = function(e) {
      f <- at_top(function(i, e) {
        e$k <- e$k + 1
        e$k
      })
      formals(f)$e <- e
      f
    },
    "a formula in its body" = function(e) {
      formula <- stats::as.formula("y ~ x", e)
      eval(bquote(function(i) {
        e <- environment(.(formula))
        e$k <- e$k + 1
        e$k
      }), globalenv())
    }
  )
  lapply(make, function(make) {
    e <- counter()
    list(f = make(e), state = e)
  })
}

test_that("the state of a function begins anew with every call", {
  local_pool(1)
  all <- stateful()
  for (way in names(all)) {
    f <- all[[way]]$f
    e <- all[[way]]$state
    for (k in c(0, 0, 10, 20, 20)) {
      e$k <- k
      label <- paste(way, "from", k)
      expect(identical(pool_lapply(1, f), list(k + 1)), label)
      expect(identical(pool_lapply(1:3, f), as.list(k + 1:3)), label)
      expect(identical(pool_lapply(1:40, f), as.list(k + 1:40)), paste(label, "staged"))
      expect(identical(pool_map(f, 1:3), as.list(k + 1:3)), paste(label, "mapped"))
      expect(identical(pool_call(f, 1), list(k + 1)), paste(label, "called"))
      expect_identical(e$k, k) # the session's own is not touched
    }
  }
})

test_that("an external pointer in a function is nobody else's", {
  local_pool(1)
  pointer <- methods::new("externalptr") # the same one each time
  withr::defer(attr(pointer, "seen") <- NULL)
  f <- eval(bquote(function(i) {
    p <- .(pointer)
    seen <- attr(p, "seen")
    attr(p, "seen") <- i # pointers are not copied: this stays
    seen
  }), globalenv())
  expect_identical(pool_lapply(1, f), list(NULL))
  expect_identical(pool_lapply(2, f), list(NULL))
  expect_identical(pool_lapply(1:3, f)[[1]], NULL)
  attr(pointer, "seen") <- "by the session"
  expect_identical(pool_lapply(4, f), list("by the session"))
})

test_that("a function with its source has it in the nodes as well", {
  local_pool(2)
  withr::local_options(keep.source = TRUE)
  text <- "function(i) { # a comment\n  as.character(attr(sys.function(), 'srcref'))\n}"
  f <- eval(parse(text = text), globalenv())
  g <- utils::removeSource(f)
  for (round in 1:2) {
    expect_identical(pool_lapply(1:2, f), lapply(1:2, f))
    expect_match(pool_lapply(1, f)[[1]][1], "a comment", fixed = TRUE)
    expect_identical(pool_lapply(1:2, g), lapply(1:2, g))
    expect_identical(pool_lapply(1, g), list(character()))
  }
})
