# lintr on every R file of the source tree, as .lintr configures it.

# What helper files define and what a script attaches is not seen by the linter
# of used objects, so it speaks for the package and its tools only. (lintr can
# leave out one linter for a file, not for a directory.)
dirs <- c(R = TRUE, tools = TRUE, tests = FALSE, bench = FALSE,
          vignettes = FALSE)

lint_one <- function(dir, usage) {
  lints <- lintr::lint_dir(dir,
    pattern = "[.](R|Rmd)$", relative_path = FALSE, show_progress = FALSE
  )
  kept <- Filter(function(lint) {
    usage || lint$linter != "object_usage_linter"
  }, lints)
  invisible(lapply(kept, print))
  length(kept)
}

dirs <- dirs[dir.exists(names(dirs))]
found <- mapply(lint_one, names(dirs), dirs)
quit(status = if (sum(found)) 1L else 0L)
