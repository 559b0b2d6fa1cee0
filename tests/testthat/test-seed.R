# .seed: a stream of random numbers for each element.

draw <- at_top(function(i) c(runif(2), rnorm(1), sample(100, 1)))

# What elements 1 to n should come to, by package parallel.
streams <- function(seed, n) {
  kinds <- RNGkind()
  on.exit(suppressWarnings(do.call(RNGkind, as.list(kinds))))
  set.seed(seed, "L'Ecuyer-CMRG", "Inversion", "Rejection")
  state <- get(".Random.seed", globalenv())
  lapply(seq_len(n), function(i) {
    assign(".Random.seed", state, globalenv())
    state <<- parallel::nextRNGStream(state)
    draw(i)
  })
}

test_that("the same seed gives the same numbers, whatever the pool", {
  withr::local_preserve_seed()
  expected <- streams(42, 100)
  for (n in c(1, 2, 5)) {
    local_pool(n)
    expect_identical(pool_lapply(1:100, draw, .seed = 42), expected)
    expect_identical(pool_lapply(1:3, draw, .seed = 42L), expected[1:3])
    expect_identical(pool_lapply(1:100, draw, chunk.size = 7, .seed = 42), expected)
    expect_identical(pool_map(draw, 1:100, .seed = 42, .scheduling = "static"), expected)
    expect_identical(pool_sapply(1:100, draw, .seed = 42), simplify2array(expected))
    expect_identical(pool_call(draw, 1, .seed = 42), expected[seq_len(n)])
  }
})

test_that("an element that is run again has the same numbers", {
  withr::local_preserve_seed()
  local_pool(2)
  dir <- withr::local_tempdir()
  found <- pool_lapply(1:100, at_top(function(i, dir, draw) {
    x <- draw(i)
    if (i %% 20 == 0 && !file.exists(file.path(dir, i))) {
      file.create(file.path(dir, i))
      tools::pskill(Sys.getpid(), 9)
    }
    x
  }), dir, draw, .seed = 7, .retries = 9)
  expect_identical(found, streams(7, 100))
})

test_that("an element after one that failed has its own numbers", {
  withr::local_preserve_seed()
  local_pool(2)
  found <- pool_lapply(1:60, at_top(function(i, draw) {
    if (i %% 7 == 0) stop("seven")
    draw(i)
  }), draw, .seed = 3, .on_error = "return")
  whole <- which(1:60 %% 7 != 0)
  expect_identical(found[whole], streams(3, 60)[whole])
})

test_that("a .Random.seed will do, and TRUE takes one from the session", {
  withr::local_preserve_seed()
  local_pool(2)
  set.seed(5, "L'Ecuyer-CMRG", "Inversion", "Rejection")
  seed <- get(".Random.seed", globalenv())
  expect_identical(pool_lapply(1:5, draw, .seed = seed), streams(5, 5))
  set.seed(1)
  a <- pool_lapply(1:5, draw, .seed = TRUE)
  b <- pool_lapply(1:5, draw, .seed = TRUE)
  set.seed(1)
  expect_identical(pool_lapply(1:5, draw, .seed = TRUE), a)
  expect_false(identical(a, b))
  for (kind in c(-93L, 9907L, 10207L, 10307L, 10403L, NA)) {
    expect_error(pool_lapply(1:2, draw, .seed = replace(seed, 1, kind)), "'.seed'",
      class = "pool_input_error")
  }
  withr::local_options(pool.seed = 42)
  expect_identical(pool_lapply(1:5, draw), streams(42, 5))
})

test_that("neither session nor nodes keep anything of it", {
  withr::local_preserve_seed()
  set.seed(11, "Mersenne-Twister")
  local_pool(2)
  before <- get(".Random.seed", globalenv())
  pool_lapply(1:50, draw, .seed = 1)
  expect_identical(get(".Random.seed", globalenv()), before)
  expect_identical(RNGkind()[1], "Mersenne-Twister")
  state <- at_top(function() list(RNGkind(), exists(".Random.seed", globalenv())))
  expect_identical(pool_call(state), rep(list(list(RNGkind(), FALSE)), 2))
  pool_evalq(set.seed(9))
  nine <- pool_call(at_top(function() .Random.seed))
  pool_lapply(1:50, draw, .seed = 1)
  expect_identical(pool_call(at_top(function() .Random.seed)), nine)
  if (exists(".Random.seed", globalenv())) rm(".Random.seed", envir = globalenv())
  pool_lapply(1:5, draw, .seed = 1)
  expect_false(exists(".Random.seed", globalenv(), inherits = FALSE))
})
