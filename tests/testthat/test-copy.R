test_that("the service copies what a URL names", {
  cont <- local_container()
  for (name in c("a b#", "c")) storage_upload(cont, charToRaw(name), name)
  sas <- get_service_sas(cont$endpoint, cont$name)
  url <- paste0(pool:::blob_url(cont, c("a b#", "c")), "?", sas)
  expect_silent(expect_null(copy_url_to_storage(cont, url[1], "copy 1")))
  expect_identical(storage_download(cont, "copy 1", NULL), charToRaw("a b#"))
  expect_silent(copy_url_to_blob(cont, url[2], "copy 2", async = TRUE))

  other <- local_container()
  files <- multicopy_url_to_storage(other, url)
  expect_setequal(list_blobs(other, info = "name"), c("a b#", "c"))
  expect_named(files, c("src", "dest", "size", "seconds", "attempts", "error"))
  expect_false(any(grepl("sig=", files$src)))
  multicopy_url_to_blob(other, url, c("x", "y"))
  expect_identical(storage_download(other, "y", NULL), charToRaw("c"))

  bad <- sub("a%20b", "missing", sub("sig=.*$", "sig=verysecret", url[1]))
  e <- http_failure(copy_url_to_storage(other, bad, "z"))
  expect_false(grepl("verysecret", paste(conditionMessage(e), deparse(conditionCall(e)))))
  e <- tryCatch(multicopy_url_to_storage(other, c(bad, url[2]), c("z", "w")),
    pool_transfer_error = identity)
  expect_identical(is.na(e$files$error), c(FALSE, TRUE))
  expect_false(grepl("verysecret", paste(capture.output(print(e), print(e$files)), collapse = "")))
})

test_that("bad arguments", {
  cont <- storage_container("https://acc.blob.core.windows.net/docs")
  for (bad in list("file.txt", 1, NULL, c("https://a", "https://b"))) {
    expect_input_error(copy_url_to_storage(cont, bad, "x"), "src")
  }
  url <- "https://example.com/x"
  expect_input_error(copy_url_to_storage(cont, url, ""), "dest")
  expect_input_error(copy_url_to_storage(cont, url, "x", async = NA), "async")
  expect_input_error(copy_url_to_storage(cont, url, "x", auth_header = 1), "auth_header")
  expect_input_error(multicopy_url_to_storage(cont, character()), "src")
  expect_input_error(multicopy_url_to_storage(cont, c(url, url)), "dest")
})

test_that("a copy that fails has the request's number, once", {
  cont <- local_container()
  src <- pool:::blob_url(cont, "missing")
  e <- tryCatch(multicopy_url_to_storage(cont, src, "x"), pool_transfer_error = identity)
  error <- e$errors[[1]]
  expect_s3_class(error, "pool_http_error")
  expect_true(nzchar(error$request_id))
  expect_identical(lengths(gregexpr("(request ", conditionMessage(error), fixed = TRUE)), 1L)
  expect_no_match(e$files$error, "(request ", fixed = TRUE)
})
