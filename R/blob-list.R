# The listing of a container: pages of XML, taken in by src/blob_list.c.

#' Lists the blobs of a container
#'
#' A container is flat; what looks like directories are names with `/` in them.
#' `list_storage_files()` is the same function. A listing of any length is fetched, by
#' pages of 5,000.
#'
#' @param container A [storage_container()].
#' @param dir Only what is in this directory, `"/"` for all. It need not end with `/`.
#' @param info What of each blob: `"partial"` (`name`, `size`, `isdir`, `blobtype`),
#'   only its `"name"`, or `"all"` that the service says.
#' @param prefix Only names that begin so; for `dir = "/"`.
#' @param recursive Whether what is in directories of `dir` is listed; otherwise they
#'   are listed themselves, first.
#' @param ... Arguments of `list_blobs()`.
#' @return With `info = "name"` a character vector; otherwise a data frame, in the order
#'   of names: `name` (UTF-8), `size` (bytes; `NA` for directories), `isdir`
#'   (`TRUE` only for directories, whose names end with `/`), `blobtype` (`"BlockBlob"`,
#'   `"AppendBlob"`, `"PageBlob"`; `NA` for directories). With `info = "all"` also a
#'   column for each of the service's properties, by its name there: strings, and
#'   date-times (GMT) for `Last-Modified` and `Creation-Time`. A listing without any
#'   blob is a data frame without columns, as AzureStor's.
#' @section Errors: [storage_conditions].
#' @source <https://learn.microsoft.com/rest/api/storageservices/list-blobs>
#' @examples
#' \dontrun{
#' cont <- storage_container(storage_endpoint("UseDevelopmentStorage=true"), "docs")
#' list_blobs(cont)
#' list_blobs(cont, "reports/2024", recursive = FALSE)
#' }
#' @export
list_blobs <- function(container, dir = "/", info = c("partial", "name", "all"),
                       prefix = NULL, recursive = TRUE) {
  check_container(container)
  info <- check_choice(info, "info", c("partial", "name", "all"))
  check_flag(recursive, "recursive")
  dir <- check_dir(dir)
  if (!is.null(prefix)) {
    prefix <- unclass(check_text(prefix, "prefix", 1L))
  }
  if (nzchar(dir)) {
    prefix <- dir
  }
  pages <- list_pages(container, prefix, recursive, columns = switch(info,
    name = "Name",
    partial = c("Name", "Content-Length", "BlobType")
  ))
  if (info == "name") {
    return(unlist(lapply(split_pages(pages), `[[`, "Name"), use.names = FALSE) %||% character())
  }
  blob_table(bind_pages(pages), info == "all")
}

#' @rdname list_blobs
#' @export
list_storage_files <- function(container, ...) list_blobs(container, ...)

# The pages as the C code gives them: lists of `isdir` and `columns`, a named list
# of character vectors. columns: only these; NULL: all.
# first: the answer to the request for the first page, where it was sent already.
list_pages <- function(container, prefix = NULL, recursive = TRUE, include = NULL,
                       columns = NULL, maxresults = NULL, first = NULL) {
  options <- list_options(prefix, recursive, include, maxresults)
  pages <- list()
  repeat {
    res <- first %||% request_ok(container$endpoint, "GET", container_url(container, options))
    first <- NULL
    page <- read_page(res$body, columns)
    pages[[length(pages) + 1L]] <- page
    options$marker <- next_marker(options$marker, page$marker)
    if (is.null(options$marker)) {
      return(pages)
    }
  }
}

list_options <- function(prefix = NULL, recursive = TRUE, include = NULL, maxresults = NULL) {
  list(
    comp = "list", prefix = prefix, include = include, maxresults = maxresults,
    delimiter = if (!recursive) "/"
  )
}

read_page <- function(body, columns = NULL) {
  page <- .Call(C_blob_list, body, columns)
  if (is.character(page)) {
    stop_answer("a listing that cannot be read: ", page)
  }
  page
}

# Each page's directories, then each page's blobs.
split_pages <- function(pages) {
  pick <- function(page, dirs) {
    keep <- if (dirs) page$isdir else !page$isdir
    if (!any(keep)) {
      return(NULL)
    }
    if (all(keep)) page$columns else lapply(page$columns, `[`, keep)
  }
  parts <- c(lapply(pages, pick, TRUE), lapply(pages, pick, FALSE))
  parts[!vapply(parts, is.null, NA)]
}

# A list of isdir and columns of all pages.
bind_pages <- function(pages) {
  dirs <- sum(vapply(pages, function(page) sum(page$isdir), 0))
  parts <- split_pages(pages)
  names <- unique(unlist(lapply(parts, names)))
  columns <- lapply(names, function(name) {
    unlist(lapply(parts, function(part) {
      part[[name]] %||% rep(NA_character_, length(part[[1L]]))
    }), use.names = FALSE)
  })
  names(columns) <- names
  n <- length(columns$Name)
  list(isdir = seq_len(n) <= dirs, columns = columns)
}

blob_table <- function(listing, all) {
  columns <- listing$columns
  n <- length(listing$isdir)
  if (n == 0L) {
    return(data.frame())
  }
  missing <- rep(NA_character_, n)
  table <- list(
    name = columns$Name,
    size = as.numeric(columns[["Content-Length"]] %||% missing),
    isdir = listing$isdir,
    blobtype = columns$BlobType %||% missing
  )
  if (all) {
    more <- columns[!names(columns) %in% c("Name", "Content-Length", "BlobType")]
    for (name in intersect(names(more), c("Last-Modified", "Creation-Time"))) {
      more[[name]] <- http_time(more[[name]])
    }
    table <- c(table, more)
  }
  structure(table, class = "data.frame", row.names = .set_row_names(n))
}
