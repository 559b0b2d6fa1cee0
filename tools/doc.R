# Writes man/ and NAMESPACE from the roxygen comments of a source tree.
#
#   Rscript tools/doc.R [DIRECTORY]
#
# The R code is sourced, not installed: so nothing is compiled between the
# sources, and it works also while NAMESPACE does not exist yet.

args <- commandArgs(trailingOnly = TRUE)
roxygen2::roxygenise(
  if (length(args)) args[1L] else ".",
  load_code = "source"
)
