# Shared access signatures: what is signed, and the string that goes into a URL.

#' Shared access signatures
#'
#' A shared access signature gives whoever has it what it says, until it expires,
#' without the account's key. That of an account is good for the services and kinds of
#' resources named; that of a service for one container, blob or queue; and that of a user
#' delegation is like the latter, but signed with a key that was got with a token.
#'
#' @param account The account's name; or an endpoint, whose account and key it then is (not
#'   of a domain of your own, which does not tell the name).
#' @param key The account's key. For `get_user_delegation_sas()`, what
#'   `get_user_delegation_key()` returned.
#' @param resource What it is for: `"container"`, `"container/blob"`,
#'   `"container/directory"`, or the name of a queue.
#' @param service `"blob"` or `"queue"`.
#' @param start,expiry,key_start,key_expiry Date-times, dates, or strings that are, in
#'   this session's time zone. By default from 15 minutes ago, for clocks that differ, for
#'   8 hours.
#' @param services Letters: `b`lob, `q`ueue, `t`able, `f`ile.
#' @param permissions Letters, like `r`ead, `w`rite, `l`ist, `c`reate, `a`dd, `d`elete,
#'   `p`rocess messages; in any order. By default what reads: `"rl"`, or `"r"` where there
#'   is nothing to list.
#' @param resource_types Letters: `s`ervice, `c`ontainer, `o`bject.
#' @param resource_type `"c"` for a container, `"b"` for a blob, `"bs"` for a snapshot, `"d"`
#'   for a directory (of an account with a hierarchical namespace). By default a container,
#'   or a blob where `resource` has a `/`.
#' @param ip An IP address, or two with a hyphen between them.
#' @param protocol `"https"` or `"https,http"`; by default both.
#' @param policy A stored access policy of the container or the queue. What it says of dates
#'   and permissions counts then: of `start`, `expiry` and `permissions`, only what is given is
#'   in the signature.
#' @param snapshot_time The snapshot, for `resource_type = "bs"`.
#' @param directory_depth For `resource_type = "d"`: how many directories deep it is.
#' @param auth_api_version The version of the service that the signature is made for.
#' @param token A token, as for [storage_endpoint()].
#' @param x,object A user delegation key.
#' @param ... Nothing.
#' @return A string, without `?`, to use as `sas` of [storage_endpoint()], or in a URL.
#'   `get_user_delegation_key()`: a list of class `user_delegation_key`, whose print shows no
#'   secret.
#' @section Errors: [storage_conditions].
#' @source <https://learn.microsoft.com/rest/api/storageservices/create-account-sas>,
#'   <https://learn.microsoft.com/rest/api/storageservices/create-service-sas>,
#'   <https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas>
#' @examples
#' key <- "a2V5"
#' endp <- storage_endpoint("https://mystorage.blob.core.windows.net", key = key)
#' sas <- get_account_sas(endp, permissions = "rl", services = "b")
#' storage_endpoint("https://mystorage.blob.core.windows.net", sas = sas)
#' sas <- get_service_sas("mystorage", "docs/report.csv", key = key, service = "blob")
#' @export
get_account_sas <- function(account, key = account$key, start = NULL, expiry = NULL,
                            services = "bqtf", permissions = "rl",
                            resource_types = "sco", ip = NULL, protocol = NULL,
                            auth_api_version = endpoint_api_version(), ...) {
  check_no_dots(...)
  key <- sas_key(account, if (!missing(key)) key)
  account <- sas_account(account)
  dates <- sas_dates(start, expiry)
  check_api_version(auth_api_version, "auth_api_version")
  parts <- list(
    sv = auth_api_version,
    ss = check_letters(services, "services", "bqtf"),
    srt = check_letters(resource_types, "resource_types", "sco"),
    sp = check_letters(permissions, "permissions", "rwdxylacuptfi"),
    st = dates$start, se = dates$expiry,
    sip = check_ip(ip), spr = check_protocol(protocol)
  )
  text <- c(
    account, parts$sp, parts$ss, parts$srt, parts$st, parts$se, parts$sip %||% "",
    parts$spr %||% "", parts$sv,
    if (auth_api_version >= "2020-12-06") "" # the encryption scope
  )
  finish_sas(parts, c(text, ""), key)
}

