# Work on the pool: the functions that mirror those of parallel.

#' Work on the pool
#'
#' `pool_lapply()`, `pool_sapply()` and `pool_map()` run a function for every
#' element, on whichever node is free next; `pool_call()` and `pool_evalq()` run
#' something once on every node; `pool_export()` copies variables into every
#' node's global environment. They have the arguments of, and give the same
#' values as, [parallel::parLapply()], [parallel::parSapply()],
#' [parallel::clusterMap()], [parallel::clusterCall()],
#' [parallel::clusterEvalQ()] and [parallel::clusterExport()].
#'
#' The function and its constant arguments travel once to every node that takes
#' part; elements follow in ranges whose size adapts to the time they take.
#' Vectors of a mebibyte or more, and of 65,536 strings or more, also
#' in lists and data frames, are shared: nodes and session map the same memory
#' until one of them writes to it. Elements that share a reference (an
#' environment) may share it on a node too, as in a chunk of `parallel`. An
#' error in one element does not keep the others from being run. Warnings and
#' messages are signalled again in the session; output goes where `outfile` of
#' [init_pool()] says. An element whose node dies is run again on another, up to
#' `.retries` times; then it is reported as lost. Of the elements that a node was
#' given together only the one that was running is charged with its death; the
#' others are run again.
#'
#' Ctrl-C ends a call within a second: tasks are interrupted (their `on.exit()`
#' code runs), and what has not left by then is killed, with the processes that it
#' has started, and replaced.
#'
#' @param X A vector, list or anything that [lapply()] takes.
#' @param fun,FUN A function, or its name: looked up on the nodes by
#'   `pool_lapply()`, `pool_map()` and `pool_call()`, in the session by
#'   `pool_sapply()`.
#' @param ... Further arguments of the function, the same for all elements; for
#'   `pool_map()`, the vectors to go through in parallel.
#' @param chunk.size A number: elements are shared out beforehand, in chunks of
#'   about that many, in turn to nodes 1, 2, ..., as `parallel` does it. `NULL`
#'   or 0: each goes to the next free node (a deviation from `parallel`'s
#'   default, which shares out beforehand).
#' @param simplify,USE.NAMES See [sapply()].
#' @param MoreArgs A list of further arguments of `fun`.
#' @param RECYCLE Whether shorter vectors are recycled; otherwise the shortest
#'   decides.
#' @param SIMPLIFY Whether to simplify the result, as [sapply()] does.
#' @param .scheduling `"static"`: element i runs on node i modulo the pool's
#'   size; `"dynamic"`, and what happens where it is not given (a deviation):
#'   on the next free one.
#' @param .timeout Seconds that each element may take, from the start of its
#'   evaluation; `Inf` or `NULL`: any time. One that takes longer is ended,
#'   together with its node (which is replaced), and is not run again.
#' @param .retries How often an element is run again whose node has died.
#' @param .seed Random numbers: element i draws from the i-th of L'Ecuyer's
#'   streams, so the results are the same for any size of the pool, any order and
#'   after any death. A whole number: the streams start from
#'   `set.seed(.seed, "L'Ecuyer-CMRG", "Inversion", "Rejection")`, and each next
#'   one is [parallel::nextRNGStream()]. A `.Random.seed` of that kind: that one
#'   is the first element's. `TRUE`: a number drawn from the session's
#'   generator. `NULL` or `FALSE`: nodes draw from generators of their own.
#'   Neither the session's generator (but for `TRUE`) nor the nodes' are changed.
#' @param .on_error What an error does, and an element that was lost or took too
#'   long: `"finish"`, the other elements are run, then the error is signalled;
#'   `"stop"`, what has not started is cancelled, then the error is signalled;
#'   `"return"`, the value has its condition in the element's place.
#' @param .progress `TRUE`: show how far the call is. In a terminal, by a bar of the
#'   package cli (after two seconds, or what its option `cli.progress_show_after` says);
#'   where output goes to a file or a pipe, by a message now and then (of class
#'   `pool_progress`, the first after ten seconds); in a document of knitr, not at all.
#'   Where progressr is loaded its conditions are signalled, and where one of its handlers
#'   shows them, that is all that is shown.
#' @param expr An expression, not evaluated in the session.
#' @param varlist Names of variables.
#' @param envir Where they are looked up, and in its parents.
#' @return `pool_lapply()`, `pool_map()`: a list as long as the input, names
#'   kept. `pool_sapply()`: a vector, matrix or array where that can be made of
#'   it. `pool_call()`, `pool_evalq()`: a list with the values of the nodes, in
#'   order. `pool_export()`: `NULL`, invisibly.
#' @section Errors: `pool_absent_error`, `pool_input_error`,
#'   `pool_serialize_error`, `pool_task_error`, `pool_worker_error`,
#'   `pool_timeout_error`; see [pool_conditions].
#' @source The functions of AzureRMR's pool and of `parallel`.
#' @examples
#' init_pool(2)
#' pool_lapply(1:3, function(i) i^2)
#' pool_sapply(c(a = 1, b = 2), sqrt)
#' pool_map(function(x, y) x + y, 1:5, 2)
#' pool_call(Sys.getpid)
#' pool_evalq(threshold <- 10)
#' x <- 1:3
#' pool_export("x", environment())
#' pool_evalq(sum(x) + threshold)
#' delete_pool()
#' @name pool_apply
NULL

