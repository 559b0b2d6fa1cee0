# Tokens and TLS: an Azurite of this file's own, which takes any token that is
# well-formed and a certificate that nobody knows.

local_tls <- function(env = parent.frame()) {
  program <- file.path(Sys.getenv("AZURITE_PROGRAMS"), "azurite-blob")
  skip_if(!file.exists(program), "Azurite's program is not known")
  skip_if(!nzchar(Sys.which("openssl")), "no openssl to make a certificate with")
  skip_if_not_installed("processx")
  dir <- withr::local_tempdir(.local_envir = env)
  cert <- file.path(dir, "cert.pem")
  key <- file.path(dir, "key.pem")
  made <- processx::run("openssl", c(
    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
    "-subj", "/CN=localhost", "-addext",
    paste0("subjectAltName=DNS:", azurite_account, ".blob.localhost")
  ), error_on_status = FALSE)
  skip_if(made$status != 0L, "openssl makes no certificate")
  log <- file.path(dir, "log")
  server <- processx::process$new(program, c(
    "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry",
    "--oauth", "basic", "--cert", cert, "--key", key
  ), stdout = log, stderr = log, wd = dir)
  withr::defer(server$kill(), envir = env)
  for (i in 1:300) {
    line <- grep("successfully listens", readLines(log, warn = FALSE), value = TRUE)
    if (length(line)) break
    Sys.sleep(0.1)
  }
  skip_if(!length(line), "Azurite does not start with TLS")
  port <- sub("^.*:([0-9]+)$", "\\1", line[[1]])
  list(url = sprintf("https://%s.blob.localhost:%s", azurite_account, port), cert = cert)
}

token_for <- function(seconds = 3600) {
  part <- function(text) gsub("=", "", chartr("+/", "-_", pool:::base64_encode(text)))
  now <- as.integer(Sys.time())
  paste(
    part("{\"alg\":\"none\",\"typ\":\"JWT\"}"),
    part(sprintf(paste0(
      "{\"aud\":\"https://storage.azure.com\",",
      "\"iss\":\"https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/\",",
      "\"nbf\":%d,\"iat\":%d,\"exp\":%d,\"oid\":\"23657296-5cd5-45b0-a809-d972a7f4dfe1\",",
      "\"tid\":\"dd0d0df1-06c3-436c-8034-4b9a153097ce\"}"
    ), now - 600L, now - 600L, now + as.integer(seconds))),
    part("signature"),
    sep = "."
  )
}

local_token_seconds <- function(value, env = parent.frame()) {
  namespace <- asNamespace("pool")
  set <- function(x) {
    unlockBinding("token_seconds", namespace)
    assign("token_seconds", x, namespace)
    lockBinding("token_seconds", namespace)
  }
  old <- get("token_seconds", namespace)
  set(value)
  withr::defer(set(old), envir = env)
}

test_that("certificates are checked; tokens, and keys and signatures made with them, open", {
  tls <- local_tls()
  withr::local_options(pool.http_retries = 0)
  unknown <- blob_endpoint(tls$url, key = azurite_key)
  e <- http_failure(list_storage_containers(unknown))
  expect_identical(e$status, NA_integer_)
  expect_match(conditionMessage(e), "certificate")

  withr::local_options(pool.ca_file = tls$cert)
  expect_type(list_storage_containers(unknown), "list")
  token <- token_for()
  endp <- blob_endpoint(tls$url, token = token)
  cont <- create_storage_container(endp, "docs")
  storage_upload(cont, charToRaw("x"), "a b")
  expect_identical(storage_download(cont, "a b", NULL), charToRaw("x"))

  # A token that is an object is refreshed when it is due.
  refreshed <- 0L
  holder <- new.env()
  holder$credentials <- list(access_token = token_for(-60))
  holder$validate <- function() refreshed > 0L
  holder$refresh <- function() {
    refreshed <<- refreshed + 1L
    holder$credentials <- list(access_token = token)
  }
  cont$endpoint$token <- holder
  expect_identical(storage_download(cont, "a b", NULL), charToRaw("x"))
  expect_identical(list_blobs(cont, info = "name"), "a b")
  expect_identical(refreshed, 1L)
  expect_false(any(grepl(token, capture.output(print(cont), str(cont)), fixed = TRUE)))

  # And on the way, in the middle of many: from then on with another one, here
  # one that is refused; one that does not come changes nothing.
  local_token_seconds(0)
  many <- 500 # more than go between two looks
  names <- sprintf("n%03d", seq_len(many))
  for (fails in c(FALSE, TRUE)) {
    holder$credentials <- list(access_token = token)
    holder$validate <- function() holder$done < 5
    holder$done <- 0
    holder$refresh <- function() {
      if (fails) stop("no token")
      holder$credentials <- list(access_token = token_for(-60))
    }
    transfers <- pool:::upload_rows(cont, rep(list(raw(9)), many), names,
      pool:::upload_options(cont, "BlockBlob", 1e6, NULL, FALSE, FALSE, FALSE, NULL, NULL))
    done <- pool:::run_transfers(cont$endpoint, transfers, 1,
      function(files_done, files, bytes_done, bytes) holder$done <- files_done)
    expect_true(all(is.na(done$error[1:5])))
    expect_identical(is.na(done$error[many]), fails)
    expect_identical(done$status[many] %in% c(401L, 403L), !fails)
  }

  late <- blob_endpoint(tls$url, token = token_for(-60))
  e <- http_failure(list_storage_containers(late))
  expect_true(e$status %in% c(401L, 403L))

  key <- get_user_delegation_key(endp, key_start = Sys.time() - 60, key_expiry = Sys.time() + 3600)
  expect_s3_class(key, "user_delegation_key")
  expect_false(any(grepl(key$Value, capture.output(print(key)), fixed = TRUE)))
  for (version in c("2020-12-06", "2021-06-08", "2023-11-03")) {
    for (resource in c("docs", "docs/a b")) {
      sas <- get_user_delegation_sas(endp, key, resource, permissions = "r",
        expiry = Sys.time() + 3000, auth_api_version = version)
      with_sas <- storage_container(blob_endpoint(tls$url, sas = sas, api_version = version),
        "docs")
      expect_identical(storage_download(with_sas, "a b", NULL), charToRaw("x"))
      expect_error(storage_upload(with_sas, raw(1), "y"), class = "pool_http_error")
    }
  }
})
