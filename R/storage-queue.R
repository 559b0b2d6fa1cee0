# The Queue service: queues and their messages.

#' Queues of a storage account
#'
#' A queue holds messages of up to 64 KB. Who gets a message has it for the visibility
#' timeout: then it is there again for others, unless it was deleted. So every message is
#' delivered at least once, possibly more often, and about in the order of their arrival.
#'
#' @param endpoint A [queue_endpoint()]; or, but for the listing, the URL of a queue, or a
#'   queue.
#' @param name The queue's name: 3 to 63 of `a` to `z`, digits and single hyphens.
#' @param key,token,sas,api_version Where `endpoint` is a URL: see [storage_endpoint()].
#' @param confirm Whether to ask first. Only an interactive session asks.
#' @param queue A queue.
#' @param text The message: a string.
#' @param base64 Whether messages travel in base64, as most clients of Azure have it, or as
#'   they are; then they are what XML can hold.
#' @param visibility_timeout Seconds that a message is invisible for: 0 to 604,800 (7
#'   days); when it is got, at least 1.
#' @param ttl Seconds until a message is dropped, or -1: never.
#' @param n At most so many messages, 1 to 32.
#' @param id,pop_receipt Of a message that was got: its row's `id` and `pop_receipt`.
#' @param x,object A queue.
#' @param ... Nothing.
#' @return `storage_queue()`, `create_storage_queue()`: a list of `name` and `endpoint`, of
#'   class `storage_queue`. `list_storage_queues()`: a named list of them.
#'   `put_queue_message()`, `get_queue_messages()` and `peek_queue_messages()`: a data frame,
#'   one row for each message: `id`, `text` (`NA` where with `base64 = TRUE` it is no text in
#'   base64), `pop_receipt` (which proves that the message is
#'   yours, until it is visible again; `NA` when peeked at), `dequeue_count` (how often it was
#'   got), `inserted`, `expires`, `next_visible` (date-times, GMT). `update_queue_message()`:
#'   the new pop receipt, a string, invisibly: the old one is void. The others: `NULL`,
#'   invisibly.
#' @section Errors: [storage_conditions]. A message that was deleted, or is somebody
#'   else's by now, is status 404 (`MessageNotFound`) or 400 (`PopReceiptMismatch`).
#'   `create_storage_queue()` of a queue that is there is none.
#' @source <https://learn.microsoft.com/rest/api/storageservices/queue-service-rest-api>
#' @examples
#' \dontrun{
#' endp <- queue_endpoint("UseDevelopmentStorage=true")
#' queue <- create_storage_queue(endp, "tasks")
#' put_queue_message(queue, "first")
#' message <- get_queue_messages(queue, visibility_timeout = 60)
#' delete_queue_message(queue, message$id, message$pop_receipt)
#' }
#' @export
storage_queue <- function(endpoint, name, key = NULL, token = NULL, sas = NULL,
                          api_version = endpoint_api_version()) {
  resolve_queue(endpoint, if (!missing(name)) name, key, token, sas, api_version)
}

#' @rdname storage_queue
#' @export
create_storage_queue <- function(endpoint, name, key = NULL, token = NULL, sas = NULL,
                                 api_version = endpoint_api_version()) {
  queue <- resolve_queue(endpoint, if (!missing(name)) name, key, token, sas, api_version)
  request_ok(queue$endpoint, "PUT", queue_url(queue))
  queue
}

#' @rdname storage_queue
#' @export
delete_storage_queue <- function(endpoint, name, key = NULL, token = NULL, sas = NULL,
                                 api_version = endpoint_api_version(), confirm = TRUE) {
  queue <- resolve_queue(endpoint, if (!missing(name)) name, key, token, sas, api_version)
  if (confirmed(confirm, "queue", queue$name)) {
    delete_request(queue$endpoint, queue_url(queue))
  }
  invisible(NULL)
}

#' @rdname storage_queue
#' @export
list_storage_queues <- function(endpoint) {
  check_endpoint(endpoint, "endpoint", "queue")
  names <- list_named(endpoint, "./Queues/Queue/Name")
  queues <- lapply(names, new_queue, endpoint = endpoint)
  names(queues) <- names
  queues
}

#' @rdname storage_queue
#' @export
put_queue_message <- function(queue, text, visibility_timeout = 0, ttl = 604800,
                              base64 = TRUE) {
  check_queue(queue)
  body <- message_body(text, base64)
  check_visibility(visibility_timeout, 0)
  if (!is_whole(ttl) || !(ttl == -1 || ttl >= 1)) {
    stop_input("ttl", ttl, "'ttl' must be a whole number of seconds above 0, or -1, not ",
      given(ttl))
  }
  options <- list(visibilitytimeout = visibility_timeout, messagettl = ttl)
  url <- queue_url(queue, "/messages", options)
  res <- request_ok(queue$endpoint, "POST", url, xml_header, body)
  invisible(message_table(res$body, base64, enc2utf8(text)))
}

#' @rdname storage_queue
#' @export
get_queue_messages <- function(queue, n = 1, visibility_timeout = 30, base64 = TRUE) {
  check_queue(queue)
  check_flag(base64, "base64")
  check_visibility(visibility_timeout, 1)
  options <- list(numofmessages = check_count(n), visibilitytimeout = visibility_timeout)
  # Where an answer is lost, what it had is invisible for nobody, until its timeout.
  res <- request_ok(queue$endpoint, "GET", queue_url(queue, "/messages", options))
  message_table(res$body, base64)
}

