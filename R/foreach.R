# The pool as a backend of foreach: %dopar% on its nodes.

#' foreach loops on the pool
#'
#' `registerDoPool()` makes the pool what runs `%dopar%`, with all that package foreach
#' has: `.combine`, `.init`, `.final`, `.multicombine`, `.packages`, `.export`,
#' `.noexport`, `.errorhandling`, `.inorder`, iterators, nesting with `%:%`, `when()`, and
#' doRNG on top of it. `registerDoAzureParallel()` is the same function by the name that
#' doAzureParallel has for it. [setCredentials()] registers too, where there is no other
#' backend.
#'
#' `foreach`, `%dopar%`, `%do%`, `%:%`, `when` and `times` are those of package foreach,
#' which is loaded when one of them is first used.
#'
#' A loop runs on the nodes that there are, in the session's working directory; where
#' there is no pool, one is made, as [init_pool()] makes it. The options of [pool_lapply()]
#' count: `pool.timeout`, `pool.retries`, `pool.seed`, `pool.progress`. With
#' `.options.azure`, and, once [setCredentials()] has been called, always, a loop is a
#' **job**: it is stored, has an id, and its results are kept: see [foreach_jobs].
#'
#' # What the nodes see
#' Of the variables that the loop's expression names, those that are there where the loop
#' is, in the functions around it, or in the global environment; of functions among them,
#' also what they name. (Other backends stop at the innermost function.) What is only
#' named in a string, as by `get("x")`, has to be in `.export`. An iteration has an
#' environment of its own: what it assigns is gone afterwards. The packages that are
#' attached in the session are attached on the nodes.
#'
#' In a node of the pool, `%dopar%` runs one iteration after the other, or on a pool that
#' the node has made for itself.
#'
#' # Deviations
#' An error of the `.combine` function is an error; other backends print it, and return
#' what was combined until then. Warnings and messages of the iterations are signalled
#' again in the session.
#'
#' @param cluster Nothing: the pool is what there is. (doAzureParallel has a cluster of
#'   Azure Batch here.)
#' @return `registerDoPool()`: `NULL`, invisibly. `foreach::getDoParWorkers()` is then
#'   [pool_size()]; it makes the pool where there is none.
#' @section Errors: `.errorhandling = "stop"`: after all iterations, a `pool_task_error`
#'   for the first that failed, whose message is that of other backends, and whose fields
#'   those of [pool_conditions]: `index`, `parent` (the condition itself), `traceback`,
#'   `errors`, `results`. `"pass"`: the conditions themselves are among the results.
#' @source Package foreach; its backends doParallel and doAzureParallel.
#' @seealso [foreach_jobs]
#' @examples
#' init_pool(2)
#' registerDoPool()
#' foreach(i = 1:3) %dopar% sqrt(i)
#' foreach(i = 1:4, .combine = "+") %:%
#'   foreach(j = 1:3, .combine = c) %dopar% (i * j)
#' foreach(x = list(1, "a"), .errorhandling = "remove") %dopar% (x + 1)
#' delete_pool()
#' @name pool_foreach
#' @aliases foreach %dopar% %do% %:% when times
#' @rawNamespace export("%:%", "%do%", "%dopar%", foreach, times, when)
#' @export
registerDoPool <- function() {
  foreach::setDoPar(foreach_backend, NULL, foreach_info)
  invisible(NULL)
}

#' @rdname pool_foreach
#' @export
registerDoAzureParallel <- function(cluster = NULL) registerDoPool()

# Called when the package is loaded: to load foreach takes a third as long as to load
# all of pool, and few sessions need it. A promise that is exported stays one, and its
# value is foreach's own function, so neither masks the other.
foreach_verbs <- c("foreach", "%dopar%", "%do%", "%:%", "when", "times")

promise_foreach <- function(namespace) {
  for (verb in foreach_verbs) {
    promise_one(verb, namespace)
  }
}

promise_one <- function(verb, namespace) {
  force(verb)
  delayedAssign(verb, getExportedValue("foreach", verb), assign.env = namespace)
}

foreach_info <- function(data, item) {
  switch(item,
    workers = foreach_workers(),
    name = "doPool",
    version = getNamespaceVersion("pool")[[1L]]
  )
}

foreach_workers <- function() {
  if (in_node() && !pool_exists()) {
    return(1L)
  }
  foreach_pool()
  pool_size()
}

foreach_pool <- function() {
  if (!pool_exists()) {
    init_pool()
  }
}

# What foreach calls for `obj %dopar% expr` in `envir`.
foreach_backend <- function(obj, expr, envir, data) {
  if (!inherits(obj, "foreach")) {
    stop_input("obj", NULL, "what is on the left of %dopar% must be a foreach object, not ",
      given_kind(obj)
    )
  }
  # A loop in a task of a job is no job of its own, unless it is to be.
  inner <- is.null(the$credentials) || nzchar(Sys.getenv("AZ_BATCH_TASK_ID"))
  if (is.null(obj$options$azure) && inner) {
    foreach_now(obj, expr, envir)
  } else {
    foreach_job(obj, expr, envir)
  }
}

