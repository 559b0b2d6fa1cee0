# R objects and tables as blobs.

#' Saves R objects to blobs, and loads them
#'
#' As [saveRDS()], [save()], [utils::write.table()] and their counterparts, with a blob
#' in the place of the file. Package readr reads and writes tables where it is installed,
#' as AzureStor has it; its values are tibbles, and `...` are then its arguments. Of these,
#' what is set here by itself (the separator, the encoding) can be set otherwise.
#'
#' @param object An object; for the tables, a data frame.
#' @param container A [storage_container()].
#' @param file A blob's name, see [upload_blob()].
#' @param ... For `storage_save_rdata()`, names of objects, and arguments of [save()]. For the
#'   others, arguments of the function that reads or writes ([saveRDS()], [readRDS()],
#'   [load()], [utils::write.table()], [utils::read.delim()]).
#' @param envir Where the objects are.
#' @param delim What stands between the columns.
#' @return `storage_load_rds()`: the object. `storage_load_rdata()`: the objects' names,
#'   invisibly, as [load()]. `storage_read_delim()` and so on: a data frame. The others:
#'   `NULL`, invisibly.
#' @section Errors: [storage_conditions]. An object file may run code when it is loaded:
#'   load only what you trust.
#' @source The interface is that of AzureStor 3.7.1.
#' @examples
#' \dontrun{
#' cont <- storage_container(storage_endpoint("UseDevelopmentStorage=true"), "docs")
#' storage_save_rds(mtcars, cont, "mtcars.rds")
#' storage_load_rds(cont, "mtcars.rds")
#' storage_write_csv(mtcars, cont, "mtcars.csv")
#' storage_read_csv(cont, "mtcars.csv")
#' }
#' @export
storage_save_rds <- function(object, container, file, ...) {
  check_container(container)
  file <- exact_blob(file)
  if (missing(object)) {
    stop_missing("object")
  }
  through_file(function(path) {
    saveRDS(object, path, ...)
    upload_blob(container, path, file, content_type = content_type(""), progress = FALSE)
  })
}

#' @rdname storage_save_rds
#' @export
storage_load_rds <- function(container, file, ...) {
  dots <- list(...)
  dots$type <- NULL # of memDecompress(), in AzureStor: it is found out
  from_blob(container, file, function(path) call_with(quote(readRDS), list(quote(path)), dots))
}

#' @rdname storage_save_rds
#' @export
storage_save_rdata <- function(..., container, file, envir = parent.frame()) {
  force(envir)
  check_container(container)
  file <- exact_blob(file)
  through_file(function(path) {
    save(..., file = path, envir = envir)
    upload_blob(container, path, file, content_type = content_type(""), progress = FALSE)
  })
}

#' @rdname storage_save_rds
#' @export
storage_load_rdata <- function(container, file, envir = parent.frame(), ...) {
  force(envir)
  invisible(from_blob(container, file, function(path) load(path, envir = envir, ...)))
}

#' @rdname storage_save_rds
#' @export
storage_write_delim <- function(object, container, file, delim = "\t", ...) {
  write_table(object, container, file, "write_delim", list(delim = delim), delim, ".", list(...))
}

#' @rdname storage_save_rds
#' @export
storage_write_csv <- function(object, container, file, ...) {
  write_table(object, container, file, "write_csv", list(), ",", ".", list(...))
}

#' @rdname storage_save_rds
#' @export
storage_write_csv2 <- function(object, container, file, ...) {
  write_table(object, container, file, "write_csv2", list(), ";", ",", list(...))
}

#' @rdname storage_save_rds
#' @export
storage_read_delim <- function(container, file, delim = "\t", ...) {
  read_table(container, file, "read_delim", list(delim = delim), delim, ".", list(...))
}

#' @rdname storage_save_rds
#' @export
storage_read_csv <- function(container, file, ...) {
  read_table(container, file, "read_csv", list(), ",", ".", list(...))
}

#' @rdname storage_save_rds
#' @export
storage_read_csv2 <- function(container, file, ...) {
  read_table(container, file, "read_csv2", list(), ";", ",", list(...))
}

through_file <- function(code) {
  path <- tempfile("storage-")
  on.exit(unlink(path))
  code(path)
}

from_blob <- function(container, file, code) {
  check_container(container)
  file <- exact_blob(file)
  through_file(function(path) {
    download_blob(container, file, path, progress = FALSE)
    code(path)
  })
}

# Its function, or NULL: who has the package, uses it, as with AzureStor.
of_readr <- function(name, package = "readr") {
  if (requireNamespace(package, quietly = TRUE)) getExportedValue(package, name)
}

# A call of a function on these arguments, but for those that the user has set
# otherwise. Where the arguments are symbols, of the caller, a warning shows them and
# not what they stand for.
call_with <- function(fun, own, dots, envir = parent.frame()) {
  names <- names(own) %||% rep("", length(own))
  set <- nzchar(names) & names %in% names(dots)
  eval(as.call(c(list(fun), own[!set], dots)), envir)
}

# As AzureStor: read.table()'s format, where a header with one name less than
# columns means that the first has the rows' names. But a quote is doubled, as in
# any CSV file, and as read.delim() reads it.
write_table <- function(object, container, file, name, more, delim, dec, dots) {
  check_container(container)
  file <- check_blob(file)
  if (missing(object)) {
    stop_missing("object")
  }
  if (!is.data.frame(object) && !is.matrix(object)) {
    stop_input("object", NULL, "'object' must be a data frame, not ", given_kind(object))
  }
  writer <- of_readr(name)
  through_file(function(path) {
    own <- list(quote(object), quote(path))
    if (is.null(writer)) {
      call_with(quote(utils::write.table), c(own, list(sep = delim, dec = dec,
        fileEncoding = "UTF-8", qmethod = "double")), dots)
    } else {
      call_with(quote(writer), c(own, more), dots)
    }
    upload_blob(container, path, I(file), content_type = content_type(file), progress = FALSE)
  })
}

read_table <- function(container, file, name, more, delim, dec, dots) {
  reader <- of_readr(name)
  from_blob(container, file, function(path) {
    own <- list(quote(path))
    if (is.null(reader)) {
      call_with(quote(utils::read.delim), c(own, list(sep = delim, dec = dec,
        encoding = "UTF-8")), dots)
    } else {
      dots$lazy <- FALSE # the file goes
      call_with(quote(reader), c(own, more), dots)
    }
  })
}
