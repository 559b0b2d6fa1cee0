# What is made known to other packages once they are loaded, if they have it: older ones do
# not, and a method of NAMESPACE for a function that is not there is an error.

# By package, functions of it and the classes that there are methods for.
foreign_methods <- list(
  future = c(
    launchFuture = "PoolFutureBackend", interruptFuture = "PoolFutureBackend",
    stopWorkers = "PoolFutureBackend", nbrOfWorkers = "PoolFutureBackend",
    nbrOfFreeWorkers = "PoolFutureBackend", listFutures = "PoolFutureBackend",
    resolved = "PoolFuture", result = "PoolFuture", getFutureBackendConfigs = "PoolFuture"
  ),
  parallelly = c(isNodeAlive = "pool_node", killNode = "pool_node", cloneNode = "pool_node")
)

# Now, where it is loaded, and whenever it is.
register_all <- function() {
  for (package in names(foreign_methods)) {
    register_when_loaded(package, register_methods)
  }
  register_when_loaded("parallel", register_cluster_type)
}

register_when_loaded <- function(package, register) {
  if (isNamespaceLoaded(package)) {
    register(package)
  }
  setHook(packageEvent(package, "onLoad"), register)
}

# ...: what hooks are called with besides.
register_methods <- function(package, ...) {
  methods <- foreign_methods[[package]]
  namespace <- asNamespace(package)
  for (generic in names(methods)) {
    if (is.function(get0(generic, envir = namespace, inherits = FALSE))) {
      method <- get(paste0(generic, ".", methods[[generic]]), envir = topenv())
      registerS3method(generic, methods[[generic]], method, envir = namespace)
    }
  }
}

# makeCluster(type = "POOL"), of R 4.5 and later.
register_cluster_type <- function(package, ...) {
  namespace <- asNamespace(package)
  if ("registerClusterType" %in% getNamespaceExports(namespace)) {
    # R warns where it is registered already, as after a reload.
    suppressWarnings(namespace$registerClusterType("POOL", make_pool_cluster))
  }
}

make_pool_cluster <- function(spec = 10, ...) {
  init_pool(spec, ...)
  pool_cluster()
}