#' @rdname pool_apply
#' @export
pool_lapply <- function(X, fun, ..., chunk.size = NULL,
                        .timeout = getOption("pool.timeout", Inf),
                        .retries = getOption("pool.retries", 2),
                        .seed = getOption("pool.seed"),
                        .on_error = getOption("pool.on_error", "finish"),
                        .progress = getOption("pool.progress", FALSE)) {
  pool_handle()
  fun <- check_function(fun, "fun")
  choice <- if (nargs() - ...length() == 2L && .Call(C_choice_none)) {
    no_choice
  } else {
    choices(.timeout, .retries, .seed, .on_error, .progress)
  }
  run_lapply(X, fun, list(...), chunk.size, choice)
}

#' @rdname pool_apply
#' @export
pool_sapply <- function(X, FUN, ..., simplify = TRUE, USE.NAMES = TRUE,
                        chunk.size = NULL,
                        .timeout = getOption("pool.timeout", Inf),
                        .retries = getOption("pool.retries", 2),
                        .seed = getOption("pool.seed"),
                        .on_error = getOption("pool.on_error", "finish"),
                        .progress = getOption("pool.progress", FALSE)) {
  pool_handle()
  FUN <- find_function(FUN, "FUN", parent.frame())
  USE.NAMES <- check_flag(USE.NAMES, "USE.NAMES", like_if = TRUE)
  choice <- if (nargs() - ...length() == 2L && .Call(C_choice_none)) {
    no_choice
  } else {
    choices(.timeout, .retries, .seed, .on_error, .progress)
  }
  answer <- run_lapply(as.list(X), FUN, list(...), chunk.size, choice,
    use = if (USE.NAMES && is.character(X)) X
  )
  if (USE.NAMES && is.character(X) && length(X) == 0L) {
    names(answer) <- X
  }
  simplified(answer, simplify, choice)
}

