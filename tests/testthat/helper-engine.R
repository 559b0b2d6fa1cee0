# For the tests of requests and transfers: a container of their own beside
# Azurite, and a proxy in front of it that makes faults.

# Azurite's only account, and the key that its documentation gives.
engine_endpoint <- function(port = NULL) {
  if (is.null(port)) {
    port <- Sys.getenv("AZURITE_PORT")
    skip_if(!nzchar(port), "Azurite is not running: make test starts it")
  }
  list(
    url = sprintf("http://127.0.0.1:%s/devstoreaccount1", port),
    key = paste0(
      "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/",
      "K1SZFPTOtr/KBHBeksoGMGw=="
    ),
    token = NULL, sas = NULL, api_version = "2021-08-06"
  )
}

# The URL of a new container, gone again with the test.
engine_container <- function(endpoint = engine_endpoint(), env = parent.frame()) {
  url <- paste0(endpoint$url, "/c", paste(sample(c(0:9, letters), 20, TRUE), collapse = ""))
  made <- pool:::http_request(endpoint, "PUT", paste0(url, "?restype=container"))
  stopifnot(made$status == 201L)
  withr::defer(
    pool:::http_request(endpoint, "DELETE", paste0(url, "?restype=container")),
    envir = env
  )
  url
}

# The port of a proxy in front of a port, which makes the faults: strings, as
# fault-proxy.c has them.
engine_proxy <- function(faults, port = Sys.getenv("AZURITE_PORT"), env = parent.frame()) {
  skip_if_not_installed("processx")
  proxy <- processx::process$new(proxy_program(), c(port, faults), stdout = "|")
  withr::defer(proxy$kill(), envir = env)
  proxy$poll_io(10000)
  proxy$read_output_lines(1)
}

# Compiled once for a run.
proxy_program <- function() {
  if (is.null(shared$proxy)) {
    program <- file.path(tempdir(), "fault-proxy")
    cc <- strsplit(system2(file.path(R.home("bin"), "R"), c("CMD", "config", "CC"),
      stdout = TRUE
    ), " ")[[1]]
    status <- system2(cc[1], c(
      cc[-1], "-D_GNU_SOURCE", "-O1", test_path("fault-proxy.c"), "-o", program
    ))
    skip_if(status != 0, "the fault proxy does not compile here")
    shared$proxy <- program
  }
  shared$proxy
}

# The same container through a proxy that makes these faults.
through <- function(url, ..., env = parent.frame()) {
  port <- engine_proxy(c(...), env = env)
  sub(":[0-9]+/", paste0(":", port, "/"), url)
}

# Transfers of names to or from a container, with the defaults of AzureStor.
transfers <- function(verb, url, names, local, endpoint = engine_endpoint(), headers = NULL,
                      blobtype = "BlockBlob", blocksize = 2^24, md5 = FALSE,
                      overwrite = TRUE, ...) {
  n <- length(names)
  pool:::run_transfers(endpoint, list(
    verb = rep(verb, n), url = sprintf("%s/%s", url, names), local = as.list(local),
    headers = rep_len(list(headers), n), blobtype = rep_len(blobtype, n),
    blocksize = rep_len(blocksize, n), md5 = rep_len(md5, n),
    overwrite = rep_len(overwrite, n)
  ), ...)
}

upload <- function(...) transfers("upload", ...)
download <- function(...) transfers("download", ...)

# Into memory.
fetch <- function(url, names, ...) {
  download(url, names, vector("list", length(names)), ...)
}

random_bytes <- function(n) {
  if (n == 0) raw() else as.raw(sample.int(256L, n, TRUE) - 1L)
}

# A file of these bytes in a directory of the test.
file_of <- function(bytes, directory, name = "file") {
  path <- file.path(directory, name)
  writeBin(bytes, path)
  path
}

bytes_of <- function(path) readBin(path, "raw", file.size(path))

# Evaluates, with a SIGINT from outside after a while: "interrupted", and soon.
interrupted <- function(expr, after = 0.5) {
  begin <- Sys.time()
  value <- tryCatch({
    system(sprintf("(sleep %s; kill -INT %d) &", after, Sys.getpid()))
    expr
  }, interrupt = function(i) "interrupted")
  expect_identical(value, "interrupted")
  expect_lt(as.numeric(Sys.time() - begin, units = "secs"), 10)
}

# What is left of a downloaded file that is not whole.
leftovers <- function(directory) {
  dir(directory, pattern = "[.]part$", all.files = TRUE)
}

open_files <- function() {
  skip_if(!dir.exists("/proc/self/fd"), "no /proc")
  length(dir("/proc/self/fd"))
}
