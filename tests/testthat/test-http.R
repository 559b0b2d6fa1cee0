# Requests: signed, tried again, over connections that are kept alive.

request <- function(url, verb = "GET", ..., endpoint = engine_endpoint()) {
  pool:::http_request(endpoint, verb, url, ...)
}

blob <- c("x-ms-blob-type" = "BlockBlob")

test_that("what is put is got, whatever its name", {
  url <- engine_container()
  names <- c("a", "with%20space", "%C3%A4%E2%82%AC", "a%23b%3Fc%25", "deep/er/%2E%2E", "a+b&c=d")
  for (name in names) {
    at <- paste0(url, "/", name)
    body <- charToRaw(name)
    expect_identical(request(at, "PUT", blob, body)$status, 201L)
    answer <- request(at)
    expect_identical(answer$status, 200L)
    expect_identical(answer$body, body)
    expect_identical(answer$attempts, 1L)
    expect_identical(answer$headers[["content-length"]], as.character(length(body)))
  }
  empty <- request(paste0(url, "/empty"), "PUT", blob)
  expect_identical(empty$status, 201L)
  expect_identical(request(paste0(url, "/empty"))$body, raw())
  large <- random_bytes(3e6)
  expect_identical(request(paste0(url, "/large"), "PUT", blob, large)$status, 201L)
  expect_identical(request(paste0(url, "/large"))$body, large)
  expect_identical(request(paste0(url, "/large"), "DELETE")$status, 202L)
})

test_that("queries and headers of every kind are signed as the service does it", {
  url <- engine_container()
  at <- paste0(url, "/b")
  headers <- c(blob,
    "x-ms-meta-b" = "2", "x-ms-meta-a_b" = "two  words", "x-ms-meta-a1" = "",
    "X-Ms-Meta-Ab" = " x ",
    "Content-Type" = "text/plain; charset=UTF-8", "Content-Language" = "de",
    "Content-Encoding" = "identity", "If-None-Match" = "*",
    "Content-MD5" = pool:::md5_text("hello")
  )
  expect_identical(request(at, "PUT", headers, charToRaw("hello"))$status, 201L)
  expect_identical(request(at, "PUT", headers, charToRaw("hello"))$status, 409L)
  head <- request(at, "HEAD")
  expect_identical(head$status, 200L)
  expect_identical(head$body, raw())
  expect_identical(head$headers[["x-ms-meta-a_b"]], "two  words")
  expect_identical(head$headers[["content-type"]], "text/plain; charset=UTF-8")
  part <- request(at, headers = c(Range = "bytes=1-3", "If-Match" = head$headers[["etag"]]))
  expect_identical(part$status, 206L)
  expect_identical(rawToChar(part$body), "ell")
  list <- request(paste0(
    url, "?restype=container&comp=list&prefix=%2Bb%20%26&include=snapshots,metadata&maxresults=2"
  ))
  expect_identical(list$status, 200L)
})

test_that("a status is a value, and a wrong key is one", {
  url <- engine_container()
  absent <- request(paste0(url, "/absent"))
  expect_identical(absent$status, 404L)
  expect_identical(absent$headers[["x-ms-error-code"]], "BlobNotFound")
  expect_match(rawToChar(absent$body), "BlobNotFound")
  wrong <- engine_endpoint()
  wrong$key <- pool:::base64_encode("another")
  expect_identical(request(paste0(url, "/b"), endpoint = wrong)$status, 403L)
  wrong$key <- "key"
  e <- error_of(request(paste0(url, "/b"), endpoint = wrong))
  expect_s3_class(e, "pool_input_error")
  # Without any signature.
  wrong$key <- NULL
  expect_identical(request(paste0(url, "/b"), endpoint = wrong)$status, 403L)
})

test_that("the account is found in either form of URL", {
  endpoint <- engine_endpoint()
  endpoint$url <- sprintf("http://devstoreaccount1.blob.localhost:%s", Sys.getenv("AZURITE_PORT"))
  expect_identical(request(paste0(endpoint$url, "?comp=list"), endpoint = endpoint)$status, 200L)
  endpoint$url <- NULL
  expect_identical(
    request(paste0(engine_endpoint()$url, "?comp=list"), endpoint = endpoint)$status, 200L
  )
  name <- pool:::account_name
  expect_identical(name(list(url = "https://me.blob.core.windows.net/"), ""), "me")
  expect_identical(name(list(), "https://me-secondary.blob.core.windows.net/c/b"), "me")
  expect_identical(name(list(), "http://[::1]:10000/me/c/b"), "me")
  expect_identical(name(list(url = "http://some.host/me"), "http://some.host/me/c"), "me")
})

