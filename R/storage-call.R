# One request of a storage service, and what its answer comes to.

#' A request of the storage service, as it is
#'
#' The layer below all other storage functions, for what they don't cover. The
#' request is signed, tried again where that helps (see the options at
#' [storage_endpoint()]), and its answer is read.
#'
#' @param endpoint,container A [storage_endpoint()], a [storage_container()].
#' @param path,operation The path below the endpoint or the container. It is data: it
#'   is escaped as a whole, and `/` is all that keeps its meaning.
#' @param options A named list: the query. Values are escaped; `NULL`: not sent.
#' @param headers A named list or character vector of further headers.
#' @param body A raw vector, a string, or `NULL`.
#' @param ... For `do_container_op()`, arguments of `call_storage_endpoint()`. Otherwise
#'   nothing.
#' @param http_verb `"GET"`, `"DELETE"`, `"PUT"`, `"POST"`, `"HEAD"` or `"PATCH"`.
#' @param http_status_handler What an answer of status 300 or more is: an error, a
#'   warning, a message, or (`"pass"`) a value like any other.
#' @param timeout Seconds without a byte from the service, after which a try is given
#'   up; `NULL`: as `options(pool.http_timeout)` has it, or 30.
#' @param progress Not used.
#' @param return_headers Whether the headers of the answer are the value, not its
#'   body.
#' @return With `"pass"`, the answer: a list of `status` (an integer), `headers` (a
#'   named character vector, lower-case names), `body` (a raw vector) and `attempts`.
#'   Otherwise, a named list of the headers, or the body: `NULL` where it is empty, a
#'   nested list for XML (as [xml2::as_list()] makes it, without the root), what
#'   [jsonlite::parse_json()] makes of JSON, simplified, a string for other text, a raw
#'   vector for anything else. XML with a document type is refused.
#' @section Errors: `pool_http_error`, see [storage_conditions].
#' @source <https://learn.microsoft.com/rest/api/storageservices/>
#' @examples
#' \dontrun{
#' endp <- storage_endpoint("UseDevelopmentStorage=true")
#' call_storage_endpoint(endp, "", options = list(comp = "list"))
#' do_container_op(storage_container(endp, "docs"), "a file.txt", http_verb = "HEAD")
#' }
#' @export
call_storage_endpoint <- function(endpoint, path, options = list(), headers = list(),
                                  body = NULL, ...,
                                  http_verb = c(
                                    "GET", "DELETE", "PUT", "POST", "HEAD", "PATCH"
                                  ),
                                  http_status_handler = c(
                                    "stop", "warn", "message", "pass"
                                  ),
                                  timeout = getOption("pool.http_timeout"),
                                  progress = NULL,
                                  return_headers = http_verb == "HEAD") {
  check_no_dots(...)
  check_endpoint(endpoint, "endpoint")
  path <- sub("^/", "", check_text(path, "path", 1L))
  http_verb <- check_choice(http_verb, "http_verb",
    eval(formals(call_storage_endpoint)$http_verb))
  handler <- check_choice(http_status_handler, "http_status_handler",
    eval(formals(call_storage_endpoint)$http_status_handler))
  check_flag(return_headers, "return_headers")
  url <- service_url(endpoint, escape_path(path), check_query(options))
  res <- request(endpoint, http_verb, url, headers, body, if (!missing(timeout)) timeout)
  if (handler == "pass") {
    return(res)
  }
  if (res$status >= 300L) {
    condition <- http_condition(res, http_verb, url)
    switch(handler,
      stop = stop(condition),
      warn = warning(conditionMessage(condition), call. = FALSE),
      message = message(conditionMessage(condition))
    )
  }
  if (return_headers) as.list(res$headers) else read_body(res)
}

#' @rdname call_storage_endpoint
#' @export
do_container_op <- function(container, operation = "", options = list(),
                            headers = list(), http_verb = "GET", ...) {
  check_container(container)
  operation <- sub("^/+", "", check_text(operation, "operation", 1L))
  path <- if (nzchar(operation)) paste0(container$name, "/", operation) else container$name
  call_storage_endpoint(container$endpoint, path,
    options = options, headers = headers, http_verb = http_verb, ...
  )
}

# Of functions that take `...` for what AzureStor's have there: a typo is no argument.
check_no_dots <- function(...) {
  if (...length()) {
    name <- ...names()[1L]
    argument <- if (is.null(name) || is.na(name) || !nzchar(name)) "..." else name
    stop_input(argument, NULL, "'", argument, "' is no argument of this function")
  }
}