# On the pool, at once.
foreach_now <- function(obj, expr, envir) {
  check_packages(obj$packages)
  loop <- foreach_loop(obj)
  task <- foreach_task(obj, expr, envir)
  results <- if (in_node() && !pool_exists()) {
    foreach_here(loop, task)
  } else {
    foreach_pool()
    foreach_run(loop, task)
  }
  foreach_finish(loop, results, expr)
}

# ---- The iterations ----------------------------------------------------------

# Plain vectors are gone through by the pool itself: a list of n, columns (named, maybe
# none) and obj, whose arguments are evaluated. Everything else by its iterator, now:
# iterator, n, and elements, a list of named lists.
foreach_loop <- function(obj, most = Inf) {
  if (identical(class(obj), "foreach")) {
    values <- lapply(obj$args, eval, list(), obj$evalenv)
    if (all(vapply(values, is_plain, NA)) && !obj$verbose) {
      n <- min(lengths(values))
      return(list(n = n, columns = values[nzchar(obj$argnames)], obj = obj))
    }
    # To be evaluated once only.
    obj$args <- lapply(values, function(x) call("quote", x))
  }
  iterator <- iterators::iter(obj)
  elements <- drain(iterator, most)
  list(n = length(elements), elements = elements, iterator = iterator, obj = obj)
}

# At most one more than `most`.
drain <- function(iterator, most = Inf) {
  elements <- vector("list", min(64, most))
  n <- 0L
  tryCatch(
    while (n <= most) {
      element <- iterators::nextElem(iterator)
      n <- n + 1L
      if (n > length(elements)) {
        length(elements) <- 2L * length(elements)
      }
      elements[n] <- list(element)
    },
    error = function(e) {
      if (!identical(conditionMessage(e), "StopIteration")) {
        stop(e)
      }
    }
  )
  elements[seq_len(n)]
}

# ---- What is run -------------------------------------------------------------

# An environment, as what nodes note in it is for this loop only.
foreach_task <- function(obj, expr, envir) {
  list2env(list(
    expr = if (is.call(expr)) utils::removeSource(expr) else expr,
    home = exported_world(expr, envir, obj$argnames, obj$export, obj$noexport),
    packages = union(obj$packages, attached_since()),
    directory = getwd()
  ), parent = emptyenv())
}

# Packages that were attached since the nodes' template was taken.
attached_since <- function() {
  attached <- grep("^package:", search(), value = TRUE)
  sub("^package:", "", setdiff(attached, the$state$packages$search))
}

check_packages <- function(packages) {
  for (name in packages) {
    if (!length(find.package(name, quiet = TRUE))) {
      stop_input(".packages", name, "'.packages' names a package that is not installed: ",
        given(name)
      )
    }
  }
}

# The values, and the conditions of what failed.
foreach_run <- function(loop, task) {
  choice <- choices(getOption("pool.timeout", Inf), getOption("pool.retries", 2),
    getOption("pool.seed"), "return", getOption("pool.progress", FALSE))
  results <- if (loop$n == 0L) {
    list()
  } else if (length(loop$columns)) {
    run_call(CALL_MAP, node_foreach, list(.foreach = task), loop$columns, loop$n,
      choice = choice)
  } else {
    elements <- if (is.null(loop$elements)) logical(loop$n) else loop$elements
    run_call(CALL_LAPPLY, node_foreach_list, list(task), elements, loop$n, choice = choice)
  }
  results
}

# One after the other, in this process.
foreach_here <- function(loop, task) {
  here <- function(args) {
    tryCatch(node_foreach_list(args, task), error = identity)
  }
  elements <- loop$elements
  if (is.null(elements)) {
    elements <- lapply(seq_len(loop$n), function(i) lapply(loop$columns, `[[`, i))
  }
  lapply(elements, here)
}

# On a node: one iteration. foreach takes no variable with a dot in front.
node_foreach <- function(..., .foreach) {
  node_foreach_list(list(...), .foreach)
}

node_foreach_list <- function(args, task) {
  if (is.null(task$ready)) {
    node_foreach_ready(task)
  }
  loop_value(task$expr, list2env(if (is.list(args)) args else list(), parent = task$home))
}

# The frame that an iteration is called from, which tracebacks are cut at.
loop_value <- function(expr, envir) eval(expr, envir)

# Before the first iteration of a loop.
node_foreach_ready <- function(task) {
  setwd(task$directory)
  for (name in task$packages) {
    suppressPackageStartupMessages(attach_package(name))
  }
  node_foreach_nested()
  task$ready <- TRUE
}

# A loop in this one would warn that there is no backend.
node_foreach_nested <- function() {
  if (isNamespaceLoaded("foreach")) {
    register_unasked()
  } else if (is.null(the$hook)) {
    the$hook <- TRUE
    setHook(packageEvent("foreach", "onLoad"), register_unasked)
  }
}

# Where there is no other backend. Its namespace may be on its way to be loaded, when it
# has no exports yet.
register_unasked <- function(...) {
  namespace <- asNamespace("foreach")
  if (!get("getDoParRegistered", namespace)()) {
    get("setDoPar", namespace)(foreach_backend, NULL, foreach_info)
  }
}
