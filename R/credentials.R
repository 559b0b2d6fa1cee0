# The storage account that jobs live in, and the directory that they live in without one.

#' The storage account that jobs live in
#'
#' `setCredentials()` says which storage account [foreach_jobs] live in from now on: every
#' `%dopar%` of the session is a stored job then, and any machine that has the credentials
#' can see it, fetch its results, and work on it. Without credentials jobs live in a
#' directory of the user's. `generateCredentialsConfig()` writes a file to fill in.
#'
#' The file is doAzureParallel's, JSON; a list is the same by names:
#'
#' ```
#' { "sharedKey": {
#'     "batchAccount":   { "name": "...", "key": "...", "url": "..." },
#'     "storageAccount": { "name": "mystorage", "key": "...",
#'                         "endpointSuffix": "core.windows.net" } } }
#' ```
#'
#' `storageAccount` may also give, for the emulator or a domain of your own, `endpoint` (of
#' the Blob service, like `"http://127.0.0.1:10000/devstoreaccount1"`) and `queueEndpoint`;
#' otherwise they are `https://NAME.blob.SUFFIX` and `https://NAME.queue.SUFFIX`. With a
#' port in the suffix, like `"localhost:10000"`, it is that of the Blob service, and
#' `queueEndpoint` has to be given.
#'
#' # No machines of Azure Batch
#' `batchAccount` is accepted and not used. Azure Batch, which doAzureParallel rents machines
#' from, has no emulator, and is not asked here: jobs run on the pool of this machine, and on
#' any machine with the credentials where somebody calls `cluster_run(cluster_join(id))`.
#' Credentials of a service principal, which only Azure's management can turn into a key,
#' are refused.
#'
#' # Options
#' `pool.jobs_dir`: the directory that jobs live in without credentials; by default
#' `tools::R_user_dir("pool", "data")`.
#'
#' @param credentials The name of a file, or a list; `NULL`: none any more.
#' @param verbose Whether to say which account it is.
#' @param environment `"Azure"`, `"AzureUSGov"`, `"AzureChina"` or `"AzureGermany"`: what
#'   `endpointSuffix` is where it is not given.
#' @param fileName The name of a file; one that exists is left as it is.
#' @param authenticationType `"SharedKey"`.
#' @param ... Values to write: `batchAccount`, `batchKey`, `batchUrl`, `storageAccount`,
#'   `storageKey`, `storageEndpointSuffix`, `storageEndpoint`, `storageQueueEndpoint`; and,
#'   not used, `githubAuthenticationToken`, `dockerAuthentication`, `dockerUsername`,
#'   `dockerPassword`, `dockerRegistry`, `appInsightsApplicationId`,
#'   `appInsightInstrumentationKey`.
#' @return `NULL`, invisibly.
#' @section Secrets: The key stays in this process: no node gets it, and no job has it in
#'   it. The file is written for nobody else to read; one that others can read is a warning.
#' @section Errors: `pool_input_error`, see [pool_conditions]. Nothing is asked of the
#'   account yet: a wrong key shows when a job is made.
#' @source doAzureParallel 0.8.0.
#' @seealso [registerDoPool()], which this calls where foreach has no backend.
#' @examples
#' setCredentials(list(sharedKey = list(storageAccount = list(
#'   name = "devstoreaccount1", key = "a2V5",
#'   endpoint = "http://127.0.0.1:10000/devstoreaccount1",
#'   queueEndpoint = "http://127.0.0.1:10001/devstoreaccount1"
#' ))))
#' setCredentials(NULL)
#' @name credentials
#' @export
setCredentials <- function(credentials = "az_config.json", verbose = TRUE,
                           environment = "Azure") {
  check_flag(verbose, "verbose")
  suffix <- check_cloud(environment)
  if (is.null(credentials)) {
    the$credentials <- the$signatures <- NULL
    return(invisible(NULL))
  }
  the$credentials <- as_credentials(read_credentials(credentials), suffix)
  if (!foreach::getDoParRegistered()) {
    registerDoPool()
  }
  if (verbose) {
    line <- strrep("=", getOption("width"))
    cat(
      line,
      paste("Storage Account:", the$credentials$name),
      paste("Storage Account Url:", the$credentials$blob),
      line,
      "Your credentials have been successfully set.",
      sep = "\n"
    )
  }
  invisible(NULL)
}

