# rAzureBatch's storage classes, by the same names, on this package's own client.

#' Storage, by rAzureBatch's names
#'
#' The classes that rAzureBatch has for storage, and doAzureParallel's functions on them,
#' for scripts that were written for these packages. [storage_container()] and the rest of
#' the storage functions do more.
#'
#' `SharedKeyCredentials$new(name, key)` is an account's name and key.
#' `StorageServiceClient$new(url, authentication, sasToken = NULL)` is a client of its Blob
#' service, with
#'
#' - `$generateSasToken(permission, sr, path, start, end)`: a shared access signature for a
#'   container (`sr = "c"`) or a blob (`"b"`), by default from yesterday until the day after
#'   tomorrow: a list of strings, `sv`, `sr`, `st`, `se`, `sp`, `sig`.
#' - `$containerOperations`: `createContainer(containerName)`, `deleteContainer(containerName)`,
#'   `listContainers(prefix = "")`.
#' - `$blobOperations`: `listBlobs(containerName, prefix = "")`,
#'   `uploadBlob(containerName, fileDirectory, ...)` (`remoteName =` the blob's name),
#'   `downloadBlob(containerName, blobName, overwrite = FALSE, downloadPath = NULL, ...)`,
#'   `deleteBlob(containerName, blobName)`. Each takes `sasToken =` too, to go by that
#'   instead of the key.
#'
#' All take `content`: `"parsed"` (lists are XML documents of package xml2; a text
#' blob is a string, another a raw vector), `"text"`, `"raw"`, or `"response"`, the answer
#' whatever its status (`$status_code`, `$headers`, `$content`). Else what the service refuses
#' is a `pool_http_error`; only to make a container that is there already, or to delete one
#' that is not, is a warning, as all refusals are in rAzureBatch.
#'
#' `createBlobUrl()` puts a URL together. Where [setCredentials()] gave an account an
#' endpoint of its own, as for the emulator, that is what a URL of this account, and a client
#' of it, begin with.
#'
#' The others work on the account of [setCredentials()].
#'
#' @param storageAccount The account's name.
#' @param container,containerName The name of a container.
#' @param fileName The name of a blob; data, and escaped.
#' @param sasToken A list as of `$generateSasToken()`, a string, or `NULL`.
#' @param storageEndpointSuffix The end of the host's name, like `"core.windows.net"`. By
#'   default that of the credentials where the account is theirs.
#' @param prefix Only names that begin so.
#' @param blobPath The name of a blob.
#' @param downloadPath The name of a file; `NULL`: the content is the value.
#' @param overwrite Whether a file that exists is replaced.
#' @param verbose Whether to say what was done.
#' @param ... Arguments of the operations.
#' @return `createBlobUrl()`: a string, which has the signature in it.
#'   `listStorageContainers()`: a data frame of `Name`, `PublicAccess`, `LeaseState`,
#'   `LastModified`. `listStorageFiles()`: one of `FilePath`, `ContentLength`, `ContentType`,
#'   `LeaseState`, `LastModified`. `getStorageFile()`: the content, or, invisibly,
#'   `downloadPath`. The others: `NULL`, invisibly.
#' @section Errors: [storage_conditions].
#' @source rAzureBatch 0.7.0 and doAzureParallel 0.8.0. Of the former's defects none is here:
#'   its signatures have wrong minutes in their dates.
#' @examples
#' credentials <- SharedKeyCredentials$new(name = "mystorage", key = "a2V5")
#' client <- StorageServiceClient$new(
#'   authentication = credentials, url = "https://mystorage.blob.core.windows.net"
#' )
#' token <- client$generateSasToken("w", "c", "outputs")
#' names(token)
#' url <- createBlobUrl("mystorage", "outputs", sasToken = token)
#' sub("sig=.*", "sig=...", url)
#' @name azure_batch
#' @aliases SharedKeyCredentials StorageServiceClient
NULL

# R6 is not loaded for them: what a class needs is in the class.
storage_class <- function(name, public) {
  R6::R6Class(name, public, cloneable = FALSE, parent_env = topenv())
}

#' @rdname azure_batch
#' @format NULL
#' @usage NULL
#' @export
SharedKeyCredentials <- storage_class("SharedKeyCredentials",
  public = list(
    name = NULL,
    key = NULL,
    initialize = function(name = NA, key = NA) {
      if (!is.character(name) || length(name) != 1L || is.na(name) ||
        !matches("^[a-z0-9]+$", name)) {
        stop_input("name", NULL, "'name' must be the name of a storage account, not ",
          given_kind(name))
      }
      if (is.null(check_secret(key, "key"))) {
        stop_missing("key")
      }
      self$name <- name
      self$key <- key
    },
    getClassName = function() "SharedKeyCredentials",
    print = function(...) {
      cat(self$format(), "\n", sep = "")
      invisible(self)
    },
    format = function(...) paste0("<credentials of storage account ", self$name, ">")
  )
)

