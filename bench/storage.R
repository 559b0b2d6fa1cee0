# Blobs to and from Azurite: many small ones, and a large one; beside curl, whose
# requests are ready-made and not signed one by one, and AzureStor.
#
#   Rscript bench/storage.R [rounds]     (after `make install deps`, or: make bench)

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE),
  value = TRUE
)[1L])), "common.R"))

rounds <- rounds_asked(7L)
describe_machine()

# ---- The service -------------------------------------------------------------

programs <- Sys.getenv("AZURITE_PROGRAMS", beside("../build/azurite/node_modules/.bin"))
if (!file.exists(file.path(programs, "azurite-blob"))) {
  stop("there is no Azurite in ", programs)
}
key <- paste0(
  "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/",
  "K1SZFPTOtr/KBHBeksoGMGw=="
)
directory <- tempfile("storage")
dir.create(directory)

# Of an Azurite of its own for each table: what an earlier one left behind would
# slow it down.
service <- new.env()
with_azurite <- function(code) {
  log <- tempfile()
  pid <- tempfile()
  file.create(log)
  command <- sprintf("cd %s; %s --blobPort 0 %s >%s 2>&1 & echo $! >%s",
    shQuote(directory), shQuote(file.path(programs, "azurite-blob")),
    "--inMemoryPersistence --skipApiVersionCheck --disableTelemetry --silent",
    shQuote(log), shQuote(pid)
  )
  system(command)
  on.exit(tools::pskill(as.integer(readLines(pid))))
  port <- character()
  for (i in 1:300) {
    port <- sub(".*:", "", grep("successfully listens", readLines(log), value = TRUE))
    if (length(port) > 0L) break
    Sys.sleep(0.1)
  }
  service$endpoint <- list(
    url = sprintf("http://127.0.0.1:%s/devstoreaccount1", port), key = key,
    api_version = "2021-08-06"
  )
  service$container <- paste0(service$endpoint$url, "/bench")
  url <- paste0(service$container, "?restype=container")
  answer <- pool:::http_request(service$endpoint, "PUT", url)
  check(answer$status == 201L, "no container")
  force(code)
}

# A signature that any request may carry, for curl.
account_sas <- function() {
  expiry <- format(Sys.time() + 3600 * 8, "%Y-%m-%dT%H:%M:%SZ", tz = "UTC")
  to_sign <- paste0(
    paste("devstoreaccount1", "rwdlac", "b", "sco", "", expiry, "", "http,https", "2019-12-12",
      sep = "\n"
    ), "\n"
  )
  escape <- function(x) utils::URLencode(x, reserved = TRUE)
  paste0(
    "sv=2019-12-12&ss=b&srt=sco&sp=rwdlac&spr=http,https&se=", escape(expiry),
    "&sig=", escape(pool:::sign_text(key, to_sign))
  )
}

# ---- The candidates ----------------------------------------------------------

transfer <- function(verb, names, paths, most, blocksize = 2^24) {
  n <- length(names)
  result <- pool:::run_transfers(service$endpoint, list(
    verb = rep(verb, n), url = paste0(service$container, "/", names), local = as.list(paths),
    headers = vector("list", n), blobtype = rep("BlockBlob", n), blocksize = rep(blocksize, n),
    md5 = rep(FALSE, n), overwrite = rep(TRUE, n)
  ), max_concurrent_transfers = most)
  check(all(is.na(result$error)), paste("a transfer failed:", na.omit(result$error)[1L]))
}

# As a file of options: a signature is no argument of a process.
curl <- function(verb, names, paths, most) {
  urls <- sprintf("url = \"%s/%s?%s\"", service$container, names, account_sas())
  files <- sprintf("%s = \"%s\"", if (verb == "upload") "upload-file" else "output", paths)
  config <- tempfile()
  on.exit(unlink(config))
  writeLines(c(
    "silent", "no-progress-meter", "fail",
    if (most > 1) c("parallel", sprintf("parallel-max = %d", most)),
    if (verb == "upload") {
      c("header = \"x-ms-blob-type: BlockBlob\"", "output = \"/dev/null\"")
    },
    "header = \"x-ms-version: 2019-12-12\"", rbind(urls, files)
  ), config)
  begin <- now()
  status <- system2("curl", c("--config", config), stderr = FALSE)
  taken <- now() - begin
  check(status == 0L, "curl failed")
  taken
}

azurestor <- function(verb, names, paths) {
  port <- sub("http://127.0.0.1:([0-9]+)/.*", "\\1", service$endpoint$url)
  host <- paste0("http://devstoreaccount1.blob.localhost:", port)
  there <- AzureStor::blob_container(
    AzureStor::blob_endpoint(host, key = key), "bench"
  )
  function() {
    begin <- now()
    if (verb == "upload") {
      AzureStor::multiupload_blob(there, paths, names)
    } else {
      AzureStor::multidownload_blob(there, names, paths, overwrite = TRUE)
    }
    now() - begin
  }
}

same_files <- function(from, to) {
  check(identical(unname(tools::md5sum(from)), unname(tools::md5sum(to))), "other bytes came back")
}

# ---- Many small blobs --------------------------------------------------------

n <- 600L
names <- sprintf("blob%03d", seq_len(n))
from <- file.path(directory, names)
to <- paste0(from, ".back")
bytes <- as.raw(seq_len(8192L) %% 256L)
for (i in seq_len(n)) {
  bytes[1:2] <- as.raw(c(i %% 256L, i %/% 256L))
  writeBin(bytes, from[i])
}
check_both <- function(most) {
  transfer("upload", names, from, most)
  transfer("download", names, to, most)
  same_files(from, to)
  unlink(to)
  curl("upload", names, from, most)
  curl("download", names, to, most)
  same_files(from, to)
}
there <- requireNamespace("AzureStor", quietly = TRUE)

for (most in c(10L, 32L)) {
  with_azurite({
    check_both(most)
    for (verb in c("upload", "download")) {
      paths <- if (verb == "upload") from else to
      its <- if (most == 10L && there) list(AzureStor = azurestor(verb, names, paths))
      candidates <- c(list(
        pool = function() seconds(transfer(verb, names, paths, most)),
        curl = function() curl(verb, names, paths, most)
      ), its)
      names(candidates)[2L] <- peer <- sprintf("curl -Z --parallel-max %d", most)
      times <- measure(
        sprintf("%d blobs of 8 KB, %s, %d at once", n, verb, most), candidates, rounds
      )
      goal_time(times, peer, 1.15)
      cat("\n")
    }
  })
}

# ---- A large one -------------------------------------------------------------

large <- file.path(directory, "large")
back <- paste0(large, ".back")
con <- file(large, "wb")
for (i in 1:200) {
  bytes <- as.raw(sample.int(256L, 1e6, TRUE) - 1L)
  writeBin(bytes, con)
}
close(con)
goals <- c(upload = 0.9, download = 1.1)
with_azurite({
  transfer("upload", "large", large, 10L)
  transfer("download", "large", back, 10L)
  same_files(large, back)
  for (verb in names(goals)) {
    path <- if (verb == "upload") large else back
    times <- measure(sprintf("one blob of 200 MB, %s", verb), list(
      pool = function() seconds(transfer(verb, "large", path, 10L)),
      "curl, one stream" = function() curl(verb, "large", path, 1L)
    ), rounds)
    goal_time(times, "curl, one stream", goals[[verb]])
    cat("\n")
  }
})

unlink(directory, recursive = TRUE)
save_results()
