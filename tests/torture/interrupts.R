# Ctrl-C at random moments, of stubborn tasks too: each is back at the prompt
# within two seconds, and the next call sees nothing of it.
#
#   Rscript tests/torture/interrupts.R [interrupts] [seed]

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1L]))
source(file.path(here, "common.R"))

interrupts <- asked_count(1000L)
most <- 2 # seconds

shapes <- list(
  naps = function(i) {
    Sys.sleep(0.002)
    i
  },
  trivial = function(i) i,
  stubborn = function(i) repeat tryCatch(Sys.sleep(10), interrupt = function(e) NULL),
  busy = function(i) {
    x <- 0
    repeat x <- x + 1
  },
  foreign = function(i) system("sleep 20"),
  slow_to_leave = function(i) {
    on.exit(Sys.sleep(0.01))
    Sys.sleep(10)
  },
  large = function(i) rep(as.numeric(i), 3e5)
)
# A stubborn one costs its grace and its replacement each time.
odds <- c(4, 4, 1, 2, 1, 2, 3)

dir <- tempfile("interrupts")
dir.create(dir)
orders <- file.path(dir, "orders")
stamp <- file.path(dir, "stamp")
system2("mkfifo", orders)
# One line, one interrupt: after so many seconds, with the time of it.
sender <- sprintf(
  paste("exec 3<>%s; while read -r wait <&3; do sleep $wait; date +%%s.%%N >%s;",
        "kill -INT %d || exit; done"),
  shQuote(orders), shQuote(stamp), Sys.getpid()
)
system2("bash", c("-c", shQuote(sender)), wait = FALSE, stdout = FALSE)
order <- function(seconds) {
  con <- fifo(orders, "w", blocking = TRUE)
  on.exit(close(con))
  writeLines(sprintf("%.4f", seconds), con)
}

work <- function(shape) {
  allowInterrupts(repeat pool_lapply(1:200, shapes[[shape]]))
}

worst <- 0
before <- descriptors()
invisible(suspendInterrupts({
  for (k in seq_len(interrupts)) {
    if (k %% 100L == 1L) {
      size <- sample(c(1L, 2L, 4L), 1L)
      suppressMessages(init_pool(size, restart = TRUE))
    }
    shape <- sample(names(shapes), 1L, prob = odds)
    order(runif(1L, 0, 0.03))
    caught <- tryCatch(work(shape), interrupt = function(e) "interrupt",
                       error = conditionMessage)
    late <- now() - as.numeric(readLines(stamp, warn = FALSE)[[1L]])
    check(identical(caught, "interrupt"), shape, "gave", caught)
    check(late < most, shape, "took", late, "s")
    worst <- max(worst, late)
    found <- tryCatch(pool_sapply(1:60, function(i) i * 3), error = conditionMessage)
    check(identical(found, 1:60 * 3), "after", shape, "the next call gave", format(found))
  }
}))
expect_whole(size)
suppressMessages(delete_pool())
invisible(gc())
check(descriptors() == before, "descriptors:", descriptors(), "after", before)
cat(sprintf("%d interrupts, the slowest took %.2f s\n", interrupts, worst))
