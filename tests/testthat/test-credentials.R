# The account that jobs live in.

local_credentials <- function(env = parent.frame()) {
  withr::defer(setCredentials(NULL), envir = env)
  local_backend(env)
}

write_credentials <- function(text, mode = "600", env = parent.frame()) {
  path <- withr::local_tempfile(.local_envir = env)
  writeLines(text, path)
  Sys.chmod(path, mode)
  path
}

account_of_credentials <- function(...) {
  setCredentials(list(sharedKey = list(storageAccount = list(...))), verbose = FALSE)
  pool:::the$credentials
}

test_that("a file, a list, and an older file say the same", {
  local_credentials()
  config <- azurite_credentials(endpoint = "http://127.0.0.1:1/devstoreaccount1",
    queueEndpoint = "http://127.0.0.1:2/devstoreaccount1")
  seen <- lapply(list(
    config, list(storageAccount = config$sharedKey$storageAccount, batchAccount = list()),
    write_credentials(jsonlite::toJSON(config, auto_unbox = TRUE, pretty = TRUE))
  ), function(credentials) {
    setCredentials(NULL)
    expect_silent(setCredentials(credentials, verbose = FALSE))
    pool:::the$credentials[c("name", "key", "blob", "queue")]
  })
  expect_identical(seen[[1]], list(name = azurite_account, key = azurite_key,
    blob = "http://127.0.0.1:1/devstoreaccount1", queue = "http://127.0.0.1:2/devstoreaccount1"))
  expect_identical(seen[[2]], seen[[1]])
  expect_identical(seen[[3]], seen[[1]])
  said <- capture.output(setCredentials(config))
  expect_identical(utils::tail(said, 1), "Your credentials have been successfully set.")
  expect_match(said[[2]], azurite_account)
  expect_false(any(grepl(substr(azurite_key, 1, 12), said, fixed = TRUE)))
})

test_that("endpoints are made of name and suffix, where they are not given", {
  local_credentials()
  a <- account_of_credentials(name = "mine", key = "a2V5")
  expect_identical(a$blob, "https://mine.blob.core.windows.net")
  expect_identical(a$queue, "https://mine.queue.core.windows.net")
  setCredentials(list(sharedKey = list(storageAccount = list(name = "mine", key = "a2V5"))),
    verbose = FALSE, environment = "AzureChina")
  expect_identical(pool:::the$credentials$queue, "https://mine.queue.core.chinacloudapi.cn")
  a <- account_of_credentials(name = "mine", key = "a2V5", endpointSuffix = "localhost:1234")
  expect_identical(a$blob, "https://mine.blob.localhost:1234")
  e <- expect_input_error(getJobList(), "credentials")
  expect_match(conditionMessage(e), "queueEndpoint")
  account_of_credentials(name = "mine", key = "a2V5", endpoint = "http://127.0.0.1:1/mine")
  expect_input_error(getJobList(), "credentials")
})

test_that("bad credentials are errors that show nothing of them", {
  local_credentials()
  key <- "VmVyeVNlY3JldEtleQ=="
  good <- list(name = "mine", key = key)
  bad <- list(
    3, NA_character_, c("a", "b"), "there/is/none.json", tempdir(), list(), list(sharedKey = 1),
    list(sharedKey = list(storageAccount = list(name = "mine"))),
    list(sharedKey = list(storageAccount = list(key = key))),
    list(sharedKey = list(storageAccount = list(name = "Mine", key = key))),
    list(sharedKey = list(storageAccount = list(name = "mine", key = "no base64!"))),
    list(sharedKey = list(storageAccount = c(good, endpoint = "mine"))),
    list(sharedKey = list(storageAccount = c(good, queueEndpoint = "ftp://x"))),
    list(sharedKey = list(storageAccount = c(good, list(endpointSuffix = 3)))),
    list(servicePrincipal = list(tenantId = "tenant")),
    write_credentials(c("{ \"key\": ", key, " }")), write_credentials(character())
  )
  for (credentials in bad) {
    e <- expect_input_error(setCredentials(credentials, verbose = FALSE), "credentials")
    expect_false(grepl(key, paste(conditionMessage(e), deparse(conditionCall(e)),
      paste(capture.output(print(e), str(e)), collapse = "")), fixed = TRUE))
  }
  expect_null(pool:::the$credentials)
  e <- expect_input_error(setCredentials(list(sharedKey = list(storageAccount = good)),
    environment = "Moon"), "environment")
  expect_false(grepl(key, paste(deparse(conditionCall(e)), collapse = ""), fixed = TRUE))
  expect_input_error(setCredentials(NULL, verbose = NA), "verbose")
})