test_that("what may pass is tried again, what will not is not", {
  url <- engine_container()
  expect_identical(request(paste0(url, "/b"), "PUT", blob, as.raw(1:9))$status, 201L)
  for (status in c(408, 429, 500, 502, 503, 504)) {
    at <- through(url, sprintf("GET|/b|2|status:%d", status))
    answer <- request(paste0(at, "/b"))
    expect_identical(answer$status, 200L)
    expect_identical(answer$attempts, 3L)
    expect_identical(answer$body, as.raw(1:9))
  }
  for (status in c(400, 403, 404, 409, 412, 501)) {
    at <- through(url, sprintf("GET|/b|1|status:%d", status))
    answer <- request(paste0(at, "/b"))
    expect_identical(answer$status, as.integer(status))
    expect_identical(answer$attempts, 1L)
  }
})

test_that("a connection that fails is made again", {
  url <- engine_container()
  body <- random_bytes(2e5)
  expect_identical(request(paste0(url, "/b"), "PUT", blob, body)$status, 201L)
  for (fault in c("reset", "lost", "half")) {
    at <- through(url, sprintf("GET|/b|1|%s", fault))
    answer <- request(paste0(at, "/b"))
    expect_identical(answer$body, body)
    # libcurl itself asks again where a kept-alive connection was dead
    expect_lte(answer$attempts, 2L)
  }
  for (fault in c("reset", "lost")) {
    at <- through(url, sprintf("PUT|/b|2|%s", fault))
    expect_identical(request(paste0(at, "/b"), "PUT", blob, body)$status, 201L)
  }
  for (fault in c("stall", "hang")) {
    at <- through(url, sprintf("GET|/b|1|%s", fault))
    answer <- request(paste0(at, "/b"), timeout = 1)
    expect_identical(answer$body, body)
    expect_identical(answer$attempts, 2L)
  }
})

test_that("the server says how long to wait", {
  url <- engine_container()
  at <- through(url, "HEAD|/b|1|after:503:1")
  time <- system.time(answer <- request(paste0(at, "/b"), "HEAD"))[["elapsed"]]
  expect_identical(answer$status, 404L)
  expect_identical(answer$attempts, 2L)
  expect_gte(time, 1)
})

test_that("tries have an end", {
  url <- engine_container()
  withr::local_options(pool.http_retries = 2)
  at <- through(url, "*|/b|100|status:503")
  expect_identical(request(paste0(at, "/b"))[c("status", "attempts")],
    list(status = 503L, attempts = 3L)
  )
  expect_identical(request(paste0(at, "/b"), retry = FALSE)$attempts, 1L)
  at <- through(url, "*|/b|100|reset")
  e <- error_of(request(paste0(at, "/b?sig=secret")))
  expect_s3_class(e, c("pool_http_error", "pool_error"), exact = FALSE)
  expect_identical(e$status, NA_integer_)
  expect_match(conditionMessage(e), "GET http://127.0.0.1:[0-9]+/devstoreaccount1/c[a-z0-9]+/b: ")
  expect_no_match(conditionMessage(e), "secret")
})

test_that("no secret is in an error", {
  withr::local_options(pool.http_retries = 0)
  key <- pool:::base64_encode("the key")
  for (endpoint in list(list(key = key), list(token = "token-secret"), list(sas = "sig=secret"))) {
    e <- error_of(request("http://127.0.0.1:1/account/c?sig=secret", endpoint = endpoint))
    text <- paste(c(conditionMessage(e), format(unclass(e)[c("status", "code")])), collapse = " ")
    expect_no_match(text, key, fixed = TRUE)
    expect_no_match(text, "secret", fixed = TRUE)
  }
})

test_that("what cannot be asked is refused before", {
  e <- error_of(request("ftp://127.0.0.1/x", endpoint = list()))
  expect_identical(e$argument, "url")
  expect_identical(error_of(request("http://example.com/x", endpoint = list()))$argument, "url")
  expect_identical(
    error_of(request("http://user:word@127.0.0.1/x", endpoint = list()))$argument, "url"
  )
  for (host in c("127.0.0.1", "localhost", "[::1]", "a.localhost")) {
    url <- paste0("http://", host, ":1/")
    expect_identical(pool:::check_url(url), url)
  }
  for (host in c("127.0.0.1.example.com", "localhost.example.com", "128.0.0.1", "[::2]")) {
    expect_s3_class(error_of(pool:::check_url(paste0("http://", host, "/"))), "pool_input_error")
  }
  # Whose host is what follows the "@", or none at all.
  for (rest in c("@evil.example", ":1@evil.example", ":x@evil.example", ":1:2", ":1x", "\\@h")) {
    expect_s3_class(
      error_of(pool:::check_url(paste0("http://localhost", rest, "/x"))), "pool_input_error"
    )
  }
  for (rest in c("", "/", "?a@b", "#a@b", ":1", ":1/a@b:c", "/a@b?c@d#e")) {
    url <- paste0("http://localhost", rest)
    expect_identical(pool:::check_url(url), url)
  }
  withr::with_options(
    list(pool.allow_http = TRUE),
    expect_identical(pool:::check_url("http://h/"), "http://h/")
  )
  for (headers in list(c(a = "b\r\nc: d"), c("a\nb" = "c"), c("a:" = "b"), "no name")) {
    e <- error_of(request("http://127.0.0.1:1/x", headers = headers, endpoint = list()))
    expect_identical(e$argument, "headers")
  }
})

