# What becomes of a loop's results: errors as `.errorhandling` has them, then `.combine`.

# results: a list of values, and of conditions where there is none. loop: as of
# foreach_loop().
foreach_finish <- function(loop, results, expr) {
  obj <- loop$obj
  failed <- vapply(results, inherits, NA, "pool_error")
  errors <- results[failed]
  results[failed] <- lapply(errors, original_condition)
  if (!identical(class(obj), "foreach") || obj$verbose) {
    return(finish_nested(loop, results, errors, expr))
  }
  bad <- logical()
  if (obj$errorHandling != "pass") {
    bad <- vapply(results, inherits, NA, "error")
    if (any(bad) && obj$errorHandling == "stop") {
      first <- which(bad)[[1L]]
      stop_foreach(first, results[[first]], errors, results, expr)
    }
  }
  value <- combined(obj, results, bad)
  final <- obj$combineInfo$final
  if (is.null(final)) value else final(value)
}

# A task's own condition; what there is instead where its node died.
original_condition <- function(e) {
  own <- inherits(e, c("pool_task_error", "pool_job_task_error"))
  if (own && inherits(e$parent, "condition")) e$parent else e
}

# Loops in loops, and filtered ones: by foreach itself, which knows their structure.
finish_nested <- function(loop, results, errors, expr) {
  iterator <- loop$iterator
  tryCatch(
    foreach::makeAccum(iterator)(results, seq_along(results)),
    error = function(e) stop_combine(e, results)
  )
  first <- foreach::getErrorValue(iterator)
  if (identical(loop$obj$errorHandling, "stop") && !is.null(first)) {
    stop_foreach(foreach::getErrorIndex(iterator), first, errors, results, expr)
  }
  foreach::getResult(iterator)
}

# The calls of `.combine` are those that foreach makes, in the same order, and with the
# same names for what they are given, which cbind() and rbind() show; foreach itself
# takes ten times as long. bad: of each result, whether it is left out.
combined <- function(obj, results, bad) {
  info <- obj$combineInfo
  if (is_list_combine(info$fun)) {
    return(if (any(bad)) results[!bad] else results)
  }
  n <- length(results)
  names(results) <- sprintf("result.%d", seq_len(n))
  state <- list2env(results, parent = emptyenv())
  state$fun <- info$fun
  state$accum <- if (info$has.init) eval(info$init, list(), obj$evalenv)
  symbols <- lapply(names(results), as.name)
  first <- !info$has.init
  at <- 0L
  while (at < n) {
    block <- at + seq_len(min(n - at, info$max.combine - !first))
    at <- at + length(block)
    args <- symbols[if (any(bad)) block[!bad[block]] else block]
    if (length(args)) {
      call <- if (first && length(args) == 1L) {
        args[[1L]]
      } else {
        as.call(c(quote(fun), if (!first) quote(accum), args))
      }
      state$accum <- tryCatch(eval(call, state), error = function(e) stop_combine(e, results))
      first <- FALSE
    }
  }
  state$accum
}

# foreach does not export what it combines to a list with.
is_list_combine <- function(fun) {
  identical(fun, foreach::foreach(i = 1)$combineInfo$fun)
}
