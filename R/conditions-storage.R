# Conditions of storage.

#' Errors of the storage functions
#'
#' They inherit from `pool_error`, as all errors of the package do (see
#' [pool_conditions]), and from one of these. None of them shows a key, a token or a
#' signature.
#'
#' - `pool_input_error`: a bad argument, found before anything is sent. Field
#'   `argument`; `value` where it can be no secret.
#' - `pool_http_error`: the service's answer is an error, or there was none. Fields
#'   `status` (of HTTP, an integer; `NA` where there was no answer), `code` (the
#'   service's, like `"BlobNotFound"`, or `""`) and `request_id`. The message has the
#'   URL without its query.
#' - `pool_transfer_error`: files were not transferred. Fields `files` (the table that
#'   the function returns otherwise: one row for each file) and `errors` (a list of
#'   `pool_http_error`, one for each row with an error).
#' - `pool_answer_error`: an answer that no storage service gives.
#'
#' @name storage_conditions
#' @examples
#' e <- tryCatch(
#'   storage_container("https://mystorage.blob.core.windows.net/No_Name"),
#'   pool_input_error = identity
#' )
#' conditionMessage(e)
NULL

stop_answer <- function(...) {
  stop(pool_condition("pool_answer_error",
    paste0("the storage service answered with ", ...), user_call()
  ))
}

# files: the table of a transfer; errors: a list of conditions, one for each row
# with an error.
stop_transfer <- function(files, errors) {
  failed <- which(!is.na(files$error))
  shown <- utils::head(failed, 5L)
  text <- sprintf("%s: %s", files$src[shown], files$error[shown])
  more <- length(failed) - length(shown)
  stop(pool_condition("pool_transfer_error",
    paste0(
      length(failed), " of ", nrow(files), " files were not transferred\n",
      paste0("  ", text, collapse = "\n"),
      if (more) paste0("\n  and ", more, " more: see $files")
    ), user_call(),
    files = files, errors = errors
  ))
}

# The URL as far as it may be shown: a query may hold a signature.
bare_url <- function(url) sub("[?#].*", "", url)

# `why`: what is known besides status and code.
http_error <- function(verb, url, status = NA_integer_, code = "", request_id = "",
                       why = "") {
  what <- c(if (!is.na(status)) status, if (nzchar(code)) code)
  message <- paste0(verb, " ", bare_url(url), ": ", paste(what, collapse = " "))
  if (nzchar(why)) {
    message <- paste0(message, if (length(what) > 0L) ", ", why)
  }
  if (nzchar(request_id)) {
    message <- paste0(message, " (request ", request_id, ")")
  }
  pool_condition("pool_http_error", message, user_call(),
    status = status, code = code, request_id = request_id
  )
}

stop_http <- function(...) stop(http_error(...))
