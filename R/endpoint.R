# Where a storage account is, and who asks: plain lists, of AzureStor's classes.

storage_api_version <- "2021-06-08"

# The option is AzureStor's.
endpoint_api_version <- function() {
  getOption("azure_storage_api_version", storage_api_version)
}

#' A storage account: the service that is asked, and as whom
#'
#' An endpoint holds the URL of one service of a storage account and the
#' credentials for it. Nothing is asked of the service yet, and a key is not
#' looked at before it signs.
#'
#' `endpoint` is one of these:
#'
#' - the URL of a service: `https://ACCOUNT.blob.core.windows.net`, or of the
#'   emulator, `http://127.0.0.1:10000/ACCOUNT`. A shared access signature in
#'   the URL's query becomes the endpoint's `sas`.
#' - a connection string, as the portal shows it: `"DefaultEndpointsProtocol=..."`
#'   with `AccountName`, `AccountKey` or `SharedAccessSignature`,
#'   `EndpointSuffix`, `BlobEndpoint`, `QueueEndpoint`; or
#'   `"UseDevelopmentStorage=true"`, the emulator with its well-known account.
#' - left out: the connection string in the environment variable
#'   `AZURE_STORAGE_CONNECTION_STRING`.
#'
#' Of several credentials the first of key, token and SAS counts; with none,
#' requests are anonymous. A `token` is a string, or an object with `$validate()`,
#' `$refresh()` and `$credentials$access_token` as package AzureAuth makes it.
#'
#' The account's name, which a key signs with, is the first part of the host's name, or of
#' the URL's path where there is one. Behind a domain of your own it is neither: there a token
#' or a SAS serves, no key.
#'
#' Plain `http:` is refused, when a request is made, except to this machine
#' (`127.0.0.0/8`, `::1`, `localhost` and names that end in `.localhost`) or with
#' `options(pool.allow_http = TRUE)`.
#'
#' # Secrets
#' `print()`, `format()` and `str()` show neither key nor token nor signature, and no
#' error does. The fields themselves can be read: `endpoint$key`. What looks into a list
#' by itself shows them, too: `format(list(endpoint))`, a column of a data frame, `dput()`.
#'
#' # What there is, and what not
#' The Blob service is covered ([storage_container()], [list_blobs()],
#' [upload_blob()], [storage_multiupload()], [get_storage_properties()],
#' [acquire_lease()], [create_blob_snapshot()], [copy_url_to_storage()],
#' [get_account_sas()], [storage_save_rds()]), and of the Queue service what work on
#' many machines needs ([storage_queue()]). There is nothing for file shares, for
#' tables, for Data Lake Storage Gen2 (hierarchical namespaces, the `dfs` host), for
#' page blobs, for azcopy, or for making and managing accounts.
#'
#' # Options
#' - `pool.http_retries` (10): how often a request is tried again after a broken
#'   connection or an answer 408, 429, 500, 502, 503 or 504, waiting up to 30
#'   seconds in between.
#' - `pool.http_timeout` (30): seconds without a byte from the service, after which a
#'   try counts as broken.
#' - `pool.ca_file`: a file of certificates to trust instead of the system's.
#' - `pool.allow_http` (`FALSE`): whether plain `http:` may leave this machine.
#' - `pool.progress`: whether transfers show progress; by default in an interactive
#'   session.
#'
#' @param endpoint A string, see below.
#' @param key The account's access key, a string (base64).
#' @param token A token of Azure Active Directory, a string or an object.
#' @param sas A shared access signature, with or without its `?`.
#' @param api_version The version of the service's interface, a date as a string.
#' @param service `"blob"` or `"queue"`. Where it is not given the host's name
#'   tells, and where that doesn't, it is `"blob"`.
#' @return A list with `url`, `key`, `token`, `sas` and `api_version`, of class
#'   `blob_endpoint` or `queue_endpoint`, and `storage_endpoint`. Functions of
#'   package AzureStor take it too, and theirs are taken here.
#' @source <https://learn.microsoft.com/rest/api/storageservices/>; the interface is
#'   that of AzureStor 3.7.1.
#' @seealso [storage_container()]
#' @examples
#' endp <- storage_endpoint("https://mystorage.blob.core.windows.net", key = "a2V5")
#' endp
#' storage_endpoint("UseDevelopmentStorage=true")
#' @export
storage_endpoint <- function(endpoint, key = NULL, token = NULL, sas = NULL,
                             api_version = endpoint_api_version(), service = NULL) {
  new_endpoint(if (!missing(endpoint)) endpoint, key, token, sas, api_version,
    service
  )
}

#' @rdname storage_endpoint
#' @export
blob_endpoint <- function(endpoint, key = NULL, token = NULL, sas = NULL,
                          api_version = endpoint_api_version()) {
  new_endpoint(if (!missing(endpoint)) endpoint, key, token, sas, api_version,
    "blob"
  )
}

#' @rdname storage_endpoint
#' @export
queue_endpoint <- function(endpoint, key = NULL, token = NULL, sas = NULL,
                           api_version = endpoint_api_version()) {
  new_endpoint(if (!missing(endpoint)) endpoint, key, token, sas, api_version,
    "queue"
  )
}

