# Many transfers at once, in this process: src/transfer.c does them, this drives
# it.

# transfers: a list of columns, of equal length:
#   verb       "upload" or "download"
#   url        of the blob, escaped, without a query but for ?snapshot=
#   local      a list: a path, a raw vector to upload, or NULL: into memory
#   headers    a list of named character vectors, of the request that counts (the
#              last of an upload, the first of a download)
#   blobtype   "BlockBlob" or "AppendBlob"
#   blocksize  bytes of a request
#   md5        upload: send digests; download: check the one that the blob has
#   overwrite  may a download replace a file?
#   size       bytes, where known: only for the progress. May be left out
# progress: function(files_done, files, bytes_done, bytes), at most ten times a
# second.
# Returns a list of columns: size, seconds, attempts, status (NA: no answer), code,
# request_id, error (NA: none), digest (was there one with the blob that was
# downloaded?), value (a list: what was downloaded into memory).
# What fails is a row. A token that is an object is asked again on the way.
run_transfers <- function(endpoint, transfers, max_concurrent_transfers = 10,
                          progress = NULL) {
  most <- check_number(max_concurrent_transfers, "max_concurrent_transfers", 1)
  n <- length(transfers$url)
  columns <- transfer_columns(transfers, n)
  known <- known_bytes(transfers, progress)
  account <- function() {
    http_account(endpoint, if (n > 0L) transfers$url[[1L]] else "https://none")
  }
  handle <- .Call(C_transfer_start, http_handle(), account(), columns, list(
    min(trunc(most), 1000), http_timeout(), http_retries()
  ))
  on.exit(.Call(C_transfer_finish, handle))
  asked <- seconds_now()
  last <- NULL
  repeat {
    state <- .Call(C_transfer_step, handle, 100L)
    if (!is.null(progress) && !identical(state, last)) {
      progress(state[[2L]], n, state[[3L]], max(known, state[[4L]]))
      last <- state
    }
    if (state[[1L]] == 1) {
      break
    }
    if (is.environment(endpoint$token) && seconds_now() - asked >= token_seconds) {
      # Where there is none now, the old one may do; if not, that is the service's
      # to say of each file.
      fresh <- tryCatch(account(), error = function(e) NULL)
      if (!is.null(fresh)) {
        .Call(C_transfer_account, handle, fresh)
      }
      asked <- seconds_now()
    }
  }
  .Call(C_transfer_result, handle)
}

# Between two looks at whether a token is still valid.
token_seconds <- 60

seconds_now <- function() proc.time()[["elapsed"]]

# The columns as C takes them.
transfer_columns <- function(transfers, n) {
  # One host is the rule, ten thousand files of it are not looked at one by one.
  hosts <- sub("^([^/]*//[^/?#]*).*$", "\\1", transfers$url)
  for (host in unique(hosts)) {
    check_url(host)
  }
  sizes <- pmax(1, trunc(as.double(transfers$blocksize)))
  list(
    transfers$verb == "upload",
    enc2utf8(transfers$url),
    local_columns(transfers$local),
    lapply(transfers$headers, header_lines),
    transfers$blobtype == "AppendBlob",
    rep_len(sizes, n),
    rep_len(as.logical(transfers$md5), n),
    rep_len(as.logical(transfers$overwrite), n)
  )
}

# Paths as the system takes them.
local_columns <- function(local) {
  paths <- vapply(local, is.character, NA)
  local[paths] <- as.list(path.expand(enc2native(as.character(local[paths]))))
  local
}

# Bytes of all transfers, as far as they are known before they begin.
known_bytes <- function(transfers, progress) {
  if (is.null(progress)) {
    return(0)
  }
  sizes <- if (is.null(transfers$size)) {
    vapply(transfers$local, function(x) {
      if (is.character(x)) file.size(x) else as.double(length(x))
    }, 0)
  } else {
    transfers$size
  }
  uploads <- transfers$verb == "upload" | !is.null(transfers$size)
  sum(sizes[uploads], na.rm = TRUE)
}
