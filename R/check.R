# Arguments, checked before any work.

max_nodes <- 1000L

# What was given, in a word or two.
given <- function(x) {
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

check_flag <- function(x, argument) {
  if (!is.logical(x) || length(x) != 1L || is.na(x)) {
    stop_input(argument, x, "'", argument, "' must be TRUE or FALSE, not ",
      given(x)
    )
  }
  x
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
  if (!is.character(x) || anyNA(x) || !is.null(n) && length(x) != n) {
    stop_input(argument, x, "'", argument, "' must be ",
      if (identical(n, 1L)) "a string" else "a character vector", ", not ",
      given(x)
    )
  }
  x
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
as_input <- function(argument, code) {
  tryCatch(code, error = function(e) {
    stop_input(argument, NULL, conditionMessage(e))
  })
}

check_scheduling <- function(.scheduling) {
  force(.scheduling)
  as_input(".scheduling", match.arg(.scheduling, c("static", "dynamic")))
}

check_chunk_size <- function(chunk.size) {
  if (!is.null(chunk.size) && (!is.numeric(chunk.size) ||
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

check_cluster_options <- function(given_options) {
  options <- cluster_defaults()
  names <- names(given_options)
  if (length(given_options) > 0L && (is.null(names) || !all(nzchar(names)))) {
    stop_input("...", given_options, "arguments in '...' must be named")
  }
  for (name in names) {
    if (name %in% cluster_remote) {
      stop_input(name, given_options[[name]], "'", name,
        "' is of no use: a pool lives on this machine, on no other host"
      )
    }
    if (!name %in% c(names(options), cluster_accepted)) {
      stop_input(name, given_options[[name]], "unknown argument '", name,
        "': neither init_pool() nor parallel::makeCluster() has it"
      )
    }
  }
  chosen <- intersect(names, names(options))
  options[chosen] <- given_options[chosen]
  check_cluster_values(options)
}

check_cluster_values <- function(options) {
  if (!is.null(options$type)) {
    options$type <- check_type(options$type)
  }
  if (is.null(options$outfile)) {
    options$outfile <- "" # as parallel documents it
  }
  check_strings(options$outfile, "outfile", 1L)
  if (!is.na(options$renice[1L])) {
    check_number(options$renice, "renice", -20)
  }
  options$renice <- as.integer(options$renice[1L])
  check_number(options$setup_timeout, "setup_timeout", 0)
  options$rscript <- check_program(options$rscript, "rscript")
  check_strings(options$rscript_args, "rscript_args")
  check_strings(options$rscript_envs, "rscript_envs")
  options
}

# The path of a program that can be run. (Sys.which() would start a process.)
check_program <- function(x, argument) {
  check_strings(x, argument, 1L)
  paths <- if (grepl("/", x, fixed = TRUE)) {
    x
  } else {
    file.path(strsplit(Sys.getenv("PATH"), ":", fixed = TRUE)[[1L]], x)
  }
  runs <- paths[file.access(paths, 1L) == 0L & !dir.exists(paths)]
  if (length(runs) == 0L) {
    stop_input(argument, x, "'", argument, "' is no program: ", x)
  }
  runs[[1L]]
}

check_type <- function(type) {
  check_strings(type, "type", 1L)
  switch(type,
    FORK = "FORK",
    PSOCK = ,
    SOCK = "PSOCK",
    stop_input("type", type, "'type' must be \"FORK\" or \"PSOCK\", not ",
      given(type)
    )
  )
}