new_endpoint <- function(endpoint, key, token, sas, api_version, service) {
  if (is.null(endpoint)) {
    endpoint <- Sys.getenv("AZURE_STORAGE_CONNECTION_STRING")
    if (!nzchar(endpoint)) {
      stop_input("endpoint", NULL, "'endpoint' is missing, and the environment ",
        "variable AZURE_STORAGE_CONNECTION_STRING is not set"
      )
    }
  }
  if (!is.character(endpoint) || length(endpoint) != 1L || is.na(endpoint)) {
    stop_input("endpoint", NULL, "'endpoint' must be a string, a URL or a ",
      "connection string, not ", given_kind(endpoint)
    )
  }
  if (!validEnc(as.vector(endpoint))) {
    stop_input("endpoint", NULL, "'endpoint' is not valid text")
  }
  check_secret(key, "key")
  check_token(token)
  check_secret(sas, "sas")
  check_api_version(api_version)
  service <- check_service(service)
  if (is_connection_string(endpoint)) {
    found <- parse_connection_string(endpoint, service %||% "blob")
    service <- service %||% "blob"
    endpoint <- found$url
    if (is.null(key) && is.null(token) && is.null(sas)) {
      key <- found$key
      sas <- found$sas
    }
  }
  at <- service_at(unname(endpoint))
  sas <- sas %||% at$sas
  service <- service %||% host_service(at$url)
  structure(
    list(url = at$url, key = unname(key), token = token, sas = unname(sas),
      api_version = api_version),
    class = c(paste0(service, "_endpoint"), "storage_endpoint")
  )
}

# A service's URL, without the signature that its query may be. "" is one, too, until
# it is used.
service_at <- function(url) {
  if (!nzchar(url)) {
    return(list(url = url))
  }
  parts <- parse_url(url, "endpoint")
  if (grepl(account_host, parts$host) && nzchar(gsub("/", "", parts$path))) {
    stop_input("endpoint", NULL, "'endpoint' must be the URL of a service, ",
      "without a path; see storage_container() for that of a container"
    )
  }
  list(url = sub("[?#].*$", "", url), sas = if (nzchar(parts$query)) parts$query)
}

`%||%` <- function(x, y) if (is.null(x)) y else x

check_secret <- function(x, argument) {
  if (missing(x)) {
    stop_missing(argument)
  }
  if (!is.null(x) && (!is.character(x) || length(x) != 1L || is.na(x) || !nzchar(x))) {
    stop_input(argument, NULL, "'", argument, "' must be NULL or a string, not ",
      if (identical(x, "")) "an empty one" else given_kind(x)
    )
  }
  if (!is.null(x) && (!validEnc(as.vector(x)) || grepl("[[:cntrl:]]", x))) {
    stop_input(argument, NULL, "'", argument, "' contains a line's end or another ",
      "control character, or is not valid text"
    )
  }
  x
}

check_token <- function(token) {
  if (is.environment(token) && is.function(token[["validate"]])) {
    token
  } else {
    check_secret(token, "token")
  }
}

check_api_version <- function(x, argument = "api_version") {
  if (!is.character(x) || length(x) != 1L || is.na(x) ||
    !matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", x)) {
    stop_input(argument, NULL, "'", argument, "' must be a date like \"",
      storage_api_version, "\", not ", given_kind(x)
    )
  }
  x
}

check_service <- function(service) {
  if (is.null(service)) {
    return(NULL)
  }
  check_strings(service, "service", 1L)
  if (!service %in% c("blob", "queue")) {
    stop_input("service", service, "'service' must be \"blob\" or \"queue\", not ",
      given(service), ": there is nothing here for file shares, tables and Data ",
      "Lake Storage Gen2"
    )
  }
  service
}

host_service <- function(url) {
  host <- tolower(sub("^[A-Za-z]+://([^/:?#]*).*$", "\\1", url))
  kind <- sub(account_host, "\\2", host)
  if (kind == host) "blob" else check_service(if (kind == "dfs") "adls" else kind)
}

# Also where the endpoint was changed by hand, or made by AzureStor.
check_endpoint <- function(x, argument, service = NULL) {
  if (missing(x)) {
    stop_missing(argument)
  }
  if (!is.list(x) || !inherits(x, "storage_endpoint") || !is.character(x$url) ||
    length(x$url) != 1L) {
    stop_input(argument, NULL, "'", argument, "' must be a storage endpoint, not ",
      given_kind(x)
    )
  }
  if (!is.null(service) && !inherits(x, paste0(service, "_endpoint"))) {
    stop_input(argument, NULL, "'", argument, "' must be an endpoint of the ",
      service, " service, not ", given_kind(x)
    )
  }
  x
}

# What the engine signs with: fields as they are now, a token that is valid.
credentials <- function(endpoint) {
  token <- endpoint$token
  if (is.environment(token)) {
    if (!isTRUE(token$validate())) {
      token$refresh()
    }
    token <- token$credentials$access_token
  }
  sas <- endpoint$sas
  list(
    url = endpoint$url,
    key = unclass(check_secret(endpoint$key, "key")),
    token = unclass(check_secret(token, "token")),
    sas = if (!is.null(sas)) sub("^[?]", "", check_secret(sas, "sas")),
    api_version = check_api_version(endpoint$api_version %||% endpoint_api_version())
  )
}