# The choices are the default, so a vector of all of them is the first.
check_choice <- function(x, argument, choices) {
  if (identical(x, choices)) {
    return(choices[[1L]])
  }
  if (!is.character(x) || length(x) != 1L || !x %in% choices) {
    stop_input(argument, x, "'", argument, "' must be one of ",
      paste0("\"", choices, "\"", collapse = ", "), ", not ", given(x)
    )
  }
  x
}

check_query <- function(options) {
  if (!is.list(options) || length(options) && (is.null(names(options)) ||
    !all(nzchar(names(options)) & validEnc(names(options)))) || anyDuplicated(names(options))) {
    stop_input("options", NULL, "'options' must be a named list, each name once")
  }
  ok <- vapply(options, function(x) {
    is.null(x) || is.atomic(x) && length(x) == 1L && !is.na(x) && (!is.character(x) || validEnc(x))
  }, NA)
  if (!all(ok)) {
    stop_input("options", NULL, "'options' must be a list of single values; '",
      names(options)[which(!ok)[1L]], "' is none"
    )
  }
  options
}

# A named character vector of headers; nothing in a value can end it.
check_headers <- function(headers, argument = "headers") {
  if (!length(headers)) {
    return(character())
  }
  values <- lapply(headers[!vapply(headers, is.null, NA)], function(x) {
    if (is.logical(x)) tolower(as.character(x)) else plain_number(x)
  })
  names <- names(values)
  if (is.null(names) || !all(matches("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", names)) ||
    anyDuplicated(tolower(names))) {
    stop_input(argument, NULL, "'", argument, "' must be named, as headers are, each ",
      "name once"
    )
  }
  for (name in names) {
    x <- values[[name]]
    if (length(x) != 1L || is.na(x) || !validEnc(x) ||
      grepl("[\\x00-\\x08\\x0a-\\x1f\\x7f]", x, perl = TRUE)) {
      stop_input(argument, NULL, "'", argument, "' must be single values without ",
        "control characters; '", name, "' is none"
      )
    }
  }
  vapply(values, enc2utf8, "")
}

check_body <- function(body) {
  if (is.null(body)) {
    raw()
  } else if (is.raw(body)) {
    body
  } else if (is.character(body) && length(body) == 1L && !is.na(body) && validEnc(body)) {
    charToRaw(enc2utf8(body))
  } else {
    stop_input("body", NULL, "'body' must be a raw vector, a string of valid text or NULL, not ",
      given_kind(body)
    )
  }
}

# The answer, whatever its status.
request <- function(endpoint, verb, url, headers = list(), body = NULL,
                    timeout = NULL, retry = TRUE) {
  headers <- check_headers(headers)
  body <- check_body(body)
  check_plain(url)
  http_request(credentials(endpoint), verb, url, headers, body, timeout, retry)
}

# The answer; any but a good one is an error.
request_ok <- function(endpoint, verb, url, headers = list(), body = NULL, ...) {
  res <- request(endpoint, verb, url, headers, body, ...)
  if (res$status >= 300L) {
    stop(http_condition(res, verb, url))
  }
  res
}

# The error of an answer. Only the code and the message are taken from it: what
# else the service says may hold the signature that it was sent.
http_condition <- function(res, verb, url) {
  said <- read_error(res)
  code <- said$code
  header <- unname(res$headers["x-ms-error-code"])
  if (!nzchar(code) && !is.na(header)) {
    code <- header
  }
  id <- unname(res$headers["x-ms-request-id"])
  http_error(verb, url, res$status, code, if (is.na(id)) "" else id, said$message)
}

read_error <- function(res) {
  none <- list(code = "", message = "")
  found <- tryCatch(read_body(res), error = function(e) NULL)
  if (!is.list(found)) {
    return(none)
  }
  if (is.list(found$error)) {
    found <- found$error
  }
  text <- function(...) {
    for (name in c(...)) {
      x <- unlist(found[[name]])
      if (is.character(x) && length(x)) {
        return(hide_signature(sub("\n.*$", "", x[[1L]])))
      }
    }
    ""
  }
  list(code = text("Code", "code"), message = text("Message", "message"))
}

read_body <- function(res) {
  body <- res$body
  if (!length(body)) {
    return(NULL)
  }
  type <- tolower(sub(";.*$", "", unname(res$headers["content-type"])))
  if (type %in% c("application/xml", "text/xml")) {
    return(xml_list(body))
  }
  text <- if (grepl("^text/|[/+]json$", type) && !any(body == 0)) rawToChar(body)
  if (is.null(text) || !validUTF8(text)) {
    return(body)
  }
  Encoding(text) <- "UTF-8"
  if (grepl("json$", type)) {
    # fromJSON() would read a file, or ask a host, of that name.
    tryCatch(jsonlite::parse_json(text, simplifyVector = TRUE), error = function(e) {
      stop_answer("JSON that cannot be read")
    })
  } else {
    text
  }
}
