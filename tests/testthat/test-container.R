test_that("containers are made, listed and deleted, in every way of naming them", {
  for (style in c("path", "host")) {
    endp <- azurite(style)
    names <- c(unique_name(), unique_name(), unique_name())
    one <- blob_container(endp, names[1])
    expect_identical(unclass(one), list(name = names[1], endpoint = endp))
    expect_s3_class(one, c("blob_container", "storage_container"), exact = TRUE)
    create_blob_container(one)
    create_blob_container(endp, names[2], public_access = "container")
    made <- create_blob_container(
      paste0(sub("/$", "", endp$url), "/", names[3]), key = endp$key
    )
    expect_identical(made$name, names[3])
    listed <- list_blob_containers(endp)
    expect_true(all(names %in% names(listed)))
    expect_identical(listed[[names[1]]], one)

    expect_invisible(delete_blob_container(one, confirm = FALSE))
    delete_blob_container(endp, names[2], confirm = FALSE)
    delete_blob_container(paste0(sub("/$", "", endp$url), "/", names[3]), key = endp$key,
      confirm = FALSE)
    expect_false(any(names %in% names(list_storage_containers(endp))))
  }
})

test_that("a URL's signature is used, and who has only that can read", {
  cont <- local_container()
  storage_upload(cont, charToRaw("x"), "x")
  sas <- get_service_sas(cont$endpoint, cont$name, permissions = "rl")
  url <- paste0(cont$endpoint$url, "/", cont$name, "?", sas)
  again <- storage_container(url)
  expect_null(again$endpoint$key)
  expect_identical(again$endpoint$sas, sas)
  expect_identical(list_blobs(again, info = "name"), "x")
  expect_identical(http_failure(storage_upload(again, raw(1), "y"))$status, 403L)
})

test_that("who has no credentials sees what is public", {
  endp <- azurite()
  cont <- create_storage_container(endp, unique_name(), public_access = "container")
  withr::defer(delete_storage_container(cont, confirm = FALSE))
  storage_upload(cont, charToRaw("public"), "x")
  all <- blob_endpoint(endp$url)
  expect_identical(storage_download(storage_container(all, cont$name), "x", NULL),
    charToRaw("public"))
  expect_error(storage_upload(storage_container(all, cont$name), raw(1), "y"),
    class = "pool_http_error")
})

test_that("the service's errors have status, code and request", {
  cont <- local_container()
  e <- http_failure(create_storage_container(cont))
  expect_identical(e$status, 409L)
  expect_identical(e$code, "ContainerAlreadyExists")
  expect_true(nzchar(e$request_id))
  expect_match(conditionMessage(e), "409 ContainerAlreadyExists")
  none <- storage_container(azurite(), "not-there")
  expect_identical(http_failure(list_blobs(none))$code, "ContainerNotFound")
  expect_identical(http_failure(delete_storage_container(none, confirm = FALSE))$status, 404L)
})

test_that("bad names and bad containers", {
  endp <- blob_endpoint("https://acc.blob.core.windows.net")
  for (bad in list("ab", "Abc", "a_b", "-abc", "abc-", "a--b", strrep("a", 64), "", NA_character_,
    1, NULL, c("abc", "abd"), "../x", "a/b")) {
    expect_input_error(storage_container(endp, bad), "name")
  }
  expect_input_error(storage_container(endp), "name")
  expect_identical(storage_container(endp, "$root")$name, "$root")
  expect_input_error(storage_container("https://acc.blob.core.windows.net/cont/blob"), "endpoint")
  expect_input_error(storage_container("https://acc.blob.core.windows.net/cont", "name"), "name")
  expect_input_error(storage_container(1, "abc"), "endpoint")
  expect_input_error(storage_container(endp, "abc", key = "verysecret"), "endpoint")
  expect_input_error(create_storage_container(endp, "abc", public_access = "all"), "public_access")
  expect_input_error(delete_storage_container(endp, "abc", confirm = NA), "confirm")
  expect_input_error(list_storage_containers(1), "endpoint")
  queue <- queue_endpoint("https://acc.queue.core.windows.net")
  expect_input_error(storage_container(queue, "abc"), "endpoint")
  cont <- storage_container(endp, "abc")
  cont$name <- "../other"
  expect_input_error(list_blobs(cont), "container")
  expect_input_error(list_blobs(unclass(cont)), "container")
  expect_input_error(list_blobs(endp), "container")
})

test_that("credentials beside an endpoint, a container or a queue are refused", {
  endp <- blob_endpoint("https://acc.blob.core.windows.net")
  cont <- storage_container(endp, "docs")
  expect_input_error(storage_container(cont, key = "a2V5"), "endpoint")
  expect_input_error(delete_storage_container(cont, sas = "sig=x"), "endpoint")
  expect_input_error(list_storage_containers(endp, key = "a2V5"), "endpoint")
  expect_input_error(list_blob_containers(endp, token = "t"), "endpoint")
})

test_that("headers of a new container are the service's", {
  endp <- azurite()
  cont <- create_storage_container(endp, unique_name(), `x-ms-meta-a` = "1")
  withr::defer(delete_storage_container(cont, confirm = FALSE))
  expect_identical(get_storage_metadata(cont), list(a = "1"))
  expect_input_error(create_storage_container(endp, "docs", Authorization = "x"), "Authorization")
})

test_that("who is there is asked, and what is not confirmed stays", {
  cont <- local_container()
  storage_upload(cont, charToRaw("x"), "x")
  create_blob_snapshot(cont, "x")
  asked <- character()
  answer <- FALSE
  local_binding(somebody_there = function() TRUE)
  local_binding(ask = function(text) {
    asked <<- c(asked, text)
    answer
  })
  for (answer in c(FALSE, NA)) {
    delete_blob(cont, "x")
    delete_blob_snapshot(cont, "x", "all")
    delete_blob_dir(cont, "/", recursive = TRUE)
    delete_storage_container(cont)
  }
  expect_length(asked, 8L)
  expect_match(asked[1:4], "blob 'x'|snapshot 'all'|directory '/'|container 'c[0-9-]+'")
  expect_true(blob_exists(cont, "x"))
  expect_length(list_blob_snapshots(cont, "x"), 1L)
  delete_blob_snapshot(cont, "x", "all", confirm = FALSE)
  expect_length(asked, 8L)
  answer <- TRUE
  delete_blob(cont, "x")
  expect_length(asked, 9L)
  expect_false(blob_exists(cont, "x"))
})

test_that("a container that was made, but whose answer was lost, is no error", {
  endp <- azurite()
  name <- unique_name()
  port <- engine_proxy(sprintf("PUT|%s|1|lost", name))
  there <- endp
  there$url <- sub(":[0-9]+/", paste0(":", port, "/"), endp$url)
  expect_silent(create_storage_container(there, name))
  withr::defer(delete_storage_container(endp, name, confirm = FALSE))
  expect_identical(http_failure(create_storage_container(there, name))$status, 409L)
})

test_that("what AzureStor has for file shares is left to it", {
  share <- structure(list(name = "share"), class = c("file_share", "storage_container"))
  expect_error(format(share), NA)
  expect_no_match(paste(format(share), collapse = ""), "blob container")
  expect_no_match(paste(as.character(share), collapse = ""), "blob container")
})
