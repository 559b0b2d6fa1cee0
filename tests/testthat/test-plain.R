# Plain objects have a form of their own on their way; what is not plain goes as
# R serializes it. Which of the two it was must not be seen.

# As an element, alone and among many; as a constant argument; as a result, alone
# and beside others; by export.
expect_same_everywhere <- function(x, label, as = identity) {
  expected <- as(x)
  check <- function(y, way) {
    expect(exactly(as(y), expected), paste0(label, " as ", way, " is not what it was"))
  }
  back <- at_top(function(x) x)
  second <- at_top(function(i, x) x)
  check(pool_lapply(list(x), back)[[1]], "the only element")
  check(pool_lapply(list(x, 1), back)[[1]], "an element")
  many <- rep(list(1, x, "b"), 15)
  for (y in pool_lapply(many, back)[c(2, 44)]) check(y, "one of many elements")
  check(pool_map(second, 1:40, list(x))[[40]], "one of many in a column")
  check(pool_lapply(1, second, x)[[1]], "a constant argument")
  check(pool_call(back, x)[[2]], "an argument of all nodes")
  check(pool_call(at_top(function(x) list(x, 1)), x)[[1]][[1]], "a part of a result")
  pool_export("x", environment())
  check(pool_evalq(x)[[1]], "an export")
}

encoded <- function(x, encoding) {
  Encoding(x) <- encoding
  x
}

# identical() takes strings for the same that only read the same.
with_encodings <- function(x) {
  rapply(x, function(s) {
    list(Encoding(s), is.na(s), lapply(s[!is.na(s)], charToRaw))
  }, "character", how = "replace")
}

texts <- list(
  ascii = c("", "a", NA, "NA"),
  utf8 = c("\u00e9", "\u20ac", "\U1F600", NA),
  latin1 = encoded(c("caf\xe9", "a", NA), "latin1"),
  bytes = encoded(c("\xff\xfe", "\x80a", NA), "bytes"),
  mixed = c("a", "\u00e9", encoded("\xe9", "latin1"), encoded("\xe9", "bytes"), NA)
)

test_that("strings keep their bytes and their encoding", {
  local_pool(2)
  for (name in names(texts)) {
    x <- texts[[name]]
    expect_same_everywhere(list(x), name, with_encodings)
    expect_same_everywhere(as.list(x), paste(name, "one by one"), with_encodings)
    expect_same_everywhere(list(1, list(x, "a"), x[1]), paste(name, "in lists"), with_encodings)
  }
  # All at once, as the session had them; the nodes see what it has.
  look <- at_top(function(x) list(Encoding(x), lapply(x[!is.na(x)], charToRaw)))
  for (x in texts) {
    expect_identical(pool_call(look, x)[[1]], look(x))
    expect_identical(pool_lapply(rep(list(x), 40), look)[[40]], look(x))
  }
})

test_that("long strings arrive whole", {
  local_pool(2)
  for (n in c(4094:4098, 8192, 65536, 2^20 + 1)) {
    long <- strrep("x", n)
    wide <- strrep("\u20ac", n %/% 3 + 1)
    latin <- encoded(strrep("\xe9", n), "latin1")
    x <- list(long, c("a", wide, long, NA), list(latin, 1L))
    expect_true(exactly(
      with_encodings(pool_lapply(list(x, 1), identity)[[1]]), with_encodings(x)
    ))
    back <- pool_call(at_top(function(x) x), x)[[2]]
    expect_true(exactly(with_encodings(back), with_encodings(x)))
  }
})

