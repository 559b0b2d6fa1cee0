# What a job asks of its account: requests of the blob and the queue service, many at
# once, and blobs by the transfer engine.
#
# `s` is what an open job knows, an environment: see job-store-account.R.

account_blob <- 1L
account_queue <- 2L

# One request, to be sent with others. name: of a blob, or NULL: of the container.
ask_blob <- function(s, verb, name = NULL, query = "", headers = character(), body = raw()) {
  url <- paste0(s$blob_url, if (!is.null(name)) paste0("/", escape_path(name)), query)
  list(verb, url, headers, body, account_blob)
}

# The requests that make these blobs, each only where there is none of its name. All
# names are escaped at once: one by one takes as long as to send them.
ask_put_blobs <- function(s, blobs) {
  urls <- paste0(s$blob_url, "/", escape_path(vapply(blobs, `[[`, "", "name")))
  lapply(seq_along(blobs), function(i) {
    meta <- blobs[[i]]$meta
    names(meta) <- paste0("x-ms-meta-", names(meta))
    bytes <- blobs[[i]]$bytes
    headers <- c(
      `If-None-Match` = "*", `x-ms-blob-type` = "BlockBlob",
      `x-ms-blob-content-type` = "application/octet-stream",
      `Content-MD5` = md5_text(bytes), meta
    )
    list("PUT", urls[[i]], headers, bytes, account_blob)
  })
}

ask_queue <- function(s, verb, path = "", query = "", body = raw(), headers = character()) {
  if (length(body)) {
    headers <- c(headers, `Content-Type` = "application/xml")
  }
  list(verb, paste0(s$queue_url, path, query), headers, body, account_queue)
}

# The answers, whatever their status.
account_answers <- function(s, requests) {
  if (!length(requests)) {
    return(list())
  }
  http_requests(account_signers(s), requests)
}

# Who asks, as it is now: a token may have become another. What is the same all the time
# is looked at once.
account_signers <- function(s) {
  endpoints <- unclass(s$store)[c("blob", "queue")]
  if (is.null(s$account_names)) {
    for (endpoint in endpoints) {
      check_plain(endpoint$url)
    }
    s$account_names <- vapply(endpoints, function(x) account_name(x, x$url), "")
  }
  version <- endpoint_api_version()
  if (is.null(s$signers) || !identical(s$signers$version, version)) {
    all <- lapply(names(endpoints), function(service) {
      who <- credentials(endpoints[[service]])
      list(name = s$account_names[[service]], key = who$key, token = who$token, sas = who$sas,
        version = who$api_version)
    })
    if (any(vapply(endpoints, function(x) is.environment(x$token), NA))) {
      return(all)
    }
    s$signers <- list(version = version, all = function() all) # a function shows no key
  }
  s$signers$all()
}

# The answers, of which any but a good one, or one of these codes, is an error. All
# have been answered by then.
account_ok <- function(s, requests, codes = character()) {
  answers <- account_answers(s, requests)
  for (i in seq_along(answers)) {
    if (answers[[i]]$status >= 300L && !answer_code(answers[[i]]) %in% codes) {
      stop_account(s, requests[[i]], answers[[i]])
    }
  }
  answers
}

answer_code <- function(answer) {
  if (answer$status < 300L) {
    return("")
  }
  code <- answer$headers["x-ms-error-code"]
  if (is.na(code)) read_error(answer)$code else unname(code)
}

gone_codes <- c("ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled")

# A container that is gone is a job that is gone.
stop_account <- function(s, request, answer) {
  if (answer_code(answer) %in% gone_codes) {
    stop_job_absent(s$id, where = where_account(s$store))
  }
  stop(http_condition(answer, request[[1L]], request[[2L]]))
}

# ---- Blobs -------------------------------------------------------------------

account_block <- 2^24

# Of a blob that may only be made where there is none.
there_codes <- c("BlobAlreadyExists", "ConditionNotMet")

# Uploads: contents is a list of raw vectors, or paths; meta a list of named character
# vectors. once: only where there is none yet. Which of them were there already.
account_put <- function(s, names, contents, meta, once = TRUE) {
  if (!length(names)) {
    return(logical())
  }
  headers <- lapply(meta, function(x) {
    if (length(x)) {
      names(x) <- paste0("x-ms-meta-", names(x))
    }
    c(if (once) c(`If-None-Match` = "*"), x,
      `x-ms-blob-content-type` = "application/octet-stream")
  })
  done <- account_transfer(s, "upload", names, contents, headers)
  there <- once & !is.na(done$error) & done$code %in% there_codes
  failed <- which(!is.na(done$error) & !there)
  if (length(failed)) {
    stop_row(s, done, failed[1L])
  }
  there
}

