# URLs: taken apart, put together, escaped. Names are data: whatever stands in a
# blob's name, it is a part of the path and nothing else.

# The host of an account's service: 1 is the account, 2 the service. Between them is
# the DNS zone, where the account has one.
account_host <- paste0("^([a-z0-9]+)(?:-secondary)?(?:[.]z[0-9]+)?",
  "[.](blob|queue|file|table|dfs)[.].*$")

stop_url <- function(argument, ...) {
  stop_input(argument, NULL, "'", argument, "' ", ...)
}

# A list of scheme, host, port (a string, maybe ""), path (escaped as it was) and
# query (without "?").
parse_url <- function(url, argument = "url") {
  if (missing(url)) {
    stop_missing(argument)
  }
  if (!is.character(url) || length(url) != 1L || is.na(url)) {
    stop_url(argument, "must be a URL, a string, not ", given_kind(url))
  }
  if (!validEnc(as.vector(url))) {
    stop_url(argument, "is not valid text")
  }
  pattern <- paste0("^(https?)://([^/?#@\\[\\]:]+|\\[[0-9A-Fa-f:.]+\\])(?::([0-9]{1,5}))?",
    "(/[^?#]*)?(?:[?]([^#]*))?(?:#.*)?$")
  if (grepl("[[:space:][:cntrl:]]", url) || !grepl(pattern, url, perl = TRUE, ignore.case = TRUE)) {
    stop_url(argument, "must be a URL that begins with https:// or http://",
      if (grepl("^[a-z]+://[^/]*@", url)) ", without a user's name in it",
      if (!nzchar(url)) ": this one is empty"
    )
  }
  part <- function(k) sub(pattern, paste0("\\", k), url, perl = TRUE, ignore.case = TRUE)
  list(scheme = tolower(part(1L)), host = tolower(part(2L)), port = part(3L),
    path = part(4L), query = part(5L))
}

# Before anything is sent: a plain connection to elsewhere would show what is
# transferred, and a token, to everybody on the way. (check_url() looks at it again.)
check_plain <- function(url) {
  parts <- parse_url(url, "endpoint")
  if (parts$scheme == "http" && !is_loopback(parts$host) &&
    !isTRUE(getOption("pool.allow_http"))) {
    stop_url("endpoint", "is a plain http: URL of another machine (", parts$host,
      "), which is refused; use https:, or set options(pool.allow_http = TRUE)"
    )
  }
  invisible(url)
}

# Of the URL of a container or a blob: is the account's name in the path, as with the
# emulator? That is so where the host is an address, or has a name of one part; one with
# dots is an account's, or the domain that somebody has for it.
path_style <- function(parts) grepl("^([0-9.]+|\\[.*\\]|[^.]+)$", parts$host)

account_of <- function(url) {
  parse_url(url, "endpoint")
  account_name(list(url = url), url)
}

# The URL of a container or a blob: a list of endpoint (a URL), container and blob
# (both as data, "" where absent), and query.
parse_storage_url <- function(url, argument = "url") {
  parts <- parse_url(url, argument)
  path <- sub("^/+", "", parts$path)
  base <- paste0(parts$scheme, "://", parts$host,
    if (nzchar(parts$port)) paste0(":", parts$port), "/")
  if (path_style(parts)) {
    base <- paste0(base, sub("/.*$", "", path))
    path <- if (grepl("/", path, fixed = TRUE)) sub("^[^/]*/+", "", path) else ""
  }
  container <- sub("/.*$", "", path)
  blob <- if (grepl("/", path, fixed = TRUE)) sub("^[^/]*/", "", path) else ""
  list(endpoint = base, container = unescape(container, argument),
    blob = unescape(blob, argument), query = parts$query)
}

unescape <- function(text, argument = "url") {
  bytes <- charToRaw(enc2utf8(text))
  at <- which(bytes == charToRaw("%"))
  if (length(at)) {
    high <- hex_digits[as.integer(bytes[at + 1L]) + 1L]
    low <- hex_digits[as.integer(bytes[at + 2L]) + 1L]
    if (anyNA(high) || anyNA(low) || any(high == 0L & low == 0L)) {
      stop_url(argument, "has a % without the two digits of a byte of text")
    }
    bytes[at] <- as.raw(16L * high + low)
    bytes <- bytes[-c(at + 1L, at + 2L)]
  }
  text <- rawToChar(bytes)
  if (!validUTF8(text)) {
    stop_url(argument, "has a name in it that is not valid UTF-8")
  }
  Encoding(text) <- "UTF-8"
  text
}

