# The test suite on the installed package. The last line counts: "N passed,
# N failed"; a failure, or no test at all, makes the status non-zero.
#
#   FILTER=name Rscript tools/test.R

library(testthat)

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

main <- function() {
  # What a check on CRAN leaves out for its length is run here.
  Sys.setenv(NOT_CRAN = "true")
  filter <- Sys.getenv("FILTER")
  results <- test_dir("tests/testthat",
    package = "pool", load_package = "installed",
    filter = if (nzchar(filter)) filter,
    reporter = MultiReporter$new(
      reporters = list(file_reporter$new(), CheckReporter$new())
    ),
    stop_on_failure = FALSE
  )
  n <- count(results)
  cat(sprintf("%d passed, %d failed", n["passed"], n["failed"]))
  skipped <- if (n["skipped"] > 0) sprintf(", %d skipped", n["skipped"])
  cat(skipped, "\n", sep = "")
  quit(status = if (n["failed"] > 0 || n["passed"] == 0) 1L else 0L)
}

main()
