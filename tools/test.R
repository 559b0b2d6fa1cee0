# The test suite on the installed package. The last line counts: "N passed,
# N failed"; a failure, or no test at all, makes the status non-zero.
#
#   FILTER=name Rscript tools/test.R
#
# Without a filter, what differs from one transport to the other is run over
# either.

library(testthat)

# Of the files, those that take the least time for what they cover.
over_socket <- paste0(
  "parallel-(call|chunks|functions)|conditions|reentry|replay|azurermr|limits|",
  "staged|stream|large$|large-deaths|plain|kept$"
)

# One line per file, as it ends: a run that hangs shows where.
file_reporter <- R6::R6Class("file_reporter",
  inherit = testthat::Reporter,
  public = list(
    name = NULL,
    begin = NULL,
    start_file = function(filename) {
      self$name <- filename
      self$begin <- proc.time()[["elapsed"]]
    },
    end_file = function() {
      seconds <- proc.time()[["elapsed"]] - self$begin
      self$cat_line(sprintf("%7.1f s  %s", seconds, self$name))
    }
  )
)

none <- list(passed = 0, failed = 0, skipped = 0, broken = character())

count <- function(results) {
  by_test <- as.data.frame(results)
  list(
    passed = sum(by_test$passed),
    failed = sum(by_test$failed) + sum(by_test$error),
    skipped = sum(by_test$skipped),
    broken = unlist(lapply(results, broken_of))
  )
}

# What went wrong in a test, each expectation as a text: said again at the end, where
# it is found.
broken_of <- function(test) {
  bad <- Filter(function(x) inherits(x, c("expectation_failure", "expectation_error")),
    test$results)
  vapply(bad, function(x) {
    paste0(test$file, ": ", test$test, "\n", conditionMessage(x))
  }, "")
}

add_counts <- function(a, b) {
  Map(function(x, y) if (is.character(x)) c(x, y) else x + y, a, b)
}

run <- function(filter) {
  results <- test_dir("tests/testthat",
    package = "pool", load_package = "installed",
    filter = filter,
    reporter = MultiReporter$new(
      reporters = list(file_reporter$new(), CheckReporter$new())
    ),
    stop_on_failure = FALSE
  )
  count(results)
}

# Tests wait more than they compute: half of the files are run in a process beside that
# for the others. One has all that use the storage account, which some want to themselves.
rows <- 2L
uses_account <- paste0(
  "azurite|AZURITE|account_store|local_(account|container|queue)|engine_(endpoint|container|proxy)"
)

files_of_row <- function(row, filter = "") {
  files <- dir("tests/testthat", "^test-.*[.]R$")
  names <- sub("^test-(.*)[.]R$", "\\1", files)
  account <- vapply(file.path("tests/testthat", files), function(file) {
    any(grepl(uses_account, readLines(file)))
  }, NA)
  first <- account
  first[!account] <- seq_len(sum(!account)) %% 3L == 0L # they take two thirds of the time
  names <- grep(filter, names[first == (row == 1L)], value = TRUE)
  paste0("^(", paste(names, collapse = "|"), ")$")
}

# In such a process: its count goes to a file, so that one that died has none.
run_row <- function(row, file) {
  n <- run(files_of_row(row))
  Sys.setenv(POOL_TEST_TRANSPORT = "socket") # helper.R looks at it
  cat("\nover the socket, row", row, "\n")
  saveRDS(add_counts(n, run(files_of_row(row, over_socket))), file)
}

run_rows <- function() {
  counts <- file.path(tempdir(), paste0("row-", seq_len(rows), ".rds"))
  commands <- paste(
    shQuote(file.path(R.home("bin"), "Rscript")), "tools/test.R", seq_len(rows), shQuote(counts)
  )
  system(paste(c(paste(commands, "&"), "wait"), collapse = " "))
  ended <- file.exists(counts)
  total <- Reduce(add_counts, lapply(counts[ended], readRDS), none)
  died <- sprintf("row %d of the test files: its process died", which(!ended))
  add_counts(total, list(passed = 0, failed = length(died), skipped = 0, broken = died))
}

main <- function() {
  # What a check on CRAN leaves out for its length is run here.
  Sys.setenv(NOT_CRAN = "true")
  arguments <- commandArgs(TRUE)
  if (length(arguments) == 2L) {
    return(run_row(as.integer(arguments[[1L]]), arguments[[2L]]))
  }
  filter <- Sys.getenv("FILTER")
  n <- if (nzchar(filter)) run(filter) else run_rows()
  cat(sprintf("\nbroken: %s\n", n$broken), sep = "")
  cat(sprintf("%d passed, %d failed", n$passed, n$failed))
  skipped <- if (n$skipped > 0) sprintf(", %d skipped", n$skipped)
  cat(skipped, "\n", sep = "")
  quit(status = if (n$failed > 0 || n$passed == 0) 1L else 0L)
}

main()