# By the code of a character, from 0.
hex_digits <- local({
  values <- rep(NA_integer_, 256L)
  values[utf8ToInt("0123456789") + 1L] <- 0:9
  values[utf8ToInt("abcdef") + 1L] <- values[utf8ToInt("ABCDEF") + 1L] <- 10:15
  values
})

# Everything but what is never special in a URL; vectorized.
escape <- function(text, keep = "") {
  text <- enc2utf8(as.character(text))
  plain <- grepl(paste0("^[A-Za-z0-9._~", keep, "-]*$"), text, perl = TRUE)
  text[!plain] <- vapply(text[!plain], function(one) {
    bytes <- charToRaw(one)
    chars <- rawToChar(bytes, multiple = TRUE)
    special <- !grepl(paste0("[A-Za-z0-9._~", keep, "-]"), chars, useBytes = TRUE)
    chars[special] <- sprintf("%%%02X", as.integer(bytes[special]))
    paste(chars, collapse = "")
  }, "")
  text
}

# A slash beside a dot segment or another slash is escaped too: nothing on the way
# may resolve "a/../b" or drop one of two slashes.
escape_path <- function(path) {
  escaped <- escape(path, "/")
  risky <- grepl("(^|/)[.]{0,2}(/|$)", path) & nzchar(path)
  escaped[risky] <- gsub("/", "%2F", escaped[risky], fixed = TRUE)
  escaped
}

# options: a named list; NULL where an element is not to be sent.
query_string <- function(options) {
  options <- options[!vapply(options, is.null, NA)]
  if (!length(options)) {
    return("")
  }
  values <- vapply(options, function(x) {
    if (is.logical(x)) tolower(as.character(x)) else plain_number(x)
  }, "")
  query <- paste0(escape(names(options)), "=", escape(values))
  paste0("?", paste(query[order(names(options))], collapse = "&"))
}

# 1e5 is no number to a server.
plain_number <- function(x) {
  if (is.numeric(x)) format(x, scientific = FALSE, digits = 15L, trim = TRUE) else as.character(x)
}

service_url <- function(endpoint, path = "", options = list()) {
  paste0(sub("/+$", "", endpoint$url), "/", path, query_string(options))
}

# The URLs of blobs, by their exact names.
blob_url <- function(container, blob, options = list()) {
  paste0(service_url(container$endpoint), escape(container$name, "$"), "/",
    escape_path(blob), query_string(options))
}

check_names_of_blobs <- function(x, argument, n = NULL) {
  if (missing(x)) {
    stop_missing(argument)
  }
  exact <- inherits(x, "AsIs")
  x <- check_strings(bare_text(x), argument, n)
  valid <- validEnc(x)
  text <- enc2utf8(x)
  if (!exact) {
    text <- sub("^/+", "", text)
  }
  bad <- !valid | !nzchar(text) | nchar(text, "chars", allowNA = TRUE) > 1024L
  if (any(bad)) {
    stop_input(argument, x, "'", argument, "' must name ",
      if (identical(n, 1L)) "a blob" else "blobs", ", by 1 to 1024 characters of ",
      "valid text; this is not: ", given(x[which(bad)[1L]])
    )
  }
  text
}

# A blob's name as the functions take it: a leading slash is that of the container,
# as in AzureStor, unless it is given as I("/x").
check_blob <- function(x, argument = "file") check_names_of_blobs(x, argument, 1L)

# "" for the container itself, otherwise "dir/".
check_dir <- function(x, argument = "dir") {
  check_text(x, argument, 1L)
  if (inherits(x, "AsIs")) {
    x <- unclass(x)
  } else {
    x <- sub("^/+", "", x)
  }
  if (x == "" || x == ".") "" else paste0(sub("/$", "", x), "/")
}
