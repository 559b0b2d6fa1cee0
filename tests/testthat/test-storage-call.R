test_that("a request as it is, and its answer", {
  cont <- local_container()
  endp <- cont$endpoint
  got <- call_storage_endpoint(endp, "/", options = list(comp = "list", prefix = cont$name))
  expect_identical(got$Containers$Container$Name[[1]], cont$name)
  expect_null(do_container_op(cont, "a b#1", headers = list(`x-ms-blob-type` = "BlockBlob"),
    body = "\u00e4", http_verb = "PUT"))
  expect_identical(do_container_op(cont, "a b#1"), charToRaw("\u00e4"))
  head <- do_container_op(cont, "/a b#1", http_verb = "HEAD")
  expect_type(head, "list")
  expect_identical(head[["content-length"]], "2")
  expect_identical(do_container_op(cont, "a b#1", return_headers = TRUE)[["content-length"]], "2")
  do_container_op(cont, "j", headers = list(`x-ms-blob-type` = "BlockBlob",
    `Content-Type` = "application/json"),
    body = "{\"a\":[1,2]}", http_verb = "PUT")
  expect_identical(do_container_op(cont, "j"), list(a = 1:2))
  do_container_op(cont, "t", headers = list(`x-ms-blob-type` = "BlockBlob",
    `Content-Type` = "text/plain"),
    body = charToRaw("text"), http_verb = "PUT")
  expect_identical(do_container_op(cont, "t"), "text")
})

test_that("what a bad status is, is chosen", {
  cont <- local_container()
  e <- http_failure(do_container_op(cont, "none"))
  expect_identical(e$code, "BlobNotFound")
  expect_match(conditionMessage(e), "404 BlobNotFound")
  expect_warning(do_container_op(cont, "none", http_status_handler = "warn"), "404")
  expect_message(do_container_op(cont, "none", http_status_handler = "message"), "404")
  res <- do_container_op(cont, "none", http_status_handler = "pass")
  expect_named(res, c("status", "headers", "body", "attempts"))
  expect_identical(res$status, 404L)
  expect_identical(res$headers[["x-ms-error-code"]], "BlobNotFound")
  expect_type(res$body, "raw")
  head <- http_failure(do_container_op(cont, "none", http_verb = "HEAD"))
  expect_identical(head$code, "BlobNotFound")
})

test_that("no answer is an error of its own", {
  withr::local_options(pool.http_retries = 0)
  endp <- blob_endpoint("http://127.0.0.1:1/acc", key = "a2V5")
  e <- http_failure(list_storage_containers(endp))
  expect_identical(e$status, NA_integer_)
  expect_error(storage_upload(storage_container(endp, "docs"), raw(1), "x"),
    class = "pool_http_error")
})

test_that("no XML makes a reader do anything", {
  read <- pool:::xml_list
  expect_identical(read(charToRaw("<a><b>x&amp;&#65;</b></a>")), list(b = list("x&A")))
  file <- withr::local_tempfile()
  writeLines("verysecret", file)
  bomb <- "<!DOCTYPE a [<!ENTITY x 'xxxxxxxxxx'>]><a>&x;</a>"
  outside <- sprintf("<!DOCTYPE a [<!ENTITY x SYSTEM 'file://%s'>]><a>&x;</a>", file)
  utf16 <- iconv(bomb, "UTF-8", "UTF-16LE", toRaw = TRUE)[[1]]
  for (body in list(charToRaw(bomb), charToRaw(outside), utf16, charToRaw("<a>"), charToRaw("x"))) {
    expect_error(read(body), class = "pool_answer_error")
  }
})

test_that("an error of the service shows no signature", {
  body <- paste0("<?xml version='1.0'?><Error><Code>AuthenticationFailed</Code><Message>",
    "Server failed. ",
    "sig=verysecret&amp;x\nRequestId:1</Message><AuthenticationErrorDetail>The MAC signature ",
    "'verysecret' is not the same</AuthenticationErrorDetail></Error>")
  e <- pool:::http_condition(list(status = 403L, headers = c(`content-type` = "application/xml",
    `x-ms-request-id` = "r1"), body = charToRaw(body), attempts = 1L), "GET",
    "https://acc.blob.core.windows.net/docs?sig=verysecret")
  expect_false(grepl("verysecret", paste(unlist(e[c("message", "code", "request_id")]),
    collapse = " ")))
  expect_identical(e[c("status", "code", "request_id")],
    list(status = 403L, code = "AuthenticationFailed", request_id = "r1"))
})

