# Makes bench/README.md, its figure, and the data of the vignette on performance, of what
# the benchmarks left behind.
#
#   Rscript bench/report.R               (or: make bench)

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE),
  value = TRUE
)[1L])), "common.R"))
source(beside("plot.R"))

scripts <- c(
  "startup", "overhead", "throughput", "transfer", "memory", "tail", "workers", "storage",
  "client", "jobs", "jobs-account"
)
files <- file.path(results_dir, paste0(scripts, ".rds"))
scripts <- scripts[file.exists(files)]
found <- lapply(setNames(files[file.exists(files)], scripts), readRDS)

# ---- The pieces --------------------------------------------------------------

table_of <- function(columns) {
  row <- function(cells) paste0("| ", paste(cells, collapse = " | "), " |")
  c(
    row(names(columns)),
    row(c("---", rep("---:", length(columns) - 1L))),
    do.call(mapply, c(list(function(...) row(c(...))), unname(columns), USE.NAMES = FALSE)), ""
  )
}

# One table for each title, with what was said of it.
tables_of <- function(result) {
  unlist(lapply(unique(result$rows$title), function(title) {
    rows <- result$rows[result$rows$title == title, ]
    unit <- sprintf("%s, median of %d", rows$unit[1L], rows$rounds[1L])
    columns <- list(rows$candidate, figures(rows$value), figures(rows$ratio))
    notes <- unname(result$notes[names(result$notes) == title])
    c(
      paste("###", title), "", table_of(setNames(columns, c(" ", unit, "times the pool's"))),
      unlist(lapply(notes, function(note) c(strwrap(note, 100L), "")))
    )
  }))
}

goals_of <- function(found) {
  goals <- do.call(rbind, lapply(found, `[[`, "goals"))
  table_of(list(
    what = goals$what, found = goals$value, goal = goals$bound,
    " " = ifelse(goals$verdict == "MISSED", "**missed**", goals$verdict)
  ))
}

machine_of <- function(found) {
  machine <- found[[1L]]$machine
  machine <- machine[names(machine) != "load"]
  loads <- vapply(found, function(result) unname(result$machine["load"]), "")
  table_of(list(
    machine = c(names(machine), "load, as each began"),
    " " = c(unname(machine), paste(loads, collapse = ", "))
  ))
}

# What the vignette on performance shows.
write_data <- function(found, directory) {
  of <- function(part) {
    do.call(rbind, lapply(names(found), function(script) {
      rows <- found[[script]][[part]]
      if (!is.null(rows)) cbind(script = script, rows)
    }))
  }
  write <- function(x, name) {
    write.csv(x, file.path(directory, paste0("bench-", name, ".csv")), row.names = FALSE)
  }
  rows <- of("rows")
  rows[c("value", "ratio")] <- lapply(rows[c("value", "ratio")], signif, 3)
  write(rows, "rows")
  write(of("goals")[c("what", "value", "bound", "verdict")], "goals")
  machine <- found[[1L]]$machine
  write(data.frame(what = names(machine), value = unname(machine)), "machine")
}

# ---- The page ----------------------------------------------------------------

# Ten workers against two are the pool against itself, blobs and jobs have peers of their
# own: they are not in that figure.
apart <- c("workers", "storage", "client", "jobs", "jobs-account")
draw_figure(found[setdiff(scripts, apart)], beside("bench.png"))

writeLines(c(
  "# Benchmarks", "",
  "Written by `make bench`, which runs the scripts of this directory; do not edit.", "",
  strwrap(paste(
    "Candidates take turns, in an order drawn anew in each round, and each one's answer is",
    "checked before its time counts. Ratios are medians of the rounds' ratios: they travel to",
    "other machines, absolutes do not. A peer has no more turns at a row after two seconds.",
    "What is not installed, or cannot do a thing, has no row."
  ), 100L), "",
  machine_of(found),
  "![Times as multiples of the pool's](bench.png)", "",
  "## Goals", "", goals_of(found),
  unlist(lapply(scripts, function(script) {
    c(sprintf("## `%s.R`", script), "", tables_of(found[[script]]))
  }))
), beside("README.md"))

write_data(found, beside("../vignettes"))
