# Many blobs at once, in the session's own engine.

#' Uploads and downloads many blobs at once
#'
#' All files go at the same time, as many as `max_concurrent_transfers`, over
#' connections that are kept, in this session: no node of the pool is needed.
#' `multiupload_blob()` and `multidownload_blob()` are the same functions.
#'
#' `src` is a vector, and `dest` one of the same length, or left out: then each goes by
#' the last part of its source's name. Or `src` is one string with a wildcard (`*`, `?`)
#' in its last part, and `dest` a directory: by default the container's root, or the
#' working directory. With `recursive = TRUE` the wildcard is matched against files in
#' directories below, too, and the tree is made again at the destination. A string that
#' is the name of an existing file, or given as `I("a*")`, is no wildcard. A wildcard matches
#' a local file whose name begins with a dot only if it begins with one, too.
#'
#' A file that fails does not end the others: it has a row with an error. A blob whose
#' name leads out of the destination (`../x`), or that no file can have, is such a row.
#'
#' @inheritParams upload_blob
#' @param src For an upload: paths of files, one wildcard, or a list of paths, raw vectors
#'   and connections. For a download: names of blobs, or one wildcard.
#' @param dest Names of blobs; paths of files. See below.
#' @param recursive Whether a wildcard goes for directories below, too.
#' @param max_concurrent_transfers At most so many at once; fewer where they don't serve.
#' @param on_error `"stop"`: when all were tried, failures are one error that lists them.
#'   `"return"`: they are rows like the others.
#' @param ... Arguments of `multiupload_blob()` and `multidownload_blob()`.
#' @return Invisibly, a data frame with a row for each file: `src` and `dest` (strings;
#'   `"<memory>"` for what was no file), `size` (bytes), `seconds`, `attempts`, `error` (a
#'   string; `NA` on success).
#' @section Errors: `pool_transfer_error`, with the table as `$files`, and a
#'   `pool_http_error` for each failed file in `$errors`. See [storage_conditions].
#' @source The interface is that of AzureStor 3.7.1.
#' @examples
#' \dontrun{
#' cont <- storage_container(storage_endpoint("UseDevelopmentStorage=true"), "docs")
#' storage_multiupload(cont, "reports/*", "archive", recursive = TRUE)
#' files <- storage_multidownload(cont, "archive/*", "again", recursive = TRUE)
#' sum(files$size)
#' }
#' @export
multiupload_blob <- function(container, src, dest, recursive = FALSE,
                             type = c("BlockBlob", "AppendBlob"),
                             blocksize = if (type == "BlockBlob") 2^24 else 2^22,
                             lease = NULL, put_md5 = FALSE, append = FALSE,
                             use_azcopy = FALSE, max_concurrent_transfers = 10,
                             metadata = NULL, content_type = NULL,
                             on_error = c("stop", "return"),
                             progress = show_progress()) {
  check_container(container)
  type <- check_choice(type, "type", c("BlockBlob", "AppendBlob"))
  options <- upload_options(container, type, blocksize, lease, put_md5, append,
    use_azcopy, metadata, content_type)
  if (append) {
    stop_input("append", append, "'append' must be FALSE where many are uploaded: see ",
      "upload_blob() to add to one blob")
  }
  on_error <- check_choice(on_error, "on_error", c("stop", "return"))
  check_flag(progress, "progress")
  check_flag(recursive, "recursive")
  many <- check_concurrent(max_concurrent_transfers)
  set <- upload_set(src, if (!missing(dest)) dest, recursive)
  on.exit(drop_spooled(set$local))
  transfers <- upload_rows(container, set$local, set$dest, options)
  done <- run_rows(container, transfers, many, progress)
  shown <- vapply(set$local, shown_file, "")
  finish_many(transfer_table(shown, set$dest, done), done, on_error)
}

#' @rdname multiupload_blob
#' @export
storage_multiupload <- function(container, src, dest, recursive = FALSE, ...,
                                max_concurrent_transfers = 10,
                                on_error = c("stop", "return")) {
  multiupload_blob(container, src, dest, recursive, ...,
    max_concurrent_transfers = max_concurrent_transfers, on_error = on_error
  )
}

