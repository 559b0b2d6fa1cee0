# Loops on the pool, and jobs of them: backends, stores, and an account over TLS.

# Backends are the session's: the one of before is back when the test is over.
local_backend <- function(env = parent.frame()) {
  registry <- get(".foreachGlobals", asNamespace("foreach"))
  before <- as.list(registry, all.names = TRUE)
  withr::defer({
    rm(list = ls(registry, all.names = TRUE), envir = registry)
    list2env(before, registry)
  }, envir = env)
  registerDoPool()
}

local_loops <- function(n = 2, env = parent.frame()) {
  local_pool(n, env = env)
  local_backend(env)
}

# Jobs in a directory of the test's own.
local_jobs <- function(env = parent.frame()) {
  dir <- withr::local_tempdir(.local_envir = env)
  withr::local_options(pool.jobs_dir = dir, .local_envir = env)
  dir
}

# As a file of credentials has them.
azurite_credentials <- function(...) {
  account <- list(
    name = azurite_account, key = azurite_key, endpoint = azurite_url("path"),
    queueEndpoint = azurite_url("path", "queue")
  )
  list(sharedKey = list(
    batchAccount = list(name = "batch", key = "bm8=", url = "https://batch"),
    storageAccount = utils::modifyList(account, list(...))
  ))
}

# Jobs in the account, whose containers and queues go with the test.
local_account_jobs <- function(env = parent.frame()) {
  skip_without_azurite()
  blob <- azurite()
  queue <- queue_endpoint(azurite_url(service = "queue"), key = azurite_key)
  before <- names(list_storage_containers(blob))
  queues <- names(list_storage_queues(queue))
  withr::defer({
    setCredentials(NULL)
    for (name in setdiff(names(list_storage_containers(blob)), before)) {
      delete_storage_container(blob, name, confirm = FALSE)
    }
    for (name in setdiff(names(list_storage_queues(queue)), queues)) {
      delete_storage_queue(queue, name, confirm = FALSE)
    }
  }, envir = env)
  setCredentials(azurite_credentials(), verbose = FALSE)
}

# Blob and queue services over TLS, with a certificate of an authority that lives as long
# as the test: a list of ca (a file), and ports.
local_azurite_tls <- function(env = parent.frame()) {
  programs <- Sys.getenv("AZURITE_PROGRAMS")
  skip_if(!file.exists(file.path(programs, "azurite-queue")), "Azurite's program is not known")
  skip_if(!nzchar(Sys.which("openssl")), "no openssl to make certificates with")
  skip_if_not_installed("processx")
  dir <- withr::local_tempdir(.local_envir = env)
  ssl <- function(...) {
    made <- processx::run("openssl", c(...), wd = dir, error_on_status = FALSE)
    skip_if(made$status != 0L, "openssl makes no certificate")
  }
  ssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
    "-days", "2", "-subj", "/CN=throw-away")
  ssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "request.pem",
    "-subj", "/CN=localhost")
  writeLines(sprintf("subjectAltName=DNS:%s.blob.localhost,DNS:%s.queue.localhost",
    azurite_account, azurite_account), file.path(dir, "names"))
  ssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key",
    "-CAcreateserial", "-out", "cert.pem", "-days", "2", "-extfile", "names")
  ports <- vapply(c(blob = "blob", queue = "queue"), function(service) {
    azurite_with(service, dir, c("--cert", "cert.pem", "--key", "key.pem"), env)
  }, "")
  list(ca = file.path(dir, "ca.pem"), ports = ports)
}

# Starts a service of Azurite's: its port.
azurite_with <- function(service, dir, args, env) {
  log <- file.path(dir, paste0(service, ".log"))
  program <- file.path(Sys.getenv("AZURITE_PROGRAMS"), paste0("azurite-", service))
  server <- processx::process$new(program, c(
    sprintf("--%sPort", service), "0", "--inMemoryPersistence", "--skipApiVersionCheck",
    "--disableTelemetry", args
  ), stdout = log, stderr = log, wd = dir)
  withr::defer(server$kill(), envir = env)
  line <- character()
  wait_until(function() {
    line <<- grep("successfully listens", readLines(log, warn = FALSE), value = TRUE)
    length(line) > 0L || !server$is_alive()
  })
  skip_if(!length(line), "Azurite does not start so")
  sub("^.*:([0-9]+)$", "\\1", line[[1]])
}
