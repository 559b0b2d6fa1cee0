# What an expression needs of the session, as environments that can be sent: those
# that it sees, from the innermost to the global one, each with only the variables that
# it, and the functions it names, name. So a name means on a node what it means here,
# also where two functions have variables of the same name, and nothing else of a
# frame goes along.

# The environment for `expr`, which is in `envir`, to be evaluated in. own: variables that
# it will have there itself; export, noexport: names, as foreach has them; check: NULL, or
# a function of the name and the value of each.
exported_world <- function(expr, envir, own = NULL, export = NULL, noexport = NULL,
                           check = NULL) {
  world <- list2env(list(from = list(), to = list(), noexport = noexport, check = check))
  names <- all.names(expr, unique = TRUE)
  world$dots <- any(grepl("^[.]{3}(length|elt|names)?$|^[.]{2}[0-9]+$", names))
  home <- copy_of(world, envir)
  world_add(world, setdiff(names, own), envir)
  world$noexport <- NULL
  world_export(world, unique(export), envir, home)
  home
}

# Those named in `.export`, wherever they are found.
world_export <- function(world, names, envir, home) {
  for (name in names) {
    if (!exists(name, envir)) {
      stop_input(".export", name, "'.export' names a variable that there is not: ",
        given(name)
      )
    }
    world_add(world, name, envir)
    if (!exists(name, home, inherits = FALSE) && !exists(name, home)) {
      world_assign(world, name, get(name, envir), home)
    }
  }
}

# The names, as `envir` sees them, into the copies of where they are.
world_add <- function(world, names, envir) {
  names <- setdiff(names, c(world$noexport, never_exported))
  hidden <- character() # by what is no function: one that is called is seen behind it
  while ((length(names) || length(hidden)) && !is_fixed(envir)) {
    here <- names[vapply(names, exists, NA, envir, inherits = FALSE)]
    behind <- hidden[vapply(hidden, exists, NA, envir, mode = "function", inherits = FALSE)]
    copy <- copy_of(world, envir)
    called <- vapply(c(here, behind), function(name) {
      world_bind(world, name, envir, copy)
    }, NA)
    names <- setdiff(names, here)
    hidden <- setdiff(c(hidden, here), names(called)[called])
    if (identical(envir, globalenv())) {
      break
    }
    envir <- parent.env(envir)
  }
}

# `...` is in the copy already; the state of the random numbers is each node's own.
never_exported <- c("", "...", ".Random.seed")

# TRUE for a function.
world_bind <- function(world, name, envir, copy) {
  if (exists(name, copy, inherits = FALSE)) {
    return(is.function(get(name, copy, inherits = FALSE)))
  }
  # An argument that was not given has no value; nor has a promise that fails.
  value <- tryCatch(list(get(name, envir, inherits = FALSE)), error = function(e) NULL)
  if (is.null(value)) {
    return(FALSE)
  }
  value <- value[[1L]]
  if (typeof(value) != "closure" || isS4(value) || is_fixed(environment(value))) {
    world_assign(world, name, value, copy)
    return(is.function(value))
  }
  seen <- environment(value)
  body <- c(all.names(formals_of(value), unique = TRUE), all.names(body(value), unique = TRUE))
  environment(value) <- copy_of(world, seen)
  assign(name, value, copy) # first: it may name itself
  world_add(world, unique(body), seen)
  TRUE
}

world_assign <- function(world, name, value, copy) {
  if (!is.null(world$check)) {
    world$check(name, value)
  }
  assign(name, value, copy)
}

# As a call, for all.names().
formals_of <- function(f) as.call(c(quote(f), unname(as.list(formals(f)))))

# An environment that every process has.
is_fixed <- function(envir) {
  identical(envir, emptyenv()) || identical(envir, baseenv()) || isNamespace(envir) ||
    grepl("^(package:|imports:|Autoloads$)", attr(envir, "name") %||% "")
}

copy_of <- function(world, envir) {
  if (is_fixed(envir)) {
    return(envir)
  }
  for (i in seq_along(world$from)) {
    if (identical(world$from[[i]], envir)) {
      return(world$to[[i]])
    }
  }
  copy <- if (world$dots && exists("...", envir, inherits = FALSE)) {
    dots_env(envir)
  } else {
    new.env()
  }
  world$from <- c(world$from, envir)
  world$to <- c(world$to, copy)
  top <- identical(envir, globalenv())
  parent.env(copy) <- if (top) globalenv() else copy_of(world, parent.env(envir))
  copy
}

# An environment with nothing but `...`, evaluated.
dots_env <- function(envir) {
  keep <- function(...) {
    list(...)
    environment()
  }
  tryCatch(
    do.call(keep, eval(quote(list(...)), envir), quote = TRUE),
    error = function(e) new.env()
  )
}
