# What is said that is no error: how far a call is, and that there is another pool.

# A line about a call that takes long, where there is no terminal.
tell_progress <- function(text) {
  message(structure(
    class = c("pool_progress", "message", "condition"),
    list(message = paste0(text, "\n"), call = NULL)
  ))
}

# names: global variables that are pools of the other package called pool.
warn_foreign <- function(names) {
  one <- length(names) == 1L
  warning(structure(
    class = c("pool_name_warning", "warning", "condition"),
    list(call = NULL, names = names, message = paste0(
      paste0("'", names, "'", collapse = ", "), if (one) " is a pool" else " are pools",
      " of another package called pool, for database connections, which a session cannot have ",
      "beside this one: ", if (one) "it" else "they", " will not work any more. ",
      "Use the two in different sessions; see ?pool::`pool-package`"
    ))
  ))
}

# other: the title of another package called pool, its path as name.
tell_namesake <- function(other) {
  packageStartupMessage(
    "This is the pool of background processes, from ",
    dirname(getNamespaceInfo(topenv(), "path")),
    ". A new R process that calls library(pool) gets another package of that name (\"", other,
    "\"), from ", dirname(names(other)), ", unless its .libPaths() are changed; see ?pool"
  )
}