#' @rdname credentials
#' @export
generateCredentialsConfig <- function(fileName, authenticationType = "SharedKey", ...) {
  path <- path.expand(check_strings(fileName, "fileName", 1L))
  check_strings(authenticationType, "authenticationType", 1L)
  if (tolower(authenticationType) != "sharedkey") {
    stop_input("authenticationType", authenticationType, "'authenticationType' must be ",
      "\"SharedKey\", not ", given(authenticationType),
      ": the key of a storage account is all that is used here"
    )
  }
  config <- credentials_config(check_config_values(...))
  if (file.exists(path)) {
    message("'", fileName, "' exists: it is left as it is")
    return(invisible(NULL))
  }
  old <- Sys.umask("077")
  on.exit(Sys.umask(old))
  tryCatch(
    suppressWarnings(writeLines(jsonlite::toJSON(config, auto_unbox = TRUE, pretty = TRUE), path)),
    error = function(e) {
      stop_input("fileName", fileName, "'fileName' cannot be written: ", given(fileName))
    }
  )
  print(sprintf(
    "A config file has been generated %s. Please enter your storage account's credentials.", path
  ))
  invisible(NULL)
}

# ---- The file ----------------------------------------------------------------

# Names, as doAzureParallel has them, and what stands there until it is filled in.
config_placeholders <- list(
  batchAccount = "batch_account_name", batchKey = "batch_account_key",
  batchUrl = "batch_account_url", storageAccount = "storage_account_name",
  storageKey = "storage_account_key", storageEndpointSuffix = "core.windows.net",
  storageEndpoint = NULL, storageQueueEndpoint = NULL, githubAuthenticationToken = "",
  dockerAuthentication = "", dockerUsername = "", dockerPassword = "", dockerRegistry = "",
  appInsightsApplicationId = "", appInsightInstrumentationKey = ""
)

check_config_values <- function(...) {
  values <- list(...)
  known <- c(names(config_placeholders), "storageEndpoint", "storageQueueEndpoint")
  unknown <- setdiff(names(values) %||% rep("", length(values)), known)
  if (length(unknown)) {
    name <- if (nzchar(unknown[[1L]])) unknown[[1L]] else "..."
    stop_input(name, NULL, "'", name, "' is no value of a credentials file")
  }
  for (name in names(values)) {
    check_secret(values[[name]], name)
  }
  utils::modifyList(config_placeholders, values)
}

credentials_config <- function(values) {
  account <- list(name = values$storageAccount, key = values$storageKey,
    endpointSuffix = values$storageEndpointSuffix, endpoint = values$storageEndpoint,
    queueEndpoint = values$storageQueueEndpoint)
  list(
    sharedKey = list(
      batchAccount = list(name = values$batchAccount, key = values$batchKey,
        url = values$batchUrl),
      storageAccount = account[!vapply(account, is.null, NA)]
    ),
    githubAuthenticationToken = values$githubAuthenticationToken,
    dockerAuthentication = list(username = values$dockerUsername,
      password = values$dockerPassword, registry = values$dockerRegistry),
    applicationInsights = list(applicationId = values$appInsightsApplicationId,
      instrumentationKey = values$appInsightInstrumentationKey)
  )
}

