# Files that a job's tasks leave in their working directories, uploaded where the user
# wants them.

#' Output files of a job's tasks
#'
#' Says which files of a task's working directory are uploaded when the task ends, whether
#' it failed or not, and where to: for `outputFiles` of a loop's `.options.azure`, see
#' [foreach_jobs].
#'
#' Every task of a job has a working directory of its own, where it starts; `filePattern` is
#' relative to it. Wildcards: `*` (any characters of one name), `**` (any directories,
#' too; `**/` also none), `?` (one character), `[abc]`, `[a-c]`, `[!abc]` (one character that
#' is, or is not, one of these; `[*]` is a star). A leading dot has to be in the pattern.
#' Empty files are files. Links to directories are not followed.
#'
#' Without a wildcard, the path in `url` behind the container is the blob's name, or the
#' file's own name where there is none; with one, it is what the names begin with, and the
#' files' relative paths follow. Of files of one name the task's counts that ends last: let
#' the names tell tasks apart (`AZ_BATCH_TASK_ID` is in the environment of each).
#'
#' What cannot be uploaded makes the task fail. The signature of `url` is not stored with the
#' job. Where it is not known, as to somebody who joins the job elsewhere, or has expired, and
#' the account is that of [setCredentials()], a new one is made; where none can be made, no
#' task is run, and the job waits.
#'
#' @param filePattern The name of a file, or a pattern.
#' @param url The URL of a container, with a signature that may write, as of
#'   [createBlobUrl()]; or of a path in it.
#' @param x,object What `createOutputFile()` returned.
#' @param ... Nothing.
#' @return A list as doAzureParallel's, of class `pool_output_file`: `filePattern`,
#'   `destination$container$containerUrl` and `$path`, `uploadOptions`. Its print shows no
#'   signature.
#' @section Errors: `pool_input_error`, see [pool_conditions].
#' @source doAzureParallel 0.8.0;
#'   <https://learn.microsoft.com/azure/batch/batch-task-output-files>
#' @examples
#' url <- "https://mystorage.blob.core.windows.net/outputs/run-1?sig=c2VjcmV0"
#' createOutputFile("test-*.txt", url)
#' @name output_files
#' @export
createOutputFile <- function(filePattern, url) {
  check_pattern(check_text(filePattern, "filePattern", 1L), "filePattern")
  parts <- parse_storage_url(url, "url")
  if (!nzchar(parts$container)) {
    stop_input("url", NULL, "'url' must be the URL of a container, or of a path in one")
  }
  check_container_name(parts$container, "url")
  base <- paste0(sub("/+$", "", parts$endpoint), "/", escape(parts$container, "$"))
  path <- gsub("^/+|/+$", "", parts$blob)
  structure(
    list(
      filePattern = filePattern,
      destination = list(container = c(
        list(containerUrl = paste0(base, if (nzchar(parts$query)) paste0("?", parts$query))),
        if (nzchar(path)) list(path = path)
      )),
      uploadOptions = list(uploadCondition = "taskCompletion")
    ),
    class = "pool_output_file"
  )
}

check_pattern <- function(pattern, argument) {
  if (!nzchar(pattern) || grepl("^[/~]", pattern) || grepl("(^|/)[.][.](/|$)", pattern)) {
    stop_input(argument, pattern, "'", argument, "' must be relative to the working ",
      "directory of a task, and not lead out of it: ", given(pattern)
    )
  }
  tryCatch(matches_glob(pattern, "a"), warning = function(w) stop_pattern(argument, pattern),
    error = function(e) stop_pattern(argument, pattern))
}

stop_pattern <- function(argument, pattern) {
  stop_input(argument, pattern, "'", argument, "' is no pattern: ", given(pattern))
}

#' @rdname output_files
#' @export
format.pool_output_file <- function(x, ...) {
  container <- x$destination$container
  paste0("<output files ", x$filePattern, " to ", hide_signature(container$containerUrl),
    if (!is.null(container$path)) paste0(", as ", container$path), ">")
}

#' @rdname output_files
#' @export
print.pool_output_file <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}

#' @rdname output_files
#' @export
str.pool_output_file <- function(object, ...) {
  cat(" ", format(object), "\n", sep = "")
}

#' @export
as.character.pool_output_file <- function(x, ...) format(x)

# ---- In a job ------------------------------------------------------------------

# What a job's manifest has of them: a list of pattern, url (of the container, bare) and
# path (or NULL). Their signatures stay in this session.
# what: they are called in messages.
stored_outputs <- function(files, argument = "outputFiles", what = paste0("'", argument, "'")) {
  if (inherits(files, "pool_output_file")) {
    files <- list(files)
  }
  if (!is.null(files) && (!is.list(files) || is.object(files))) {
    stop_input(argument, NULL, what, " must be a list of what createOutputFile() ",
      "returns, not ", given_kind(files)
    )
  }
  lapply(unname(files), stored_output, argument, what)
}

