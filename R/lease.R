# Leases of blobs and containers.

#' Leases
#'
#' Who holds the lease on a blob is the only one who can change or delete it; on a
#' container, delete it.
#'
#' @param container A [storage_container()].
#' @param blob A blob's name, see [upload_blob()]; `""`: the container itself.
#' @param duration Seconds, 15 to 60, or -1: without an end.
#' @param lease The lease that is held, a string. For `acquire_lease()`, one (a GUID) to
#'   have; by default one of random digits. (An answer that is lost, and asked for again, is
#'   the same lease.)
#' @param period Seconds, 0 to 60, that the lease goes on for at most.
#' @param new_lease The lease (a GUID) to have from now on.
#' @return `acquire_lease()`, `change_lease()`: the lease, a string. The others: `NULL`,
#'   invisibly.
#' @section Errors: [storage_conditions]. A lease that somebody else holds is status 409.
#' @source <https://learn.microsoft.com/rest/api/storageservices/lease-blob>,
#'   <https://learn.microsoft.com/rest/api/storageservices/lease-container>
#' @examples
#' \dontrun{
#' cont <- storage_container(storage_endpoint("UseDevelopmentStorage=true"), "docs")
#' lease <- acquire_lease(cont, "report.csv", duration = 30)
#' storage_upload(cont, "report.csv", lease = lease)
#' release_lease(cont, "report.csv", lease)
#' }
#' @export
acquire_lease <- function(container, blob = "", duration = 60, lease = NULL) {
  if (!is.numeric(duration) || length(duration) != 1L || is.na(duration) ||
    duration != trunc(duration) || !(duration == -1 || duration >= 15 && duration <= 60)) {
    stop_input("duration", duration, "'duration' must be a whole number of seconds from 15 ",
      "to 60, or -1, not ", given(duration)
    )
  }
  lease_request(container, blob, "acquire",
    list(`x-ms-lease-duration` = duration,
      `x-ms-proposed-lease-id` = check_lease(lease) %||% new_guid()))
}

# Not of R's generator: its numbers are the user's.
new_guid <- function() {
  con <- file("/dev/urandom", "rb", raw = TRUE)
  on.exit(close(con))
  hex <- as.character(readBin(con, "raw", 16L))
  part <- function(from, to) paste(hex[from:to], collapse = "")
  paste(part(1L, 4L), part(5L, 6L), part(7L, 8L), part(9L, 10L), part(11L, 16L), sep = "-")
}

#' @rdname acquire_lease
#' @export
break_lease <- function(container, blob = "", period = NULL) {
  if (!is.null(period) && (!is.numeric(period) || length(period) != 1L || is.na(period) ||
    period != trunc(period) || period < 0 || period > 60)) {
    stop_input("period", period, "'period' must be NULL or a whole number of seconds from 0 ",
      "to 60, not ", given(period)
    )
  }
  lease_request(container, blob, "break", list(`x-ms-lease-break-period` = period))
  invisible(NULL)
}

#' @rdname acquire_lease
#' @export
release_lease <- function(container, blob = "", lease) {
  # Asked for again after an answer that was lost: the lease is gone, as was wanted.
  lease_request(container, blob, "release", list(`x-ms-lease-id` = held(lease)), again = 409L)
  invisible(NULL)
}

#' @rdname acquire_lease
#' @export
renew_lease <- function(container, blob = "", lease) {
  lease_request(container, blob, "renew", list(`x-ms-lease-id` = held(lease)))
  invisible(NULL)
}

#' @rdname acquire_lease
#' @export
change_lease <- function(container, blob = "", lease, new_lease) {
  lease_request(container, blob, "change", list(
    `x-ms-lease-id` = held(lease),
    `x-ms-proposed-lease-id` = held(new_lease, "new_lease")
  ))
}

held <- function(lease, argument = "lease") {
  if (missing(lease) || is.null(lease)) {
    stop_input(argument, NULL, "'", argument, "' must be given")
  }
  check_lease(lease, argument)
}

# again: the status that after the first try says that it is done.
lease_request <- function(container, blob, action, headers, again = NULL) {
  check_container(container)
  file <- if (!identical(blob, "")) check_blob(blob, "blob")
  url <- object_url(container, file, list(comp = "lease"))
  headers[["x-ms-lease-action"]] <- action
  res <- request(container$endpoint, "PUT", url, headers)
  if (res$status >= 300L && !(res$status %in% again && isTRUE(res$attempts > 1L))) {
    stop(http_condition(res, "PUT", url))
  }
  unname(res$headers["x-ms-lease-id"])
}
