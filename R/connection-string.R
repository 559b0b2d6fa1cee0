# Connection strings: "Name=value;Name=value".

# The emulator's account is the same everywhere, and documented.
development <- list(
  account = "devstoreaccount1",
  key = paste0(
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErC",
    "z4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
  ),
  ports = c(blob = 10000L, queue = 10001L)
)

is_connection_string <- function(text) {
  grepl("^[[:space:];]*[A-Za-z]+=", text) && !grepl("^[A-Za-z]+://", text)
}

connection_names <- c(
  "DefaultEndpointsProtocol", "AccountName", "AccountKey", "EndpointSuffix",
  "SharedAccessSignature", "BlobEndpoint", "QueueEndpoint", "TableEndpoint",
  "FileEndpoint", "BlobSecondaryEndpoint", "QueueSecondaryEndpoint",
  "TableSecondaryEndpoint", "FileSecondaryEndpoint", "UseDevelopmentStorage",
  "DevelopmentStorageProxyUri"
)

stop_connection_string <- function(...) {
  stop_input("endpoint", NULL, "'endpoint' is a connection string that ", ...)
}

# A named list of its parts; names as documented, whatever their case.
split_connection_string <- function(text) {
  parts <- trimws(strsplit(text, ";", fixed = TRUE)[[1L]])
  parts <- parts[nzchar(parts)]
  at <- regexpr("=", parts, fixed = TRUE)
  if (any(at < 2L)) {
    stop_connection_string("has a part that is not of the form Name=value")
  }
  index <- match(tolower(substr(parts, 1L, at - 1L)), tolower(connection_names))
  if (anyNA(index)) {
    stop_connection_string("has a part of an unknown name")
  }
  if (anyDuplicated(index)) {
    stop_connection_string("has ", connection_names[index[duplicated(index)][1L]],
      " more than once")
  }
  values <- as.list(substring(parts, at + 1L))
  names(values) <- connection_names[index]
  values[nzchar(unlist(values))]
}

# A list of url, key and sas for one service.
parse_connection_string <- function(text, service) {
  parts <- split_connection_string(text)
  if (!is.null(parts$UseDevelopmentStorage)) {
    if (tolower(parts$UseDevelopmentStorage) != "true") {
      stop_connection_string("has UseDevelopmentStorage, which can only be true")
    }
    base <- parts$DevelopmentStorageProxyUri %||% "http://127.0.0.1"
    url <- sprintf("%s:%d/%s", sub("/+$", "", base), development$ports[[service]],
      development$account)
    return(list(url = url, key = development$key))
  }
  url <- parts[[if (service == "blob") "BlobEndpoint" else "QueueEndpoint"]]
  if (is.null(url)) {
    if (is.null(parts$AccountName)) {
      stop_connection_string("names neither an account nor an endpoint of the ",
        service, " service")
    }
    url <- sprintf("%s://%s.%s.%s", parts$DefaultEndpointsProtocol %||% "https",
      parts$AccountName, service, parts$EndpointSuffix %||% "core.windows.net")
  }
  parse_url(url, "endpoint")
  sas <- parts$SharedAccessSignature
  list(url = url, key = parts$AccountKey, sas = if (!is.null(sas)) sub("^[?]", "", sas))
}
