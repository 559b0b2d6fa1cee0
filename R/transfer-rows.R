# What the engine is told of transfers, and what it answers: lists of columns, one
# row for each.

# What the arguments of an upload come to, the same for all its files.
upload_options <- function(container, type, blocksize, lease, put_md5, append, use_azcopy,
                           metadata, content_type) {
  check_azcopy(use_azcopy)
  check_flag(append, "append")
  if (append && type != "AppendBlob") {
    stop_input("append", append, "'append' is for type = \"AppendBlob\": a block blob is ",
      "always replaced"
    )
  }
  if (!is.null(content_type)) {
    check_text(content_type, "content_type", 1L)
  }
  if (append) {
    if (!is.null(metadata)) {
      stop_input("metadata", NULL, "'metadata' cannot be given with append = TRUE: the blob ",
        "keeps its own; see set_storage_metadata()")
    }
    if (!is.null(content_type)) {
      stop_input("content_type", content_type, "'content_type' cannot be given with ",
        "append = TRUE: the blob keeps its own")
    }
  }
  headers <- c(
    check_headers(list(
      `x-ms-lease-id` = check_lease(lease),
      `x-ms-blob-content-type` = content_type
    ), "content_type"),
    metadata_headers(metadata)
  )
  most <- if (type == "BlockBlob") 4000 * 2^20 else most_appended(container)
  list(
    type = type, blocksize = check_blocksize(blocksize, most),
    md5 = check_flag(put_md5, "put_md5"), headers = headers, append = append
  )
}

# What the service takes in one block of an append blob: more from a version on.
most_appended <- function(container) {
  version <- container$endpoint$api_version %||% endpoint_api_version()
  if (version >= "2022-11-02") 100 * 2^20 else 4 * 2^20
}

download_options <- function(blocksize, overwrite, lease, check_md5, use_azcopy,
                             snapshot = NULL, version = NULL) {
  check_azcopy(use_azcopy)
  list(
    blocksize = check_blocksize(blocksize, 2^31 - 1),
    overwrite = check_flag(overwrite, "overwrite"),
    md5 = check_flag(check_md5, "check_md5"),
    headers = check_headers(list(`x-ms-lease-id` = check_lease(lease)), "lease"),
    query = version_query(snapshot, version)
  )
}

check_azcopy <- function(use_azcopy) {
  if (check_flag(use_azcopy, "use_azcopy")) {
    stop_input("use_azcopy", TRUE, "'use_azcopy' must be FALSE: azcopy is not used here")
  }
}

check_blocksize <- function(x, most) {
  if (!is.numeric(x) || length(x) != 1L || is.na(x) || x < 1 || x > most || x != trunc(x)) {
    stop_input("blocksize", x, "'blocksize' must be a whole number of bytes from 1 to ",
      format(most, scientific = FALSE), ", not ", given(x)
    )
  }
  as.numeric(x)
}

version_query <- function(snapshot, version) {
  if (!is.null(snapshot)) {
    check_text(snapshot, "snapshot", 1L)
  }
  if (!is.null(version)) {
    check_text(version, "version", 1L)
  }
  list(snapshot = snapshot, versionid = version)
}

# A path, or the bytes.
upload_source <- function(src, argument = "src") {
  if (missing(src)) {
    stop_missing(argument)
  }
  if (is.raw(src)) {
    return(src)
  }
  if (inherits(src, "connection")) {
    return(read_connection(src, argument))
  }
  if (!is.character(src) || length(src) != 1L || is.na(src)) {
    stop_input(argument, NULL, "'", argument, "' must be the path of a file, a raw ",
      "vector or a connection, not ", given_kind(src)
    )
  }
  path <- path.expand(unclass(src))
  if (!file.exists(path) || dir.exists(path)) {
    stop_input(argument, src, "'", argument, "' is not a file: ", given(src))
  }
  path
}