test_that("strings of another locale are what R's own serialization makes of them", {
  available <- function(locale) {
    tryCatch(withr::with_locale(c(LC_CTYPE = locale), TRUE), warning = function(w) FALSE)
  }
  locales <- Filter(available, c("C", "C.UTF-8", "en_US.ISO-8859-1"))
  skip_if(length(locales) < 2, "there is only one locale")
  local_pool(2)
  cluster <- reference_cluster()
  withr::defer(parallel::clusterCall(cluster, Sys.setlocale, "LC_CTYPE", Sys.getlocale("LC_CTYPE")))
  speak <- at_top(function(locale) {
    Sys.setlocale("LC_CTYPE", locale)
    native <- rawToChar(as.raw(c(0x61, 0xc3, 0xa9)))
    list(native, "b", list(native), 1, rep(native, 40))
  })
  hear <- at_top(function(x) {
    list(Encoding(unlist(x)), lapply(unlist(x), charToRaw), l10n_info()[[2]])
  })
  for (session in locales) {
    for (node in locales) {
      label <- paste("from", session, "to", node)
      # That some cannot be told in a locale is said by both.
      withr::with_locale(c(LC_CTYPE = session), suppressWarnings({
        ours <- pool_call(speak, node)
        theirs <- parallel::clusterCall(cluster, speak, node)
        same(ours, theirs, label, with_encodings)
        native <- rawToChar(as.raw(c(0xc3, 0xa9)))
        same(
          pool_call(hear, list(native, "a")),
          parallel::clusterCall(cluster, hear, list(native, "a")), label
        )
        x <- rep(list(native, "a", 1), 20)
        same(
          pool_lapply(x, hear)[1:2],
          parallel::parLapply(cluster, x, hear)[1:2], label
        )
      }))
    }
  }
})

test_that("vectors of every type and length arrive", {
  local_pool(2)
  for (type in c(names(least), "character", "list")) {
    values <- switch(type,
      character = c("a", NA, "\u00e9"),
      list = list(1, NULL, "a", list()),
      odd_values(type)
    )
    expect_same_everywhere(values[0], paste("an empty", type))
    expect_same_everywhere(list(values[0], values[0][0]), paste("a list of an empty", type))
    expect_same_everywhere(values[1], paste("one", type))
    for (n in c(2, 500:530, 1023:1026, 4090:4100, 1e5)) {
      x <- rep_len(values, n)
      y <- as.list(x) # of scalars
      found <- pool_lapply(list(x, y, list("a", x)), identity)
      expect(exactly(found, list(x, y, list("a", x))), paste(n, type, "differ"))
    }
  }
  expect_same_everywhere(NULL, "NULL")
  expect_same_everywhere(list(NULL, list(NULL)), "NULL in lists")
})

test_that("lists of any depth and make arrive", {
  local_pool(2)
  for (depth in c(1, 2, 60:68, 100, 300)) {
    x <- "the innermost"
    y <- list()
    for (level in seq_len(depth)) {
      x <- list(x)
      y <- list(level, y, as.character(level))
    }
    expect_same_everywhere(x, paste("a list of depth", depth))
    expect_same_everywhere(list(y, x), paste("lists of depth", depth))
  }
  many <- list(
    "scalars of a type" = list(1, 2.5, NA, NaN, -0),
    "scalars of several types" = list(1L, 2, "a", TRUE, 1i, as.raw(1), NULL),
    "scalars, then more" = list(1, 2, 3, c(4, 5)),
    "scalars, and a list" = list(1, list(2), 3),
    "strings with NA" = list("a", NA_character_, ""),
    "a scalar with a name" = list(1, c(a = 2), 3),
    "a scalar with an attribute" = list(1L, structure(2L, note = "b")),
    "a scalar of a class" = list(1, structure(2, class = "nobody_knows"), 3),
    "a factor among integers" = list(1L, factor("a"), 2L),
    "a scalar with the S4 bit" = list(1, asS4(2)),
    "a list with names" = list(a = 1, 2),
    "a list with dim" = matrix(list(1, 2, "a", NULL), 2),
    "lists with the S4 bit" = asS4(list(1, 2)),
    "a one-by-one matrix" = list(matrix(1), matrix("a")),
    "an empty list with names" = stats::setNames(list(), character()),
    "an empty named vector" = c(a = 1)[0],
    "a data frame without rows" = data.frame(a = integer()),
    "language" = list(quote(x), quote(f(x)), expression(a, 1)),
    "a formula" = stats::as.formula("y ~ x", baseenv()),
    "functions" = list(at_top(function(x) x), sum, `if`),
    "environments" = list(globalenv(), baseenv(), emptyenv(), asNamespace("stats")),
    "pairlists" = list(pairlist(a = 1, 2), pairlist(1)),
    "a pairlist in a list of scalars" = list(1, pairlist(1), 2),
    "a POSIXlt" = as.POSIXlt("2024-02-29 12:00:00", tz = "UTC")
  )
  for (label in names(many)) expect_same_everywhere(many[[label]], label)
  expect_identical(isS4(pool_call(at_top(function(x) x), asS4(1))[[1]]), TRUE)
  expect_identical(
    pool_call(at_top(function(x) vapply(x, isS4, NA)), list(1, asS4(2)))[[1]],
    c(FALSE, TRUE)
  )
})

