# Arguments, checked before any work.

max_nodes <- 1000L

# What was given, in a word or two.
given <- function(x) {
  if (holds_secret(x)) {
    return(given_kind(x))
  }
  text <- paste(deparse(x, nlines = 2L, width.cutoff = 60L), collapse = " ")
  if (nchar(text) > 60L) paste0(substr(text, 1L, 57L), "...") else text
}

check_size <- function(size) {
  if (is.character(size)) {
    stop_input("size", size, "'size' must be a number of nodes, not ",
      given(size), ": a pool lives on this machine, on no other host"
    )
  }
  if (!is.numeric(size) || length(size) != 1L || is.na(size) || size < 1 ||
    size != trunc(size) || size > max_nodes) {
    stop_input("size", size, "'size' must be a whole number from 1 to ",
      max_nodes, ", not ", given(size)
    )
  }
  as.integer(size)
}

# like_if: a number counts as one, too.
check_flag <- function(x, argument, like_if = FALSE) {
  if (!(is.logical(x) || like_if && is.numeric(x)) || length(x) != 1L ||
    is.na(x)) {
    stop_input(argument, x, "'", argument, "' must be TRUE or FALSE, not ",
      given(x)
    )
  }
  as.logical(x)
}

check_number <- function(x, argument, least) {
  if (!is.numeric(x) || length(x) != 1L || is.na(x) || x < least) {
    stop_input(argument, x, "'", argument, "' must be a number of at least ",
      least, ", not ", given(x)
    )
  }
  x
}

check_strings <- function(x, argument, n = NULL) {
  if (missing(x)) {
    stop_missing(argument)
  }
  if (!is.character(x) || anyNA(x) || !is.null(n) && length(x) != n) {
    stop_input(argument, x, "'", argument, "' must be ",
      if (identical(n, 1L)) "a string" else "a character vector", ", not ",
      given(x)
    )
  }
  x
}

# What is sent somewhere has to be valid in its encoding; a path need not.
check_text <- function(x, argument, n = NULL) {
  if (!all(validEnc(as.vector(check_strings(x, argument, n))))) {
    stop_input(argument, x, "'", argument, "' is not valid text: ", given(x))
  }
  x
}

# Where strings are valid text, and match: R's own functions fail at others.
matches <- function(pattern, x) {
  x <- as.vector(x)
  ok <- validEnc(x)
  ok[ok] <- grepl(pattern, x[ok], perl = TRUE)
  ok
}

# Names in any form that a loop over them takes.
check_names <- function(x, argument) {
  if (is.factor(x)) {
    x <- as.character(x)
  }
  if (is.list(x) && all(vapply(x, is.character, NA) & lengths(x) == 1L)) {
    x <- as.character(x)
  }
  if (is.null(x)) character() else check_strings(x, argument)
}

# A function, or the name of one, to be looked up on the nodes.
check_function <- function(fun, argument) {
  if (!is.function(fun) && !is.symbol(fun) &&
    !(is.character(fun) && length(fun) == 1L && !is.na(fun))) {
    stop_input(argument, fun, "'", argument,
      "' must be a function or the name of one, not ", given(fun)
    )
  }
  if (is.symbol(fun)) as.character(fun) else fun
}

# As match.fun() in the function that calls this one, for its caller's sake.
find_function <- function(fun, argument, envir) {
  fun <- check_function(fun, argument)
  if (is.function(fun)) {
    return(fun)
  }
  tryCatch(
    get(fun, envir = envir, mode = "function"),
    error = function(e) stop_input(argument, fun, conditionMessage(e))
  )
}

# An error in preparing the input is one of the input.
as_input <- function(argument, value, code) {
  force(value)
  tryCatch(code, error = function(e) {
    stop_input(argument, value, conditionMessage(e))
  })
}

check_scheduling <- function(.scheduling) {
  as_input(".scheduling", .scheduling,
    match.arg(.scheduling, c("static", "dynamic"))
  )
}

check_chunk_size <- function(chunk.size) {
  if (!is.null(chunk.size) && (!(is.numeric(chunk.size) || is.logical(chunk.size)) ||
    length(chunk.size) != 1L || is.na(chunk.size))) {
    stop_input("chunk.size", chunk.size,
      "'chunk.size' must be NULL or a number, not ", given(chunk.size)
    )
  }
  chunk.size
}

