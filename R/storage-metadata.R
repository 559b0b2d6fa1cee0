# What is stored beside a blob's or a container's content.

#' Properties and metadata of blobs and containers
#'
#' Properties are what the service knows of a blob or a container, metadata is what its
#' owner stored with it: pairs of names and strings.
#'
#' @param object A [storage_container()].
#' @param file,blob A blob's name, see [upload_blob()], by either argument. Left out: the
#'   container itself.
#' @param ... For `set_storage_metadata()`, the metadata: named strings, numbers or
#'   logicals; `NULL` takes a name away. A name is letters, digits and `_`, not a digit
#'   first, and its case does not count; a value is ASCII. (None can be named `file` or
#'   `blob` here.) Otherwise nothing.
#' @param snapshot,version A snapshot or version of the blob, see
#'   [create_blob_snapshot()].
#' @param keep_existing Whether metadata that there is stays, where it is not set anew.
#' @return `get_storage_properties()`: a named list of strings, the headers of the answer
#'   in lower case. `get_storage_metadata()`: a named list of strings.
#'   `set_storage_metadata()`: all of the metadata, as then stored, invisibly.
#' @section Errors: [storage_conditions].
#' @source <https://learn.microsoft.com/rest/api/storageservices/get-blob-properties>,
#'   <https://learn.microsoft.com/rest/api/storageservices/set-blob-metadata>
#' @examples
#' \dontrun{
#' cont <- storage_container(storage_endpoint("UseDevelopmentStorage=true"), "docs")
#' get_storage_properties(cont, "report.csv")[["content-length"]]
#' set_storage_metadata(cont, "report.csv", author = "me")
#' get_storage_metadata(cont, "report.csv")
#' }
#' @export
get_storage_properties <- function(object, file, snapshot = NULL, version = NULL, ...,
                                   blob) {
  check_no_dots(...)
  as.list(head_of(object, one_blob(file, blob), list(), snapshot, version))
}

#' @rdname get_storage_properties
#' @export
get_storage_metadata <- function(object, file, snapshot = NULL, version = NULL, ...,
                                 blob) {
  check_no_dots(...)
  headers <- head_of(object, one_blob(file, blob), list(comp = "metadata"), snapshot, version)
  headers <- headers[startsWith(names(headers), "x-ms-meta-")]
  names(headers) <- substring(names(headers), 11L)
  as.list(headers)
}

#' @rdname get_storage_properties
#' @export
set_storage_metadata <- function(object, file, ..., keep_existing = TRUE, blob) {
  check_container(object, "object")
  check_flag(keep_existing, "keep_existing")
  file <- one_blob(file, blob)
  meta <- list(...)
  metadata_headers(meta, "...")
  if (keep_existing) {
    old <- if (is.null(file)) {
      get_storage_metadata(object)
    } else {
      get_storage_metadata(object, I(file))
    }
    meta <- c(old[!tolower(names(old)) %in% tolower(names(meta))], meta)
  }
  meta <- lapply(meta[!vapply(meta, is.null, NA)], metadata_text)
  url <- object_url(object, file, list(comp = "metadata"))
  request_ok(object$endpoint, "PUT", url, metadata_headers(meta, "..."))
  invisible(meta)
}

# The blob's exact name, by whichever argument it was given; NULL: by none.
one_blob <- function(file, blob) {
  if (missing(blob)) {
    return(if (!missing(file)) check_blob(file))
  }
  if (!missing(file)) {
    stop_input("blob", NULL, "'blob' cannot be given beside 'file': they are the same")
  }
  check_blob(blob, "blob")
}

object_url <- function(container, file, options) {
  if (is.null(file)) container_url(container, options) else blob_url(container, file, options)
}

head_of <- function(object, file, options, snapshot, version) {
  check_container(object, "object")
  url <- object_url(object, file, c(options, version_query(snapshot, version)))
  request_ok(object$endpoint, "HEAD", url)$headers
}

metadata_text <- function(x) {
  if (is.logical(x)) as.character(x) else plain_number(x)
}

# A named character vector of headers.
metadata_headers <- function(meta, argument = "metadata") {
  if (is.null(meta) || length(meta) == 0L) {
    return(character())
  }
  names <- names(meta)
  if (!is.list(meta) && !is.character(meta) || is.null(names) ||
    !all(matches("^[A-Za-z_][A-Za-z0-9_]*$", names)) || anyDuplicated(tolower(names))) {
    stop_input(argument, names, "'", argument, "' must be metadata: each named, by letters, ",
      "digits and underscores, once, not ", given(names)
    )
  }
  meta <- meta[!vapply(meta, is.null, NA)]
  values <- vapply(meta, function(x) {
    if (!is.atomic(x) || length(x) != 1L || is.na(x) || !validEnc(metadata_text(x)) ||
      grepl("[^ -~]", metadata_text(x)) || grepl("^ | $", metadata_text(x))) {
      stop_input(argument, NULL, "'", argument, "' must be metadata: single values of ",
        "printable ASCII, without spaces at their ends"
      )
    }
    metadata_text(x)
  }, "")
  if (length(values)) {
    names(values) <- paste0("x-ms-meta-", names(meta))
  }
  values
}
