# The elements of a call, from some number on, lie in memory that all nodes
# read, and the nodes take them from there by themselves: none is left out, none
# is run twice unless a node died at it, and everything else is as ever.

# 32 is the fewest that are staged.
sizes <- c(31, 32, 33, 1000)

noted <- at_top(function(i, file) {
  cat(paste0(i, "\n"), file = file, append = TRUE) # one write, at the end
  i
})

runs <- function(file) table(as.integer(readLines(file)))

latin1 <- function(x) {
  Encoding(x) <- "latin1"
  x
}

bytes <- function(x) {
  Encoding(x) <- "bytes"
  x
}

elements_of <- function(n) {
  text <- c("a", NA, "\u00e9", latin1("\xe9"), bytes("\xff\xfe"), "", strrep("long ", 2000))
  list(
    integers = seq_len(n),
    doubles = rep_len(c(1.5, NA, NaN, -0, Inf), n),
    logicals = rep_len(c(TRUE, NA, FALSE), n),
    complexes = rep_len(c(1i, NA), n),
    raws = rep_len(as.raw(0:255), n),
    strings = rep_len(text, n),
    "named ones" = stats::setNames(seq_len(n), paste0("n", seq_len(n))),
    "a list of one type" = as.list(rep_len(text, n)),
    "a list of all kinds" = rep_len(
      list(1L, NULL, "b", c(a = 1), list(), list(NULL, 2), quote(x + y), NA, 1:3, sum), n
    ),
    "data frames" = rep_len(list(data.frame(a = 1:2, b = c("x", NA)), factor("u")), n),
    "a factor" = factor(rep_len(letters, n)),
    "dates" = as.Date("2024-02-28") + seq_len(n)
  )
}

for (type in c("FORK", "PSOCK")) {
  local({
    type <- type
    test_that(paste("results are lapply()'s, around the limit and far from it,", type), {
      local_pool(2, type = type)
      f <- at_top(function(x) list(x, length(x)))
      for (n in if (type == "FORK") sizes else 33) {
        all <- elements_of(n)
        for (what in names(all)) {
          expect(
            exactly(pool_lapply(all[[what]], f), lapply(all[[what]], f)),
            paste(n, "of", what, "differ")
          )
        }
      }
    })
  })
}

test_that("a hundred thousand elements are lapply()'s, too", {
  local_pool(2)
  n <- 1e5
  add <- at_top(function(x) x + 1)
  expect_identical(pool_lapply(seq_len(n), add), lapply(seq_len(n), add))
  x <- stats::setNames(as.character(seq_len(n)), seq_len(n))
  expect_identical(pool_lapply(x, at_top(nchar)), lapply(x, nchar))
  f <- at_top(function(a, b, k) a * b + k)
  expect_identical(
    pool_map(f, seq_len(n), c(2, 3, 5), MoreArgs = list(k = 1), SIMPLIFY = TRUE),
    mapply(f, seq_len(n), c(2, 3, 5, 2)[(seq_len(n) - 1) %% 3 + 1], MoreArgs = list(k = 1))
  )
})

test_that("columns are those of mapply(), with names, recycled", {
  local_pool(2)
  f <- at_top(function(...) list(...))
  for (n in sizes) {
    x <- stats::setNames(seq_len(n), paste0("n", seq_len(n)))
    s <- rep_len(c("a", NA, "\u00e9"), n)
    l <- rep_len(list(NULL, 1, list(2), data.frame(a = 1)), n)
    # mapply() would fail to give some of these names.
    columns <- function(i) list(a = x[[i]], s[[i]], l = l[[i]], r = c(1.5, NA)[[(i - 1) %% 2 + 1]])
    ours <- suppressWarnings(pool_map(f, a = x, s, l = l, r = c(1.5, NA)))
    expect_true(exactly(ours, stats::setNames(lapply(seq_len(n), columns), names(x))))
    ours <- pool_map(f, s, x, MoreArgs = list(more = 1:3))
    theirs <- mapply(f, s, x, MoreArgs = list(more = 1:3), SIMPLIFY = FALSE)
    expect_true(exactly(ours, theirs))
    d <- as.Date("2024-02-28") + seq_len(n)
    expect_identical(pool_map(at_top(format), d), lapply(seq_len(n), function(i) format(d[[i]])))
  }
})

test_that("elements of mixed sizes arrive, also where staging ends in the middle", {
  local_pool(2)
  x <- as.list(1:200)
  x[c(3, 40, 41, 150)] <- lapply(1:4, function(i) rep(as.raw(i), 3e5))
  f <- at_top(function(x) x)
  expect_true(exactly(pool_lapply(x, f), x))
  for (at in list(1, 16, 17, 100, 200, c(50, 120, 121))) {
    y <- x
    y[at] <- lapply(at, function(i) list(rep(as.raw(i), 2e6), i))
    expect(exactly(pool_lapply(y, f), y), paste("with", at[1], "large they differ"))
    got <- pool_map(at_top(function(a, b) list(length(a), b)), y, seq_along(y))
    expect_identical(got, Map(function(a, b) list(length(a), b), y, seq_along(y)))
  }
  # More than is staged at a time, in all.
  z <- lapply(1:90, function(i) c(i, numeric(1.2e5)))
  expect_identical(pool_sapply(z, at_top(function(x) x[1] + length(x))), 1:90 + 120001)
})

