# What the package remembers between calls. In a node all of it is empty.
the <- new.env(parent = emptyenv())
the$handle <- NULL # external pointer to the pool, or NULL

.onLoad <- function(libname, pkgname) {
  namespace <- topenv()
  .Call(C_load, namespace)
  # Functions are loaded when they are first used: what nodes use now, or every
  # template would do it anew.
  lapply(ls(namespace, pattern = "^node_"), get, namespace)
  setHook(packageEvent("AzureStor", "onLoad"), register_print)
  if (isNamespaceLoaded("AzureStor")) {
    register_print()
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
#' See [init_pool()] for the pool, [pool_apply] for work on it, and
#' [pool_conditions] for the errors.
#'
#' @useDynLib pool, .registration = TRUE
#' @keywords internal
"_PACKAGE"
