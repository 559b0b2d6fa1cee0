# One blob, up or down.

#' Uploads and downloads one blob
#'
#' `storage_upload()` and `upload_blob()` are the same, and so are `storage_download()`
#' and `download_blob()`. Large blobs go as blocks, several at a time, each tried again
#' by itself. A blob is replaced when the last of its blocks is there, and a file when
#' all of it is there, checked: what fails leaves behind what was there before. Not so
#' with append blobs: the old one goes first, and what fails leaves as many blocks as came.
#' For many files, see [storage_multiupload()].
#'
#' @param container A [storage_container()].
#' @param src What to upload: the path of a file, a raw vector, or a connection, of which
#'   the rest is read (of a text connection, its lines, as UTF-8 with `"\n"`
#'   between them; of a raw connection all, wherever it is); one that is not open is opened,
#'   one that is has to be so for bytes, `"rb"`. What to download: a blob's name.
#' @param dest The blob's name; for a file, by default the file's. Where to download to:
#'   a file's path (directories are made), a connection that is open for writing bytes (a
#'   raw connection is then at its start again; others get nothing before all has come), or
#'   `NULL`:
#'   the value is the content.
#' @param type `"BlockBlob"`, or `"AppendBlob"`, which can be added to later. An append blob
#'   is there from its first block on: a failure leaves a part of it behind.
#' @param blocksize Bytes in one block, up to 4000 MiB, of append blobs up to 4 MiB, or 100
#'   MiB with an `api_version` of `"2022-11-02"` or later; blobs of at most so many go in one
#'   request. More where there would be more than 50,000 blocks.
#' @param lease The lease on the blob, a string, where there is one.
#' @param put_md5 Whether the MD5 digest of the content is stored with the blob. Of an
#'   append blob only each block goes with its digest, which the service looks at.
#' @param append For `type = "AppendBlob"`: whether what is uploaded is added to the blob,
#'   which has to be there, instead of replacing it. Then neither `metadata` nor
#'   `content_type` can be given.
#' @param use_azcopy There is no azcopy here: only `FALSE`.
#' @param metadata A named list of strings to store with the blob.
#' @param content_type The blob's type, like `"text/csv"`; by default that of the file
#'   name's ending.
#' @param overwrite Whether a file that exists is replaced.
#' @param check_md5 Whether the content is checked against the MD5 digest that is stored
#'   with the blob; where there is none, that is a warning.
#' @param snapshot,version A snapshot or version of the blob to download, see
#'   [create_blob_snapshot()].
#' @param progress Whether to show progress.
#' @param ... Arguments of `upload_blob()` and `download_blob()`.
#' @return `upload_blob()`: `NULL`, invisibly. `download_blob()`: with `dest = NULL` a raw
#'   vector, otherwise `NULL`, invisibly.
#' @section Names:
#' A blob's name is data: up to 1,024 characters, and `#`, `?`, `%41`, `..`, spaces and
#' letters of any script mean themselves. Only slashes at its beginning are dropped, as
#' AzureStor does; `I("/x")` is a name that begins with one. A `dest` that is left out is
#' never outside the working directory. (The service itself takes a backslash for a slash, and
#' advises against names with a part that ends with a dot.)
#' @section Errors: [storage_conditions]. A transfer that fails is both a
#'   `pool_http_error` and a `pool_transfer_error`.
#' @source <https://learn.microsoft.com/rest/api/storageservices/put-blob>,
#'   <https://learn.microsoft.com/rest/api/storageservices/put-block>,
#'   <https://learn.microsoft.com/rest/api/storageservices/append-block>,
#'   <https://learn.microsoft.com/rest/api/storageservices/get-blob>
#' @examples
#' \dontrun{
#' cont <- storage_container(storage_endpoint("UseDevelopmentStorage=true"), "docs")
#' storage_upload(cont, "report.csv")
#' storage_upload(cont, serialize(mtcars, NULL), "mtcars", metadata = list(rows = 32))
#' unserialize(storage_download(cont, "mtcars", NULL))
#' }
#' @export
upload_blob <- function(container, src, dest = basename(src),
                        type = c("BlockBlob", "AppendBlob"),
                        blocksize = if (type == "BlockBlob") 2^24 else 2^22,
                        lease = NULL, put_md5 = FALSE, append = FALSE,
                        use_azcopy = FALSE, metadata = NULL, content_type = NULL,
                        progress = show_progress()) {
  check_container(container)
  type <- check_choice(type, "type", c("BlockBlob", "AppendBlob"))
  if (missing(dest)) {
    dest <- default_blob(src)
  }
  dest <- check_blob(dest, "dest")
  options <- upload_options(container, type, blocksize, lease, put_md5, append,
    use_azcopy, metadata, content_type)
  check_flag(progress, "progress")
  src <- upload_source(src)
  on.exit(drop_spooled(list(src)))
  if (append) {
    return(one_append(container, src, dest, options))
  }
  transfers <- upload_rows(container, list(src), dest, options)
  one_transfer(transfers, container, src, dest, progress)
  invisible(NULL)
}