# A list. What a parser says of a file may show what is in it.
read_credentials <- function(credentials) {
  if (is.list(credentials) && !is.object(credentials)) {
    return(credentials)
  }
  if (!is.character(credentials) || length(credentials) != 1L || is.na(credentials)) {
    stop_credentials("must be the name of a file, or a list, not ", given_kind(credentials))
  }
  path <- path.expand(credentials)
  if (!file.exists(path) || dir.exists(path)) {
    stop_credentials("names a file that there is not: ", given(credentials))
  }
  if (bitwAnd(as.integer(file.mode(path)), strtoi("077", 8L)) != 0L) {
    warning("others than you may read or write '", credentials, "', which has a key in it: ",
      "Sys.chmod(\"", credentials, "\", \"600\")",
      call. = FALSE
    )
  }
  config <- tryCatch(
    jsonlite::fromJSON(paste(readLines(path, warn = FALSE), collapse = "\n"),
      simplifyVector = FALSE),
    error = function(e) NULL
  )
  if (!is.list(config)) {
    stop_credentials("names a file that cannot be read as JSON: ", given(credentials))
  }
  config
}

stop_credentials <- function(...) {
  stop_input("credentials", NULL, "'credentials' ", ...)
}

# ---- The account ---------------------------------------------------------------

cloud_suffixes <- c(
  azure = "core.windows.net", azureusgov = "core.usgovcloudapi.net",
  azurechina = "core.chinacloudapi.cn", azuregermany = "core.cloudapi.de"
)

check_cloud <- function(environment) {
  name <- tolower(check_strings(environment, "environment", 1L))
  if (!name %in% names(cloud_suffixes)) {
    stop_input("environment", environment, "'environment' must be \"Azure\", \"AzureUSGov\", ",
      "\"AzureChina\" or \"AzureGermany\", not ", given(environment))
  }
  cloud_suffixes[[name]]
}

# A list of name, key, blob and queue (URLs; queue may be NULL), suffix, and whether the
# URL is other than name and suffix say.
as_credentials <- function(config, suffix) {
  if (!is.null(config$servicePrincipal) && is.null(config$sharedKey)) {
    stop_credentials("are those of a service principal, of which there is no use here: ",
      "give sharedKey$storageAccount")
  }
  account <- if (is.list(config$sharedKey)) config$sharedKey$storageAccount
  account <- account %||% config$storageAccount # as older files have it
  if (!is.list(account)) {
    stop_credentials("have no sharedKey$storageAccount with name and key")
  }
  field <- function(name) {
    x <- account[[name]]
    if (!is.null(x) && (!is.character(x) || length(x) != 1L || is.na(x) || !validEnc(x))) {
      stop_credentials("must have a string as storageAccount$", name, ", not ", given_kind(x))
    }
    if (!is.null(x) && nzchar(x)) x
  }
  name <- field("name")
  key <- field("key")
  if (is.null(name) || !grepl("^[a-z0-9]{3,24}$", name)) {
    stop_credentials("must have the account's name as storageAccount$name, 3 to 24 ",
      "lower-case letters and digits")
  }
  if (is.null(key) || is.null(base64_decode(key))) {
    stop_credentials("must have the account's key as storageAccount$key, in base64")
  }
  suffix <- field("endpointSuffix") %||% suffix
  derived <- function(service) sprintf("https://%s.%s.%s", name, service, suffix)
  blob <- field("endpoint") %||% derived("blob")
  queue <- field("queueEndpoint")
  if (is.null(queue) && is.null(field("endpoint")) && !grepl(":", suffix, fixed = TRUE)) {
    queue <- derived("queue")
  }
  list(name = name, key = key, blob = credentials_url(blob, "endpoint", key, "blob"),
    queue = if (!is.null(queue)) credentials_url(queue, "queueEndpoint", key, "queue"),
    suffix = suffix, elsewhere = !is.null(field("endpoint")))
}

credentials_url <- function(url, field, key, service) {
  tryCatch(
    sub("/+$", "", new_endpoint(url, key, NULL, NULL, endpoint_api_version(), service)$url),
    pool_input_error = function(e) {
      stop_credentials("must have the URL of a service as storageAccount$", field)
    }
  )
}

credentials_blob <- function() {
  check_credentials()
  blob_endpoint(the$credentials$blob, key = the$credentials$key)
}

check_credentials <- function() {
  if (is.null(the$credentials)) {
    stop_credentials("are not set; call setCredentials()")
  }
}
