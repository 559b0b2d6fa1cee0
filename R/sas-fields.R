# What a shared access signature is made of, checked and as it is signed.

sas_account <- function(account) {
  if (missing(account)) {
    stop_missing("account")
  }
  if (inherits(account, "storage_endpoint")) {
    return(account_of(check_endpoint(account, "account")$url))
  }
  if (!is.character(account) || length(account) != 1L || is.na(account) ||
    !matches("^[a-z0-9]+$", account)) {
    stop_input("account", NULL, "'account' must be a storage endpoint, or the name of an ",
      "account, not ", given_kind(account)
    )
  }
  account
}

sas_key <- function(account, key) {
  if (missing(account)) {
    stop_missing("account")
  }
  if (is.null(key) && inherits(account, "storage_endpoint")) {
    key <- account$key
  }
  if (is.null(key)) {
    stop_input("key", NULL, "'key' must be given: the account's key signs")
  }
  check_secret(key, "key")
}

# Without slashes at its ends.
sas_resource <- function(resource) {
  if (missing(resource)) {
    stop_missing("resource")
  }
  resource <- gsub("^/+|/+$", "", check_text(bare_text(resource), "resource", 1L))
  if (!nzchar(resource)) {
    stop_input("resource", resource, "'resource' must name a container, a blob or a queue")
  }
  enc2utf8(resource)
}

sas_kind <- function(resource_type, resource) {
  if (is.null(resource_type)) {
    return(if (grepl("/", resource, fixed = TRUE)) "b" else "c")
  }
  check_choice(resource_type, "resource_type", c("c", "b", "bs", "d", "bv"))
}

# In the order that the service wants; it takes no other.
check_letters <- function(x, argument, letters) {
  check_text(x, argument, 1L)
  known <- strsplit(letters, "")[[1L]]
  used <- strsplit(x, "")[[1L]]
  if (!length(used) || !all(used %in% known)) {
    stop_input(argument, x, "'", argument, "' must be letters of \"", letters, "\", not ",
      given(x))
  }
  paste(known[known %in% used], collapse = "")
}

check_ip <- function(ip) {
  if (is.null(ip)) {
    return(NULL)
  }
  one <- "[0-9]{1,3}([.][0-9]{1,3}){3}"
  check_text(ip, "ip", 1L)
  if (!grepl(paste0("^", one, "(-", one, ")?$"), ip)) {
    stop_input("ip", ip, "'ip' must be an IPv4 address, or two with a hyphen between them, ",
      "not ", given(ip))
  }
  ip
}

check_protocol <- function(protocol) {
  if (is.null(protocol)) NULL else check_choice(protocol, "protocol", c("https", "https,http"))
}

check_depth <- function(x) {
  if (is.null(x)) NULL else plain_number(check_number(x, "directory_depth", 0))
}

sas_dates <- function(start, expiry) {
  start <- if (is.null(start)) Sys.time() - 15 * 60 else sas_date(start, "start")
  expiry <- if (is.null(expiry)) start + 8 * 60 * 60 else sas_date(expiry, "expiry")
  if (expiry <= start) {
    stop_input("expiry", expiry, "'expiry' must be later than 'start'")
  }
  text <- function(x) strftime(x, "%Y-%m-%dT%H:%M:%SZ", tz = "UTC")
  list(start = text(start), expiry = text(expiry))
}

sas_date <- function(x, argument) {
  time <- tryCatch(
    if (inherits(x, "POSIXt")) as.POSIXct(x) else as.POSIXct(x, origin = "1970-01-01"),
    error = function(e) NULL
  )
  if (length(time) != 1L || is.na(time)) {
    stop_input(argument, x, "'", argument, "' must be a date or a date-time, not ", given(x))
  }
  time
}
