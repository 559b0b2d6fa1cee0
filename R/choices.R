# What a user may choose about a call: how long, how often, at random, what becomes
# of errors, and whether to be shown how far it is.

# limits, for C: seconds that an element may take, how often it is run again,
# whether the first failure ends the call, seconds between news of progress. node,
# for the nodes: NULL, or the first element's random seed, whether they are to tell
# since when an element runs, and whether to leave a claim at a failure. returns:
# conditions instead of an error.
choices <- function(timeout, retries, seed, on_error, progress = FALSE) {
  timeout <- check_timeout(timeout)
  retries <- check_retries(retries)
  seed <- check_seed(seed)
  on_error <- check_on_error(on_error)
  progress <- check_flag(progress, ".progress")
  stops <- on_error == "stop"
  timed <- is.finite(timeout)
  list(
    limits = as.numeric(c(timeout, retries, stops, progress * progress_interval)),
    node = if (!is.null(seed) || timed || stops) {
      list(seed = seed, timed = timed, stops = stops)
    },
    returns = on_error == "return"
  )
}

# Where nothing is given (which functions know from the number of their
# arguments), and no option says anything: a short call would feel the checks.
no_choice <- list(limits = c(Inf, 2, 0, 0), node = NULL, returns = FALSE)

check_timeout <- function(x) {
  if (is.null(x)) {
    return(Inf)
  }
  if (!is.numeric(x) || length(x) != 1L || is.na(x) || x <= 0) {
    stop_input(".timeout", x, "'.timeout' must be a number of seconds, more than ",
      "0, not ", given(x)
    )
  }
  x
}

check_retries <- function(x) {
  if (!is.numeric(x) || length(x) != 1L || is.na(x) || x < 0 || x != trunc(x)) {
    stop_input(".retries", x, "'.retries' must be a whole number of at least 0, ",
      "not ", given(x)
    )
  }
  x
}

check_on_error <- function(x) {
  if (!is.character(x) || length(x) != 1L ||
    !x %in% c("finish", "stop", "return")) {
    stop_input(".on_error", x, "'.on_error' must be \"finish\", \"stop\" or ",
      "\"return\", not ", given(x)
    )
  }
  x
}
