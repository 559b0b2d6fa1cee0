# One request to a storage service, signed, and tried again where that may help.

# The engine of this process: its connections are kept alive between requests. In
# a fork, and with another file of certificates, it is a new one.
http_handle <- function() {
  ca_file <- getOption("pool.ca_file")
  if (!is.null(ca_file)) {
    ca_file <- path.expand(check_strings(ca_file, "options(pool.ca_file)", 1L))
  }
  if (!.Call(C_http_alive, the$http) || !identical(ca_file, the$http_ca_file)) {
    the$http <- .Call(C_http_open, ca_file, http_agent())
    the$http_ca_file <- ca_file
  }
  the$http
}

http_agent <- function() {
  paste0("pool/", getNamespaceVersion("pool"), " (R ", getRversion(), ")")
}

# Seconds without a byte, after which a try is given up; NULL: as the option has it.
http_timeout <- function(timeout = NULL) {
  if (is.null(timeout)) {
    check_seconds(getOption("pool.http_timeout", 30), "options(pool.http_timeout)")
  } else {
    check_seconds(timeout, "timeout")
  }
}

check_seconds <- function(x, argument) {
  if (!is.numeric(x) || length(x) != 1L || is.na(x) || x <= 0) {
    stop_input(argument, x, "'", argument, "' must be a number of seconds above 0, not ",
      given(x)
    )
  }
  x
}

http_retries <- function() {
  retries <- getOption("pool.http_retries", 10L)
  check_number(retries, "options(pool.http_retries)", 0)
  as.integer(min(retries, 1e6))
}

# endpoint: a list with `key`, `token`, `sas`, `api_version`, each of which may be
# absent. url: whole and escaped, without the endpoint's signature. headers: a
# named character vector. timeout: seconds without a byte that end a try. Any
# status is a value; that there is no answer at all is an error.
http_request <- function(endpoint, verb, url, headers = character(), body = raw(),
                         timeout = NULL, retry = TRUE) {
  check_url(url)
  http_requests(list(http_account(endpoint, url)),
    list(list(verb, url, headers, body, 1L)), timeout, retry)[[1L]]
}

# Many requests, at most so many of them at once. accounts: a list of what
# http_account() gives. requests: a list of list(verb, url, headers, body, the number
# of its account), of URLs that were looked at. A list of answers, in their order.
http_requests <- function(accounts, requests, timeout = NULL, retry = TRUE, most = 32L) {
  timeout <- http_timeout(timeout)
  retries <- if (retry) http_retries() else 0L
  headers <- lapply(requests, `[[`, 3L)
  lines <- split(
    header_lines(unlist(headers)),
    factor(rep(seq_along(headers), lengths(headers)), seq_along(headers))
  )
  all <- lapply(seq_along(requests), function(i) {
    x <- requests[[i]]
    list(x[[1L]], x[[2L]], lines[[i]], x[[4L]], timeout, retries, x[[5L]])
  })
  answers <- .Call(C_http_requests, http_handle(), accounts, all, most)
  shown <- isTRUE(getOption("azureHttpTraffic"))
  for (i in seq_along(answers)) {
    if (shown) {
      message(requests[[i]][[1L]], " ", bare_url(requests[[i]][[2L]]), ": ", answers[[i]]$status)
    }
    if (is.na(answers[[i]]$status)) {
      stop_http(requests[[i]][[1L]], requests[[i]][[2L]], why = answers[[i]]$error)
    }
  }
  lapply(answers, `[`, c("status", "headers", "body", "attempts"))
}

# In the order of struct sign_account.
http_account <- function(endpoint, url) {
  version <- endpoint$api_version
  list(
    name = account_name(endpoint, url),
    key = endpoint$key,
    token = bearer_token(endpoint$token),
    sas = if (!is.null(endpoint$sas)) sub("^[?&]", "", endpoint$sas),
    version = as.character(version %||% endpoint_api_version())
  )
}

# A string, or a token of package AzureAuth, which is refreshed when it is due.
bearer_token <- function(token) {
  if (is.environment(token)) {
    if (is.function(token$validate) && !token$validate()) {
      token$refresh()
    }
    token <- token$credentials$access_token
  }
  token
}

# The account's name is the first part of the host, or of the path where the host
# is shared: where the endpoint's own URL has a path, or the host is an address.
account_name <- function(endpoint, url) {
  parts <- url_parts(if (is.null(endpoint$url)) url else endpoint$url)
  path <- strsplit(parts$path, "/", fixed = TRUE)[[1L]]
  path <- path[nzchar(path)]
  shared <- grepl("^[0-9.]+$|^\\[|^[^.]+$", parts$host) || !is.null(endpoint$url)
  name <- if (shared && length(path) > 0L) {
    path[1L]
  } else {
    sub("[.].*", "", parts$host)
  }
  sub("-secondary$", "", name)
}

# Of an URL: scheme, host (in lower case, without the port), port ("" where there
# is none) and path.
url_parts <- function(url) {
  pattern <- paste0(
    "^([A-Za-z][A-Za-z0-9+.-]*)://(\\[[^]/?#]*\\]|[^:/?#@]+)(:([0-9]+))?",
    "(/[^?#]*)?([?#].*)?$"
  )
  if (!grepl(pattern, url)) {
    return(NULL)
  }
  part <- function(i) sub(pattern, paste0("\\", i), url)
  list(scheme = tolower(part(1L)), host = tolower(part(2L)), port = part(4L), path = part(5L))
}

# Without TLS what is sent can be read on the way: only to this machine, unless
# it is asked for.
check_url <- function(url) {
  check_strings(url, "url", 1L)
  parts <- url_parts(url)
  if (is.null(parts) || !parts$scheme %in% c("http", "https")) {
    stop_input("url", bare_url(url), "'url' must begin with https:// and a host, not ",
      given(bare_url(url))
    )
  }
  if (parts$scheme == "http" && !is_loopback(parts$host) &&
    !isTRUE(getOption("pool.allow_http"))) {
    stop_input("url", bare_url(url), "'url' must be https:// where it is not of this machine, ",
      "or options(pool.allow_http = TRUE) be set, not ", given(bare_url(url))
    )
  }
  url
}

is_loopback <- function(host) {
  host %in% c("localhost", "[::1]") || grepl("[.]localhost$", host) ||
    grepl("^127([.][0-9]{1,3}){3}$", host)
}

# "Name: value"; a line feed in one would begin another header.
header_lines <- function(headers) {
  if (length(headers) == 0L) {
    return(character())
  }
  names <- names(headers)
  bad <- if (is.null(names)) TRUE else !grepl("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", names)
  bad <- bad | grepl("[\r\n]", headers, useBytes = TRUE)
  if (any(bad)) {
    stop_input("headers", names[bad],
      "'headers' must be named strings without line feeds, not ", given(names[bad])
    )
  }
  enc2utf8(paste0(names, ": ", headers))
}

# ---- Digests -----------------------------------------------------------------

base64_encode <- function(bytes) .Call(C_base64_encode, as_bytes(bytes))

# NULL where it is not base64.
base64_decode <- function(text) .Call(C_base64_decode, text)

# The signature of a text with a key, both as an account has them: base64.
sign_text <- function(key, text) {
  bytes <- base64_decode(key)
  if (is.null(bytes)) {
    throw_failure("key", 0L, "")
  }
  base64_encode(.Call(C_hmac, bytes, as_bytes(text)))
}

md5_text <- function(bytes) .Call(C_md5, as_bytes(bytes))

as_bytes <- function(x) if (is.raw(x)) x else charToRaw(enc2utf8(x))
