# rAzureBatch's storage classes, and doAzureParallel's functions for storage.

batch_client <- function(url = azurite_url(), ...) {
  skip_without_azurite()
  StorageServiceClient$new(url = url,
    authentication = SharedKeyCredentials$new(name = azurite_account, key = azurite_key), ...)
}

test_that("neither class shows its key, which can be read", {
  key <- SharedKeyCredentials$new(name = "mine", key = "VmVyeVNlY3JldA==")
  client <- StorageServiceClient$new("https://mine.blob.core.windows.net", key)
  expect_identical(key$key, "VmVyeVNlY3JldA==")
  expect_identical(client$authentication$name, "mine")
  expect_s3_class(client, "R6")
  shown <- capture.output(print(key), str(key), print(client), str(client),
    print(list(key, client)), str(list(key, client)), cat(format(key), format(client)))
  expect_false(any(grepl("VmVye", shown)))
  e <- expect_input_error(SharedKeyCredentials$new(name = "A b", key = "VmVyeVNlY3JldA=="), "name")
  expect_false(grepl("VmVye", paste(deparse(conditionCall(e)), collapse = "")))
  expect_input_error(SharedKeyCredentials$new("mine"), "key")
  expect_input_error(StorageServiceClient$new("https://mine.blob.core.windows.net", "key"),
    "authentication")
  expect_input_error(StorageServiceClient$new(3, key), "url")
})

test_that("signatures are lists of strings, with right dates", {
  client <- StorageServiceClient$new("https://mine.blob.core.windows.net",
    SharedKeyCredentials$new("mine", "a2V5"))
  at <- as.POSIXct("2024-05-06 07:08:09", "UTC")
  token <- client$generateSasToken("rw", "c", "docs", at, at + 3600)
  expect_named(token, c("sv", "sr", "st", "se", "sp", "sig"))
  expect_true(all(vapply(token, is.character, NA)))
  expect_identical(token$st, "2024-05-06T07:08:09Z")
  expect_identical(token$se, "2024-05-06T08:08:09Z")
  expect_identical(token$sp, "rw")
  expect_identical(token$sr, "c")
  now <- client$generateSasToken("w", "b", "docs/a.txt")
  days <- difftime(as.POSIXct(now$se, "UTC", "%Y-%m-%dT%H:%M:%SZ"),
    as.POSIXct(now$st, "UTC", "%Y-%m-%dT%H:%M:%SZ"), units = "hours")
  expect_equal(as.numeric(days), 72, tolerance = 0.01)
  expect_input_error(client$generateSasToken("w", "x", "docs"), "sr")
  expect_input_error(client$generateSasToken("?", "c", "docs"), "permissions")
})

test_that("URLs are put together, by the credentials' endpoint where it is their account", {
  withr::defer(setCredentials(NULL))
  token <- list(sv = "2021", sig = "a+b/c=")
  expect_identical(createBlobUrl("mine", "docs", sasToken = token),
    "https://mine.blob.core.windows.net/docs?sv=2021&sig=a%2Bb%2Fc%3D")
  expect_identical(createBlobUrl("mine", "docs", "a b/c#.txt", token, "core.example.org"),
    "https://mine.blob.core.example.org/docs/a%20b/c%23.txt?sv=2021&sig=a%2Bb%2Fc%3D")
  expect_identical(createBlobUrl("mine", "docs", sasToken = NULL),
    "https://mine.blob.core.windows.net/docs")
  expect_identical(createBlobUrl("mine", "docs", sasToken = "?sig=x"),
    "https://mine.blob.core.windows.net/docs?sig=x")
  setCredentials(azurite_credentials(endpoint = "http://127.0.0.1:1/devstoreaccount1"),
    verbose = FALSE)
  expect_identical(createBlobUrl(azurite_account, "docs", sasToken = NULL),
    "http://127.0.0.1:1/devstoreaccount1/docs")
  expect_identical(createBlobUrl("mine", "docs", sasToken = NULL),
    "https://mine.blob.core.windows.net/docs")
  key <- SharedKeyCredentials$new(azurite_account, azurite_key)
  usual <- sprintf("https://%s.blob.%s", azurite_account, "core.windows.net")
  for (url in list(usual, character())) {
    expect_identical(StorageServiceClient$new(url, key)$url, "http://127.0.0.1:1/devstoreaccount1")
  }
  expect_identical(StorageServiceClient$new("https://other.example.org", key)$url,
    "https://other.example.org")
  for (bad in list(3, NULL, "No", c("aaa", "bbb"))) {
    expect_input_error(createBlobUrl("mine", bad, sasToken = NULL), "containerName")
  }
  expect_input_error(createBlobUrl("mine", "docs"), "sasToken")
  expect_input_error(createBlobUrl("mine", "docs", sasToken = list(1)), "sasToken")
})

