# What nodes share with the session besides memory: packages, options,
# environment variables, library paths, locale, working directory.

session_state <- function() {
  list(
    packages = list(loaded = loadedNamespaces(), search = search()),
    libraries = .libPaths(),
    environment = as.list(Sys.getenv()),
    locale = Sys.getlocale(),
    options = as.list(options()),
    directory = getwd()
  )
}

# Of a new state, what differs from the old one; names that are gone are there
# with value NULL.
state_changes <- function(new, old) {
  changed <- list()
  for (part in c("libraries", "locale", "directory")) {
    if (!identical(new[[part]], old[[part]])) {
      changed[[part]] <- new[[part]]
    }
  }
  for (part in c("environment", "options")) {
    if (!identical(new[[part]], old[[part]])) {
      names <- union(names(new[[part]]), names(old[[part]]))
      same <- vapply(names, function(name) {
        identical(new[[part]][[name]], old[[part]][[name]])
      }, NA)
      changed[[part]] <- sapply(names[!same], function(name) {
        new[[part]][[name]]
      }, simplify = FALSE)
    }
  }
  changed
}

# In the template: takes a state, or changes of one, over.
template_state <- function(state) {
  if (!is.null(state$libraries)) {
    .libPaths(state$libraries)
  }
  environment <- state$environment
  gone <- vapply(environment, is.null, NA)
  Sys.unsetenv(names(environment)[gone])
  if (!all(gone)) {
    do.call(Sys.setenv, environment[!gone])
  }
  if (!is.null(state$locale)) {
    set_locale(state$locale)
  }
  load_packages(state$packages)
  options(state$options)
  quiet_options()
  if (!is.null(state$directory)) {
    setwd(state$directory)
  }
}

set_locale <- function(locale) {
  if (!identical(locale, Sys.getlocale())) {
    # "LC_CTYPE=...;LC_NUMERIC=...", or one name for all
    for (part in strsplit(locale, ";", fixed = TRUE)[[1L]]) {
      pair <- strsplit(part, "=", fixed = TRUE)[[1L]]
      category <- if (length(pair) == 2L) pair[[1L]] else "LC_ALL"
      if (category %in% c("LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MONETARY",
        "LC_TIME", "LC_MESSAGES")) {
        Sys.setlocale(category, pair[[length(pair)]])
      }
    }
  }
}

# A package that the fresh R does not find is one that the session loaded from
# elsewhere: nodes go without it, and say so where their output goes.
load_packages <- function(packages) {
  for (name in rev(packages$loaded)) {
    tryCatch(suppressPackageStartupMessages(loadNamespace(name)), error = function(e) {
      message("not loaded: ", conditionMessage(e))
    })
  }
  attached <- grep("^package:", packages$search, value = TRUE)
  for (name in rev(setdiff(attached, search()))) {
    tryCatch(
      suppressPackageStartupMessages(attach_package(sub("^package:", "", name))),
      error = function(e) message("not attached: ", conditionMessage(e))
    )
  }
}

# library() would take another package called pool for a newer version, and unload this one.
attach_package <- function(name) {
  if (name != "pool") {
    library(name, character.only = TRUE, warn.conflicts = FALSE)
  } else if (!"package:pool" %in% search()) {
    attachNamespace(topenv())
  }
}

# Nobody is there to look at a node.
quiet_options <- function() {
  options(
    error = NULL, browserNLdisabled = TRUE, menu.graphics = FALSE,
    warning.expression = NULL
  )
}