# Blobs are list(name, bytes, meta).
account_put_blobs <- function(s, blobs, once = TRUE) {
  account_put(s, vapply(blobs, `[[`, "", "name"), lapply(blobs, `[[`, "bytes"),
    lapply(blobs, `[[`, "meta"), once)
}

# What is large goes by the engine of transfers, in blocks.
are_large <- function(blobs) {
  vapply(blobs, function(x) length(x$bytes) > large_bytes, NA)
}
large_bytes <- 2^23

# Blobs, each only where there is none of its name, and requests that go with those that
# are not large. list(there, answers): which of the blobs were there already; the answers
# to the requests.
account_put_all <- function(s, blobs, requests = list(), codes = character()) {
  large <- are_large(blobs)
  there <- logical(length(blobs))
  there[large] <- account_put_blobs(s, blobs[large])
  # The engine knows them by their digests, and so would take another's for ours.
  there[large] <- there[large] | !account_are_ours(s, blobs[large])
  sent <- account_put_small(s, blobs[!large], requests, codes)
  there[!large] <- sent$there
  list(there = there, answers = sent$answers)
}

# failed: called with the answers to the requests where one of them is an error.
account_put_small <- function(s, blobs, requests = list(), codes = character(), failed = NULL) {
  puts <- ask_put_blobs(s, blobs)
  others <- length(puts) + seq_along(requests)
  answers <- account_with_drops(s, c(puts, requests), c(there_codes, codes),
    if (!is.null(failed)) function(answers) failed(answers[others]))
  made <- answers[seq_along(puts)]
  there <- vapply(made, answer_code, "") %in% there_codes
  again <- there & vapply(made, function(x) x$attempts > 1L, NA)
  there[again] <- !account_are_ours(s, blobs[again])
  list(there = there, answers = answers[others])
}

# Blobs that are there since a try whose answer was lost: they have all our metadata.
account_are_ours <- function(s, blobs) {
  asked <- lapply(blobs, function(x) ask_blob(s, "HEAD", x$name))
  answers <- account_ok(s, asked, c("BlobNotFound", ""))
  vapply(seq_along(blobs), function(i) {
    meta <- blobs[[i]]$meta
    identical(unname(answers[[i]]$headers[paste0("x-ms-meta-", names(meta))]), unname(meta))
  }, NA)
}

# Downloads into memory: a list of raw vectors, NULL where there is no such blob. bytes: how
# large they are, where that is known. A few small ones need no engine of transfers.
account_get <- function(s, names, bytes = Inf) {
  if (!length(names)) {
    return(list())
  }
  if (all(bytes >= 0) && sum(bytes) <= large_bytes && length(names) <= few_blobs) {
    answers <- account_ok(s, lapply(names, function(x) ask_blob(s, "GET", x)), "BlobNotFound")
    return(lapply(answers, function(x) if (x$status < 300L) x$body))
  }
  done <- account_transfer(s, "download", names, vector("list", length(names)),
    rep(list(character()), length(names)))
  absent <- !is.na(done$error) & done$code %in% "BlobNotFound"
  failed <- which(!is.na(done$error) & !absent)
  if (length(failed)) {
    stop_row(s, done, failed[1L])
  }
  done$value
}
few_blobs <- 32L

stop_row <- function(s, done, i) {
  if (done$code[[i]] %in% gone_codes) {
    stop_job_absent(s$id, where = where_account(s$store))
  }
  stop(row_error(done, i))
}

account_transfer <- function(s, verb, names, local, headers) {
  n <- length(names)
  run_rows(s$container, list(
    verb = rep(verb, n), url = paste0(s$blob_url, "/", escape_path(names)), local = local,
    headers = headers, blobtype = rep("BlockBlob", n), blocksize = rep(account_block, n),
    md5 = rep(FALSE, n), overwrite = rep(TRUE, n)
  ), 32, FALSE)
}

# A listing as columns: a named list of character vectors, NA where there is nothing.
# first: the answer to ask_list(), where it was sent already.
account_list <- function(s, prefix, columns, recursive = TRUE, first = NULL) {
  pages <- tryCatch(
    list_pages(s$container, prefix, recursive, include = if (recursive) "metadata",
      columns = c("Name", columns), first = first),
    pool_http_error = function(e) {
      if (e$code %in% gone_codes) stop_job_absent(s$id, where = where_account(s$store)) else stop(e)
    }
  )
  listing <- bind_pages(pages)
  none <- rep(NA_character_, length(listing$isdir))
  found <- lapply(c("Name", columns), function(name) listing$columns[[name]] %||% none)
  names(found) <- c("Name", columns)
  c(found, list(isdir = listing$isdir))
}

ask_list <- function(s, prefix) {
  list("GET", container_url(s$container, list_options(prefix, include = "metadata")),
    character(), raw(), account_blob)
}
