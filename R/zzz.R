# What the package remembers between calls. In a node all of it is empty.
the <- new.env(parent = emptyenv())
the$handle <- NULL # external pointer to the pool, or NULL
the$clusters <- new.env(parent = emptyenv()) # see cluster-open.R

.onLoad <- function(libname, pkgname) {
  namespace <- topenv()
  .Call(C_load, namespace)
  # Functions are loaded when they are first used: what nodes use now, or every
  # template would do it anew.
  lapply(ls(namespace, pattern = "^node_"), get, namespace)
  promise_foreach(namespace)
  register_when_loaded("AzureStor", register_print)
  register_all()
  if (length(found <- foreign_pools()) > 0L) {
    warn_foreign(found)
  }
}

.onAttach <- function(libname, pkgname) {
  if (!is.null(other <- namesake())) {
    tell_namesake(other)
  }
}

.onUnload <- function(libpath) {
  delete_quietly()
  # Large vectors live on, and with them finalizers that are in the library: it
  # is left loaded while there are any.
  if (!.Call(C_vector_mapped)) {
    the$http <- NULL
    gc() # what was deleted has one too
    library.dynam.unload("pool", libpath)
  }
}

#' A pool of background R processes
#'
#' See [init_pool()] for the pool, [pool_apply] for work on it, [pool_conditions] for the
#' errors, [pool_trace()] and [pool_status()] to look at it, [storage_endpoint()] for Azure
#' Storage, [threadpool] and [foreach_jobs] for work that outlives the session, and [queue]
#' for queues on disk. `vignette("pool")` begins at the beginning.
#'
#' @section Which pool this is: CRAN has another package of this name, of the authors of
#'   shiny, for pools of database connections: `dbPool()`, `poolCheckout()`,
#'   `poolWithTransaction()`. The two have nothing in common but the name. This one has
#'   `init_pool()`, `pool_lapply()` and their like, and knows no databases.
#'
#'   R goes by names alone, so
#'   - a library can have only one of them: to install the one replaces the other, without
#'     a question. Who needs both gives each a library of its own:
#'     `install.packages("pool", lib = "~/R/connections")`;
#'   - `library(pool)` takes the one in the first of [.libPaths()] that has one, and
#'     `library(pool, lib.loc = "~/R/connections")` the one there;
#'   - a session can have only one of them, and so can a package or an app: where the other
#'     one is attached, `library(pool)` does nothing, and `init_pool()` is not found.
#'     Packages that import from the one cannot be loaded beside the other. Run them in
#'     sessions of their own, with callr for instance.
#'
#'   `"init_pool" %in% getNamespaceExports("pool")` tells which one a session has.
#'
#'   When this package is loaded where the other was, whose pools are still about, a warning
#'   (of class `pool_name_warning`) names them: they will fail. When it is attached while
#'   `library(pool)` in a new R process would give the other one, a message says so. Nodes,
#'   also those of `init_pool(type = "PSOCK")`, always have the package of their session.
#'
#' @aliases pool
#' @examples
#' init_pool(2)
#' pool_sapply(1:4, function(x) x^2)
#' delete_pool()
#' @useDynLib pool, .registration = TRUE
#' @keywords internal
"_PACKAGE"
