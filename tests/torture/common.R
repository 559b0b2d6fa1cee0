# What the scripts of this directory share. Each takes how much of it there is to
# be, and a seed: Rscript NAME.R COUNT SEED.

suppressPackageStartupMessages(library(pool))

arguments <- as.integer(head(commandArgs(TRUE), 2L))

asked_count <- function(default) {
  if (length(arguments) >= 1L) arguments[[1L]] else default
}

set.seed(if (length(arguments) >= 2L) arguments[[2L]] else 1L)

fail <- function(...) {
  cat("FAILED:", ..., "\n")
  quit("no", status = 1L, runLast = FALSE)
}

check <- function(holds, ...) {
  if (!isTRUE(holds)) fail(...)
}

now <- function() as.numeric(Sys.time())

wait_until <- function(holds, seconds) {
  end <- now() + seconds
  while (!holds() && now() < end) Sys.sleep(0.01)
  holds()
}

descriptors <- function(pid = "self") length(list.files(file.path("/proc", pid, "fd")))

# Direct children of a process, with their states.
children <- function(pid) {
  tasks <- list.files(file.path("/proc", pid, "task"))
  lines <- unlist(lapply(file.path("/proc", pid, "task", tasks, "children"), function(path) {
    tryCatch(suppressWarnings(readLines(path, warn = FALSE)), error = function(e) NULL)
  }))
  as.integer(unlist(strsplit(lines, " ", fixed = TRUE)))
}

# "R", "S", "Z", ...; NA where there is no such process.
state_of <- function(pids) {
  vapply(pids, function(pid) {
    stat <- tryCatch(
      suppressWarnings(readLines(file.path("/proc", pid, "stat"), warn = FALSE)),
      error = function(e) NA_character_
    )
    substr(sub(".*\\) ", "", stat[[1L]]), 1L, 1L)
  }, "", USE.NAMES = FALSE)
}

# Megabytes of this process that are its own.
own_memory <- function() {
  lines <- readLines("/proc/self/smaps_rollup")
  own <- grep("^Private_(Clean|Dirty):", lines, value = TRUE)
  sum(as.numeric(gsub("[^0-9]", "", own))) / 1024
}

# The template is our only child, but for what a script starts itself.
template_of <- function() {
  found <- children(Sys.getpid())
  found[state_of(found) != "Z"]
}

# A pool that has been through it is as a new one.
expect_whole <- function(size) {
  found <- pool_call(function() 1)
  check(identical(found, rep(list(1), size)), "not all nodes answer")
  status <- pool_status()
  check(all(status$state == "idle"), "states: ", status$state)
  check(!anyDuplicated(status$pid), "two nodes are one process")
  template <- template_of()
  check(length(template) == 1L, "templates: ", template)
  check(wait_until(function() {
    setequal(children(template), status$pid) && !any(state_of(status$pid) %in% c("Z", NA))
  }, 5), "the template's children are not the nodes: ", children(template))
}
