url <- "https://mystorage.blob.core.windows.net"

test_that("an endpoint is a plain list of its fields", {
  endp <- storage_endpoint(url, key = "key", token = "t", sas = "?sv=1&sig=x")
  expect_identical(unclass(endp), list(
    url = url, key = "key", token = "t", sas = "?sv=1&sig=x", api_version = "2021-06-08"
  ))
  expect_s3_class(endp, c("blob_endpoint", "storage_endpoint"), exact = TRUE)
  expect_identical(blob_endpoint(url, key = "key"), storage_endpoint(url, key = "key"))
  expect_null(blob_endpoint(url)$key)
  expect_named(blob_endpoint(url), c("url", "key", "token", "sas", "api_version"))
})

test_that("nothing of it is looked at before it is used", {
  endp <- storage_endpoint("", key = "key")
  expect_s3_class(storage_container(endp, "container"), "blob_container")
  expect_error(list_blobs(storage_container(endp, "container")), class = "pool_input_error")
})

test_that("the host tells the service, and it is blob where the host does not", {
  queue <- sub("blob", "queue", url)
  expect_s3_class(storage_endpoint(queue), "queue_endpoint")
  expect_s3_class(queue_endpoint(queue), "queue_endpoint")
  expect_s3_class(storage_endpoint("http://127.0.0.1:10000/devstoreaccount1"), "blob_endpoint")
  expect_s3_class(storage_endpoint("http://127.0.0.1:10001/x", service = "queue"), "queue_endpoint")
  expect_s3_class(storage_endpoint("https://data.example.com"), "blob_endpoint")
  expect_input_error(storage_endpoint(sub("blob", "file", url)), "service")
  expect_input_error(storage_endpoint(sub("blob", "dfs", url)), "service")
  expect_input_error(storage_endpoint(url, service = "table"), "service")
})

test_that("a signature in the URL becomes the endpoint's", {
  endp <- blob_endpoint(paste0(url, "/?sv=2021-06-08&sig=abc%3D"))
  expect_identical(endp$sas, "sv=2021-06-08&sig=abc%3D")
  expect_identical(endp$url, paste0(url, "/"))
})

test_that("connection strings", {
  endp <- storage_endpoint("UseDevelopmentStorage=true")
  expect_identical(endp$url, "http://127.0.0.1:10000/devstoreaccount1")
  expect_identical(endp$key, azurite_key)
  expect_identical(queue_endpoint("UseDevelopmentStorage=true;")$url,
    "http://127.0.0.1:10001/devstoreaccount1")
  expect_identical(
    storage_endpoint(
      "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://localhost/"
    )$url,
    "http://localhost:10000/devstoreaccount1"
  )

  text <- paste0("DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5==;",
    "EndpointSuffix=core.windows.net")
  endp <- storage_endpoint(text)
  expect_identical(endp$url, "https://acc.blob.core.windows.net")
  expect_identical(endp$key, "a2V5==")
  expect_identical(storage_endpoint(text, service = "queue")$url,
    "https://acc.queue.core.windows.net")

  endp <- storage_endpoint(
    " blobendpoint=http://127.0.0.1:10000/acc ; SharedAccessSignature=?sv=1&sig=a%3D=;"
  )
  expect_identical(endp$url, "http://127.0.0.1:10000/acc")
  expect_identical(endp$sas, "sv=1&sig=a%3D=")
  expect_null(endp$key)

  # What is given beside it counts.
  expect_null(storage_endpoint(text, token = "t")$key)
})

test_that("connection strings that are none", {
  for (text in c("AccountName=a;AccountName=b", "AccountName=a;nonsense", "AccountKey=a2V5",
    "AccountName=a;Secret=b", "UseDevelopmentStorage=false", "BlobEndpoint=ftp://x")) {
    expect_input_error(storage_endpoint(text), "endpoint")
  }
  e <- expect_input_error(storage_endpoint("AccountName=a;SecretKey=verysecret"), "endpoint")
  expect_false(grepl("verysecret", paste(capture.output(print(e), str(unclass(e))), collapse = "")))
})

