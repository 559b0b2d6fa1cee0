# The requests of rAzureBatch's classes, and what they return.

batch_contents <- c("parsed", "text", "raw", "response")

batch_answer <- function(client, verb, container, blob, options, content, expected, ...,
                         sasToken = client$sasToken) {
  check_content(content)
  container <- storage_container(client$endpoint(sasToken), container)
  url <- if (is.null(blob)) {
    container_url(container, options[-1L])
  } else {
    blob_url(container, check_blob(blob, "blobName"), options)
  }
  res <- request(container$endpoint, verb, url)
  if (content != "response" && res$status >= 300L) {
    e <- http_condition(res, verb, url)
    if (!e$code %in% expected) {
      stop(e)
    }
    warning(conditionMessage(e), call. = FALSE)
    return(invisible(NULL))
  }
  batch_value(res, url, content)
}

batch_value <- function(res, url, content) {
  if (content == "response") {
    return(invisible(batch_response(res, url)))
  }
  body <- res$body
  invisible(if (length(body)) switch(content,
    parsed = read_xml_safely(body), text = raw_text(body), body
  ))
}

# As much of httr's object as its functions look at.
batch_response <- function(res, url) {
  structure(
    list(url = bare_url(url), status_code = res$status,
      headers = structure(as.list(res$headers), class = c("insensitive", "list")),
      content = res$body),
    class = "response"
  )
}

# A listing, of all pages, as one document.
batch_list <- function(client, container, prefix, content, ..., sasToken = client$sasToken) {
  check_content(content)
  check_text(prefix, "prefix", 1L)
  endpoint <- client$endpoint(sasToken)
  inner <- if (is.null(container)) "Containers" else "Blobs"
  if (!is.null(container)) {
    container <- storage_container(endpoint, container)
  }
  options <- list(comp = "list", prefix = if (nzchar(prefix)) prefix)
  whole <- NULL
  repeat {
    url <- if (is.null(container)) {
      service_url(endpoint, "", options)
    } else {
      container_url(container, options)
    }
    res <- request(endpoint, "GET", url)
    if (res$status >= 300L) {
      if (content == "response") {
        return(batch_response(res, url))
      }
      stop(http_condition(res, "GET", url))
    }
    page <- read_xml_safely(res$body)
    options$marker <- next_marker(options$marker, xml_marker(page))
    if (is.null(whole)) {
      whole <- page
    } else {
      into <- xml2::xml_find_first(whole, inner)
      for (node in xml2::xml_children(xml2::xml_find_first(page, inner))) {
        xml2::xml_add_child(into, node)
      }
    }
    if (is.null(options$marker)) {
      break
    }
  }
  text <- as.character(whole)
  switch(content,
    parsed = whole, text = text, raw = charToRaw(text),
    response = batch_response(list(status = res$status, headers = res$headers,
      body = charToRaw(text)), url)
  )
}

check_content <- function(content) {
  check_choice(content, "content", batch_contents)
}

raw_text <- function(body) {
  if (any(body == 0)) {
    return(body)
  }
  text <- rawToChar(body)
  Encoding(text) <- "UTF-8"
  if (validUTF8(text)) text else body
}