#' @rdname get_account_sas
#' @export
get_service_sas <- function(account, resource, key = account$key, service = NULL,
                            start = NULL, expiry = NULL, permissions = NULL,
                            resource_type = NULL, ip = NULL, protocol = NULL,
                            policy = NULL, snapshot_time = NULL, directory_depth = NULL,
                            auth_api_version = endpoint_api_version(), ...) {
  check_no_dots(...)
  key <- sas_key(account, if (!missing(key)) key)
  if (is.null(service)) {
    service <- if (inherits(account, "storage_endpoint")) service_name(account) else "blob"
  }
  service <- check_service(service)
  account <- sas_account(account)
  resource <- sas_resource(resource)
  check_api_version(auth_api_version, "auth_api_version")
  blob <- service == "blob"
  kind <- if (blob) sas_kind(resource_type, resource)
  # The policy says the rest; what stands in both is refused.
  free <- is.null(policy)
  dates <- if (free || !is.null(start) || !is.null(expiry)) sas_dates(start, expiry)
  parts <- list(
    sv = auth_api_version, sr = kind,
    sp = if (!free && is.null(permissions)) {
      NULL
    } else if (blob) {
      blob_permissions(permissions, kind)
    } else {
      check_letters(permissions %||% "r", "permissions", "raup")
    },
    st = if (free || !is.null(start)) dates$start,
    se = if (free || !is.null(expiry)) dates$expiry,
    sip = check_ip(ip), spr = check_protocol(protocol),
    si = if (!free) check_text(policy, "policy", 1L),
    sdd = check_depth(directory_depth)
  )
  text <- c(
    parts$sp %||% "", parts$st %||% "", parts$se %||% "",
    paste("", service, account, resource, sep = "/"),
    parts$si %||% "", parts$sip %||% "", parts$spr %||% "", parts$sv,
    if (blob) blob_sas_text(parts, snapshot_time)
  )
  finish_sas(parts, text, key)
}

# Resource, snapshot, encryption scope, and the headers of an answer, five, that a
# signature could set.
blob_sas_text <- function(parts, snapshot_time) {
  c(
    parts$sr, if (is.null(snapshot_time)) "" else check_text(snapshot_time, "snapshot_time", 1L),
    if (parts$sv >= "2020-12-06") "", rep("", 5L)
  )
}

# A single blob cannot be listed.
blob_permissions <- function(permissions, kind) {
  check_letters(permissions %||% if (kind %in% c("c", "d")) "rl" else "r", "permissions",
    "racwdxyltmeopi")
}

#' @rdname get_account_sas
#' @export
get_user_delegation_key <- function(account, token = account$token, key_start = NULL,
                                    key_expiry = NULL, ...) {
  check_no_dots(...)
  check_endpoint(account, "account", "blob")
  if (is.null(token)) {
    stop_input("token", NULL, "'token' must be given: a user delegation key is got with one")
  }
  dates <- sas_dates(key_start, key_expiry)
  account["key"] <- account["sas"] <- list(NULL)
  account$token <- check_token(token)
  body <- xml_document(xml_element("KeyInfo", paste0(
    xml_element("Start", dates$start), xml_element("Expiry", dates$expiry)
  )))
  url <- service_url(account, "", list(restype = "service", comp = "userdelegationkey"))
  res <- request_ok(account, "POST", url, list(`Content-Type` = "application/xml"), body)
  fields <- unlist(xml_list(res$body))
  structure(as.list(fields), class = "user_delegation_key")
}

#' @rdname get_account_sas
#' @export
get_user_delegation_sas <- function(account, key, resource, start = NULL, expiry = NULL,
                                    permissions = NULL, resource_type = NULL, ip = NULL,
                                    protocol = NULL, snapshot_time = NULL,
                                    directory_depth = NULL,
                                    auth_api_version = endpoint_api_version(), ...) {
  check_no_dots(...)
  if (missing(key)) {
    stop_missing("key")
  }
  if (!inherits(key, "user_delegation_key") || !is.character(key$Value)) {
    stop_input("key", NULL, "'key' must be what get_user_delegation_key() returns, not ",
      given_kind(key))
  }
  account <- sas_account(account)
  resource <- sas_resource(resource)
  dates <- sas_dates(start, expiry)
  check_api_version(auth_api_version, "auth_api_version")
  kind <- sas_kind(resource_type, resource)
  parts <- list(
    sv = auth_api_version, sr = kind,
    st = dates$start, se = dates$expiry,
    sp = blob_permissions(permissions, kind),
    sip = check_ip(ip), spr = check_protocol(protocol),
    skoid = key$SignedOid, sktid = key$SignedTid, skt = key$SignedStart,
    ske = key$SignedExpiry, sks = key$SignedService, skv = key$SignedVersion,
    sdd = check_depth(directory_depth)
  )
  text <- c(
    parts$sp, parts$st, parts$se, paste("", "blob", account, resource, sep = "/"),
    parts$skoid, parts$sktid, parts$skt, parts$ske, parts$sks, parts$skv,
    if (auth_api_version >= "2020-02-10") rep("", 3L), # other users, correlation
    parts$sip %||% "", parts$spr %||% "", parts$sv, blob_sas_text(parts, snapshot_time)
  )
  finish_sas(parts, text, key$Value)
}

#' @rdname get_account_sas
#' @export
print.user_delegation_key <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}

#' @rdname get_account_sas
#' @export
format.user_delegation_key <- function(x, ...) {
  paste0("<user delegation key, valid from ", x$SignedStart, " to ", x$SignedExpiry, ">")
}

#' @export
as.character.user_delegation_key <- function(x, ...) format(x)

#' @rdname get_account_sas
#' @export
str.user_delegation_key <- function(object, ...) {
  cat(" ", format(object), "\n", sep = "")
}

finish_sas <- function(parts, text, key) {
  parts$sig <- sign_text(key, paste(text, collapse = "\n"))
  parts <- parts[!vapply(parts, is.null, NA)]
  paste0(names(parts), "=", vapply(parts, escape, ""), collapse = "&")
}