test_that("a file that others can read is a warning", {
  local_credentials()
  text <- jsonlite::toJSON(azurite_credentials(endpoint = "http://127.0.0.1:1/x"),
    auto_unbox = TRUE)
  expect_warning(setCredentials(write_credentials(text, "644"), verbose = FALSE), "others")
  expect_silent(setCredentials(write_credentials(text, "600"), verbose = FALSE))
})

test_that("a file to fill in is written for nobody else, and never over another", {
  path <- withr::local_tempfile()
  expect_output(generateCredentialsConfig(path), "generated")
  expect_identical(format(file.mode(path)), "600")
  config <- jsonlite::fromJSON(path)
  expect_identical(config$sharedKey$storageAccount$endpointSuffix, "core.windows.net")
  expect_setequal(names(config$sharedKey$batchAccount), c("name", "key", "url"))
  expect_input_error(setCredentials(path), "credentials") # it is not filled in
  before <- readLines(path)
  expect_message(generateCredentialsConfig(path, storageKey = "a2V5"), "left as it is")
  expect_identical(readLines(path), before)

  filled <- withr::local_tempfile()
  capture.output(generateCredentialsConfig(filled, storageAccount = "mine", storageKey = "a2V5",
    storageEndpoint = "http://127.0.0.1:1/mine", storageQueueEndpoint = "http://127.0.0.1:2/mine"))
  local_credentials()
  expect_silent(setCredentials(filled, verbose = FALSE))
  expect_identical(pool:::the$credentials$queue, "http://127.0.0.1:2/mine")

  expect_input_error(generateCredentialsConfig(path, "ServicePrincipal"), "authenticationType")
  expect_input_error(generateCredentialsConfig(3), "fileName")
  expect_input_error(generateCredentialsConfig(file.path(path, "x")), "fileName")
  e <- expect_input_error(generateCredentialsConfig(path, storageKay = "VerySecret"), "storageKay")
  expect_false(grepl("VerySecret", paste(deparse(conditionCall(e)), collapse = "")))
})

test_that("no node gets the key", {
  local_credentials()
  account_of_credentials(name = "mine", key = azurite_key)
  local_pool(1)
  found <- pool_lapply(1, at_top(function(i) {
    list(pool:::the$credentials, pool:::the$signatures, unlist(options()), Sys.getenv())
  }))
  expect_null(found[[1]][[1]])
  expect_false(grepl(substr(azurite_key, 1, 12),
    paste(unlist(lapply(found[[1]], as.character)), collapse = ""), fixed = TRUE))
})

test_that("a session without a backend gets one, another's is left", {
  found <- in_session(function(config) {
    setCredentials(config, verbose = FALSE)
    a <- foreach::getDoParName()
    foreach::registerDoSEQ()
    setCredentials(config, verbose = FALSE)
    c(a, foreach::getDoParName())
  }, list(azurite_credentials(endpoint = "http://127.0.0.1:1/x")))
  expect_identical(found, c("doPool", "doSEQ"))
})

test_that("without credentials jobs live in the user's directory", {
  withr::local_options(pool.jobs_dir = NULL)
  withr::local_envvar(R_USER_DATA_DIR = "/there/is/none")
  expect_identical(pool:::jobs_dir(), "/there/is/none/R/pool")
  withr::local_options(pool.jobs_dir = 3)
  expect_input_error(getJobList(), "options(pool.jobs_dir)")
})