test_that("containers and blobs are made, listed, read and deleted", {
  client <- batch_client()
  name <- unique_name()
  withr::defer(try(delete_storage_container(azurite(), name, confirm = FALSE), silent = TRUE))
  expect_null(client$containerOperations$createContainer(name))
  expect_warning(client$containerOperations$createContainer(name), "ContainerAlreadyExists")
  answer <- client$containerOperations$createContainer(name, content = "response")
  expect_identical(answer$status_code, 409L)
  found <- client$containerOperations$listContainers(name)
  expect_identical(xml2::xml_text(xml2::xml_find_all(found, ".//Container/Name")), name)

  dir <- local_files(list("a.txt" = "hello", "b.bin" = as.raw(0:9)))
  ops <- client$blobOperations
  expect_identical(ops$uploadBlob(name, file.path(dir, "a.txt"))$status_code, 201L)
  ops$uploadBlob(name, file.path(dir, "b.bin"), remoteName = "x/b #.bin")
  expect_identical(xml2::xml_text(xml2::xml_find_all(ops$listBlobs(name), ".//Blob/Name")),
    c("a.txt", "x/b #.bin"))
  expect_length(xml2::xml_find_all(ops$listBlobs(name, "x/"), ".//Blob"), 1L)
  expect_identical(ops$downloadBlob(name, "a.txt"), "hello")
  expect_identical(ops$downloadBlob(name, "x/b #.bin"), as.raw(0:9))
  to <- file.path(dir, "to")
  expect_identical(ops$downloadBlob(name, "a.txt", downloadPath = to), to)
  expect_identical(readLines(to, warn = FALSE), "hello")
  expect_input_error(ops$downloadBlob(name, "a.txt", downloadPath = to), "dest")
  expect_null(ops$deleteBlob(name, "a.txt"))
  expect_identical(http_failure(ops$downloadBlob(name, "a.txt"))$status, 404L)
  expect_identical(http_failure(ops$deleteBlob(name, "a.txt"))$status, 404L)
  expect_input_error(ops$uploadBlob(name, file.path(dir, "none")), "fileDirectory")

  # By a signature instead of the key, once or always.
  token <- client$generateSasToken("rl", "c", name)
  reader <- StorageServiceClient$new(azurite_url(), NULL, sasToken = token)
  expect_length(xml2::xml_find_all(reader$blobOperations$listBlobs(name), ".//Blob"), 1L)
  expect_identical(http_failure(reader$containerOperations$deleteContainer(name))$status, 403L)
  expect_identical(http_failure(ops$deleteBlob(name, "x/b #.bin", sasToken = token))$status, 403L)
  expect_null(client$containerOperations$deleteContainer(name))
  expect_warning(client$containerOperations$deleteContainer(name), "ContainerNotFound")
})

test_that("a listing has all of its pages", {
  client <- batch_client()
  cont <- local_container()
  storage_multiupload(cont, lapply(1:7, as.raw), sprintf("b%d", 1:7), progress = FALSE)
  namespace <- asNamespace("pool")
  url <- get("container_url", namespace)
  local_binding(container_url = function(container, options) {
    url(container, if (is.null(options$comp)) options else c(options, maxresults = 3L))
  })
  found <- client$blobOperations$listBlobs(cont$name)
  expect_identical(xml2::xml_text(xml2::xml_find_all(found, ".//Blob/Name")), sprintf("b%d", 1:7))
})

test_that("helpers work on the account of the credentials", {
  local_account_jobs()
  name <- unique_name()
  batch_client()$containerOperations$createContainer(name)
  cont <- storage_container(azurite(), name)
  storage_upload(cont, charToRaw("text"), "d/a.txt")
  expect_true(name %in% listStorageContainers()$Name)
  expect_identical(listStorageContainers(name)$Name, name)
  expect_named(listStorageContainers(name), c("Name", "PublicAccess", "LeaseState", "LastModified"))
  files <- listStorageFiles(name)
  expect_identical(files$FilePath, "d/a.txt")
  expect_identical(files$ContentLength, "4")
  expect_identical(attr(files, "containerName"), name)
  expect_identical(nrow(listStorageFiles(name, "none")), 0L)
  expect_identical(getStorageFile(name, "d/a.txt", verbose = FALSE), "text")
  expect_output(deleteStorageFile(name, "d/a.txt"), "has been deleted")
  expect_output(deleteStorageFile(name, "d/a.txt"), "does not exist")
  expect_output(deleteStorageContainer(name), "has been deleted")
  expect_output(deleteStorageContainer(name), "does not exist")
  expect_silent(deleteStorageContainer(name, verbose = FALSE))
  setCredentials(NULL)
  expect_input_error(listStorageContainers(), "credentials")
})
