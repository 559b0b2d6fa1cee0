# Blobs and what looks like directories: are they there, away with them.

#' Blobs and directories: whether they are there, and away with them
#'
#' `storage_file_exists()` is `blob_exists()`, `delete_storage_file()` is `delete_blob()`,
#' and likewise for directories: two names for the same.
#'
#' Blob storage has no directories: there is one as long as a blob's name begins with
#' it. So `create_blob_dir()` only sees whether a blob could be made there, and leaves
#' nothing behind; and `delete_blob_dir()` with `recursive = FALSE` deletes no more than a
#' blob of that very name.
#'
#' @param container A [storage_container()].
#' @param file,blob A blob's name, see [upload_blob()].
#' @param dir A directory's name, with or without `/` at its end; `"/"` is all there is. To
#'   delete, `""` is none, so that a name that came out empty does not empty the container.
#' @param recursive Whether all blobs below the directory are deleted.
#' @param confirm Whether to ask first. Only an interactive session asks.
#' @param lease The lease on the blob, a string, where there is one.
#' @param ... Arguments of the function that is named by the other name.
#' @return `TRUE` or `FALSE`; what deletes and makes, `NULL`, invisibly. A blob is deleted
#'   with its snapshots.
#' @section Errors: [storage_conditions]. To delete a blob that is not there is one
#'   (status 404).
#' @source <https://learn.microsoft.com/rest/api/storageservices/delete-blob>
#' @examples
#' \dontrun{
#' cont <- storage_container(storage_endpoint("UseDevelopmentStorage=true"), "docs")
#' blob_exists(cont, "report.csv")
#' delete_blob(cont, "report.csv")
#' delete_blob_dir(cont, "archive", recursive = TRUE)
#' }
#' @export
blob_exists <- function(container, blob) {
  check_container(container)
  url <- blob_url(container, check_blob(blob, "blob"))
  res <- request(container$endpoint, "HEAD", url)
  if (res$status == 404L) {
    return(FALSE)
  }
  if (res$status >= 300L) {
    stop(http_condition(res, "HEAD", url))
  }
  TRUE
}

#' @rdname blob_exists
#' @export
storage_file_exists <- function(container, file, ...) {
  check_container(container)
  blob_exists(container, exact_blob(file), ...)
}

# For functions that name the argument of others in another way.
exact_blob <- function(file) I(check_blob(file))

#' @rdname blob_exists
#' @export
blob_dir_exists <- function(container, dir) {
  check_container(container)
  dir <- check_dir(dir)
  if (dir == "") {
    return(TRUE)
  }
  url <- container_url(container, list(comp = "list", prefix = dir, maxresults = 1))
  repeat {
    page <- read_page(request_ok(container$endpoint, "GET", url)$body, "Name")
    # A service may answer with nothing but where to go on.
    if (length(page$isdir) || is.null(page$marker)) {
      return(length(page$isdir) > 0L)
    }
    url <- container_url(container,
      list(comp = "list", prefix = dir, maxresults = 1, marker = page$marker))
  }
}

#' @rdname blob_exists
#' @export
storage_dir_exists <- function(container, dir, ...) blob_dir_exists(container, dir, ...)

#' @rdname blob_exists
#' @export
delete_blob <- function(container, blob, confirm = TRUE, lease = NULL) {
  check_container(container)
  blob <- check_blob(blob, "blob")
  lease <- check_lease(lease)
  if (confirmed(confirm, "blob", blob)) {
    delete_one(container, blob, lease)
  }
  invisible(NULL)
}

#' @rdname blob_exists
#' @export
delete_storage_file <- function(container, file, confirm = TRUE, ...) {
  check_container(container)
  delete_blob(container, exact_blob(file), confirm, ...)
}

delete_one <- function(container, blob, lease = NULL) {
  delete_request(container$endpoint, blob_url(container, blob),
    list(`x-ms-delete-snapshots` = "include", `x-ms-lease-id` = lease))
}

#' @rdname blob_exists
#' @export
create_blob_dir <- function(container, dir) {
  check_container(container)
  trial <- paste0(check_dir(dir), ".", basename(tempfile("dir-")))
  request_ok(container$endpoint, "PUT", blob_url(container, trial),
    list(`x-ms-blob-type` = "BlockBlob"))
  delete_one(container, trial)
}

#' @rdname blob_exists
#' @export
create_storage_dir <- function(container, dir, ...) create_blob_dir(container, dir, ...)

#' @rdname blob_exists
#' @export
delete_blob_dir <- function(container, dir, recursive = FALSE, confirm = TRUE) {
  check_container(container)
  prefix <- deletion_prefix(dir)
  check_flag(recursive, "recursive")
  if (prefix == "" && !recursive || !confirmed(confirm, "directory", dir)) {
    return(invisible(NULL))
  }
  if (recursive) {
    pages <- list_pages(container, if (nzchar(prefix)) prefix, columns = "Name")
    for (name in bind_pages(pages)$columns$Name) {
      delete_one(container, name)
    }
  }
  if (nzchar(prefix)) {
    itself <- sub("/$", "", prefix)
    if (nzchar(itself) && blob_exists(container, I(itself))) {
      delete_one(container, itself)
    }
  }
  invisible(NULL)
}

# What empties the container has to be asked for: by "/", and by no name that came out
# empty.
deletion_prefix <- function(dir) {
  prefix <- check_dir(dir)
  if (identical(as.vector(dir), ".")) {
    return("./")
  }
  if (prefix == "" && !identical(as.vector(dir), "/")) {
    stop_input("dir", dir, "'dir' must name a directory, or be \"/\" for all there is, not ",
      given(dir)
    )
  }
  prefix
}

#' @rdname blob_exists
#' @export
delete_storage_dir <- function(container, dir, recursive = FALSE, confirm = TRUE, ...) {
  delete_blob_dir(container, dir, recursive, confirm, ...)
}
