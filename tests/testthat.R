# R CMD check sets R_TESTS to a file that R processes started by a test would
# look for in their own working directory, and not find.
Sys.setenv(R_TESTS = "")

library(testthat)
library(pool)

test_check("pool")