#' @rdname azure_batch
#' @format NULL
#' @usage NULL
#' @export
StorageServiceClient <- storage_class("StorageServiceClient",
  public = list(
    url = NULL,
    authentication = NULL,
    sasToken = NULL,
    apiVersion = NULL,
    verbose = FALSE,
    containerOperations = NULL,
    blobOperations = NULL,
    initialize = function(url = NA, authentication = NA, sasToken = NULL) {
      if (!inherits(authentication, "SharedKeyCredentials") &&
        !(is.null(authentication) && !is.null(sasToken))) {
        stop_input("authentication", NULL, "'authentication' must be SharedKeyCredentials, not ",
          given_kind(authentication))
      }
      self$apiVersion <- storage_api_version
      self$authentication <- authentication
      self$sasToken <- sasToken
      self$url <- client_url(url, authentication)
      self$endpoint()
      self$containerOperations <- ContainerOperations$new(self)
      self$blobOperations <- BlobOperations$new(self)
    },
    # As the storage functions take it; by a signature instead of the key where there is one.
    endpoint = function(sasToken = self$sasToken) {
      if (is.null(sasToken)) {
        blob_endpoint(self$url, key = self$authentication$key)
      } else {
        blob_endpoint(self$url, sas = sas_text(sasToken))
      }
    },
    generateSasToken = function(permission, sr, path, start = Sys.time() - 24 * 3600,
                                end = Sys.time() + 48 * 3600) {
      sas <- get_service_sas(self$authentication$name, path, key = self$authentication$key,
        service = "blob", start = start, expiry = end, permissions = permission,
        resource_type = check_choice(sr, "sr", c("c", "b")))
      sas_fields(sas)[c("sv", "sr", "st", "se", "sp", "sig")]
    },
    print = function(...) {
      cat(self$format(), "\n", sep = "")
      invisible(self)
    },
    format = function(...) paste0("<storage client of ", hide_signature(self$url), ">")
  )
)

#' @export
str.SharedKeyCredentials <- function(object, ...) {
  cat(" ", object$format(), "\n", sep = "")
}

#' @export
str.StorageServiceClient <- str.SharedKeyCredentials

ContainerOperations <- storage_class("ContainerOperations",
  public = list(
    client = NULL,
    initialize = function(client) self$client <- client,
    createContainer = function(containerName, content = "parsed", ...) {
      batch_answer(self$client, "PUT", containerName, NULL, list(restype = "container"),
        content, expected = "ContainerAlreadyExists", ...)
    },
    deleteContainer = function(containerName, content = "parsed", ...) {
      batch_answer(self$client, "DELETE", containerName, NULL, list(restype = "container"),
        content, expected = "ContainerNotFound", ...)
    },
    listContainers = function(prefix = "", content = "parsed", ...) {
      batch_list(self$client, NULL, prefix, content, ...)
    }
  )
)

BlobOperations <- storage_class("BlobOperations",
  public = list(
    client = NULL,
    initialize = function(client) self$client <- client,
    listBlobs = function(containerName, prefix = "", content = "parsed", ...) {
      batch_list(self$client, containerName, prefix, content, ...)
    },
    uploadBlob = function(containerName, fileDirectory, parallelThreads = 1,
                          content = "response", ..., remoteName = basename(fileDirectory),
                          sasToken = self$client$sasToken) {
      check_strings(fileDirectory, "fileDirectory", 1L)
      if (!file.exists(fileDirectory) || dir.exists(fileDirectory)) {
        stop_input("fileDirectory", fileDirectory, "'fileDirectory' names a file that there ",
          "is not: ", given(fileDirectory))
      }
      container <- storage_container(self$client$endpoint(sasToken), containerName)
      storage_upload(container, fileDirectory, remoteName, progress = FALSE)
      batch_value(list(status = 201L, headers = character(), body = raw()),
        blob_url(container, check_blob(remoteName, "remoteName")), content)
    },
    downloadBlob = function(containerName, blobName, overwrite = FALSE, downloadPath = NULL,
                            progress = FALSE, ..., content = NULL,
                            sasToken = self$client$sasToken) {
      container <- storage_container(self$client$endpoint(sasToken), containerName)
      body <- storage_download(container, blobName, downloadPath, overwrite = overwrite,
        progress = progress)
      if (!is.null(downloadPath)) {
        return(invisible(downloadPath))
      }
      text <- identical(content, "text") || is.null(content) && grepl("[.]txt$", blobName)
      if (text) raw_text(body) else body
    },
    deleteBlob = function(containerName, blobName, content = "parsed", ...) {
      batch_answer(self$client, "DELETE", containerName, blobName, list(), content,
        expected = character(), ...)
    }
  )
)
