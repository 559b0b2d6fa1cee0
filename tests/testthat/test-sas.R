test_that("an account's signature opens what it says, and nothing else", {
  for (style in c("path", "host")) {
    endp <- azurite(style)
    for (version in c("2019-07-07", "2020-12-06", "2021-06-08", "2023-11-03")) {
      sas <- get_account_sas(endp, permissions = "clrw", auth_api_version = version)
      expect_false(startsWith(sas, "?"))
      with_sas <- blob_endpoint(endp$url, sas = sas, api_version = version)
      expect_silent(list_storage_containers(with_sas))
      cont <- create_storage_container(with_sas, unique_name())
      expect_silent(storage_upload(cont, charToRaw("x"), "a b"))
      expect_identical(list_blobs(cont, info = "name"), "a b")
      cont$endpoint$sas <- paste0("?", sas)
      expect_identical(storage_download(cont, "a b", NULL), charToRaw("x"))
      expect_identical(http_failure(delete_blob(cont, "a b", confirm = FALSE))$status, 403L)
      delete_storage_container(endp, cont$name, confirm = FALSE)
    }
    direct <- get_account_sas(azurite_account, azurite_key, permissions = "rl")
    expect_silent(list_storage_containers(blob_endpoint(endp$url, sas = direct)))
  }
})

test_that("a service's signature is for one container, one blob, one queue", {
  cont <- local_container()
  storage_upload(cont, charToRaw("x"), "dir/a b#1")
  storage_upload(cont, charToRaw("y"), "y")
  as_who <- function(sas) storage_container(blob_endpoint(cont$endpoint$url, sas = sas), cont$name)
  for (version in c("2019-07-07", "2020-12-06", "2023-11-03")) {
    one <- as_who(get_service_sas(cont$endpoint, cont$name, permissions = "rcwl",
      auth_api_version = version))
    expect_identical(nrow(list_blobs(one)), 2L)
    expect_silent(storage_upload(one, charToRaw("y"), "y"))
    expect_error(delete_blob(one, "y", confirm = FALSE), class = "pool_http_error")
    one <- as_who(get_service_sas(cont$endpoint, paste0(cont$name, "/dir/a b#1"), permissions = "r",
      auth_api_version = version))
    expect_identical(storage_download(one, "dir/a b#1", NULL), charToRaw("x"))
    expect_error(storage_download(one, "y", NULL), class = "pool_http_error")
    one <- as_who(get_service_sas(azurite_account, cont$name, azurite_key, service = "blob",
      auth_api_version = version))
    expect_identical(nrow(list_blobs(one)), 2L)
  }
  queue <- local_queue()
  put_queue_message(queue, "hello")
  sas <- get_service_sas(queue$endpoint, queue$name, permissions = "rp")
  theirs <- storage_queue(queue_endpoint(queue$endpoint$url, sas = sas), queue$name)
  expect_identical(get_queue_messages(theirs)$text, "hello")
  expect_error(put_queue_message(theirs, "x"), class = "pool_http_error")
})

test_that("it is valid from 15 minutes ago for 8 hours, and no longer", {
  get <- function(sas, name) utils::URLdecode(sub(paste0("^.*\\b", name, "=([^&]*).*$"), "\\1",
    sas))
  time <- function(x) as.POSIXct(strptime(x, "%Y-%m-%dT%H:%M:%SZ", tz = "UTC"))
  sas <- get_account_sas("acc", "a2V5")
  expect_lt(abs(as.numeric(difftime(Sys.time() - 900, time(get(sas, "st")), units = "secs"))), 10)
  expect_equal(as.numeric(difftime(time(get(sas, "se")), time(get(sas, "st")), units = "hours")), 8)
  expect_false(grepl("spr=", sas))
  sas <- get_account_sas("acc", "a2V5", start = as.Date("2024-01-02"),
    expiry = as.Date("2024-01-03"),
    protocol = "https", ip = "1.2.3.4-1.2.3.9")
  expect_identical(get(sas, "st"), "2024-01-02T00:00:00Z")
  expect_identical(get(sas, "spr"), "https")
  expect_identical(get(sas, "sip"), "1.2.3.4-1.2.3.9")

  endp <- azurite()
  late <- get_account_sas(endp, start = Sys.time() - 7200, expiry = Sys.time() - 3600)
  expect_error(list_storage_containers(blob_endpoint(endp$url, sas = late)),
    class = "pool_http_error")
})

test_that("the strings are AzureStor's, where theirs are right", {
  skip_if_not_installed("AzureStor")
  dates <- list(start = as.POSIXct("2024-01-02", tz = "UTC"),
    expiry = as.POSIXct("2024-01-03", tz = "UTC"))
  same <- function(f, ...) {
    args <- c(list(...), dates)
    parts <- function(sas) sort(strsplit(sas, "&", fixed = TRUE)[[1]])
    expect_identical(
      parts(do.call(getExportedValue("pool", f), args)),
      parts(do.call(getExportedValue("AzureStor", f), args))
    )
  }
  # Theirs lacks a line since 2020-12-06.
  same("get_account_sas", "acc", "a2V5", auth_api_version = "2019-07-07", permissions = "rwdl",
    ip = NULL)
  for (version in c("2020-12-06", "2021-06-08")) {
    # (they drop lines for absent parts, so all are given)
    same("get_service_sas", "acc", "cont", "a2V5", service = "blob", resource_type = "c",
      permissions = "rl", auth_api_version = version, ip = "1.2.3.4", protocol = "https",
      policy = "p", snapshot_time = "")
  }
})