#' @rdname multiupload_blob
#' @export
multidownload_blob <- function(container, src, dest, recursive = FALSE,
                               blocksize = 2^24, overwrite = FALSE, lease = NULL,
                               check_md5 = FALSE, use_azcopy = FALSE,
                               max_concurrent_transfers = 10,
                               on_error = c("stop", "return"),
                               progress = show_progress()) {
  check_container(container)
  options <- download_options(blocksize, overwrite, lease, check_md5, use_azcopy)
  on_error <- check_choice(on_error, "on_error", c("stop", "return"))
  check_flag(progress, "progress")
  check_flag(recursive, "recursive")
  many <- check_concurrent(max_concurrent_transfers)
  set <- download_set(container, src, if (!missing(dest)) dest, recursive)
  ok <- is.na(set$error)
  make_directories(set$dest[ok])
  transfers <- download_rows(container, set$src, set$dest, options)
  done <- no_transfer(set$error)
  if (any(ok)) {
    ran <- run_rows(container, lapply(transfers, `[`, ok), many, progress)
    for (name in names(done)) {
      done[[name]][ok] <- ran[[name]]
    }
  }
  if (options$md5) {
    warn_md5(done)
  }
  finish_many(transfer_table(set$src, set$dest, done), done, on_error)
}

#' @rdname multiupload_blob
#' @export
storage_multidownload <- function(container, src, dest, recursive = FALSE, ...,
                                  max_concurrent_transfers = 10,
                                  on_error = c("stop", "return")) {
  multidownload_blob(container, src, dest, recursive, ...,
    max_concurrent_transfers = max_concurrent_transfers, on_error = on_error
  )
}

# The columns for files that are not even tried.
no_transfer <- function(error) {
  n <- length(error)
  list(
    size = rep(NA_real_, n), seconds = numeric(n), attempts = integer(n),
    status = rep(NA_integer_, n), code = character(n), request_id = character(n),
    error = error, digest = logical(n)
  )
}

finish_many <- function(files, done, on_error) {
  failed <- which(!is.na(done$error))
  if (on_error == "stop" && length(failed)) {
    stop_transfer(files, lapply(failed, function(i) row_error(done, i)))
  }
  invisible(files)
}

check_concurrent <- function(x) {
  if (!is.numeric(x) || length(x) != 1L || is.na(x) || x < 1 || x != trunc(x) || x > 1000) {
    stop_input("max_concurrent_transfers", x, "'max_concurrent_transfers' must be a whole ",
      "number from 1 to 1000, not ", given(x)
    )
  }
  as.integer(x)
}

# ---- What goes where ---------------------------------------------------------

# The pattern in the last part of a path, as a regular expression; NULL: none.
wildcard <- function(src) {
  if (length(src) != 1L || inherits(src, "AsIs") || !is.character(src) || is.na(src) ||
    !validEnc(src)) {
    return(NULL)
  }
  last <- sub("^.*/", "", src)
  if (!grepl("[*?]", last)) {
    return(NULL)
  }
  pattern <- gsub("([][{}()+^$|\\\\.])", "\\\\\\1", last)
  pattern <- gsub("?", "[^/]", gsub("*", "[^/]*", pattern, fixed = TRUE), fixed = TRUE)
  # A "[^/]" that came from "*" has no question mark left to take for one.
  paste0("^", pattern, "$")
}

check_lengths <- function(src, dest) {
  if (!length(src)) {
    stop_input("src", src, "'src' names no file")
  }
  if (length(dest) != length(src)) {
    stop_input("dest", dest, "'dest' must have one name for each of the ", length(src),
      " in 'src', not ", length(dest))
  }
}

# Two sources for one destination: one of them would be gone.
check_distinct <- function(dest) {
  twice <- dest[duplicated(dest)]
  if (length(twice)) {
    stop_input("dest", dest, "'dest' has one name for several files: ", given(twice[[1L]]))
  }
  dest
}

one_directory <- function(dest) {
  if (length(dest) != 1L) {
    stop_input("dest", dest, "'dest' must be one directory where 'src' has a wildcard, not ",
      length(dest), " names")
  }
  dest
}

