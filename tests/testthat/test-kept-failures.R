# What goes wrong between two calls with a function that nodes have kept: they
# have it still, or are sent it again.

double <- at_top(function(i) i * 2)
triple <- at_top(function(i) i * 3)

expect_double <- function() {
  expect_identical(pool_lapply(c(1, 2), double), list(2, 4))
  expect_identical(pool_sapply(1:40, double), 1:40 * 2)
  expect_identical(pool_lapply(1, double), list(2))
}

# Serializing it signals a warning, or fails.
loud <- function() as.environment("package:stats")

nest <- function() {
  x <- NULL
  for (i in 1:100000) x <- list(x)
  x
}

# Each leaves a call in some unusual way; they all use a function that may be
# kept, or the same one as before.
mishaps <- function() {
  text <- "none of these"
  list(
    "an error of a task" = function() {
      error_of(pool_lapply(list(1, text, 3), double))
    },
    "an error of a staged task" = function() {
      error_of(pool_lapply(c(as.list(1:40), text), double))
    },
    "an error of all nodes" = function() error_of(pool_call(double)),
    "a function that is not there" = function() error_of(pool_lapply(1:2, "pool_test_nobody")),
    "an element that cannot be sent" = function() {
      skip_if(is.na(Cstack_info()[["size"]]), "the C stack has no limit")
      for (n in list(1, 1:2, 1:50)) {
        expect_s3_class(error_of(pool_lapply(c(list(nest()), n), double)), "pool_serialize_error")
        expect_s3_class(error_of(pool_lapply(c(n, list(nest())), double)), "pool_serialize_error")
      }
    },
    "a column that cannot be sent" = function() {
      skip_if(is.na(Cstack_info()[["size"]]), "the C stack has no limit")
      error_of(pool_map(double, list(1, nest())))
    },
    "a constant that cannot be sent" = function() {
      skip_if(is.na(Cstack_info()[["size"]]), "the C stack has no limit")
      error_of(pool_lapply(1:2, triple, nest()))
      error_of(pool_lapply(1, triple, list(numeric(2e5), nest())))
    },
    "a jump out of a handler" = function() {
      tryCatch(
        pool_lapply(1:3, at_top(function(i) warning("jump"))),
        warning = function(w) NULL
      )
    },
    "a jump while an element is sent" = function() {
      for (n in c(1, 2, 50)) {
        tryCatch(
          pool_lapply(c(list(loud()), rep(list(1), n)), double),
          warning = function(w) NULL
        )
        tryCatch(
          pool_lapply(c(rep(list(1), n), list(loud())), double),
          warning = function(w) NULL
        )
      }
    },
    "a jump while a constant is sent" = function() {
      for (n in c(1, 2, 50)) {
        tryCatch(
          pool_lapply(seq_len(n), triple, list(raw(9e5), raw(9e5), loud())),
          warning = function(w) NULL
        )
      }
    },
    "another function for one node" = function() pool_lapply(1, triple),
    "another function for all" = function() pool_lapply(1:2, triple),
    "an expression" = function() pool_evalq(1 + 1),
    "an export" = function() pool_export("text", environment()),
    "a call with arguments" = function() pool_call(double, 3),
    "a task that quits" = function() error_of(pool_lapply(1:2, quit)),
    "a death between calls" = function() {
      pid <- node_pids()[1]
      tools::pskill(pid, tools::SIGKILL)
      gone(pid)
    },
    "a death that is not seen yet" = function() tools::pskill(node_pids()[2], tools::SIGKILL),
    "the death of all" = function() tools::pskill(node_pids(), tools::SIGKILL),
    "a death in a call" = function() {
      error_of(pool_lapply(1:2, at_top(function(i) tools::pskill(Sys.getpid(), 9))))
    },
    "a template's death" = function() {
      tools::pskill(process_info(node_pids()[1])$parent, tools::SIGKILL)
    },
    "a new state" = function() quiet_init(2),
    "a restart" = function() quiet_init(2, restart = TRUE),
    "another pool" = function() {
      suppressMessages(delete_pool())
      quiet_init(2)
    },
    "a larger one" = function() quiet_init(3)
  )
}

test_that("a kept function is there whatever has gone wrong in between", {
  for (name in names(mishaps())) {
    local_pool(2)
    # In new nodes, then in some that have kept it.
    for (round in 1:2) {
      suppressMessages(mishaps()[[name]]())
      came_to <- outcome({
        list(pool_lapply(c(1, 2), double), pool_sapply(1:40, double), pool_lapply(1, double))
      })
      expected <- list(value = list(list(2, 4), 1:40 * 2, list(2)))
      expect(identical(came_to, expected), paste0("after ", name, ": ", came_to$error))
    }
  }
})

test_that("a closure after a kept function, and the other way round", {
  local_pool(2)
  k <- 5
  closure <- function(i) i + k
  for (round in 1:3) {
    expect_identical(pool_lapply(1, closure), list(6))
    expect_identical(pool_lapply(1, double), list(2))
    expect_identical(pool_lapply(1:2, closure), list(6, 7))
    k <- k + 0
    expect_double()
    pool_lapply(1:40, closure)
    expect_double()
  }
})

test_that("any order of functions, calls and deaths gives what each of them gives alone", {
  local_pool(3)
  functions <- list(
    double, triple, at_top(function(i) -i), sqrt, "abs",
    local({
      k <- 100
      function(i) i + k
    }),
    at_top(function(i) if (i == 3) stop("three") else i)
  )
  random <- function(n) sample(n, 1)
  for (step in 1:250) {
    f <- functions[[random(length(functions))]]
    x <- as.numeric(seq_len(c(1, 1, 2, 3, 35)[random(5)]))
    kind <- random(4)
    ours <- tryCatch(
      switch(kind,
        pool_lapply(x, f), pool_map(f, x), pool_lapply(x, f, chunk.size = 2), pool_call(f, 9)
      ),
      pool_error = function(e) e$results
    )
    theirs <- lapply(if (kind == 4) rep(9, 3) else x, function(x) {
      tryCatch(match.fun(f)(x), error = function(e) NULL)
    })
    expect(identical(ours, theirs), paste("step", step, "differs"))
    if (random(15) == 1) tools::pskill(node_pids()[random(3)], tools::SIGKILL)
    if (random(40) == 1) quiet_init(3)
  }
  expect_usable()
})
