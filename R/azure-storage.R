# doAzureParallel's helpers for storage, on the account of the credentials.

# ---- URLs -----------------------------------------------------------------------

# The script that is run against the emulator says sprintf("https://%s.blob.%s", ...)
# all the same: of the account of the credentials, where their endpoint is another, that
# is meant.
client_url <- function(url, authentication) {
  own <- the$credentials
  ours <- !is.null(own) && !is.null(authentication) && identical(authentication$name, own$name)
  if (ours && own$elsewhere) {
    usual <- sprintf("https://%s.blob.%s", own$name, unique(c(own$suffix, cloud_suffixes)))
    if (!length(url) || is.character(url) && sub("/+$", "", url[[1L]]) %in% usual) {
      return(own$blob)
    }
  }
  if (!is.character(url) || length(url) != 1L || is.na(url)) {
    stop_input("url", NULL, "'url' must be the URL of an account's Blob service, not ",
      given_kind(url))
  }
  url
}

#' @rdname azure_batch
#' @export
createBlobUrl <- function(storageAccount, containerName, fileName = NULL, sasToken,
                          storageEndpointSuffix = "core.windows.net") {
  check_text(storageAccount, "storageAccount", 1L)
  check_container_name(if (!missing(containerName)) containerName, "containerName")
  sas <- if (missing(sasToken)) stop_missing("sasToken") else sas_text(sasToken)
  own <- the$credentials
  ours <- !is.null(own) && identical(as.vector(storageAccount), own$name)
  base <- if (ours && (missing(storageEndpointSuffix) || is.null(storageEndpointSuffix) ||
    own$elsewhere && storageEndpointSuffix %in% c(own$suffix, cloud_suffixes))) {
    own$blob
  } else {
    sprintf("https://%s.blob.%s", storageAccount,
      check_text(storageEndpointSuffix, "storageEndpointSuffix", 1L))
  }
  paste0(base, "/", escape(containerName, "$"),
    if (!is.null(fileName)) paste0("/", escape_path(check_blob(fileName, "fileName"))),
    if (nzchar(sas)) paste0("?", sas))
}

# A signature as it stands in a URL: of a list, or as it is.
sas_text <- function(sasToken) {
  if (is.null(sasToken)) {
    return("")
  }
  if (is.list(sasToken) || is.character(sasToken) && !is.null(names(sasToken))) {
    values <- unlist(sasToken)
    if (!is.character(values) || length(values) != length(sasToken) || anyNA(values)) {
      stop_input("sasToken", NULL, "'sasToken' must be a list of strings, as ",
        "$generateSasToken() returns it")
    }
    return(paste0(names(sasToken), "=", escape(values), collapse = "&"))
  }
  sub("^[?]", "", check_secret(sasToken, "sasToken"))
}

# ---- On the account of the credentials ----------------------------------------------

credentials_client <- function() {
  check_credentials()
  StorageServiceClient$new(the$credentials$blob,
    SharedKeyCredentials$new(the$credentials$name, the$credentials$key))
}

#' @rdname azure_batch
#' @export
listStorageContainers <- function(prefix = "") {
  doc <- credentials_client()$containerOperations$listContainers(prefix)
  xml_table(doc, ".//Container", c(
    Name = "Name", PublicAccess = "Properties/PublicAccess",
    LeaseState = "Properties/LeaseState", LastModified = "Properties/Last-Modified"
  ))
}

#' @rdname azure_batch
#' @export
deleteStorageContainer <- function(container, verbose = TRUE) {
  check_flag(verbose, "verbose")
  res <- credentials_client()$containerOperations$deleteContainer(container, "response")
  batch_said(res, verbose, "DELETE", sprintf(
    "Your storage container '%s' has been deleted.", container
  ), "deleteStorageContainer", "The specified storage container does not exist")
}

#' @rdname azure_batch
#' @export
listStorageFiles <- function(container, prefix = "", ...) {
  doc <- credentials_client()$blobOperations$listBlobs(container, prefix, "parsed", ...)
  files <- xml_table(doc, ".//Blob", c(
    FilePath = "Name", ContentLength = "Properties/Content-Length",
    ContentType = "Properties/Content-Type", LeaseState = "Properties/LeaseState",
    LastModified = "Properties/Last-Modified"
  ))
  attr(files, "containerName") <- container
  files
}

#' @rdname azure_batch
#' @export
getStorageFile <- function(container, blobPath, downloadPath = NULL, overwrite = FALSE,
                           verbose = TRUE, ...) {
  check_flag(verbose, "verbose")
  credentials_client()$blobOperations$downloadBlob(container, blobPath,
    downloadPath = downloadPath, overwrite = overwrite,
    progress = verbose && show_progress(), ...)
}

#' @rdname azure_batch
#' @export
deleteStorageFile <- function(container, blobPath, ...) {
  res <- credentials_client()$blobOperations$deleteBlob(container, blobPath, "response", ...)
  batch_said(res, TRUE, "DELETE", sprintf(
    "Your blob '%s' from container '%s' has been deleted.", blobPath, container
  ), "deleteStorageFile", "The specified storage file does not exist")
}

# What theirs print: of what is not there, no error.
batch_said <- function(res, verbose, verb, done, call, absent) {
  if (res$status_code >= 300L && res$status_code != 404L) {
    stop(http_condition(list(status = res$status_code, headers = unlist(res$headers),
      body = res$content), verb, res$url))
  }
  if (verbose) {
    cat(if (res$status_code == 404L) {
      c(paste0("Call: ", call), paste0("Exception: ", absent))
    } else {
      done
    }, sep = "\n")
  }
  invisible(NULL)
}

# One row for each node, a column for each path; "" where there is none.
xml_table <- function(doc, nodes, paths) {
  nodes <- xml2::xml_find_all(doc, nodes)
  columns <- lapply(paths, function(path) {
    text <- xml2::xml_text(xml2::xml_find_first(nodes, path))
    ifelse(is.na(text), "", text)
  })
  data.frame(columns, stringsAsFactors = FALSE)
}