test_that("the environment's connection string is the default", {
  withr::local_envvar(AZURE_STORAGE_CONNECTION_STRING = "UseDevelopmentStorage=true")
  expect_identical(storage_endpoint(), storage_endpoint("UseDevelopmentStorage=true"))
  expect_identical(blob_endpoint()$key, azurite_key)
  expect_s3_class(queue_endpoint(), "queue_endpoint")
  withr::local_envvar(AZURE_STORAGE_CONNECTION_STRING = NA)
  expect_input_error(storage_endpoint(), "endpoint")
})

test_that("bad arguments are named", {
  for (bad in list(NULL, 1, NA_character_, c(url, url), list(url), character())) {
    if (!is.null(bad)) expect_input_error(storage_endpoint(bad), "endpoint")
    if (!is.null(bad)) expect_input_error(storage_endpoint(url, key = bad), "key")
    if (!is.null(bad)) expect_input_error(storage_endpoint(url, token = bad), "token")
    if (!is.null(bad)) expect_input_error(storage_endpoint(url, sas = bad), "sas")
    expect_input_error(storage_endpoint(url, api_version = bad), "api_version")
  }
  for (bad in c("mystorage", "ftp://x", "https://", "https:///x", "https://user@host",
    "https://a b",
    "file:///etc", "https://h:port", paste0(url, "/container"))) {
    expect_input_error(storage_endpoint(bad), "endpoint")
  }
  expect_input_error(storage_endpoint(url, key = ""), "key")
  expect_input_error(storage_endpoint(url, token = "a\r\nb: c"), "token")
})

test_that("no print shows a secret", {
  endp <- storage_endpoint(url, key = "verysecret", token = "verysecret", sas = "sig=verysecret")
  endp2 <- endp
  endp2$url <- paste0(url, "?sv=1&sig=verysecret")
  cont <- storage_container(endp, "docs")
  queue <- storage_queue(queue_endpoint(sub("blob", "queue", url), key = "verysecret"), "tasks")
  for (x in list(endp, endp2, cont, queue)) {
    shown <- capture.output({
      print(x)
      str(x)
      print(list(x))
      str(list(a = x))
      cat(format(x), as.character(x))
      print(paste(x))
    })
    expect_false(any(grepl("verysecret", shown)))
  }
  expect_match(capture.output(print(endp)), "hidden", all = FALSE)
  expect_identical(endp$key, "verysecret")
})

test_that("AzureStor's loading does not bring its print() back", {
  skip_if_not_installed("AzureStor")
  cont <- storage_container(storage_endpoint(url, token = "verysecret"), "docs")
  out <- callr::r(function(cont, first) {
    loadNamespace(first)
    loadNamespace("pool")
    loadNamespace("AzureStor")
    utils::capture.output(print(cont), print(cont$endpoint), str(cont))
  }, list(cont, "pool"))
  expect_false(any(grepl("verysecret", out)))
  out <- callr::r(function(cont) {
    loadNamespace("AzureStor")
    loadNamespace("pool")
    utils::capture.output(print(cont), print(cont$endpoint), str(cont))
  }, list(cont))
  expect_false(any(grepl("verysecret", out)))
})

test_that("plain http: is for this machine alone", {
  withr::local_options(pool.http_retries = 0)
  for (host in c("example.com", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1",
    "mystorage.blob.core.windows.net", "127.1.example")) {
    cont <- storage_container(blob_endpoint(paste0("http://", host), token = "verysecret"), "docs")
    e <- tryCatch(list_blobs(cont), error = identity)
    expect_s3_class(e, "pool_input_error")
    expect_match(conditionMessage(e), "http:", fixed = TRUE)
    expect_error(storage_upload(cont, raw(1), "x"), class = "pool_input_error")
    expect_error(storage_multidownload(cont, "x", tempfile()), class = "pool_input_error")
  }
  for (host in c("127.0.0.1", "127.9.9.9", "localhost", "a.blob.localhost", "[::1]")) {
    expect_silent(pool:::check_plain(paste0("http://", host, ":1/x")))
  }
  withr::local_options(pool.allow_http = TRUE)
  expect_silent(pool:::check_plain("http://example.com"))
})

