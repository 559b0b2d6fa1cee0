# A job: what its manifest holds, and how it is made. What is done with one is in
# job-run.R and job-task.R, what comes of it in job-results.R.

# Of manifests; a newer one is not for this version of the package.
job_format <- 1L

# Values as they are stored. In the machine's own byte order, which the manifest names.
job_pack <- function(x) serialize(x, NULL, xdr = FALSE, version = 3L)
job_unpack <- function(bytes) unserialize(bytes)

# What a user may choose about a job, with what holds where he does not.
job_options <- list(
  chunk_size = 1, # values in a task, for those who made it so
  max_tries = 3, # nodes that may die of a task
  timeout = Inf, # seconds a task may take
  error_handling = "stop",
  auto_delete = FALSE,
  output_files = NULL, # as of stored_outputs()
  seed = NULL, # a .Random.seed that check_seed() has made
  workers = NULL,
  combine = NULL
)

# Makes a job: it is open then, by this process. kind: "lapply", "threadpool" or
# "foreach"; fun(value of a task, args...) is what all of them run; with "foreach" each
# task has a working directory and environment variables of its own. tasks: a list of
# values, or vector. names: of the results. globals, packages: what fun needs, where the
# caller knows better; else they are found.
job_new <- function(store, id, kind, fun, args = list(), tasks = list(), options = list(),
                    names = base::names(tasks), globals = NULL, packages = NULL) {
  force(names)
  tasks <- unname(as.list(tasks))
  refuse_secrets(tasks, "a task")
  manifest <- job_manifest_new(kind, fun, args, options, names, globals, packages)
  store_create_job(store, id, job_pack(manifest), lapply(tasks, job_pack))
}

job_manifest_new <- function(kind, fun, args, options, names, globals, packages) {
  needs <- find_needs(c(list(fun), Filter(is.function, args)), globals)
  refuse_secrets(list(fun), "the function")
  refuse_secrets(args, "an argument")
  refuse_secrets(needs$globals, "the function")
  all <- job_options
  all[base::names(options)] <- options
  list(
    version = job_format, kind = kind, fun = without_srcref(fun), args = args,
    globals = lapply(needs$globals, without_srcref),
    packages = if (is.null(packages)) attached_packages() else packages,
    needs = needs$packages,
    names = names, options = all, created = Sys.time(),
    endian = .Platform$endian, r_version = as.character(getRversion()),
    pool_version = as.character(utils::packageVersion("pool"))
  )
}

# The manifest of an open job, looked at: it may be anybody's.
job_read_manifest <- function(job) {
  manifest <- tryCatch(job_unpack(job_manifest(job)), error = function(e) {
    if (inherits(e, "pool_error")) stop(e)
    stop_job_corrupt(job$id, paste("its manifest cannot be read:", conditionMessage(e)))
  })
  version <- if (is.list(manifest)) manifest$version
  if (!is.numeric(version) || length(version) != 1L || is.na(version)) {
    stop_job_format(job$id, "it has no manifest of this package")
  }
  if (version > job_format) {
    stop_job_format(job$id, paste0(
      "it was made by version ", manifest$pool_version, " of the package, ",
      "which this one, ", utils::packageVersion("pool"), ", is too old for"
    ))
  }
  if (!identical(manifest$endian, .Platform$endian)) {
    stop_job_format(job$id, "it was made on a machine of the other byte order")
  }
  if (!is.function(manifest$fun) || !is.list(manifest$args) || !is.list(manifest$options)) {
    stop_job_corrupt(job$id, "its manifest is not whole")
  }
  manifest
}

# ---- what a function needs ----

# list(globals, packages): the objects that these functions, and those they call, find
# in the global environment, or in what is attached and no package; the packages they
# use. Their own environments go with them. globals: those, if they are known already.
find_needs <- function(functions, globals = NULL) {
  found <- lapply(functions, function(f) if (!is.primitive(f)) globals_of(f))
  values <- packages <- list()
  for (part in found) {
    values[names(part$globals)] <- part$globals
    packages <- c(packages, part$packages)
  }
  list(
    globals = if (is.null(globals)) values else as.list(globals),
    packages = setdiff(unlist(packages), own_packages)
  )
}

globals_of <- function(f) {
  env <- environment(f)
  found <- globals::globalsOf(f, envir = env, mustExist = FALSE, recursive = TRUE)
  where <- attr(found, "where")
  shared <- vapply(where, is_shared_env, NA)
  packages <- unlist(lapply(where, package_of))
  list(
    globals = unclass(found)[shared],
    packages = unique(c(packages, package_of(topenv(env))))
  )
}

# One that a function does not take along when it is serialized, and that is not there
# in another session either.
is_shared_env <- function(env) {
  identical(env, globalenv()) || is.environment(env) && !isNamespace(env) &&
    !is.null(name <- attr(env, "name")) && !grepl("^(package:|tools:|Autoloads)", name)
}

package_of <- function(env) {
  if (is.null(env) || identical(env, globalenv()) || identical(env, emptyenv())) {
    return(NULL)
  }
  if (isNamespace(env)) {
    return(getNamespaceName(env)[[1L]])
  }
  name <- attr(env, "name")
  if (!is.null(name) && startsWith(name, "package:")) sub("^package:", "", name)
}

# Every R has these.
own_packages <- c("base", "compiler", "datasets", "graphics", "grDevices", "grid", "methods",
  "parallel", "splines", "stats", "stats4", "tcltk", "tools", "utils", "pool"
)

# Those that were attached to begin with are elsewhere, too; the first one is to be
# attached first.
attached_packages <- function() {
  names <- sub("^package:", "", grep("^package:", search(), value = TRUE))
  rev(setdiff(names, c("base", "datasets", "graphics", "grDevices", "methods", "stats", "utils")))
}

# The text that a function was read from is of no use to tasks.
without_srcref <- function(f) {
  plain <- is.function(f) && identical(names(attributes(f)), "srcref")
  if (plain) utils::removeSource(f) else f
}

# A job is stored in plain form, and keys are not.
refuse_secrets <- function(values, what) {
  bad <- vapply(values, carries_secret, NA)
  if (any(bad)) {
    name <- names(values)[bad]
    stop_input(what, NULL, what, if (any(nzchar(name))) paste0(" uses '", name[[1L]], "', which"),
      " holds an endpoint with a key or a token, maybe in the environment of a function, and ",
      "these are not stored in jobs: make it in the task"
    )
  }
}
