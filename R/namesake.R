# CRAN has another package that is called pool: pools of database connections. A library
# has one of the two, a session too; here is seen what can go wrong then.

# Where a freshly started R is to look for this package: first where it was loaded from,
# which need not be the first library with a package of that name.
own_libraries <- function() {
  path <- getNamespaceInfo(topenv(), "path")
  installed <- file.exists(file.path(path, "Meta", "package.rds")) # not as pkgload has it
  c(if (installed) dirname(path), .libPaths())
}

# The first package called pool in these libraries, if it is not this one: its title,
# with its path as name. Else NULL.
namesake <- function(libraries = .libPaths()) {
  found <- file.path(libraries, "pool")
  found <- found[file.exists(file.path(found, "DESCRIPTION"))]
  if (length(found) == 0L || is_ours(found[[1L]])) {
    return(NULL)
  }
  title <- tryCatch(
    read.dcf(file.path(found[[1L]], "DESCRIPTION"), "Title")[[1L]],
    error = function(e) NA_character_
  )
  stats::setNames(title, found[[1L]])
}

# This package, in whatever version.
is_ours <- function(path) {
  exports <- tryCatch(
    suppressWarnings(readLines(file.path(path, "NAMESPACE"))), error = function(e) character()
  )
  any(grepl("^ *export[(](.*, *)?init_pool\\b", exports))
}

# Names of global variables that are pools of connections: when this package is loaded
# they have lost theirs, and with it the functions that they are made of. Nothing is
# evaluated for that, no promise and no active binding.
foreign_pools <- function() {
  names <- ls(globalenv(), all.names = TRUE, sorted = FALSE)
  values <- .Call(C_template_globals, names)
  is_environment <- vapply(values, typeof, "") == "environment"
  is_foreign <- vapply(values[is_environment], function(x) {
    identical(attr(x, "class", exact = TRUE), c("Pool", "R6"))
  }, NA)
  sort(names[is_environment][is_foreign])
}