test_that("a user delegation signs with its key, and its print hides it", {
  key <- structure(
    list(SignedOid = "oid", SignedTid = "tid", SignedStart = "2024-01-02T00:00:00Z",
      SignedExpiry = "2024-01-03T00:00:00Z", SignedService = "b", SignedVersion = "2021-06-08",
      Value = "dmVyeXNlY3JldA=="),
    class = "user_delegation_key"
  )
  sas <- get_user_delegation_sas("acc", key, "cont/a b",
    start = as.POSIXct("2024-01-02", tz = "UTC"), expiry = as.POSIXct("2024-01-03", tz = "UTC"))
  text <- paste(c("r", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z", "/blob/acc/cont/a b", "oid",
    "tid", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z", "b", "2021-06-08", "", "", "", "", "",
    "2021-06-08", "b", "", "", "", "", "", "", ""), collapse = "\n")
  signature <- pool:::sign_text(key$Value, text)
  expect_match(sas, paste0("sig=", pool:::escape(signature)), fixed = TRUE)
  shown <- capture.output(print(key), str(key), print(list(key)))
  expect_false(any(grepl(key$Value, shown, fixed = TRUE)))
  expect_input_error(get_user_delegation_sas("acc", "key", "cont"), "key")
  expect_input_error(get_user_delegation_key(blob_endpoint("https://acc.blob.core.windows.net")),
    "token")
})

test_that("bad arguments", {
  bare <- blob_endpoint("https://acc.blob.core.windows.net")
  expect_input_error(get_account_sas(bare), "key")
  expect_input_error(get_service_sas(bare, "cont"), "key")
  expect_input_error(get_account_sas("not/a/name", "a2V5"), "account")
  expect_input_error(get_account_sas(1, "a2V5"), "account")
  expect_input_error(get_account_sas("acc", 1), "key")
  expect_input_error(get_account_sas("acc", "not base64!"), "key")
  expect_input_error(get_account_sas("acc", "a2V5", permissions = "rx?"), "permissions")
  expect_input_error(get_account_sas("acc", "a2V5", permissions = ""), "permissions")
  expect_input_error(get_account_sas("acc", "a2V5", services = "z"), "services")
  expect_input_error(get_account_sas("acc", "a2V5", resource_types = "x"), "resource_types")
  expect_input_error(get_account_sas("acc", "a2V5", ip = "localhost"), "ip")
  expect_input_error(get_account_sas("acc", "a2V5", protocol = "http"), "protocol")
  expect_input_error(get_account_sas("acc", "a2V5", start = "yesterday"), "start")
  expect_input_error(get_account_sas("acc", "a2V5", start = "2024-01-02", expiry = "2024-01-01"),
    "expiry")
  expect_input_error(get_account_sas("acc", "a2V5", auth_api_version = "new"), "auth_api_version")
  expect_input_error(get_service_sas("acc", "", "a2V5"), "resource")
  expect_input_error(get_service_sas("acc", "c", "a2V5", service = "file"), "service")
  expect_input_error(get_service_sas("acc", "c", "a2V5", resource_type = "z"), "resource_type")
  expect_input_error(get_service_sas("acc", "c", "a2V5", directory_depth = "x"), "directory_depth")
})

test_that("a policy says what the signature does not", {
  given <- function(...) {
    sas <- get_service_sas("acc", "docs", "a2V5", policy = "p", ...)
    sort(sub("=.*$", "", strsplit(sas, "&", fixed = TRUE)[[1]]))
  }
  expect_identical(given(), c("si", "sig", "sr", "sv"))
  expect_identical(given(permissions = "r"), c("si", "sig", "sp", "sr", "sv"))
  expect_identical(given(expiry = Sys.time() + 60), c("se", "si", "sig", "sr", "sv"))
  expect_identical(given(start = Sys.time()), c("si", "sig", "sr", "st", "sv"))

  cont <- local_container()
  storage_upload(cont, charToRaw("x"), "x")
  time <- function(x) strftime(x, "%Y-%m-%dT%H:%M:%SZ", tz = "UTC")
  do_container_op(cont, "", options = list(restype = "container", comp = "acl"),
    http_verb = "PUT", body = paste0("<?xml version=\"1.0\" encoding=\"utf-8\"?>",
      "<SignedIdentifiers><SignedIdentifier><Id>p</Id><AccessPolicy><Start>",
      time(Sys.time() - 3600), "</Start><Expiry>", time(Sys.time() + 3600),
      "</Expiry><Permission>r</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>"))
  sas <- get_service_sas(cont$endpoint, cont$name, policy = "p")
  reader <- storage_container(blob_endpoint(cont$endpoint$url, sas = sas), cont$name)
  expect_identical(storage_download(reader, "x", NULL), charToRaw("x"))
  expect_identical(http_failure(storage_upload(reader, raw(1), "y"))$status, 403L)
})