# A list of local (a list of paths and raw vectors) and dest (exact names).
upload_set <- function(src, dest, recursive) {
  if (missing(src)) {
    stop_missing("src")
  }
  if (is.list(src) && !inherits(src, "connection")) {
    check_lengths(src, dest)
    local <- lapply(src, upload_source)
    return(list(local = local, dest = check_distinct(check_names_of_blobs(dest, "dest"))))
  }
  if (is.raw(src) || inherits(src, "connection")) {
    return(upload_set(list(src), dest, recursive))
  }
  check_strings(src, "src")
  pattern <- if (!(length(src) == 1L && file.exists(src))) wildcard(src)
  if (is.null(pattern)) {
    local <- path.expand(unclass(src))
    dest <- dest %||% I(basename(local))
    check_lengths(src, dest)
    dest <- check_distinct(check_names_of_blobs(dest, "dest"))
    return(list(local = as.list(local), dest = dest))
  }
  root <- path.expand(dirname(src))
  found <- list.files(root, recursive = recursive, no.. = TRUE,
    all.files = startsWith(basename(src), "."))
  found <- found[grepl(pattern, basename(found)) & !dir.exists(file.path(root, found))]
  if (!length(found)) {
    stop_input("src", src, "no file matches 'src', ", given(src))
  }
  dir <- check_dir(one_directory(dest %||% "/"), "dest")
  list(local = as.list(file.path(root, found)),
    dest = check_names_of_blobs(I(paste0(dir, found)), "dest"))
}

# A list of src (exact names), dest (paths) and error (NA, or why it cannot be).
download_set <- function(container, src, dest, recursive) {
  if (missing(src)) {
    stop_missing("src")
  }
  pattern <- wildcard(src)
  if (is.null(pattern)) {
    src <- check_names_of_blobs(src, "src")
    if (is.null(dest)) {
      check_lengths(src, src)
      dest <- vapply(src, default_file, "", USE.NAMES = FALSE)
    } else {
      check_destinations(dest)
      check_lengths(src, dest)
      if (length(src) == 1L && dir.exists(dest)) {
        stop_input("dest", dest, "'dest' must be the path of a file, not of a directory: ",
          given(dest))
      }
      dest <- path.expand(unclass(dest))
    }
    return(list(src = src, dest = check_distinct(dest), error = rep(NA_character_, length(src))))
  }
  src <- sub("^/+", "", src)
  dir <- if (grepl("/", src, fixed = TRUE)) sub("[^/]*$", "", src) else ""
  dest <- path.expand(check_destinations(one_directory(dest %||% ".")))
  if (file.exists(dest) && !dir.exists(dest)) {
    stop_input("dest", dest, "'dest' must be a directory, not ", given(dest))
  }
  names <- matching_blobs(container, dir, pattern, recursive)
  if (!length(names)) {
    stop_input("src", src, "no blob matches 'src', ", given(src))
  }
  local <- substring(names, nchar(dir) + 1L)
  list(src = names, dest = file.path(sub("/$", "", dest), local), error = unsafe(local))
}

# Not "", which would be the system's root.
check_destinations <- function(dest) {
  if (!all(nzchar(check_strings(dest, "dest")))) {
    stop_input("dest", dest, "'dest' must be paths, not ", given(""))
  }
  dest
}

matching_blobs <- function(container, dir, pattern, recursive) {
  pages <- list_pages(container, if (nzchar(dir)) dir, recursive, columns = "Name")
  listing <- bind_pages(pages)
  names <- listing$columns$Name[!listing$isdir]
  names[grepl(pattern, sub("^.*/", "", names))]
}

# Of the paths of blobs below a directory: why no file of that directory can have
# this one, or NA.
unsafe <- function(path) {
  why <- rep(NA_character_, length(path))
  out <- startsWith(path, "/") | grepl("(^|/)[.][.](/|$)", path)
  why[out] <- "the blob's name leads out of the destination"
  none <- !out & grepl("(^|/)[.]?(/|$)", path)
  why[none] <- "the blob's name is none that a file can have"
  twice <- is.na(why) & duplicated(path)
  why[twice] <- "another blob goes to the same file"
  why
}
