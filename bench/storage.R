# Blobs to and from Azurite: many small ones, and a large one; beside curl, whose
# requests are ready-made and not signed one by one, and AzureStor. And a listing.
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
# slow it down. It keeps blobs on disk, as it does where nothing is said, or in
# memory.
service <- new.env()
with_azurite <- function(code, memory = FALSE) {
  log <- tempfile()
  pid <- tempfile()
  file.create(log)
  location <- tempfile("azurite", directory)
  dir.create(location)
  command <- sprintf("cd %s; %s --blobPort 0 %s %s >%s 2>&1 & echo $! >%s",
    shQuote(location), shQuote(file.path(programs, "azurite-blob")),
    if (memory) "--inMemoryPersistence" else "--location .",
    "--skipApiVersionCheck --disableTelemetry --silent", shQuote(log), shQuote(pid)
  )
  system(command)
  on.exit({
    stop_azurite(as.integer(readLines(pid)))
    unlink(location, recursive = TRUE)
  })
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

# It writes to the end.
stop_azurite <- function(pid) {
  tools::pskill(pid)
  for (i in 1:100) {
    if (!tools::pskill(pid, 0L)) break
    Sys.sleep(0.05)
  }
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

transfer <- function(verb, names, paths, most) {
  container <- storage_container(
    storage_endpoint(service$endpoint$url, key = key), "bench"
  )
  if (verb == "upload") {
    storage_multiupload(container, paths, names,
      max_concurrent_transfers = most, progress = FALSE
    )
  } else {
    storage_multidownload(container, names, paths,
      max_concurrent_transfers = most, overwrite = TRUE, progress = FALSE
    )
  }
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

# Into new files each time: to replace one costs the file system more than all
# else, as it puts off to give a deleted one's place away, and only we replace; curl
# writes into what is there.
paths_of <- function(verb) {
  if (verb == "upload") {
    return(from)
  }
  landing <- tempfile("to", directory)
  dir.create(landing)
  file.path(landing, names)
}

for (most in c(10L, 32L)) {
  with_azurite({
    check_both(most)
    for (verb in c("upload", "download")) {
      its <- if (most == 10L && there) {
        list(AzureStor = function() azurestor(verb, names, paths_of(verb))())
      }
      candidates <- c(list(
        pool = function() {
          paths <- paths_of(verb)
          seconds(transfer(verb, names, paths, most))
        },
        curl = function() curl(verb, names, paths_of(verb), most)
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
# Megabytes that the session grows by at most, as the kernel has seen it since
# it was asked to forget its highest mark. NA where there is no such kernel.
growth <- function(code) {
  if (!file.exists("/proc/self/clear_refs")) {
    force(code)
    return(NA_real_)
  }
  status <- function(field) {
    line <- grep(paste0("^", field, ":"), readLines("/proc/self/status"), value = TRUE)
    as.numeric(gsub("[^0-9]", "", line)) / 1024
  }
  gc(FALSE)
  writeLines("5", "/proc/self/clear_refs")
  before <- status("VmRSS")
  force(code)
  status("VmHWM") - before
}
goals <- c(upload = 0.9, download = 1.1)
with_azurite({
  # The first of its size: a later one would use the memory of an earlier one.
  for (verb in names(goals)) {
    path <- if (verb == "upload") large else back
    most <- growth(transfer(verb, "large", path, 10L))
    goal(sprintf("memory of the session for one blob of 200 MB, %s", verb), most,
      most = 64, unit = " MB"
    )
  }
  cat("\n")
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

# ---- A listing ---------------------------------------------------------------

blobs <- 12000L
list_pool <- function() {
  container <- storage_container(
    storage_endpoint(service$endpoint$url, key = key), "bench"
  )
  found <- list_blobs(container)
  check(NROW(found) == blobs, "blobs are missing")
}

# The same pages, one after another: where each begins was found out before.
page_urls <- function() {
  url <- paste0(
    service$container, "?restype=container&comp=list&maxresults=5000&", account_sas()
  )
  urls <- character()
  marker <- ""
  repeat {
    urls <- c(urls, paste0(url, if (nzchar(marker)) paste0("&marker=", marker)))
    config <- tempfile()
    writeLines(sprintf("url = \"%s\"", urls[length(urls)]), config)
    answer <- paste(system2("curl", c("--silent", "--config", config), stdout = TRUE),
      collapse = "\n"
    )
    unlink(config)
    marker <- xml2::xml_text(xml2::xml_find_first(xml2::read_xml(answer), ".//NextMarker"))
    if (is.na(marker) || !nzchar(marker)) break
    marker <- utils::URLencode(marker, reserved = TRUE)
  }
  urls
}
list_curl <- function(urls) {
  config <- tempfile()
  on.exit(unlink(config))
  writeLines(c(
    "silent", "fail", "header = \"x-ms-version: 2019-12-12\"",
    rbind(sprintf("url = \"%s\"", urls), "output = \"/dev/null\"")
  ), config)
  begin <- now()
  check(system2("curl", c("--config", config)) == 0L, "curl failed")
  now() - begin
}
list_azurestor <- function() {
  port <- sub("http://127.0.0.1:([0-9]+)/.*", "\\1", service$endpoint$url)
  host <- paste0("http://devstoreaccount1.blob.localhost:", port)
  container <- AzureStor::blob_container(AzureStor::blob_endpoint(host, key = key), "bench")
  function() seconds(AzureStor::list_blobs(container, info = "name"))
}

with_azurite({
  storage_multiupload(
    storage_container(storage_endpoint(service$endpoint$url, key = key), "bench"),
    rep(list(as.raw(1)), blobs), sprintf("dir/file-%06d.txt", seq_len(blobs)),
    max_concurrent_transfers = 32, progress = FALSE
  )
  urls <- page_urls()
  times <- measure(sprintf("listing %d blobs, %d pages", blobs, length(urls)), list(
    pool = function() seconds(list_pool()),
    "curl, the same pages" = function() list_curl(urls),
    AzureStor = if (there) list_azurestor()
  ), rounds)
  goal_time(times, "curl, the same pages", 1.15)
}, memory = TRUE)

unlink(directory, recursive = TRUE)
save_results()