test_that("no error shows a secret in its call", {
  cont <- storage_container("https://acc.blob.core.windows.net/docs", key = "a2V5c2VjcmV0")
  shown <- function(expr) {
    e <- tryCatch(expr, error = identity)
    expect_s3_class(e, "pool_input_error")
    expect_match(deparse(conditionCall(e)), "^[a-z_]+\\(\\)$")
    paste(capture.output(print(e), try(stop(e), silent = TRUE), str(unclass(e))), collapse = "\n")
  }
  texts <- c(
    shown(storage_endpoint("nonsense", key = "verysecret")),
    shown(storage_endpoint("https://x.blob.core.windows.net", key = c("verysecret", "verysecret"))),
    shown(storage_endpoint("https://x.blob.core.windows.net", sas = list("verysecret"))),
    shown(storage_container("https://x.blob.core.windows.net/A?sig=verysecret")),
    shown(do.call(list_blobs, list(cont, "x", info = "verybad"))),
    shown(do.call(storage_upload, list(list(verysecret = 1), "x"))),
    shown(download_from_url("https://x/c?sig=verysecret", NULL, key = "verysecret")),
    shown(get_account_sas("acc", "verysecret", permissions = "?")),
    shown(storage_upload(cont, charToRaw("x"), cont)),
    shown(list_blobs(cont, dir = list(blob_endpoint("", key = "verysecret")))),
    shown(storage_container(cont$endpoint, strrep("verysecret", 9))),
    shown(storage_container("https://x.blob.core.windows.net/cont", "verysecret")),
    shown(multicopy_url_to_storage(cont, list("https://x/?sig=verysecret"), "x")),
    shown(storage_endpoint("AccountName=a;AccountKey=verysecret;What=verysecret"))
  )
  expect_false(any(grepl("verysecret|a2V5c2VjcmV0", texts)))
  # What is looked for is found where it is.
  e <- simpleError("no", quote(f("verysecret")))
  expect_match(paste(capture.output(print(e)), collapse = ""), "verysecret")
})

test_that("bad arguments", {
  endp <- blob_endpoint("https://acc.blob.core.windows.net", key = "a2V5")
  expect_input_error(call_storage_endpoint(1, ""), "endpoint")
  expect_input_error(call_storage_endpoint(endp, NULL), "path")
  expect_input_error(call_storage_endpoint(endp, "", http_verb = "TRACE"), "http_verb")
  expect_input_error(call_storage_endpoint(endp, "", http_status_handler = "ignore"),
    "http_status_handler")
  expect_input_error(call_storage_endpoint(endp, "", options = list(1)), "options")
  expect_input_error(call_storage_endpoint(endp, "", options = list(a = 1, a = 2)), "options")
  expect_input_error(call_storage_endpoint(endp, "", options = list(a = 1:2)), "options")
  expect_input_error(call_storage_endpoint(endp, "", headers = list(a = "x\r\nb: y")), "headers")
  expect_input_error(call_storage_endpoint(endp, "", headers = list(`a b` = "x")), "headers")
  expect_input_error(call_storage_endpoint(endp, "", headers = list("x")), "headers")
  expect_input_error(call_storage_endpoint(endp, "", body = 1), "body")
  expect_input_error(call_storage_endpoint(endp, "", timeout = -1), "timeout")
  expect_input_error(call_storage_endpoint(endp, "", return_headers = NA), "return_headers")
  expect_input_error(do_container_op(endp), "container")
  endp$key <- 1
  expect_input_error(call_storage_endpoint(endp, ""), "key")
})