stored_output <- function(file, argument, what) {
  container <- if (is.list(file)) file$destination$container
  if (!is.list(container) || !is.character(file$filePattern)) {
    stop_input(argument, NULL, what, " must be a list of what createOutputFile() ",
      "returns; an element is ", given_kind(file)
    )
  }
  url <- container$containerUrl
  parts <- parse_storage_url(url, argument)
  check_container_name(parts$container, argument)
  check_pattern(file$filePattern, argument)
  bare <- bare_url(url)
  good <- nzchar(parts$query) && !has_expired(parts$query)
  if (!good && is.null(own_signature(parts))) {
    stop_input(argument, NULL, "'", argument, "' has a URL ",
      if (nzchar(parts$query)) "whose signature has expired" else "without a signature",
      ", of an account that is not that of setCredentials(): ", bare
    )
  }
  if (nzchar(parts$query)) {
    the$signatures[[signature_name(bare, container$path)]] <- parts$query
  }
  list(pattern = file$filePattern, url = bare, path = container$path)
}

# As nodes need them: with a signature each, `sas`. They are made when they are used, and
# used for an hour: to be asked again for every batch. Where there is none that is good no
# task is to be run: its files could not be uploaded.
signed_outputs <- function(outputs) {
  lapply(outputs, function(output) {
    output$sas <- signature_for(output$url, output$path)
    output
  })
}

# It may be that of one blob.
signature_name <- function(url, path) paste0(url, "/", path)

signature_for <- function(url, path) {
  parts <- parse_storage_url(url)
  given <- the$signatures[[signature_name(url, path)]]
  if (!is.null(given) && !has_expired(given)) {
    return(given)
  }
  own <- own_signature(parts)
  if (is.null(own)) {
    stop_job("output files cannot be uploaded", why = paste0(
      if (is.null(given)) "no signature is known here" else "the signature has expired",
      " for ", url, "; setCredentials() of its account would make one"
    ))
  }
  own
}

has_expired <- function(sas) {
  end <- sas_fields(sas)$se
  time <- if (!is.null(end)) as.POSIXct(end, "UTC", format = "%Y-%m-%dT%H:%M:%SZ")
  !is.null(time) && !is.na(time) && time < Sys.time() + 60
}

# "a=b&c=d" as a list.
sas_fields <- function(sas) {
  fields <- strsplit(strsplit(sub("^[?]", "", sas), "&", fixed = TRUE)[[1L]], "=", fixed = TRUE)
  fields <- fields[lengths(fields) > 1L]
  values <- lapply(fields, function(x) unescape(paste(x[-1L], collapse = "="), "sas"))
  names(values) <- vapply(fields, `[[`, "", 1L)
  values
}

# A signature by the key of the credentials, for a container of their account.
own_signature <- function(parts) {
  credentials <- the$credentials
  if (is.null(credentials) ||
    !identical(sub("/+$", "", parts$endpoint), credentials$blob)) {
    return(NULL)
  }
  minted <- the$minted[[parts$container]]
  now <- as.numeric(Sys.time())
  if (is.null(minted) || now - minted$at > 3600 || !identical(minted$key, credentials$key)) {
    sas <- get_service_sas(credentials_blob(), parts$container, permissions = "cw",
      expiry = Sys.time() + 24 * 3600)
    minted <- list(sas = sas, at = now, key = credentials$key)
    the$minted[[parts$container]] <- minted
  }
  minted$sas
}

# On a node, when a task has ended: uploads what there is of `outputs`, as of
# signed_outputs(), in its directory. Returns the names of the blobs; what could not be
# uploaded is an error, when all has been tried.
upload_outputs <- function(dir, outputs) {
  names <- character()
  errors <- list()
  all <- NULL
  for (output in outputs) {
    files <- if (is_pattern(output$pattern)) {
      all <- all %||% files_below(dir)
      all[matches_glob(output$pattern, all)]
    } else {
      exact <- sub("^([.]/+)+", "", output$pattern)
      if (utils::file_test("-f", file.path(dir, exact))) exact
    }
    if (length(files)) {
      blobs <- output_blobs(output, files)
      error <- upload_output(output, file.path(dir, files), blobs)
      errors <- c(errors, error)
      names <- c(names, blobs)
    }
  }
  if (length(errors)) {
    stop(errors[[1L]])
  }
  names
}

output_blobs <- function(output, files) {
  if (is.null(output$path)) {
    files
  } else if (is_pattern(output$pattern)) {
    paste0(output$path, "/", files)
  } else {
    output$path
  }
}

# NULL, or a list of the error.
upload_output <- function(output, files, blobs) {
  tryCatch({
    container <- storage_container(output$url, sas = output$sas)
    storage_multiupload(container, I(files), I(blobs), progress = FALSE)
    NULL
  }, error = list)
}

# Relative paths of all files, also of those whose names begin with a dot. A directory
# that is a link may lead anywhere, also in a circle.
files_below <- function(dir, under = "") {
  names <- list.files(file.path(dir, under), all.files = TRUE, no.. = TRUE)
  paths <- if (nzchar(under)) file.path(under, names) else names
  full <- file.path(dir, paths)
  is_dir <- dir.exists(full)
  below <- paths[is_dir & !nzchar(Sys.readlink(full))]
  c(
    paths[!is_dir & utils::file_test("-f", full)],
    unlist(lapply(below, function(path) files_below(dir, path)))
  )
}