#' @rdname upload_blob
#' @export
storage_upload <- function(container, src, dest = basename(src), ...) {
  if (missing(dest)) {
    upload_blob(container, src, ...)
  } else {
    upload_blob(container, src, dest, ...)
  }
}

#' @rdname upload_blob
#' @export
download_blob <- function(container, src, dest = basename(src), blocksize = 2^24,
                          overwrite = FALSE, lease = NULL, check_md5 = FALSE,
                          use_azcopy = FALSE, snapshot = NULL, version = NULL,
                          progress = show_progress()) {
  check_container(container)
  src <- check_blob(src, "src")
  dest <- if (missing(dest)) default_file(src) else check_destination(dest)
  options <- download_options(blocksize, overwrite, lease, check_md5, use_azcopy,
    snapshot, version)
  check_flag(progress, "progress")
  to_file <- is.character(dest)
  if (to_file && file.exists(dest) && !overwrite) {
    stop_input("dest", dest, "'dest' exists already, and 'overwrite' is FALSE: ",
      given(dest))
  }
  if (to_file) {
    make_directories(dest)
  }
  spool <- if (inherits(dest, "connection") && !inherits(dest, "rawConnection")) {
    tempfile("pool-download-")
  }
  on.exit(unlink(spool))
  transfers <- download_rows(container, src, if (to_file) dest else spool, options)
  done <- one_transfer(transfers, container, src, dest, progress)
  if (options$md5) {
    warn_md5(done)
  }
  if (is.null(dest)) {
    return(done$value[[1L]])
  }
  if (!is.null(spool)) {
    write_spooled(spool, dest)
  } else if (!to_file) {
    writeBin(done$value[[1L]], dest)
    seek(dest, 0)
  }
  invisible(NULL)
}

#' @rdname upload_blob
#' @export
storage_download <- function(container, src, dest = basename(src), ..., overwrite = FALSE) {
  if (missing(dest)) {
    download_blob(container, src, ..., overwrite = overwrite)
  } else {
    download_blob(container, src, dest, ..., overwrite = overwrite)
  }
}

#' Uploads to and downloads from the URL of a blob
#'
#' As [storage_upload()] and [storage_download()], with one URL instead of container and
#' name.
#'
#' @param src,dest The URL of a blob, `https://ACCOUNT.blob.core.windows.net/CONTAINER/NAME`,
#'   escaped as URLs are; and what is uploaded to it, or where it is downloaded to. A
#'   shared access signature in the URL is used, and to download, a snapshot or version.
#' @param key,token,sas Credentials, see [storage_endpoint()].
#' @param snapshot,version A snapshot or version of the blob, where the URL has none.
#' @param ... Arguments of [upload_blob()] and [download_blob()], and `api_version`.
#' @param overwrite Whether a file that exists is replaced.
#' @return As for [upload_blob()] and [download_blob()].
#' @section Errors: [storage_conditions].
#' @examples
#' \dontrun{
#' url <- "https://mystorage.blob.core.windows.net/docs/report.csv"
#' upload_to_url("report.csv", url, key = key)
#' download_from_url(url, "again.csv", key = key)
#' }
#' @export
download_from_url <- function(src, dest, key = NULL, token = NULL, sas = NULL, ...,
                              overwrite = FALSE, snapshot = NULL, version = NULL) {
  at <- blob_of_url(src, "src", key, token, sas, ...)
  if (missing(dest)) {
    dest <- default_file(at$blob)
  }
  pass_on(storage_download, at$container, I(at$blob), dest, ..., overwrite = overwrite,
    snapshot = snapshot %||% at$snapshot, version = version %||% at$version)
}

