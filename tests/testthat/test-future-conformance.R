# The whole conformance suite of package future.tests, on plan(pool) and on future's cluster
# plan with a pool_cluster().

# What may be skipped, with the reason. (By the suite itself: nothing is left out here.)
needs_ff <- c( # package ff, which is not everywhere
  "future() - can load 'ff' package", "future() - can attach 'ff' package",
  "future() - preserve R options (ff)"
)
needs_data_table <- c( # likewise
  "future() - preserve R options (data.table)", "future() - 'data.table' inject"
)
of_other_plans <- c( # about plans whose `workers` is a number, which that of `cluster` is not
  "plan() - workers=<numeric>", "plan() - workers=<function>", "plan() - workers=<invalid>"
)

may_skip <- function() {
  c(
    if (!nzchar(system.file(package = "ff"))) needs_ff,
    if (!nzchar(system.file(package = "data.table"))) needs_data_table
  )
}

conformance <- function(plan) {
  in_session(function(plan) {
    suppressMessages(pool::init_pool(2))
    on.exit(suppressMessages(pool::delete_pool()))
    options(crayon.enabled = FALSE)
    out <- utils::capture.output(
      results <- future.tests::check(plan, exit_value = FALSE, settings = FALSE,
        .args = character()),
      type = "output"
    )
    steps <- unlist(results[[1]], recursive = FALSE)
    data.frame(
      title = vapply(steps, function(step) step$test$title, ""),
      problem = vapply(steps, function(step) {
        if (!is.null(step$skipped)) return("skipped")
        if (is.null(step$error)) "" else conditionMessage(step$error)
      }, "")
    )
  }, list(plan))
}

conforms <- function(plan, skips) {
  skip_on_cran()
  skip_if_not_installed("future")
  skip_if_not_installed("future.tests")
  found <- conformance(plan)
  expect_gte(nrow(found), 89)
  skipped <- found$problem == "skipped"
  expect_identical(sort(unique(found$title[skipped])), sort(as.character(skips)))
  expect_identical(found$title[found$problem != "" & !skipped], character())
}

test_that("plan(pool) conforms", {
  conforms("pool::pool", may_skip())
})

test_that("plan(cluster) on a pool_cluster() conforms", {
  conforms("cluster, workers = pool::pool_cluster()", c(may_skip(), of_other_plans))
})
