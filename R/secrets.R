# What must not be seen of what was given: keys, tokens, signatures. (What endpoints
# look like is in storage-print.R.)

# What was given, in words that show none of it: it may be a secret.
given_kind <- function(x) {
  if (is.null(x)) {
    "NULL"
  } else if (is.object(x)) {
    paste0("an object of class \"", class(x)[[1L]], "\"")
  } else if (length(x) == 1L && is.atomic(x) && is.na(x)) {
    "NA"
  } else {
    paste0("a ", typeof(x), " of length ", length(x))
  }
}

# Whether an endpoint or what has one is x, or in it.
holds_secret <- function(x) {
  inherits(x, secret_classes) ||
    is.list(x) && {
      x <- unclass(x)
      any(vapply(x[vapply(x, is.list, NA)], holds_secret, NA))
    }
}

# Whether one would be written with x, where x is serialized: in it, or in an environment
# that goes along. What is not yet evaluated there is.
carries_secret <- function(x, seen = utils::hashtab("identical")) {
  if (inherits(x, secret_classes)) {
    return(TRUE)
  }
  if (is.function(x)) {
    x <- environment(x)
  }
  if (is.environment(x)) {
    if (identical(x, globalenv()) || is_fixed(x) || !is.null(utils::gethash(seen, x))) {
      return(FALSE)
    }
    utils::sethash(seen, x, TRUE)
    x <- c(lapply(ls(x, all.names = TRUE), plain_value, x), list(parent.env(x)))
  }
  if (is.list(x)) {
    x <- unclass(x)
    for (part in x[vapply(x, is.recursive, NA)]) {
      if (carries_secret(part, seen)) {
        return(TRUE)
      }
    }
  }
  FALSE
}

# NULL where there is none: an argument that was not given, a promise that fails.
plain_value <- function(name, envir) {
  if (!bindingIsActive(name, envir)) {
    tryCatch(get(name, envir, inherits = FALSE), error = function(e) NULL)
  }
}

secret_classes <- c(
  "storage_endpoint", "storage_container", "storage_queue", "user_delegation_key",
  "pool_output_file", "SharedKeyCredentials", "StorageServiceClient"
)

# A text as it is; of anything else, its class is left on, which hides it.
bare_text <- function(x) if (is.character(x)) as.vector(unclass(x)) else x

# ---- Calls -------------------------------------------------------------------

# Formal arguments of those that take an endpoint, or a key.
with_secrets <- c(
  "endpoint", "container", "account", "object", "queue", "key", "parts", "credentials",
  "authentication", "authenticationType", "sasToken", "url"
)

is_own <- function(f) identical(topenv(environment(f)), topenv())

takes_secrets <- function(f) is_own(f) && any(with_secrets %in% names(formals(f)))

# package::name, as an expression.
is_qualified <- function(x) {
  is.call(x) && length(x) == 3L && (identical(x[[1L]], quote(`::`)) ||
    identical(x[[1L]], quote(`:::`)))
}

# The call of a storage function, only by its name.
call_name <- function(call) {
  head <- call[[1L]]
  if (is.name(head) || is_qualified(head)) call[1L] else quote(storage_function())
}

# Of names in a call, those of functions that users give secrets to; and do.call(), which
# has in a list what it gives them.
secret_names <- function(names) {
  namespace <- topenv()
  names <- intersect(names, c("do.call", getNamespaceExports(namespace)))
  names[vapply(names, function(name) {
    name == "do.call" || takes_secrets(get(name, namespace))
  }, NA)]
}

# A call as it may be shown: storage functions without their arguments, and
# what was given an endpoint itself, instead of its name, without its own.
shown_call <- function(call) {
  if (is.function(call[[1L]]) && takes_secrets(call[[1L]])) {
    return(call_name(call))
  }
  for (i in seq_along(call)[-1L]) {
    if ((is.list(call[[i]]) || is.call(call[[i]])) && is_secret_value(call[[i]])) {
      return(call[1L])
    }
  }
  secret <- secret_names(all.names(call))
  if (length(secret)) bare_calls(call, secret, 10L) else call
}

# As it stands, or quoted, as do.call() puts it there.
is_secret_value <- function(x) {
  if (is.call(x) && length(x) == 2L && (identical(x[[1L]], quote(quote)) ||
    identical(x[[1L]], quote_head))) {
    x <- x[[2L]]
  }
  is.list(x) && holds_secret(x)
}

# A call whose parts by these names have no arguments. Deeper than `depth`, none has.
bare_calls <- function(call, secret, depth) {
  head <- call[[1L]]
  if (is_qualified(head)) {
    head <- head[[3L]]
  }
  if (depth == 0L || is.name(head) && as.character(head) %in% secret) {
    return(call_name(call))
  }
  for (i in seq_along(call)) {
    if (is.call(call[[i]]) && !is_qualified(call[[i]])) {
      call[[i]] <- bare_calls(call[[i]], secret, depth - 1L)
    }
  }
  without_source(call)
}

# The text that a call was read from would be printed in its place.
without_source <- function(call) {
  if (identical(call[[1L]], quote(`function`)) && length(call) == 4L) {
    call[4L] <- list(NULL)
  }
  for (name in c("srcref", "srcfile", "wholeSrcref")) {
    attr(call, name) <- NULL
  }
  call
}

# What a task signals; what its call may not show is taken out of it. Nothing here
# runs a method of its class.
shown_condition <- function(e) {
  call <- if (is.list(e)) unclass(e)[["call"]]
  if (is.call(call)) {
    shown <- shown_call(call)
    if (!identical(shown, call)) {
      class <- oldClass(e)
      e <- unclass(e)
      e[["call"]] <- shown
      oldClass(e) <- class
    }
  }
  e
}