test_that("TLS is verified", {
  skip_if(!nzchar(Sys.which("openssl")), "no openssl to serve with")
  directory <- withr::local_tempdir()
  pem <- file.path(directory, "pem")
  made <- system2("openssl", c(
    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
    "-addext", "subjectAltName=DNS:localhost", "-keyout", pem, "-out", file.path(directory, "crt")
  ), stdout = FALSE, stderr = FALSE)
  skip_if(made != 0, "openssl makes no certificate here")
  crt <- file.path(directory, "crt")
  port <- NULL
  for (candidate in sample(20000:30000, 5)) {
    server <- processx::process$new("openssl", c(
      "s_server", "-accept", candidate, "-key", pem, "-cert", crt, "-www", "-quiet"
    ))
    withr::defer(server$kill())
    url <- sprintf("https://localhost:%d/", candidate)
    # A jump out of the warning would leave R's table of connections with one that
    # the garbage collector takes for free.
    connects <- function() {
      tryCatch({
        close(suppressWarnings(socketConnection(port = candidate, timeout = 1)))
        TRUE
      }, error = function(e) FALSE)
    }
    if (wait_until(function() !server$is_alive() || connects(), 5) && server$is_alive()) {
      port <- candidate
      break
    }
  }
  skip_if(is.null(port), "no server of TLS")
  withr::local_options(pool.http_retries = 0)
  e <- error_of(request(url, endpoint = list()))
  expect_s3_class(e, "pool_http_error")
  expect_match(conditionMessage(e), "certificate", ignore.case = TRUE)
  withr::local_options(pool.ca_file = crt)
  expect_identical(request(url, endpoint = list())$status, 200L)
})

test_that("the package can be unloaded while connections are open", {
  skip_if_not_installed("processx")
  url <- engine_container()
  script <- withr::local_tempfile(lines = c(
    "library(pool)",
    sprintf("stopifnot(pool:::http_request(list(), \"GET\", \"%s/b\")$status >= 400L)", url),
    "unloadNamespace(\"pool\")",
    "stopifnot(!\"pool\" %in% names(getLoadedDLLs()))",
    "invisible(gc())"
  ))
  # At its end R finishes whatever is left.
  ran <- processx::run(file.path(R.home("bin"), "Rscript"), script, error_on_status = FALSE)
  expect_identical(ran$status, 0L, info = ran$stderr)
})

test_that("connections are kept alive", {
  url <- engine_container()
  before <- open_files()
  for (i in 1:20) request(paste0(url, "/absent"))
  expect_lte(open_files(), before + 2)
})

test_that("a fork has connections of its own", {
  url <- engine_container()
  absent <- function(i) {
    status <- pool:::http_request(engine_endpoint(), "GET", paste0(url, "/absent"))$status
    gc()
    status
  }
  expect_identical(absent(), 404L)
  handle <- pool:::the$http
  expect_identical(unlist(parallel::mclapply(1:4, absent, mc.cores = 2)), rep(404L, 4))
  expect_identical(absent(), 404L)
  expect_identical(pool:::the$http, handle)
  local_pool(2)
  endpoint <- engine_endpoint()
  in_node <- at_top(function(i, endpoint, url) {
    pool:::http_request(endpoint, "GET", url)$status
  })
  expect_identical(
    pool_sapply(1:6, in_node, endpoint, paste0(url, "/absent")), rep(404L, 6)
  )
  expect_identical(absent(), 404L)
  expect_identical(pool:::the$http, handle)
})

test_that("an interrupt ends a request", {
  url <- engine_container()
  at <- through(url, "GET|/b|1|stall")
  interrupted(request(paste0(at, "/b"), timeout = 60))
  expect_identical(request(paste0(url, "/b"))$status, 404L)
})

test_that("digests and base64", {
  for (n in 0:5) {
    bytes <- random_bytes(n)
    expect_identical(pool:::base64_decode(pool:::base64_encode(bytes)), bytes)
  }
  expect_null(pool:::base64_decode("key"))
  expect_identical(pool:::md5_text("hello"), "XUFAKrxLKna5cZ2REBfFkg==")
  expect_identical(
    pool:::sign_text(pool:::base64_encode("Jefe"), "what do ya want for nothing?"),
    pool:::base64_encode(as.raw(strtoi(substring(
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      seq(1, 63, 2), seq(2, 64, 2)
    ), 16L)))
  )
  expect_s3_class(error_of(pool:::sign_text("key", "text")), "pool_input_error")
})
