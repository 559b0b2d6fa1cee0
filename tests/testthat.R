# R CMD check sets R_TESTS to a file that R processes started by a test would
# look for in their own working directory, and not find.
Sys.setenv(R_TESTS = "")

library(testthat)
library(pool)

# A repository's check has minutes only: what kills by the dozen, waits for what is over
# in time, or goes through all there is, is left to `make test`.
long <- paste0(
  "^(",
  paste(c(
    "azurermr-cluster", "choices", "company", ".*-deaths?", "foreach-job", "future-conformance",
    "hostile", "http", "interrupt", "job-.*", "kept-failures", "large-.*",
    "parallel-(lapply|map|sapply)", "persistent-storage", "pool-cluster-.*",
    "pool-(fence|httr|nested|options|state)", "progress-call", "scarcity", "staged.*", "stream",
    "supervisor", "threadpool.*", "transfer"
  ), collapse = "|"),
  ")$"
)

if (identical(Sys.getenv("NOT_CRAN"), "true")) {
  test_check("pool")
} else {
  test_check("pool", filter = long, invert = TRUE)
}