default_blob <- function(src) {
  if (missing(src)) {
    stop_missing("src")
  }
  if (!is.character(src) || length(src) != 1L || is.na(src)) {
    stop_input("dest", NULL, "'dest' must be given where 'src' is not a file")
  }
  I(basename(src))
}

# The last part of a blob's name as a file of the working directory: a name of a
# file, and of nothing else.
default_file <- function(blob) {
  file <- sub("^.*/", "", blob)
  if (!nzchar(file) || file %in% c(".", "..")) {
    stop_input("dest", blob, "'dest' must be given: the blob's name, ", given(blob),
      ", ends with none of a file")
  }
  # "~x" would be somebody's home.
  if (startsWith(file, "~")) paste0("./", file) else file
}

check_destination <- function(dest) {
  if (is.null(dest)) {
    return(NULL)
  }
  if (inherits(dest, "connection")) {
    about <- summary(dest)
    if (about$text != "binary" || about[["can write"]] != "yes" || !isOpen(dest, "write")) {
      stop_input("dest", NULL, "'dest' must be a connection that is open for writing ",
        "bytes"
      )
    }
    return(dest)
  }
  dest <- path.expand(unclass(check_strings(dest, "dest", 1L)))
  if (!nzchar(dest) || dir.exists(dest) || grepl("/$", dest)) {
    stop_input("dest", dest, "'dest' must be the path of a file, not of a directory: ",
      given(dest))
  }
  dest
}

make_directories <- function(files) {
  for (dir in unique(dirname(files))) {
    if (!dir.exists(dir)) {
      dir.create(dir, recursive = TRUE, showWarnings = FALSE)
    }
  }
}

# src: a list of paths and raw vectors; dest: names of blobs.
upload_rows <- function(container, src, dest, options) {
  n <- length(src)
  headers <- rep(list(options$headers), n)
  if (!"x-ms-blob-content-type" %in% names(options$headers)) {
    types <- vapply(src, function(x) if (is.character(x)) content_type(x) else content_type(""), "")
    headers <- Map(function(h, type) c(h, `x-ms-blob-content-type` = type), headers, types)
  }
  list(
    verb = rep("upload", n), url = blob_url(container, dest), local = src,
    headers = unname(headers), blobtype = rep(options$type, n),
    blocksize = rep(options$blocksize, n), md5 = rep(options$md5, n),
    overwrite = rep(TRUE, n)
  )
}

# dest: paths, or NULL: into memory.
download_rows <- function(container, src, dest, options) {
  n <- length(src)
  list(
    verb = rep("download", n), url = blob_url(container, src, options$query),
    local = if (is.null(dest)) vector("list", n) else as.list(dest),
    headers = rep(list(options$headers), n), blobtype = rep("BlockBlob", n),
    blocksize = rep(options$blocksize, n), md5 = rep(options$md5, n),
    overwrite = rep(options$overwrite, n)
  )
}

run_rows <- function(container, transfers, max_concurrent_transfers, progress) {
  check_plain(container$endpoint$url)
  shown <- if (progress) progress_display(transfers)
  on.exit(if (!is.null(shown)) shown$end())
  endpoint <- credentials(container$endpoint)
  if (is.environment(container$endpoint$token)) {
    endpoint$token <- container$endpoint$token # to be asked again on the way
  }
  run_transfers(endpoint, transfers, max_concurrent_transfers, shown$update)
}

# The table of the files, as the functions return it.
transfer_table <- function(src, dest, done) {
  data.frame(
    src = src, dest = dest, size = done$size, seconds = done$seconds,
    attempts = done$attempts, error = done$error, stringsAsFactors = FALSE
  )
}

# The row's own words say already what was asked for and what came.
row_error <- function(done, i) {
  id <- done$request_id[[i]]
  code <- done$code[[i]]
  id <- if (is.na(id)) "" else id
  pool_condition("pool_http_error",
    paste0(done$error[[i]], if (nzchar(id)) paste0(" (request ", id, ")")), user_call(),
    status = done$status[[i]], code = if (is.na(code)) "" else code, request_id = id
  )
}
