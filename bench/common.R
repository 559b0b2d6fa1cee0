# What the benchmarks share: a clock, rounds that take turns, goals, peers.
#
# Times of a machine that others use too mean nothing by themselves, so
# everything is measured in rounds in which each candidate has its turn, in an
# order drawn anew. What is reported is a median, and of a comparison the median
# of the rounds' ratios.

# The package is taken from the library that R finds it in: `make bench`
# installs it into build/lib first.
suppressPackageStartupMessages({
  library(parallel)
  library(pool)
})

# ---- The clock ---------------------------------------------------------------

now <- function() as.numeric(Sys.time())

# Seconds that an expression takes; its value is `answer` where that is given.
seconds <- function(code, answer) {
  begin <- now()
  value <- code
  taken <- now() - begin
  if (!missing(answer)) {
    check(identical(value, answer), "a candidate gave a wrong answer")
  }
  taken
}

# A wrong answer ends the benchmark, whoever gave it.
check <- function(right, message) {
  if (!isTRUE(right)) {
    stop(errorCondition(message, class = "wrong_answer"))
  }
}

# R compiles a function at its second call, and loads its compiler for the
# first: that is nobody's time.
for (i in 1:3) {
  seconds(i, i)
}

# ---- Rounds ------------------------------------------------------------------

# candidates: a named list of functions, each of which does its work once and
# returns seconds, or a vector of several measures. An array of
# rounds x candidates, or rounds x candidates x measures; NA where a peer failed.
take_turns <- function(candidates, rounds) {
  turns <- lapply(seq_len(rounds), function(round) {
    values <- candidates # for the names
    for (name in sample(names(candidates))) {
      values[[name]] <- turn(name, candidates[[name]])
    }
    values
  })
  measures <- turns[[1L]][[1L]]
  values <- array(NA_real_,
    c(rounds, length(candidates), length(measures)),
    list(NULL, names(candidates), names(measures))
  )
  for (round in seq_len(rounds)) {
    for (name in names(candidates)) {
      values[round, name, ] <- turns[[round]][[name]]
    }
  }
  if (length(measures) > 1L) {
    return(values)
  }
  matrix(values, rounds, dimnames = list(NULL, names(candidates)))
}

# One candidate's turn. A peer may fail; what is compared must not.
turn <- function(name, candidate) {
  if (!grepl("mirai|callr|future|clustermq", name)) {
    return(candidate())
  }
  tryCatch(candidate(), error = function(e) {
    if (inherits(e, "wrong_answer")) {
      stop(e)
    }
    message(name, " failed: ", conditionMessage(e))
    NA_real_
  })
}

medians <- function(times) apply(times, 2L, median, na.rm = TRUE)

# How many times as long `slow` takes as `quick`: the median over the rounds.
ratio <- function(times, slow, quick) {
  median(times[, slow] / times[, quick], na.rm = TRUE)
}

# ---- Peers -------------------------------------------------------------------

# A peer that is not installed, or does not start here, has no row.
installed <- function(...) {
  all(vapply(c(...), requireNamespace, NA, quietly = TRUE))
}

# ---- What comes out ----------------------------------------------------------

decimals <- function(x, digits) {
  digits <- ifelse(is.na(x), 0L, as.integer(digits))
  ifelse(is.na(x), "-", sprintf("%.*f", digits, x))
}
milliseconds <- function(s) decimals(1e3 * s, ifelse(s < 0.01, 2, 1))
microseconds <- function(s) decimals(1e6 * s, 0)
times_as <- function(x) decimals(x, ifelse(x < 10, 2, 1))

# A table of columns of text, the first one left, the others right.
show_table <- function(columns) {
  width <- pmax(
    nchar(names(columns)),
    vapply(columns, function(column) max(nchar(column)), 0L)
  )
  width[1L] <- -width[1L] # to the left
  line <- function(cells) cat(sprintf("%*s", width, cells), "\n", sep = "  ")
  line(names(columns))
  for (i in seq_along(columns[[1L]])) {
    line(vapply(columns, `[[`, "", i))
  }
}

# A goal is met or missed; neither ends a benchmark.
goal <- function(what, value, least = NULL, most = NULL, unit = "") {
  met <- if (is.null(most)) value >= least else value <= most
  bound <- if (is.null(most)) paste("at least", least) else paste("at most", most)
  cat(sprintf(
    "%-7s %s: %s%s (goal: %s%s)\n", if (met) "met" else "MISSED", what,
    times_as(value), unit, bound, unit
  ))
}

# The machine, as far as figures depend on it. The load tells whether it was
# quiet: above half, ratios still travel, absolutes do not.
describe_machine <- function() {
  load <- if (file.exists("/proc/loadavg")) {
    strsplit(readLines("/proc/loadavg"), " ", fixed = TRUE)[[1L]][1L]
  } else {
    "?"
  }
  cat(sprintf(
    "%s, %d cores, load %s, pool %s\n\n", R.version.string, detectCores(),
    load, packageVersion("pool")
  ))
}

# Where this script is, to be run again in a fresh R.
this_script <- function() {
  argument <- grep("^--file=", commandArgs(FALSE), value = TRUE)
  normalizePath(sub("^--file=", "", argument[1L]))
}

# This script in a fresh R, with arguments: the numbers that it prints last.
run_afresh <- function(...) {
  out <- system2(file.path(R.home("bin"), "Rscript"),
    c(shQuote(this_script()), ...),
    stdout = TRUE
  )
  if (!is.null(attr(out, "status"))) {
    stop("failed: ", paste(c(basename(this_script()), ...), collapse = " "))
  }
  scan(text = out[length(out)], quiet = TRUE)
}