for (nodes in c(1, 2, 5)) {
  local({
    nodes <- nodes
    test_that(paste("every element is run once on", nodes, "node(s)"), {
      local_pool(nodes)
      for (n in c(sizes, 3000)) {
        file <- withr::local_tempfile()
        expect_identical(pool_lapply(seq_len(n), noted, file), as.list(seq_len(n)))
        expect_identical(names(runs(file)), as.character(seq_len(n)))
        expect_identical(unique(c(runs(file))), 1L)
      }
      file <- withr::local_tempfile()
      pids <- pool_sapply(1:300, at_top(function(i) {
        Sys.sleep(0.002)
        Sys.getpid()
      }))
      expect_length(unique(pids), nodes) # nobody is left out
    })
  })
}

test_that("nodes that die at any moment lose nothing, and little is run twice", {
  skip_if(Sys.which("sh") == "", "there is no shell to kill with")
  local_pool(3)
  n <- 600
  work <- at_top(function(i, file) {
    cat(paste0(i, "\n"), file = file, append = TRUE)
    Sys.sleep(0.0005)
    i * 2
  })
  until <- Sys.time() + 2
  rounds <- 0
  while (rounds < 15 && Sys.time() < until) {
    rounds <- rounds + 1
    file <- withr::local_tempfile()
    pids <- node_pids()
    victims <- sample(pids, sample(3, 1))
    kill <- sprintf("sleep %.3f; kill -9 %d", stats::runif(length(victims), 0, 0.3), victims)
    for (one in kill) system2("sh", c("-c", shQuote(one)), wait = FALSE, stderr = FALSE)
    expect_identical(pool_lapply(seq_len(n), work, file), as.list(seq_len(n) * 2))
    times <- runs(file)
    expect_length(times, n)
    # A claim takes some 2 ms, here about three elements; at first they double.
    expect_lt(sum(times - 1), 60)
    expect_true(gone(victims))
  }
  expect_identical(pool_size(), 3L)
  expect_usable()
})

test_that("an element that always kills its node is lost, the others are not", {
  local_pool(2)
  dir <- withr::local_tempdir()
  x <- stats::setNames(1:100, paste0("n", 1:100))
  for (victims in list(1, 50, 100, c(20, 21, 99))) {
    file <- withr::local_tempfile()
    e <- error_of(pool_lapply(x, at_top(function(i, victims, file) {
      cat(paste0(i, "\n"), file = file, append = TRUE)
      if (i %in% victims) tools::pskill(Sys.getpid(), tools::SIGKILL)
      i
    }), victims, file))
    expect_s3_class(e, c("pool_worker_error", "pool_error", "error", "condition"), exact = TRUE)
    expect_identical(e$index, as.integer(victims[1]))
    expect_identical(e$name, names(x)[victims[1]])
    indices <- vapply(e$errors, function(e) e$index, 1L)
    expect_identical(sort(indices), as.integer(victims))
    expected <- as.list(x)
    expected[victims] <- list(NULL)
    expect_identical(e$results, expected)
    times <- runs(file)
    expect_length(times, 100)
    expect_true(all(times[victims] %in% 3:4)) # with others perhaps, then alone
    # Others are run again, but not as if they were to blame.
    expect_true(all(times <= 4))
    expect_usable()
  }
})

test_that("a column's element that kills its node is lost, the others are not", {
  local_pool(2)
  e <- error_of(pool_map(at_top(function(i, s) {
    if (s == "die") quit("no", status = 7)
    paste(i, s)
  }), 1:64, c(rep("live", 39), "die", rep("live", 24))))
  expect_s3_class(e, "pool_worker_error")
  expect_identical(e$index, 40L)
  expect_match(format(e$status), "7")
  expect_identical(e$results[-40], as.list(paste(c(1:39, 41:64), "live")))
  expect_usable()
})

test_that("an element that takes the template down is lost, the others are not", {
  local_pool(2)
  file <- withr::local_tempfile()
  e <- error_of(suppressMessages(pool_lapply(1:80, at_top(function(i, file) {
    cat(paste0(i, "\n"), file = file, append = TRUE)
    if (i == 30) {
      status <- readLines("/proc/self/status")
      tools::pskill(as.integer(sub("PPid:", "", grep("^PPid:", status, value = TRUE))), 9)
      Sys.sleep(60)
    }
    i
  }), file)))
  expect_s3_class(e, "pool_worker_error")
  expect_identical(e$index, 30L)
  expect_length(e$errors, 1)
  expect_identical(e$results, replace(as.list(1:80), 30, list(NULL)))
  expect_true(all(runs(file) <= 4))
  expect_usable()
})

test_that("a template that dies once costs nothing", {
  local_pool(2)
  flag <- withr::local_tempfile()
  template <- process_info(node_pids()[1])$parent
  found <- suppressMessages(pool_sapply(1:200, at_top(function(i, flag, template) {
    if (i == 77 && !file.exists(flag)) {
      file.create(flag)
      tools::pskill(template, tools::SIGKILL)
      Sys.sleep(60)
    }
    i
  }), flag, template))
  expect_identical(found, 1:200)
  expect_usable()
})
