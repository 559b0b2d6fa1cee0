# Snapshots, and versions.

#' Snapshots and versions of a blob
#'
#' A snapshot is a blob as it was when the snapshot was made; it is known by its
#' date-time, a string. A version is the same, made by the service at each change, where
#' the account is set up for that. `create_storage_snapshot()` and so on are the same
#' functions.
#'
#' @param container A [storage_container()].
#' @param blob,file A blob's name, see [upload_blob()].
#' @param ... For `create_storage_snapshot()` and `create_blob_snapshot()`, metadata for the
#'   snapshot instead of the blob's, see [set_storage_metadata()]. For what deletes, arguments
#'   of the function that is named by the other name.
#' @param snapshot,version A snapshot or version; for the deletion, `"all"` snapshots.
#' @param confirm Whether to ask first. Only an interactive session asks.
#' @return `create_blob_snapshot()`: the snapshot's date-time, a string.
#'   `list_blob_snapshots()`, `list_blob_versions()`: a character vector of them, the oldest
#'   first; `NULL` where there is none. What deletes: `NULL`, invisibly.
#' @section Errors: [storage_conditions].
#' @source <https://learn.microsoft.com/rest/api/storageservices/snapshot-blob>
#' @examples
#' \dontrun{
#' cont <- storage_container(storage_endpoint("UseDevelopmentStorage=true"), "docs")
#' before <- create_blob_snapshot(cont, "report.csv")
#' storage_download(cont, "report.csv", NULL, snapshot = before)
#' }
#' @export
create_blob_snapshot <- function(container, blob, ...) {
  check_container(container)
  url <- blob_url(container, check_blob(blob, "blob"), list(comp = "snapshot"))
  res <- request_ok(container$endpoint, "PUT", url, metadata_headers(list(...), "..."))
  unname(res$headers["x-ms-snapshot"])
}

#' @rdname create_blob_snapshot
#' @export
list_blob_snapshots <- function(container, blob) {
  list_moments(container, blob, "snapshots", "Snapshot")
}

#' @rdname create_blob_snapshot
#' @export
delete_blob_snapshot <- function(container, blob, snapshot, confirm = TRUE) {
  check_container(container)
  blob <- check_blob(blob, "blob")
  check_text(snapshot, "snapshot", 1L)
  if (confirmed(confirm, "blob snapshot", snapshot)) {
    if (snapshot == "all") {
      delete_request(container$endpoint, blob_url(container, blob),
        list(`x-ms-delete-snapshots` = "only"))
    } else {
      delete_request(container$endpoint,
        blob_url(container, blob, list(snapshot = snapshot)))
    }
  }
  invisible(NULL)
}

#' @rdname create_blob_snapshot
#' @export
list_blob_versions <- function(container, blob) {
  list_moments(container, blob, "versions", "VersionId")
}

#' @rdname create_blob_snapshot
#' @export
delete_blob_version <- function(container, blob, version, confirm = TRUE) {
  check_container(container)
  blob <- check_blob(blob, "blob")
  check_text(version, "version", 1L)
  if (confirmed(confirm, "blob version", version)) {
    delete_request(container$endpoint, blob_url(container, blob, list(versionid = version)))
  }
  invisible(NULL)
}

#' @rdname create_blob_snapshot
#' @export
create_storage_snapshot <- function(container, file, ...) {
  check_container(container)
  create_blob_snapshot(container, exact_blob(file), ...)
}

#' @rdname create_blob_snapshot
#' @export
list_storage_snapshots <- function(container, blob) list_blob_snapshots(container, blob)

#' @rdname create_blob_snapshot
#' @export
delete_storage_snapshot <- function(container, file, ...) {
  check_container(container)
  delete_blob_snapshot(container, exact_blob(file), ...)
}

#' @rdname create_blob_snapshot
#' @export
list_storage_versions <- function(container, blob) list_blob_versions(container, blob)

#' @rdname create_blob_snapshot
#' @export
delete_storage_version <- function(container, file, ...) {
  check_container(container)
  delete_blob_version(container, exact_blob(file), ...)
}

# Of the blob of this name alone: the listing has all whose names begin so.
list_moments <- function(container, blob, include, column) {
  check_container(container)
  blob <- check_blob(blob, "blob")
  pages <- list_pages(container, blob, include = include, columns = c("Name", column))
  columns <- bind_pages(pages)$columns
  moments <- columns[[column]][columns$Name == blob]
  moments <- moments[!is.na(moments)]
  if (length(moments)) sort(moments, method = "radix") else NULL
}