test_that("what R keeps as a formula, or lazily, arrives", {
  local_pool(2)
  many <- list(
    "short sequences" = list(1:2, 1:10, 5:1, 1:1023),
    "around where they are kept" = list(1:1024, 1:1025, 1025:1, seq(1, 2000)),
    "of doubles" = list(seq(2^40, length.out = 10), seq(2^40, length.out = 2000)),
    "sorted" = list(sort(c(3, 1, 2)), sort(runif(100)), sort(sample(2000))),
    "strings of numbers" = list(as.character(1:10), as.character(1:5000)),
    "grown" = local({
      x <- numeric()
      for (i in 1:100) x[i] <- i
      l <- list()
      for (i in 1:100) l[[i]] <- i
      list(x, l)
    })
  )
  for (label in names(many)) expect_same_everywhere(many[[label]], label)
})

test_that("much that is plain may go at once", {
  local_pool(2)
  x <- lapply(1:30, function(i) rep(i + 0.5, 6e4)) # below a megabyte each
  expect_true(exactly(pool_lapply(list(x, x), identity), list(x, x)))
  expect_true(exactly(pool_lapply(1:2, at_top(function(i, x) x), x), list(x, x)))
  y <- as.list(seq_len(3e5) + 0.5)
  expect_true(exactly(pool_call(at_top(function(y) y), y)[[2]], y))
  z <- rep(list("text", 1L, NULL, c(TRUE, NA), list("a", 2)), 2e4)
  expect_true(exactly(pool_lapply(list(z, 1), identity)[[1]], z))
})

test_that("what is shared within an object is a copy on the other side", {
  local_pool(1)
  x <- c(1, 2, 3)
  f <- at_top(function(l) {
    l[[1]][1] <- 99
    l
  })
  expect_identical(pool_call(f, list(x, x, list(x))), list(list(c(99, 2, 3), x, list(x))))
  # Elements of one staged block, each its own.
  g <- at_top(function(v) {
    v[1] <- v[1] + 100
    v
  })
  expect_identical(pool_lapply(rep(list(x), 50), g), rep(list(c(101, 2, 3)), 50))
  found <- pool_lapply(rep(list(x), 50), at_top(function(v) v))
  found[[1]][1] <- 0
  expect_identical(found[[2]], x)
})

test_that("names are part of a plain object, however often they come again", {
  local_pool(2)
  record <- function(i) list(id = i, value = i / 7, name = "a", flags = c(TRUE, FALSE))
  objects <- list(
    records = lapply(1:200, record),
    "others between" = list(
      record(1), c(a = 1, b = 2), record(2), c(a = 1, b = 3), list(a = 1, b = 2)
    ),
    "named scalars" = list(c(a = 1), c(b = 2), c(a = 3)),
    "scalars, one named" = list(1, c(b = 2), 3),
    "named strings" = list(x = c(a = "b", b = NA), y = c(a = "b")),
    empty = list(structure(list(), names = character()), structure(numeric(), names = character())),
    "names without a name" = list(
      structure(1:2, names = c("a", NA)), structure(1:2, names = c("", ""))
    ),
    "names of other encodings" = list(
      structure(1:2, names = c("\u00e9", encoded("\xe9", "latin1")))
    ),
    deep = list(a = list(b = list(c = list(d = 1)))),
    "names with attributes" = list(structure(1, names = structure("a", mine = 1))),
    "names and more" = list(structure(list(a = 1), mine = 2), structure(c(a = 1), class = "k")),
    raw = list(c(a = as.raw(1)), c(a = 1i), c(a = NA))
  )
  for (name in names(objects)) {
    expect_same_everywhere(objects[[name]], name)
  }
  # Records that have the same names do not share what is done to them.
  found <- pool_lapply(1:40, at_top(function(i) list(a = i, b = 2)))
  names(found[[1]])[1] <- "changed"
  expect_identical(names(found[[2]]), c("a", "b"))
  attr(found[[3]], "names")[2] <- "z"
  expect_identical(names(found[[4]]), c("a", "b"))
})
