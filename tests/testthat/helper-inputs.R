# Values of every shape that an apply function may be given. Each stands for a
# way in which R treats X[i], length(X), names(X) or as.list(X) on its own
# terms, or for a kind of object that may suffer in a copy.

plain_inputs <- function() {
  list(
    "an empty list" = list(),
    "NULL" = NULL,
    "integer(0)" = integer(0),
    "character(0)" = character(0),
    "an empty named vector" = c(a = 1)[0],
    "an empty factor" = factor(character(0), levels = "a"),
    "one integer" = 7L,
    "a list of one" = list("only"),
    "two integers" = 1:2,
    "three integers, one node with more" = 1:3,
    "seven doubles" = c(1.5, 2, NA, NaN, Inf, -Inf, 0),
    "logicals" = c(TRUE, FALSE, NA),
    "complex" = complex(real = c(1, NA, -0), imaginary = c(0, 2, Inf)),
    "raw" = as.raw(c(0, 1, 127, 255)),
    "characters" = c("a", "", "long and with spaces", NA),
    "a named vector" = c(a = 1, b = 2, c = 3),
    "partly named" = c(a = 1, 2, c = 3),
    "NA among the names" = stats::setNames(1:3, c("a", NA, "b")),
    "names all alike" = stats::setNames(1:4, rep("same", 4)),
    "a very long name" = stats::setNames(list(1, 2), c(strrep("n", 1e5), "b")),
    "a named list" = list(x = 1L, y = "b", z = NULL),
    "a list with NULL elements" = list(NULL, 1, NULL, NULL, 2),
    "a list of NULLs" = vector("list", 5),
    "nested lists" = list(list(1, list(2, list(3))), list(), list(a = list(b = NULL))),
    "thirteen elements" = as.list(letters[1:13]),
    "a thousand integers" = seq(2L, 2000L, by = 2L)
  )
}

object_inputs <- function() {
  time <- as.POSIXct("2024-02-29 23:59:59.25", tz = "UTC")
  list(
    "a factor" = factor(c("lo", "hi", NA, "lo"), levels = c("lo", "hi")),
    "an ordered factor with names" =
      stats::setNames(factor(c("b", "a"), ordered = TRUE), c("p", "q")),
    "dates" = as.Date("2024-02-28") + c(0:2, NA),
    "a POSIXct" = time + 0:3,
    "a POSIXct in a zone" = as.POSIXct("2024-03-31", tz = "Europe/Berlin") + 3600 * 0:3,
    "a POSIXlt" = as.POSIXlt(time + 0:2),
    "a difftime" = as.difftime(c(1, 2.5, NA), units = "hours"),
    "a data frame" = data.frame(n = 1:3, s = c("x", "y", NA)),
    "a data frame without rows" = data.frame(a = integer(0), b = character(0)),
    "a data frame with row names" = data.frame(v = 1:2, row.names = c("r1", "r2")),
    "a matrix" = matrix(1:6, 2, dimnames = list(c("a", "b"), NULL)),
    "an array" = array(1:24, c(2, 3, 4)),
    "a list matrix" = matrix(list(1, "a", NULL, TRUE), 2),
    "a table" = table(c("a", "b", "a")),
    "versions" = numeric_version(c("1.2.3", "4.5")),
    "octal modes" = as.octmode(c(8L, 493L)),
    "AsIs" = I(list(1, "b", 3)),
    "a time series" = stats::ts(c(3, 1, 2), start = 2000, frequency = 4),
    "a vector with other attributes" = structure(1:4, unit = "kg", note = list(1)),
    "a vector of a class of its own" = structure(1:4, class = "nobody_knows"),
    "a list of a class of its own" = structure(list(1, "b", 3), class = "nobody_knows"),
    "a formula" = stats::as.formula("y ~ x + z", env = globalenv()),
    "a model" = stats::lm(dist ~ speed, data = datasets::cars)$qr
  )
}

language_inputs <- function() {
  list(
    "an expression" = c(expression(a, b + c, 1), str2expression("function(x) x")),
    "an empty expression" = expression(),
    "a call" = quote(f(x, y = 2, g(z))),
    "a pairlist" = pairlist(a = 1, b = "two", 3),
    "a list of language" = list(quote(x), quote(f(x)), quote(if (a) b else c), as.name("odd name")),
    "formals" = formals(function(a, b = 2, ...) NULL)["b"],
    "functions" = list(sum, `[[`, `if`, paste, at_top(function(x) x)),
    "a symbol" = quote(x),
    "a primitive" = sum,
    "a closure" = at_top(function(x) x),
    "an environment" = list2env(list(a = 1, b = 2))
  )
}

# Objects that only a faithful copy brings back whole.
copied_inputs <- function() {
  accent <- "\u00e9t\u00e9"
  bytes <- accent
  Encoding(bytes) <- "bytes"
  payload <- readBin(as.raw(c(1, 2, 3, 4, 5, 6, 0xf8, 0x7f)), "double", endian = "little")
  list(
    "strings of each encoding" =
      list(accent, iconv(accent, "UTF-8", "latin1"), bytes, "ascii", NA_character_),
    "NA, NaN, a payload, -0" = list(NA_real_, NaN, -NaN, payload, -0, 0, NA_integer_),
    "a compact sequence" = 1:100000,
    "compact sequences in a list" = list(1:100000, seq(1, 5000), rev(1:10)),
    "deferred strings" = as.character(1:10),
    "deferred strings in a list" = list(as.character(1:3), as.character(c(1.5, NA))),
    "a sorted vector" = sort(c(3, 1, 2)),
    "sorted vectors in a list" = list(sort(c(3L, 1L, 2L)), sort(c("b", "a"))),
    "a compiled closure" = list(compiler::cmpfun(at_top(function(x) for (i in x) i))),
    "a string with every code of a byte" = list(rawToChar(as.raw(1:127))),
    "characters beyond the basic plane" = list("\U1F600", "\u4e2d\u6587"),
    "a long string" = list(strrep("x", 1e6)),
    "eight megabytes" = list(as.double(1:1e6), raw(10)),
    "attributes on attributes" =
      list(structure(1, a = structure(2, b = structure(3, c = "end")))),
    "an S4 object" = list(methods::new("className", "numeric"), 1),
    "a missing value of each type" =
      list(NA, NA_integer_, NA_real_, NA_complex_, NA_character_)
  )
}

all_inputs <- function() {
  c(plain_inputs(), object_inputs(), language_inputs(), copied_inputs())
}
