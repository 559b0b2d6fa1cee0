# What the benchmarks share: a clock, rounds that take turns, tables, goals.
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

# ---- Where things are --------------------------------------------------------

# Where this script is, to be run again in a fresh R.
this_script <- function() {
  argument <- grep("^--file=", commandArgs(FALSE), value = TRUE)
  normalizePath(sub("^--file=", "", argument[1L]))
}

beside <- function(name) file.path(dirname(this_script()), name)

# Each script leaves what it found here, for report.R.
results_dir <- Sys.getenv("BENCH_OUT", beside("../build/bench"))

rounds_asked <- function(default) {
  arguments <- commandArgs(TRUE)
  if (length(arguments) > 0L) as.integer(arguments[1L]) else default
}

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

is_pool <- function(names) startsWith(names, "pool")

# candidates: a named list of functions, each of which does its work once and
# returns seconds, or a vector of several measures. An array of
# rounds x candidates, or rounds x candidates x measures; NA where a peer failed
# or had no turn: after so many seconds of `patience` it has no more.
# With `warm` there is a round before the first, for what is loaded and compiled
# once. It counts for a peer that has no other.
take_turns <- function(candidates, rounds, warm = TRUE, patience = 2) {
  candidates <- Filter(Negate(is.null), candidates)
  names <- names(candidates)
  spent <- setNames(numeric(length(names)), names)
  turns <- list()
  for (round in c(if (warm) 0L, seq_len(rounds))) {
    for (name in sample(names[spent < patience | is_pool(names)])) {
      begin <- now()
      turns[[length(turns) + 1L]] <- list(round, name, turn(name, candidates[[name]]))
      spent[[name]] <- spent[[name]] + now() - begin
    }
  }
  found <- lapply(turns, `[[`, 3L)
  measures <- found[[which.max(lengths(found))]] # a failed one has only one NA
  values <- array(NA_real_,
    c(rounds, length(names), length(measures)), list(NULL, names, names(measures))
  )
  for (turn in turns) {
    values[max(turn[[1L]], 1L), turn[[2L]], ] <- turn[[3L]]
  }
  if (length(measures) > 1L) values else array(values, dim(values)[1:2], dimnames(values)[1:2])
}