#' @rdname storage_queue
#' @export
peek_queue_messages <- function(queue, n = 1, base64 = TRUE) {
  check_queue(queue)
  check_flag(base64, "base64")
  options <- list(numofmessages = check_count(n), peekonly = TRUE)
  res <- request_ok(queue$endpoint, "GET", queue_url(queue, "/messages", options))
  message_table(res$body, base64)
}

#' @rdname storage_queue
#' @export
update_queue_message <- function(queue, id, pop_receipt, text = NULL,
                                 visibility_timeout = 30, base64 = TRUE) {
  check_queue(queue)
  check_visibility(visibility_timeout, 0)
  body <- if (!is.null(text)) message_body(text, base64)
  options <- c(receipt(pop_receipt), list(visibilitytimeout = visibility_timeout))
  url <- queue_url(queue, message_path(id), options)
  res <- request_ok(queue$endpoint, "PUT", url, if (!is.null(text)) xml_header, body)
  invisible(unname(res$headers["x-ms-popreceipt"]))
}

#' @rdname storage_queue
#' @export
delete_queue_message <- function(queue, id, pop_receipt) {
  check_queue(queue)
  delete_request(queue$endpoint, queue_url(queue, message_path(id), receipt(pop_receipt)))
}

#' @rdname storage_queue
#' @export
clear_queue_messages <- function(queue) {
  check_queue(queue)
  # Many messages go in parts: 500, again, until all are gone.
  for (try in 1:1000) {
    res <- request(queue$endpoint, "DELETE", queue_url(queue, "/messages"))
    if (res$status != 500L) {
      break
    }
  }
  if (res$status >= 300L) {
    stop(http_condition(res, "DELETE", queue_url(queue, "/messages")))
  }
  invisible(NULL)
}

xml_header <- list(`Content-Type` = "application/xml")

new_queue <- function(name, endpoint) {
  structure(list(name = name, endpoint = endpoint), class = "storage_queue")
}

resolve_queue <- function(endpoint, name, key, token, sas, api_version) {
  if (missing(endpoint)) {
    stop_missing("endpoint")
  }
  if (!is.character(endpoint)) {
    no_credentials(key, token, sas)
  }
  if (inherits(endpoint, "storage_queue")) {
    if (!is.null(name)) {
      stop_input("name", NULL, "'name' cannot be given beside a queue")
    }
    return(check_queue(endpoint, "endpoint"))
  }
  if (is.character(endpoint)) {
    if (length(endpoint) == 1L && !is.na(endpoint) && !is_connection_string(endpoint)) {
      parts <- parse_storage_url(endpoint, "endpoint")
      if (nzchar(parts$blob)) {
        stop_input("endpoint", NULL, "'endpoint' must be the URL of a queue; this one goes on ",
          "behind its name")
      }
      if (nzchar(parts$container) && !is.null(name)) {
        stop_input("name", NULL, "'name' cannot be given beside the URL of a queue")
      }
      name <- name %||% if (nzchar(parts$container)) parts$container
      endpoint <- parts$endpoint
      sas <- sas %||% if (nzchar(parts$query)) parts$query
    }
    endpoint <- new_endpoint(endpoint, key, token, sas, api_version, "queue")
  }
  check_endpoint(endpoint, "endpoint", "queue")
  new_queue(check_container_name(name, what = "queue"), endpoint)
}

check_queue <- function(x, argument = "queue") {
  if (missing(x)) {
    stop_missing(argument)
  }
  if (!is.list(x) || !inherits(x, "storage_queue")) {
    stop_input(argument, NULL, "'", argument, "' must be a storage queue, not ", given_kind(x))
  }
  check_container_name(x$name, argument, "queue")
  check_endpoint(x$endpoint, argument, "queue")
  x
}

queue_url <- function(queue, path = "", options = list()) {
  service_url(queue$endpoint, paste0(queue$name, path), options)
}

is_whole <- function(x) is.numeric(x) && length(x) == 1L && is.finite(x) && x == trunc(x)

check_count <- function(n) {
  if (!is_whole(n) || n < 1 || n > 32) {
    stop_input("n", n, "'n' must be a whole number from 1 to 32, not ", given(n))
  }
  n
}

check_visibility <- function(x, least) {
  if (!is_whole(x) || x < least || x > 604800) {
    stop_input("visibility_timeout", x, "'visibility_timeout' must be a whole number of ",
      "seconds from ", least, " to 604800, not ", given(x)
    )
  }
  x
}

#' @rdname storage_queue
#' @export
format.storage_queue <- function(x, ...) {
  paste0("<storage queue ", x$name, " at ", hide_signature(x$endpoint$url), ">")
}

#' @rdname storage_queue
#' @export
print.storage_queue <- function(x, ...) {
  cat(paste0("Azure storage queue '", x$name, "'"),
    paste0("URL: ", sub("/+$", "", hide_signature(x$endpoint$url)), "/", x$name),
    credential_lines(x$endpoint),
    sep = "\n"
  )
  invisible(x)
}

#' @rdname storage_queue
#' @export
str.storage_queue <- function(object, ...) {
  cat(" ", format(object), "\n", sep = "")
}

#' @export
as.character.storage_queue <- function(x, ...) format(x)