#' @rdname pool_apply
#' @export
pool_map <- function(fun, ..., MoreArgs = NULL, RECYCLE = TRUE,
                     SIMPLIFY = FALSE, USE.NAMES = TRUE,
                     .scheduling = c("static", "dynamic"),
                     .timeout = getOption("pool.timeout", Inf),
                     .retries = getOption("pool.retries", 2),
                     .seed = getOption("pool.seed"),
                     .on_error = getOption("pool.on_error", "finish"),
                     .progress = getOption("pool.progress", FALSE)) {
  pool_handle()
  fun <- check_function(fun, "fun")
  RECYCLE <- check_flag(RECYCLE, "RECYCLE", like_if = TRUE)
  USE.NAMES <- check_flag(USE.NAMES, "USE.NAMES", like_if = TRUE)
  choice <- if (nargs() - ...length() == 1L && .Call(C_choice_none)) {
    no_choice
  } else {
    choices(.timeout, .retries, .seed, .on_error, .progress)
  }
  static <- !missing(.scheduling) && check_scheduling(.scheduling) == "static"
  args <- list(...)
  n <- map_length(args, RECYCLE)
  input <- as_input("...", args, {
    if (RECYCLE && !all(lengths(args) == n)) {
      args <- lapply(args, rep, length.out = n)
    }
    list(
      columns = lapply(args, map_column, n),
      shell = map_shell(args[[1L]], n, USE.NAMES)
    )
  })
  answer <- input$shell
  if (n > 0L) {
    answer[] <- run_call(CALL_MAP, fun, as.list(MoreArgs), input$columns, n,
      if (static) as.numeric(0:n), names(answer), "elements",
      choice = choice
    )
  }
  simplified(answer, SIMPLIFY, choice)
}

#' @rdname pool_apply
#' @export
pool_call <- function(fun, ...,
                      .timeout = getOption("pool.timeout", Inf),
                      .retries = getOption("pool.retries", 2),
                      .seed = getOption("pool.seed"),
                      .on_error = getOption("pool.on_error", "finish"),
                      .progress = getOption("pool.progress", FALSE)) {
  pool_handle()
  fun <- check_function(fun, "fun")
  choice <- if (nargs() - ...length() == 1L && .Call(C_choice_none)) {
    no_choice
  } else {
    choices(.timeout, .retries, .seed, .on_error, .progress)
  }
  run_each(fun, list(...), choice = choice)
}

#' @rdname pool_apply
#' @export
pool_evalq <- function(expr) {
  pool_handle()
  if (missing(expr)) {
    stop_input("expr", quote(expr = ),
      "argument \"expr\" is missing, with no default"
    )
  }
  expression <- substitute(expr)
  run_each(eval, list(expression, globalenv()), function(reference) {
    setup_evalq(expression, reference)
  })
}

#' @rdname pool_apply
#' @export
pool_export <- function(varlist, envir = .GlobalEnv) {
  pool_handle()
  varlist <- check_names(varlist, "varlist")
  if (!is.environment(envir)) {
    stop_input("envir", envir, "'envir' must be an environment, not ",
      given(envir)
    )
  }
  values <- lapply(varlist, function(name) {
    tryCatch(
      get(name, envir = envir),
      error = function(e) stop_input("varlist", name, conditionMessage(e))
    )
  })
  if (length(varlist) > 0L) {
    run_each(node_assign, list(varlist, values), function(reference) {
      setup_export(varlist, reference)
    })
  }
  invisible(NULL)
}

# On a node: pool_export()'s variables into the global environment.
node_assign <- function(names, values) {
  names(values) <- names
  list2env(values, globalenv())
  NULL
}

# Conditions among the values are not taken apart.
simplified <- function(answer, simplify, choice) {
  if (isFALSE(simplify) ||
    choice$returns && any(vapply(answer, inherits, NA, "pool_error"))) {
    answer
  } else {
    simplify2array(answer, higher = (simplify == "array"))
  }
}

# use: what names the results where X has no names.
run_lapply <- function(X, fun, args, chunk.size, choice, use = NULL) {
  force(X) # an error of its own is not ours
  check_chunk_size(chunk.size)
  elements <- if (is_plain(X)) X else as_input("X", X, as_elements(X))
  n <- length(elements)
  starts <- if (!is.null(chunk.size) && chunk.size > 0 && n > 0L) {
    chunks <- max(1, ceiling(n / chunk.size))
    if (chunks > .Machine$integer.max) {
      stop_input("chunk.size", chunk.size, "'chunk.size' is too small: ",
        given(chunk.size)
      )
    }
    chunk_starts(n, chunks)
  }
  names <- names(elements)
  run_call(CALL_LAPPLY, fun, args, elements, n, starts,
    if (is.null(names)) use else names,
    choice = choice
  )
}
