# Many calls, and many pools: memory and descriptors of the session stay what
# they are. The curves go to a figure.
#
#   Rscript tests/torture/cycles.R [calls] [seed] [figure.png]
#
# A thousandth as many pools are made and deleted.

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1L]))
source(file.path(here, "common.R"))

calls <- asked_count(1000000L)
pools <- max(10L, calls %/% 1000L)
figure <- commandArgs(TRUE)[3L]
points <- 50L
most <- 3 # megabytes that memory may be off at the end

sample_now <- function() {
  invisible(gc())
  c(memory = own_memory(), descriptors = descriptors())
}

# `one` so many times, with samples between.
run <- function(n, one) {
  marks <- unique(round(seq(0, n, length.out = points + 1L)))
  found <- matrix(NA_real_, length(marks), 2L, dimnames = list(NULL, c("memory", "descriptors")))
  found[1L, ] <- sample_now()
  for (k in seq_along(marks)[-1L]) {
    for (i in seq_len(marks[k] - marks[k - 1L])) one(i)
    found[k, ] <- sample_now()
  }
  cbind(done = marks, found)
}

# After a tenth of it nothing grows any more.
expect_flat <- function(found, what) {
  later <- found[found[, "done"] >= max(found[, "done"]) / 10, ]
  early <- mean(later[1:3, "memory"])
  late <- mean(tail(later, 3L)[, "memory"])
  cat(sprintf("%s: %.1f MB after a tenth, %.1f MB at the end; descriptors %d to %d\n", what, early,
              late, min(later[, "descriptors"]), max(later[, "descriptors"])))
  check(late - early < most, what, "memory grows")
  check(length(unique(later[, "descriptors"])) == 1L, what, "descriptors change:",
        later[, "descriptors"])
}

kinds <- list(
  function(i) pool_lapply(1L, identity),
  function(i) pool_sapply(1:3, function(x) x + i),
  function(i) pool_lapply(1:40, sqrt),
  function(i) pool_call(Sys.getpid),
  function(i) pool_map(function(a, b) a + b, 1:3, i),
  function(i) pool_export("exported", environment(run)),
  function(i) pool_evalq(exported),
  function(i) tryCatch(pool_lapply(1L, stop), error = identity),
  function(i) pool_lapply(1:2, identity, .seed = i, .timeout = 60)
)
exported <- 1:10
environment(run)$exported <- exported

suppressMessages(init_pool(2L))
of_calls <- run(calls, function(i) {
  kinds[[1L + i %% length(kinds)]](i)
})
expect_whole(2L)
suppressMessages(delete_pool())

of_pools <- run(pools, function(i) {
  suppressMessages(init_pool(1L + i %% 3L))
  check(identical(pool_sapply(1:3, function(x) x), 1:3), "a wrong result")
  suppressMessages(delete_pool())
})
check(length(template_of()) == 0L, "a template is left")

if (!is.na(figure)) {
  png(figure, 1000, 700, res = 110)
  par(mfrow = c(2, 2), mar = c(4, 4, 2, 1))
  for (what in c("calls", "pools")) {
    found <- if (what == "calls") of_calls else of_pools
    for (y in c("memory", "descriptors")) {
      plot(found[, "done"], found[, y], type = "b", pch = 20, cex = 0.6, xlab = what,
           ylab = if (y == "memory") "memory of the session (MB)" else "descriptors of the session",
           ylim = c(0, 1.2 * max(found[, y])), main = paste(y, "over", what))
    }
  }
  invisible(dev.off())
}
expect_flat(of_calls, sprintf("%d calls", calls))
expect_flat(of_pools, sprintf("%d pools", pools))
