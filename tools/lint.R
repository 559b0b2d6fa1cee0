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

# Of two functions of one name the package has the one that is read last.
names_of <- function(file) {
  heads <- Filter(function(e) is.call(e) && identical(e[[1L]], quote(`<-`)) && is.name(e[[2L]]),
    as.list(parse(file))
  )
  vapply(heads, function(e) as.character(e[[2L]]), "")
}
names <- unlist(lapply(list.files("R", full.names = TRUE), names_of))
twice <- unique(names[duplicated(names)])
for (name in twice) {
  cat("defined twice in R/:", name, "\n")
}

dirs <- dirs[dir.exists(names(dirs))]
found <- mapply(lint_one, names(dirs), dirs)
quit(status = if (sum(found) + length(twice)) 1L else 0L)