# makeCluster()'s arguments: what is honoured, with its defaults; what has
# nothing left to do on one machine; what asks for another machine.
cluster_accepted <- c(
  "port", "homogeneous", "useXDR", "methods", "setup_strategy", "timeout"
)
cluster_remote <- c("master", "user", "rshcmd", "manual")

cluster_defaults <- function() {
  list(
    type = NULL, outfile = "/dev/null", renice = NA_integer_,
    setup_timeout = 120, rscript = file.path(R.home("bin"), "Rscript"),
    rscript_args = character(), rscript_envs = character()
  )
}

# dots: the arguments as expressions, for where they are not to be evaluated.
check_cluster_names <- function(dots) {
  names <- names(dots)
  if (length(dots) > 0L && (is.null(names) || !all(nzchar(names)))) {
    stop_input("...", dots, "arguments in '...' must be named, not ",
      paste(vapply(dots, given, ""), collapse = ", ")
    )
  }
  for (name in names) {
    if (name %in% cluster_remote) {
      stop_input(name, dots[[name]], "'", name,
        "' is of no use: a pool lives on this machine, on no other host"
      )
    }
    if (!name %in% c(names(cluster_defaults()), cluster_accepted)) {
      stop_input(name, dots[[name]], "unknown argument '", name,
        "': init_pool() has none of that name"
      )
    }
  }
}

check_cluster_options <- function(given_options) {
  options <- cluster_defaults()
  chosen <- intersect(names(given_options), names(options))
  options[chosen] <- given_options[chosen]
  check_cluster_values(options)
}

check_cluster_values <- function(options) {
  options$type <- if (is.null(options$type)) {
    default_type()
  } else {
    check_type(options$type)
  }
  options$transport <- check_transport(getOption("pool.transport", "memory"))
  if (is.null(options$outfile)) {
    options$outfile <- "" # as parallel documents it
  }
  check_strings(options$outfile, "outfile", 1L)
  options$outfile <- check_outfile(options$outfile)
  options$renice <- check_renice(options$renice)
  if (check_number(options$setup_timeout, "setup_timeout", 0) == 0) {
    stop_input("setup_timeout", 0, "'setup_timeout' must be more than 0 seconds")
  }
  options$rscript <- check_program(options$rscript, "rscript")
  check_strings(options$rscript_args, "rscript_args")
  check_strings(options$rscript_envs, "rscript_envs")
  options
}

check_renice <- function(x) {
  whole <- is.numeric(x) && length(x) == 1L && !is.na(x) && x == trunc(x)
  if (!(length(x) == 1L && is.atomic(x) && is.na(x)) &&
    !(whole && abs(x) <= 40)) {
    stop_input("renice", x, "'renice' must be NA or a whole number, a step of ",
      "niceness, not ", given(x)
    )
  }
  as.integer(x)
}

# Where output goes stays the same file, wherever the session's directory is by
# then.
check_outfile <- function(x) {
  if (x == "") {
    return(x)
  }
  path <- file.path(
    normalizePath(dirname(path.expand(x)), mustWork = FALSE), basename(x)
  )
  there <- file.exists(path)
  if (dir.exists(path) || file.access(if (there) path else dirname(path), 2L) != 0L) {
    stop_input("outfile", x, "'outfile' must be a file that can be written to, ",
      "or \"\", not ", given(x)
    )
  }
  path
}

# The path of a program that can be run. (Sys.which() would start a process.)
check_program <- function(x, argument) {
  x <- path.expand(check_strings(x, argument, 1L))
  paths <- if (grepl("/", x, fixed = TRUE)) {
    x
  } else {
    file.path(strsplit(Sys.getenv("PATH"), ":", fixed = TRUE)[[1L]], x)
  }
  runs <- paths[file.access(paths, 1L) == 0L & !dir.exists(paths)]
  if (length(runs) == 0L) {
    stop_input(argument, x, "'", argument, "' is not a program: ", given(x))
  }
  runs[[1L]]
}

check_type <- function(type, argument = "type") {
  check_strings(type, argument, 1L)
  switch(type,
    FORK = "FORK",
    PSOCK = ,
    SOCK = "PSOCK",
    stop_input(argument, type, "'", argument, "' must be \"FORK\" or \"PSOCK\", not ",
      given(type)
    )
  )
}

check_transport <- function(transport) {
  check_strings(transport, "options(pool.transport)", 1L)
  if (!transport %in% c("memory", "socket")) {
    stop_input("options(pool.transport)", transport,
      "'options(pool.transport)' must be \"memory\" or \"socket\", not ",
      given(transport)
    )
  }
  transport
}
