# Adding to an append blob.

# Each block says where it is to begin, so that one whose answer was lost is not
# added twice. src: a path or a raw vector.
append_blob <- function(container, src, dest, options) {
  headers <- options$headers[names(options$headers) == "x-ms-lease-id"]
  url <- blob_url(container, dest)
  at <- append_position(container, url, headers)
  con <- if (is.raw(src)) rawConnection(src) else file(src, "rb")
  on.exit(close(con))
  repeat {
    block <- readBin(con, "raw", options$blocksize)
    if (!length(block)) {
      return()
    }
    at <- append_block(container, dest, block, at, headers, options$md5)
  }
}

append_position <- function(container, url, headers) {
  res <- request_ok(container$endpoint, "HEAD", url, headers)
  kind <- unname(res$headers["x-ms-blob-type"])
  if (!identical(kind, "AppendBlob")) {
    stop(http_error("PUT", url, 409L, "InvalidBlobType", "",
      paste("the blob is no append blob but a", kind)))
  }
  as.numeric(res$headers[["content-length"]])
}

# The position behind the block. Where somebody else has added to the blob in the
# meantime, it goes behind that.
append_block <- function(container, dest, block, at, headers, md5) {
  url <- blob_url(container, dest, list(comp = "appendblock"))
  for (try in 1:20) {
    sent <- c(headers, `x-ms-blob-condition-appendpos` = plain_number(at),
      if (md5) c(`Content-MD5` = md5_text(block)))
    res <- request(container$endpoint, "PUT", url, sent, block)
    if (res$status < 300L) {
      return(at + length(block))
    }
    if (res$status != 412L || !identical(unname(res$headers["x-ms-error-code"]),
      "AppendPositionConditionNotMet")) {
      break
    }
    now <- append_position(container, blob_url(container, dest), headers)
    if (res$attempts > 1L && now >= at + length(block) &&
      identical(read_range(container, dest, at, length(block), headers), block)) {
      return(at + length(block))
    }
    at <- now
  }
  stop(http_condition(res, "PUT", url))
}

read_range <- function(container, dest, at, n, headers) {
  range <- paste0("bytes=", plain_number(at), "-", plain_number(at + n - 1))
  request_ok(container$endpoint, "GET", blob_url(container, dest),
    c(headers, `x-ms-range` = range))$body
}
