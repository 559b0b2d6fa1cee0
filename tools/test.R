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
  "staged|large$|large-deaths|plain|kept$"
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

count <- function(results) {
  by_test <- as.data.frame(results)
  c(
    passed = sum(by_test$passed),
    failed = sum(by_test$failed) + sum(by_test$error),
    skipped = sum(by_test$skipped)
  )
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

main <- function() {
  # What a check on CRAN leaves out for its length is run here.
  Sys.setenv(NOT_CRAN = "true")
  filter <- Sys.getenv("FILTER")
  n <- run(if (nzchar(filter)) filter)
  if (!nzchar(filter)) {
    cat("\nover the socket:\n")
    Sys.setenv(POOL_TEST_TRANSPORT = "socket") # helper.R looks at it
    n <- n + run(over_socket)
  }
  cat(sprintf("%d passed, %d failed", n["passed"], n["failed"]))
  skipped <- if (n["skipped"] > 0) sprintf(", %d skipped", n["skipped"])
  cat(skipped, "\n", sep = "")
  quit(status = if (n["failed"] > 0 || n["passed"] == 0) 1L else 0L)
}

main()
