# Storage services for tests: Azurite, which tools/with-azurite.sh starts beside
# the suite. Its account and key are the same everywhere, and documented.

azurite_account <- "devstoreaccount1"
azurite_key <- paste0(
  "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErC",
  "z4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

skip_without_azurite <- function() {
  skip_if(!nzchar(Sys.getenv("AZURITE_PORT")), "Azurite does not run")
}

# style: the account in the path, or in the host's name.
azurite_url <- function(style = c("path", "host"), service = "blob") {
  port <- Sys.getenv(if (service == "blob") "AZURITE_PORT" else "AZURITE_QUEUE_PORT")
  switch(match.arg(style),
    path = sprintf("http://127.0.0.1:%s/%s", port, azurite_account),
    host = sprintf("http://%s.%s.localhost:%s", azurite_account, service, port)
  )
}

azurite <- function(style = "path", ...) {
  skip_without_azurite()
  blob_endpoint(azurite_url(style), key = azurite_key, ...)
}

unique_name <- function(prefix = "c") {
  shared$count <- (if (is.null(shared$count)) 0L else shared$count) + 1L
  paste0(prefix, Sys.getpid(), "-", shared$count)
}

# A new container, which goes with its test.
local_container <- function(endpoint = azurite(), env = parent.frame()) {
  container <- create_storage_container(endpoint, unique_name())
  withr::defer(
    try(delete_storage_container(container, confirm = FALSE), silent = TRUE),
    envir = env
  )
  container
}

local_queue <- function(env = parent.frame()) {
  skip_without_azurite()
  endpoint <- queue_endpoint(azurite_url(service = "queue"), key = azurite_key)
  queue <- create_storage_queue(endpoint, unique_name("q"))
  withr::defer(try(delete_storage_queue(queue, confirm = FALSE), silent = TRUE), envir = env)
  queue
}

# A directory of files with the given contents, by their names.
local_files <- function(contents, env = parent.frame()) {
  dir <- withr::local_tempdir(.local_envir = env)
  for (name in names(contents)) {
    path <- file.path(dir, name)
    dir.create(dirname(path), recursive = TRUE, showWarnings = FALSE)
    content <- contents[[name]]
    writeBin(if (is.raw(content)) content else charToRaw(content), path)
  }
  dir
}

bytes <- function(n, seed = 1L) {
  withr::with_seed(seed, as.raw(sample.int(256L, n, replace = TRUE) - 1L))
}

# The condition of an error of the service.
http_failure <- function(expr) {
  e <- tryCatch({
    expr
    NULL
  }, pool_http_error = identity)
  expect_s3_class(e, "pool_http_error")
  e
}

expect_input_error <- function(expr, argument) {
  e <- tryCatch({
    expr
    NULL
  }, error = identity)
  expect_s3_class(e, "pool_input_error")
  expect_identical(e$argument, argument)
  expect_match(conditionMessage(e), argument, fixed = TRUE)
  invisible(e)
}

# A function of the package replaced for a test: local_binding(name = function).
local_binding <- function(..., env = parent.frame()) {
  new <- list(...)
  namespace <- asNamespace("pool")
  put <- function(values) {
    for (name in names(values)) {
      get("unlockBinding", baseenv())(name, namespace)
      assign(name, values[[name]], envir = namespace)
      lockBinding(name, namespace)
    }
  }
  old <- mget(names(new), envir = namespace)
  put(new)
  withr::defer(put(old), envir = env)
}
