# Called by tools/site.sh, which says where to: SITE. The package is the installed one.
#
#   Rscript tools/site.R DIRECTORY

options(pkgdown.internet = FALSE, cli.num_colors = 1L)
source <- commandArgs(trailingOnly = TRUE)[[1L]]
site <- Sys.getenv("SITE")
# It asks CRAN for a page of the package, whatever that option says: that is another pool's.
utils::assignInNamespace("cran_link", function(pkg) NULL, "pkgdown")
# And where packages that are named have their sites.
utils::assignInNamespace("package_urls", function(package, repos) character(), "downlit")
pkgdown::build_site(source,
  override = list(destination = site), install = FALSE, new_process = FALSE, preview = FALSE,
  devel = FALSE
)
# README shows a figure of the benchmarks by its place in the sources.
dir.create(file.path(site, "bench"), showWarnings = FALSE)
invisible(file.copy(list.files(file.path(source, "bench"), full.names = TRUE),
  file.path(site, "bench"),
  overwrite = TRUE
))
