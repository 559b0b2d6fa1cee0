# Random SIGKILLs while the pool is at work: every result is right, and the pool
# is whole.
#
#   Rscript tests/torture/kills.R [kills] [seed]

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1L]))
source(file.path(here, "common.R"))

kills <- asked_count(10000L)
slowest <- 60 # seconds for one call

dir <- tempfile("kills")
dir.create(dir)
aim <- file.path(dir, "template") # whose children are to be killed
killed <- file.path(dir, "killed")

# The killer: a shell, so that it is nobody's fork and has no R to start. One
# line for each that it has killed.
killer <- '
  seed=$1 aim=$2 killed=$3 parent=$4
  RANDOM=$seed
  while kill -0 "$parent" 2>/dev/null; do
    template=$(cat "$aim" 2>/dev/null) || { sleep 0.01; continue; }
    [ -n "$template" ] || { sleep 0.001; continue; }
    pids=($(cat /proc/$template/task/$template/children 2>/dev/null))
    if ((${#pids[@]} > 0)); then
      pid=${pids[RANDOM % ${#pids[@]}]}
      ((RANDOM % 250 == 0)) && pid=$template
      kill -KILL "$pid" 2>/dev/null && echo "$pid" >>"$killed"
    fi
    sleep "0.00$((RANDOM % 6))"
  done'
writeLines(killer, file.path(dir, "killer.sh"))
invisible(file.create(killed))

pause <- function(seconds) function(i) {
  Sys.sleep(seconds)
  i
}
large <- function(i) rep(as.numeric(i), 2e5)
chatty <- function(i) {
  if (i %% 50 == 0) warning("w", i)
  i
}
failing <- function(i) if (i == 7) stop("seven") else i

# Each gives what its elements should come to.
shapes <- list(
  trivial = function() {
    x <- seq_len(sample(5000L, 1L))
    identical(pool_lapply(x, function(i) i * 2, .retries = 1e6), lapply(x, function(i) i * 2))
  },
  short = function() {
    x <- seq_len(sample(10L, 1L))
    identical(pool_lapply(x, function(i) -i, .retries = 1e6), lapply(x, function(i) -i))
  },
  naps = function() {
    x <- seq_len(sample(60L, 1L))
    identical(pool_lapply(x, pause(0.002), .retries = 1e6), as.list(x))
  },
  large_results = function() {
    x <- seq_len(sample(8L, 1L))
    identical(pool_lapply(x, large, .retries = 1e6), lapply(x, large))
  },
  large_elements = function() {
    x <- lapply(seq_len(sample(4L, 1L)), large)
    identical(pool_lapply(x, identity, .retries = 1e6), x)
  },
  static = function() {
    x <- seq_len(sample(200L, 1L))
    identical(pool_map(function(i, j) i + j, x, 1L, .scheduling = "static", .retries = 1e6),
              as.list(x + 1L))
  },
  strings = function() {
    x <- as.character(seq_len(sample(3000L, 1L)))
    identical(pool_sapply(x, nchar, USE.NAMES = FALSE, .retries = 1e6), nchar(x))
  },
  warnings = function() {
    x <- seq_len(sample(300L, 1L))
    identical(suppressWarnings(pool_lapply(x, chatty, .retries = 1e6)), as.list(x))
  },
  errors = function() {
    found <- pool_lapply(1:40, failing, .on_error = "return", .retries = 1e6)
    identical(found[-7L], as.list(1:40)[-7L]) &&
      identical(conditionMessage(found[[7L]]), "seven")
  },
  random = function() {
    draw <- function(i) runif(1L)
    found <- pool_sapply(1:50, draw, .seed = 42, .retries = 1e6)
    if (is.null(drawn)) drawn <<- found
    identical(found, drawn)
  },
  everywhere = function() {
    identical(pool_call(function() exported, .retries = 1e6), rep(list(exported), pool_size()))
  }
)
drawn <- NULL
exported <- as.numeric(1:10)

count <- function() length(readLines(killed, warn = FALSE))
start_killer <- function(seed) {
  system2("bash", c(shQuote(file.path(dir, "killer.sh")), seed, shQuote(aim), shQuote(killed),
                    Sys.getpid()), wait = FALSE, stdout = FALSE, stderr = FALSE)
}

before <- descriptors()
calls <- 0L
slow <- 0
start_killer(sample.int(30000L, 1L))
while ((done <- count()) < kills) {
  size <- sample(c(1L, 2L, 3L, 5L, 8L), 1L)
  suppressMessages(init_pool(size, restart = TRUE))
  pool_export("exported")
  until <- min(done + max(20L, kills %/% 40L), kills)
  while (count() < until) {
    # It is aimed anew for each call, as the template may have been killed too.
    writeLines(as.character(template_of()), aim) # none, where it is dead
    shape <- sample(names(shapes), 1L)
    begin <- now()
    right <- tryCatch(shapes[[shape]](), error = function(e) e)
    took <- now() - begin
    slow <- max(slow, took)
    calls <- calls + 1L
    check(isTRUE(right), "call", calls, shape, "on", size, "nodes:",
          if (inherits(right, "error")) conditionMessage(right) else "a wrong result")
    check(took < slowest, shape, "took", took, "s")
  }
  writeLines("", aim)
  Sys.sleep(0.05)
  expect_whole(size)
  suppressMessages(delete_pool())
  invisible(gc())
  check(descriptors() == before, "descriptors:", descriptors(), "after", before)
}
check(length(template_of()) == 0L, "a template is left")
unlink(dir, recursive = TRUE)
cat(sprintf("%d kills, %d calls, all right; the slowest call took %.2f s\n", done, calls, slow))