#' @rdname download_from_url
#' @export
upload_to_url <- function(src, dest, key = NULL, token = NULL, sas = NULL, ...) {
  at <- blob_of_url(dest, "dest", key, token, sas, ...)
  if (!is.null(at$snapshot) || !is.null(at$version)) {
    stop_input("dest", NULL, "'dest' is the URL of a snapshot or version, which cannot be changed")
  }
  pass_on(storage_upload, at$container, src, I(at$blob), ...)
}

pass_on <- function(f, ..., api_version) f(...)

blob_of_url <- function(url, argument, key, token, sas, ...,
                        api_version = endpoint_api_version()) {
  parts <- parse_storage_url(url, argument)
  if (!nzchar(parts$blob)) {
    stop_input(argument, NULL, "'", argument, "' must be the URL of a blob")
  }
  query <- blob_query(parts$query, argument)
  endpoint <- new_endpoint(parts$endpoint, key, token, sas %||% query$sas, api_version, NULL)
  check_container_name(parts$container, argument)
  list(container = new_container(parts$container, endpoint), blob = parts$blob,
    snapshot = query$snapshot, version = query$version)
}

# A list of snapshot, version and sas; NULL where the query of a blob's URL has none.
blob_query <- function(query, argument) {
  fields <- strsplit(query, "&", fixed = TRUE)[[1L]]
  fields <- fields[nzchar(fields)]
  names <- sub("=.*$", "", fields)
  value <- function(name) {
    if (name %in% names) unescape(sub("^[^=]*=", "", fields[match(name, names)]), argument)
  }
  rest <- fields[!names %in% c("snapshot", "versionid")]
  if (length(rest) && !"sig" %in% names) {
    stop_input(argument, NULL, "'", argument, "' has a query that is no shared access signature, ",
      "snapshot or version")
  }
  list(snapshot = value("snapshot"), version = value("versionid"),
    sas = if (length(rest)) paste(rest, collapse = "&"))
}

# The row of one transfer; a failure is an error.
one_transfer <- function(transfers, container, src, dest, progress) {
  done <- run_rows(container, transfers, 10, progress)
  if (!is.na(done$error)) {
    stop_one(row_error(done, 1L), transfer_table(shown_file(src), shown_file(dest), done))
  }
  done
}

shown_file <- function(x) if (is.character(x) && !is_spooled(x)) x else "<memory>"

stop_one <- function(e, files) {
  e$files <- files
  e$errors <- list(e)
  class(e) <- c("pool_http_error", "pool_transfer_error", "pool_error", "error", "condition")
  stop(e)
}

one_append <- function(container, src, dest, options) {
  begin <- proc.time()[["elapsed"]]
  tryCatch(append_blob(container, src, dest, options), pool_http_error = function(e) {
    size <- if (is.raw(src)) length(src) else file.size(src)
    done <- list(size = as.double(size), seconds = proc.time()[["elapsed"]] - begin,
      attempts = NA_integer_, error = bare_message(e))
    stop_one(e, transfer_table(shown_file(src), dest, done))
  })
  invisible(NULL)
}

# Without the request's number, which the error has for itself.
bare_message <- function(e) sub(" [(]request [^()]*[)]$", "", conditionMessage(e))

# Of those that came.
warn_md5 <- function(done) {
  unchecked <- sum(is.na(done$error) & !done$digest)
  if (unchecked > 0L) {
    which <- if (length(done$error) == 1L) "the blob" else paste(unchecked, "of the blobs")
    warning("there is no MD5 digest with ", which, ": not checked", call. = FALSE)
  }
}
