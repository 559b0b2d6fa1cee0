# Blobs from elsewhere: the service fetches them itself.

#' Copies what a URL names to a blob
#'
#' The service fetches it, at most 256 MB unless `async`: nothing goes through this
#' machine. `copy_url_to_blob()` and
#' `multicopy_url_to_blob()` are the same functions.
#'
#' @param container A [storage_container()].
#' @param src The URL, escaped as URLs are, that the service can read: a public one, one
#'   with a shared access signature, or with `auth_header`. For many, a vector.
#' @param dest The blob's name. For many, a vector of the same length; by default the last
#'   part of each URL's path.
#' @param lease The lease on the blob, where there is one.
#' @param async Whether the service may copy it later, in the background.
#' @param auth_header An `Authorization` header for the source, `"Bearer ..."`.
#' @param max_concurrent_transfers Taken, but not used: one request follows the other.
#' @param on_error As for [storage_multiupload()].
#' @param ... Arguments of `copy_url_to_blob()` and `multicopy_url_to_blob()`.
#' @return `copy_url_to_blob()`: `NULL`, invisibly. `multicopy_url_to_blob()`: invisibly, a
#'   data frame with a row for each: `src` (without its query), `dest`, `size` (`NA`),
#'   `seconds`, `attempts`, `error` (a string; `NA` on success).
#' @section Errors: [storage_conditions].
#' @source <https://learn.microsoft.com/rest/api/storageservices/copy-blob-from-url>,
#'   <https://learn.microsoft.com/rest/api/storageservices/copy-blob>
#' @examples
#' \dontrun{
#' cont <- storage_container(storage_endpoint("UseDevelopmentStorage=true"), "docs")
#' copy_url_to_storage(cont, "https://www.r-project.org/doc.html", "doc.html")
#' }
#' @export
copy_url_to_blob <- function(container, src, dest, lease = NULL, async = FALSE,
                             auth_header = NULL) {
  check_container(container)
  parse_url(src, "src")
  dest <- check_blob(dest, "dest")
  headers <- copy_headers(lease, async, auth_header)
  stop_failed(copy_request(container, src, dest, headers), container, dest)
  invisible(NULL)
}

#' @rdname copy_url_to_blob
#' @export
copy_url_to_storage <- function(container, src, dest, ...) {
  copy_url_to_blob(container, src, dest, ...)
}

#' @rdname copy_url_to_blob
#' @export
multicopy_url_to_blob <- function(container, src, dest, lease = NULL, async = FALSE,
                                  max_concurrent_transfers = 10, auth_header = NULL,
                                  on_error = c("stop", "return")) {
  check_container(container)
  if (missing(src)) {
    stop_missing("src")
  }
  if (!is.character(src)) {
    stop_url("src", "must be URLs, strings, not ", given_kind(src))
  }
  on_error <- check_choice(on_error, "on_error", c("stop", "return"))
  check_concurrent(max_concurrent_transfers)
  paths <- vapply(src, function(url) parse_url(url, "src")$path, "", USE.NAMES = FALSE)
  if (missing(dest)) {
    dest <- I(vapply(sub("^.*/", "", paths), unescape, "", "src", USE.NAMES = FALSE))
  }
  check_lengths(src, dest)
  dest <- check_distinct(check_names_of_blobs(dest, "dest"))
  headers <- copy_headers(lease, async, auth_header)
  rows <- Map(function(src, dest) copy_row(container, src, dest, headers), src, dest)
  done <- lapply(
    list(size = "size", seconds = "seconds", attempts = "attempts", status = "status",
      code = "code", request_id = "request_id", error = "error"),
    function(name) unlist(lapply(rows, `[[`, name), use.names = FALSE)
  )
  finish_many(transfer_table(bare_url(src), dest, done), done, on_error)
}

#' @rdname copy_url_to_blob
#' @export
multicopy_url_to_storage <- function(container, src, dest, ...) {
  if (missing(dest)) {
    multicopy_url_to_blob(container, src, ...)
  } else {
    multicopy_url_to_blob(container, src, dest, ...)
  }
}

copy_headers <- function(lease, async, auth_header) {
  list(
    `x-ms-requires-sync` = if (!check_flag(async, "async")) "true",
    `x-ms-lease-id` = check_lease(lease),
    `x-ms-copy-source-authorization` = check_secret(auth_header, "auth_header")
  )
}

copy_request <- function(container, src, dest, headers) {
  request(container$endpoint, "PUT", blob_url(container, dest),
    c(headers, list(`x-ms-copy-source` = src)))
}

stop_failed <- function(res, container, dest) {
  if (res$status >= 300L) {
    stop(http_condition(res, "PUT", blob_url(container, dest)))
  }
}

copy_row <- function(container, src, dest, headers) {
  begin <- proc.time()[["elapsed"]]
  attempts <- NA_integer_
  e <- tryCatch({
    res <- copy_request(container, src, dest, headers)
    attempts <- res$attempts
    stop_failed(res, container, dest)
    NULL
  }, pool_http_error = identity)
  list(
    size = NA_real_, seconds = proc.time()[["elapsed"]] - begin, attempts = attempts,
    status = if (is.null(e)) res$status else e$status,
    code = if (is.null(e)) "" else e$code,
    request_id = if (is.null(e)) "" else e$request_id,
    error = if (is.null(e)) NA_character_ else bare_message(e)
  )
}
