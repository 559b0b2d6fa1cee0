# What all nodes were told since init_pool(), for those that replace them, in
# order. An entry is list(names, reference), of pool_export(), or
# list(expression, reference), of pool_evalq(); the reference is what C goes by.

setup_export <- function(names, reference) {
  setup_add(list(names = names, reference = reference))
}

setup_evalq <- function(expression, reference) {
  if (is.call(expression)) {
    expression <- utils::removeSource(expression) # it differs each time
  }
  setup_add(list(expression = expression, reference = reference))
}

setup_add <- function(entry) {
  log <- setup_prune(c(the$setup, list(entry)))
  most <- setup_most()
  if (length(log) > most) {
    if (is.null(the$setup_full)) {
      the$setup_full <- TRUE
      warning("a node that has to be replaced will lack ", setup_text(entry),
        ", and what else all nodes are told from now on: that is more than ",
        most, " things (option 'pool.log_max')",
        call. = FALSE
      )
    }
    return(invisible())
  }
  the$setup <- log
  .Call(C_pool_setup, pool_handle(), lapply(the$setup, `[[`, "reference"))
}

setup_most <- function() {
  check_number(getOption("pool.log_max", 1000L), "pool.log_max", 0)
}

setup_text <- function(entry) {
  if (is.null(entry$names)) {
    paste0("'", given(entry$expression), "'")
  } else {
    paste("the variable(s)", paste(entry$names, collapse = ", "))
  }
}

# What leads to the same state in fewer steps: of an expression that was
# evaluated again and again the first and the last time (what stands between may
# need the one, and what it left is from the other), of a variable that was
# exported again and again the values that some expression has seen, and the
# last.
setup_prune <- function(log) {
  n <- length(log)
  added <- log[[n]]
  keep <- rep(TRUE, n)
  if (is.null(added$names)) {
    same <- which(vapply(log, function(entry) {
      is.null(entry$names) && identical(entry$expression, added$expression)
    }, NA))
    keep[same[-c(1L, length(same))]] <- FALSE
  }
  exported <- character() # later on, before any expression
  for (i in rev(which(keep))) {
    names <- log[[i]]$names
    if (is.null(names)) {
      exported <- character()
    } else {
      keep[[i]] <- !all(names %in% exported)
      exported <- c(exported, names)
    }
  }
  log <- log[keep]
  n <- length(log)
  again <- n > 1L && is.null(added$names) && is.null(log[[n - 1L]]$names) &&
    identical(log[[n - 1L]]$expression, added$expression)
  if (again) log[-n] else log
}
