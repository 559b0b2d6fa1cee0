# What all nodes were told since init_pool(), for those that replace them: the
# last value of every exported name, and each distinct pool_evalq() expression,
# in order. Entries are lists of names (or NULL), expression and the reference
# that C goes by.

setup_export <- function(names, reference) {
  keep <- function(entry) {
    is.null(entry$names) || !all(entry$names %in% names)
  }
  the$setup <- Filter(keep, the$setup)
  setup_add(list(names = names, reference = reference))
}

setup_evalq <- function(expression, reference) {
  same <- function(entry) {
    is.null(entry$names) && identical(entry$expression, expression)
  }
  if (!any(vapply(the$setup, same, NA))) {
    setup_add(list(expression = expression, reference = reference))
  }
}

setup_add <- function(entry) {
  most <- getOption("pool.log_max", 1000L)
  if (length(the$setup) >= most) {
    if (!isTRUE(the$setup_full)) {
      the$setup_full <- TRUE
      warning("more than ", most, " things were told to all nodes: one that ",
        "has to be replaced will lack the later ones (see options ",
        "'pool.log_max')",
        call. = FALSE
      )
    }
    return(invisible())
  }
  the$setup <- c(the$setup, list(entry))
  .Call(C_pool_setup, pool_handle(), lapply(the$setup, `[[`, "reference"))
}