test_that("a time that is none is named by where it came from", {
  endp <- blob_endpoint("http://127.0.0.1:1/acc", key = "a2V5")
  withr::local_options(pool.http_retries = 0)
  for (bad in list(0, -1, NA_real_, "x")) {
    withr::local_options(pool.http_timeout = bad)
    expect_input_error(list_storage_containers(endp), "options(pool.http_timeout)")
    expect_input_error(call_storage_endpoint(endp, ""), "options(pool.http_timeout)")
    expect_input_error(call_storage_endpoint(endp, "", timeout = bad), "timeout")
    expect_input_error(storage_upload(storage_container(endp, "docs"), raw(1), "x"),
      "options(pool.http_timeout)")
  }
  withr::local_options(pool.http_timeout = 5)
  expect_error(call_storage_endpoint(endp, "", timeout = NULL), class = "pool_http_error")
})

test_that("a key that is none is named", {
  cont <- storage_container(blob_endpoint("http://127.0.0.1:1/acc", key = "not base64!"), "docs")
  expect_input_error(list_blobs(cont), "key")
  expect_input_error(storage_upload(cont, raw(1), "x"), "key")
  expect_input_error(get_account_sas("acc", "not base64!"), "key")
})

test_that("what is no argument is refused, by its name", {
  endp <- blob_endpoint("https://acc.blob.core.windows.net", key = "a2V5")
  cont <- storage_container(endp, "docs")
  expect_input_error(get_account_sas(endp, permisions = "rwd"), "permisions")
  expect_input_error(get_service_sas(endp, "docs", permisions = "rwd"), "permisions")
  expect_input_error(get_user_delegation_key(endp, tokn = "x"), "tokn")
  expect_input_error(storage_container("https://acc.blob.core.windows.net/docs", keey = "x"),
    "keey")
  expect_input_error(create_storage_container(endp, "docs", publicaccess = "blob"), "publicaccess")
  expect_input_error(create_storage_container(endp, "docs", "k", NULL, NULL, "2021-06-08",
    "none", "x"), "endpoint")
  expect_input_error(delete_storage_container(endp, "docs", confrim = FALSE), "confrim")
  expect_input_error(list_storage_containers(endp, prefx = "a"), "prefx")
  expect_input_error(call_storage_endpoint(endp, "", verb = "PUT"), "verb")
  expect_input_error(do_container_op(cont, "", verb = "PUT"), "verb")
  expect_input_error(get_storage_properties(cont, "x", NULL, NULL, 1), "...")
})

test_that("an answer that says to be JSON is read as such, and names no file or host", {
  read <- function(text) {
    pool:::read_body(list(body = charToRaw(text), headers = c(`content-type` = "application/json")))
  }
  expect_identical(read("{\"a\":[1,2],\"b\":\"x\"}"), list(a = 1:2, b = "x"))
  path <- withr::local_tempfile(lines = "[1]")
  for (text in c(path, paste0("file://", path), "http://127.0.0.1:1/", "[1", "")) {
    if (nzchar(text)) expect_error(read(text), class = "pool_answer_error")
  }
})

test_that("many requests at once: their answers in order, and an error for one without", {
  endpoint <- azurite()
  container <- local_container(endpoint)
  account <- pool:::http_account(endpoint, endpoint$url)
  url <- paste0(endpoint$url, "/", container$name, "/b", 1:100)
  put <- lapply(1:100, function(i) {
    list("PUT", url[i], c(`x-ms-blob-type` = "BlockBlob"), charToRaw(strrep("x", i)), 1L)
  })
  for (most in c(1L, 7L, 200L)) {
    got <- pool:::http_requests(list(account), put, most = most)
    expect_identical(unique(vapply(got, `[[`, 1L, "status")), 201L)
  }
  asked <- lapply(c(url, paste0(url[1], "none")), function(x) list("GET", x, NULL, raw(), 2L))
  got <- pool:::http_requests(list(list(NULL, NULL, NULL, NULL, NULL), account), asked)
  expect_identical(lengths(lapply(got[1:100], `[[`, "body")), 1:100)
  expect_identical(got[[101]]$status, 404L)
  expect_identical(pool:::http_requests(list(account), list()), list())
  e <- http_failure(pool:::http_requests(list(account), c(put[1:2], list(
    list("GET", "http://127.0.0.1:1/x?sig=secret", NULL, raw(), 1L)
  )), retry = FALSE))
  expect_identical(e$status, NA_integer_)
  expect_false(grepl("secret", conditionMessage(e)))
  expect_error(pool:::http_requests(list(account), list(list("GET", url[1], NULL, raw(), 2L))),
    class = "pool_http_error")
})