test_that("the URLs in a connection string are looked at like any other", {
  endp <- storage_endpoint("BlobEndpoint=https://acc.blob.core.windows.net/?sv=1&sig=abc")
  expect_identical(endp$url, "https://acc.blob.core.windows.net/")
  expect_identical(endp$sas, "sv=1&sig=abc")
  expect_input_error(
    storage_endpoint("BlobEndpoint=https://acc.blob.core.windows.net/container"), "endpoint"
  )
  endp <- storage_endpoint("BlobEndpoint=http://127.0.0.1:1/acc;AccountKey=a2V5")
  expect_identical(endp$url, "http://127.0.0.1:1/acc")
})

test_that("hosts of every kind: upper case, DNS zones, domains of one's own", {
  expect_s3_class(storage_endpoint("https://ACC.Queue.Core.Windows.NET"), "queue_endpoint")
  zone <- "https://acc.z01.blob.storage.azure.net"
  expect_s3_class(storage_endpoint(sub("blob", "queue", zone)), "queue_endpoint")
  expect_input_error(storage_endpoint(paste0(zone, "/container")), "endpoint")
  expect_input_error(storage_endpoint(sub("blob", "file", zone)), "service")
  expect_identical(pool:::account_of(zone), "acc")
  expect_identical(pool:::account_of("https://ACC.blob.core.windows.net"), "acc")
  expect_identical(pool:::account_of("https://proxy.example.com/acc"), "acc")
  for (base in c(zone, "https://data.example.com", "https://ACC.blob.core.windows.net")) {
    cont <- storage_container(paste0(base, "/docs"))
    expect_identical(cont$name, "docs")
    expect_identical(tolower(sub("/$", "", cont$endpoint$url)), tolower(base))
  }
})

test_that("text that is none is an input error", {
  cont <- storage_container(blob_endpoint(url, key = "a2V5"), "docs")
  bad <- "a\xff"
  Encoding(bad) <- "UTF-8"
  expect_input_error(storage_endpoint(bad), "endpoint")
  expect_input_error(storage_endpoint(paste0(url, "/", bad)), "endpoint")
  expect_input_error(storage_endpoint(url, key = bad), "key")
  expect_input_error(storage_container(cont$endpoint, bad), "name")
  expect_input_error(get_account_sas(bad, "a2V5"), "account")
  expect_input_error(get_account_sas("acc", "a2V5", permissions = bad), "permissions")
  expect_input_error(call_storage_endpoint(cont$endpoint, "", body = bad), "body")
  expect_input_error(list_blobs(cont, bad), "dir")
  expect_input_error(list_blobs(cont, prefix = bad), "prefix")
  expect_input_error(blob_exists(cont, bad), "blob")
  expect_input_error(storage_download(cont, "x", NULL, snapshot = bad), "snapshot")
  expect_input_error(call_storage_endpoint(cont$endpoint, bad), "path")
  expect_input_error(call_storage_endpoint(cont$endpoint, "", options = list(a = bad)), "options")
  expect_input_error(call_storage_endpoint(cont$endpoint, "", headers = list(a = bad)), "headers")
  expect_input_error(set_storage_metadata(cont, "x", a = bad), "...")
  expect_input_error(storage_multidownload(cont, paste0(bad, "*"), "."), "src")
  expect_input_error(copy_url_to_storage(cont, bad, "x"), "src")
  for (path in c("100%", "%00", "%4", "%zz", "a%", "%ff", "x%e4y")) {
    expect_input_error(download_from_url(paste0(url, "/docs/", path), NULL), "src")
    expect_input_error(storage_container(paste0(url, "/", path)), "endpoint")
    expect_input_error(multicopy_url_to_storage(cont, paste0(url, "/docs/", path)), "src")
  }
  expect_identical(pool:::unescape("a%2fb%2FB%25%C3%A4+"), "a/b/B%\u00e4+")
})

test_that("where no version is given, it is the same everywhere", {
  withr::local_options(azure_storage_api_version = NULL)
  expect_identical(pool:::http_account(list(), url)$version, blob_endpoint(url)$api_version)
})