# One candidate's turn, without the garbage of the others. A peer may fail; the
# pool must not.
turn <- function(name, candidate) {
  gc(FALSE)
  if (is_pool(name)) {
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

# ---- Candidates --------------------------------------------------------------

# A peer that is not installed has no row.
installed <- function(...) {
  all(vapply(c(...), requireNamespace, NA, quietly = TRUE))
}

once <- function(call, answer) {
  force(call)
  function() seconds(call(), answer)
}

# Makes as many calls in its turn as take a fifth of a second, and gives seconds
# a call: what the first ones after a rest cost is a figure of its own.
repeated <- function(call, answer) {
  force(call)
  function() {
    first <- seconds(call(), answer)
    for (i in seq_len(max(1, min(20, 0.05 / first)))) first <- seconds(call(), answer)
    times <- as.integer(max(2, min(5000, 0.2 / first)))
    seconds(for (i in seq_len(times)) call()) / times
  }
}

# A figure that limits.c measures, in seconds; NULL where it cannot be compiled.
in_c <- function(which, figure = which) {
  program <- file.path(results_dir, "limits")
  if (!file.exists(program)) {
    return(NULL)
  }
  function() {
    lines <- system2(program, which, stdout = TRUE)
    fields <- strsplit(lines, " ", fixed = TRUE)
    names(fields) <- vapply(fields, `[[`, "", 1L)
    units <- c(us = 1e-6, ms = 1e-3)
    found <- fields[[figure]]
    if (is.null(found)) NA_real_ else as.numeric(found[2L]) * units[[found[3L]]]
  }
}

# ---- What comes out ----------------------------------------------------------

# Three figures, or all before the point.
figures <- function(x) {
  known <- is.finite(x)
  digits <- ifelse(known & x != 0, pmax(0, 2 - floor(log10(abs(x)))), 0)
  ifelse(known, sprintf("%.*f", as.integer(digits), x), "-")
}

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

results <- new.env()
results$rows <- results$goals <- NULL
results$notes <- character()

# One row of the comparison: what every candidate took, and how many times what
# the pool did. Shown, and kept for the report.
add_row <- function(title, values, ratios, unit, rounds) {
  cat(sprintf("%s, median of %d\n\n", title, rounds))
  columns <- list(names(values), figures(values), figures(ratios))
  show_table(setNames(columns, c(" ", unit, "x pool")))
  cat("\n")
  results$rows <- rbind(results$rows, data.frame(
    title = title, candidate = names(values), value = unname(values), unit = unit,
    ratio = unname(ratios), rounds = rounds
  ))
}

# What a reader of the last row should know.
note <- function(...) {
  title <- results$rows$title[nrow(results$rows)]
  results$notes <- c(results$notes, setNames(paste0(...), title))
  cat(strwrap(paste0(...), width = 80L), "", sep = "\n")
}

scales <- c(microseconds = 1e6, ms = 1e3, s = 1)

# The candidates take turns, the first of them is the pool; the times, with the
# row's title, for goal_time().
measure <- function(title, candidates, rounds, unit = "ms", patience = 2) {
  add_times(title, take_turns(candidates, rounds, patience = patience), rounds, unit)
}

add_times <- function(title, times, rounds, unit = "ms") {
  times <- times[, !apply(is.na(times), 2L, all), drop = FALSE]
  by <- vapply(colnames(times), function(name) ratio(times, name, colnames(times)[1L]), 0)
  add_row(title, scales[[unit]] * medians(times), by, unit, rounds)
  invisible(structure(times, title = title))
}

# A goal is met or missed; neither ends a benchmark. `candidate` and `at`: whose
# ratio to the pool's time must be right of what, in the figure.
goal <- function(what, value, least = NULL, most = NULL, unit = "",
                 title = NA, candidate = NA, at = NA) {
  met <- if (is.null(most)) value >= least else value <= most
  bound <- if (is.null(most)) paste("at least", least) else paste("at most", most)
  verdict <- if (is.na(met)) "?" else if (met) "met" else "MISSED"
  cat(sprintf("%-7s %s: %s%s (goal: %s%s)\n", verdict, what, figures(value), unit, bound, unit))
  results$goals <- rbind(results$goals, data.frame(
    what = what, value = paste0(figures(value), unit), bound = paste0(bound, unit),
    verdict = verdict, title = title, candidate = candidate, at = at
  ))
}

# The pool takes at most `most` of what another candidate of the row does.
goal_time <- function(times, candidate, most) {
  if (candidate %in% colnames(times)) {
    title <- attr(times, "title")
    goal(sprintf("%s: pool / %s", title, candidate),
      ratio(times, colnames(times)[1L], candidate),
      most = most, title = title, candidate = candidate, at = 1 / most
    )
  }
}

# The pool is faster than every peer: than the fastest of them, that is.
goal_fastest <- function(times) {
  peers <- grep("^(C|bound|serial): ", colnames(times)[-1L], value = TRUE, invert = TRUE)
  by <- vapply(peers, function(name) ratio(times, name, colnames(times)[1L]), 0)
  goal_time(times, names(which.min(by)), 1)
}

# The machine, as far as figures depend on it. The load tells whether it was
# quiet: above half, ratios still travel, absolutes do not.
describe_machine <- function() {
  first_of <- function(file, pattern) {
    lines <- if (file.exists(file)) readLines(file)
    sub(".*:[[:space:]]*", "", grep(pattern, lines, value = TRUE)[1L])
  }
  load <- if (file.exists("/proc/loadavg")) scan("/proc/loadavg", "", quiet = TRUE)[1L]
  memory <- as.numeric(gsub("[^0-9]", "", first_of("/proc/meminfo", "^MemTotal:"))) / 1024^2
  system <- paste(Sys.info()[c("sysname", "release")], collapse = " ")
  results$machine <- c(
    R = as.character(getRversion()),
    system = sub("^([^ ]* [0-9]+[.][0-9]+).*", "\\1", system),
    processor = first_of("/proc/cpuinfo", "^model name"),
    cores = detectCores(), "memory (GB)" = round(memory), load = load,
    pool = as.character(packageVersion("pool"))
  )
  cat(paste(names(results$machine), results$machine, collapse = ", "), "\n\n")
}

# At the end of each script.
save_results <- function() {
  dir.create(results_dir, recursive = TRUE, showWarnings = FALSE)
  name <- sub("[.]R$", ".rds", basename(this_script()))
  saveRDS(as.list(results), file.path(results_dir, name))
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
