# What the storage client itself takes: processor time for each small blob, and
# for pages of a listing, with nginx as a service that costs next to nothing;
# beside curl. nginx takes what it is sent and throws it away, gives files, and
# pages that Azurite made.
#
#   Rscript bench/client.R [rounds]    (after `make install deps`, or: make bench)

source(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE),
  value = TRUE
)[1L])), "common.R"))

rounds <- rounds_asked(7L)
if (!nzchar(Sys.which("nginx")) && !file.exists("/usr/sbin/nginx")) {
  message("nginx is not installed: nothing is measured")
  quit(status = 0L)
}
describe_machine()

directory <- tempfile("client")
dir.create(file.path(directory, "www"), recursive = TRUE)

# ---- Files -------------------------------------------------------------------

n <- 600L
names <- sprintf("blob%03d", seq_len(n))
from <- file.path(directory, "www", names)
for (path in from) {
  writeBin(as.raw(seq_len(8192L) %% 256L), path)
}

# New files each time: to replace one costs the file system more than all else, as
# it puts off to give a deleted one's place away, and only we replace; curl writes
# into what is there.
to <- function() {
  landing <- tempfile("to", directory)
  dir.create(landing)
  file.path(landing, names)
}

# ---- Pages -------------------------------------------------------------------

per_page <- 5000L
pages <- 10L

# As Azurite writes them.
page <- function(k) {
  blobs <- sprintf(paste0(
    "<Blob><Name>%s</Name><Properties>",
    "<Creation-Time>Mon, 02 Nov 2026 10:00:00 GMT</Creation-Time>",
    "<Last-Modified>Mon, 02 Nov 2026 10:00:00 GMT</Last-Modified>",
    "<Etag>0x24F6D3C0E7B8C40</Etag><Content-Length>8192</Content-Length>",
    "<Content-Type>application/octet-stream</Content-Type>",
    "<Content-MD5>1B2M2Y8AsgTpgAmY7PhCfg==</Content-MD5><BlobType>BlockBlob</BlobType>",
    "<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>",
    "<ServerEncrypted>true</ServerEncrypted><AccessTier>Hot</AccessTier>",
    "<AccessTierInferred>true</AccessTierInferred>",
    "<AccessTierChangeTime>Mon, 02 Nov 2026 10:00:00 GMT</AccessTierChangeTime>",
    "</Properties></Blob>"
  ), sprintf("dir/file-%06d.txt", (k - 1L) * per_page + seq_len(per_page)))
  paste0(
    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>",
    "<EnumerationResults ServiceEndpoint=\"http://127.0.0.1/account\" ContainerName=\"bench\">",
    "<Prefix/><Marker/><MaxResults>5000</MaxResults><Delimiter/><Blobs>",
    paste(blobs, collapse = ""), "</Blobs><NextMarker>",
    if (k < pages) sprintf("p%d", k + 1L), "</NextMarker></EnumerationResults>"
  )
}
for (k in seq_len(pages)) {
  cat(page(k), file = file.path(directory, "www", sprintf("p%d.xml", k)))
}

# ---- The service -------------------------------------------------------------

start_nginx <- function(port) {
  writeLines(c(
    # As the user that the files are of, whom only root has to name.
    if (Sys.info()[["user"]] == "root") "user root;",
    "daemon on; worker_processes 1; pid nginx.pid; error_log errors;",
    "events { worker_connections 256; }",
    "http {",
    "  access_log off; client_body_temp_path body; proxy_temp_path proxy;",
    "  fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;",
    "  keepalive_requests 100000; keepalive_timeout 60s; sendfile on;",
    "  map $arg_marker $page { default p1;",
    sprintf("    p%d p%d;", seq_len(pages), seq_len(pages)),
    "  }",
    "  server {",
    sprintf("    listen 127.0.0.1:%d; root www;", port),
    "    etag on;",
    "    location = /account/bench { default_type application/xml; types { }",
    "      try_files /$page.xml =404; }",
    "    location /account/bench/ { alias www/; default_type application/octet-stream;",
    "      if ($request_method = PUT) { return 201; } }",
    "  }",
    "}"
  ), file.path(directory, "nginx.conf"))
  program <- if (nzchar(Sys.which("nginx"))) "nginx" else "/usr/sbin/nginx"
  # It lives on: what it would write to must not be what somebody waits for.
  system2(program, c("-p", shQuote(directory), "-c", "nginx.conf", "-e", "errors"),
    stdout = FALSE, stderr = FALSE
  )
}
# Somebody may have that port.
for (port in sample(20000:40000, 5L)) {
  if (start_nginx(port) == 0L) break
}
stop_nginx <- function() {
  tools::pskill(as.integer(readLines(file.path(directory, "nginx.pid"))))
}

url <- sprintf("http://127.0.0.1:%d/account", port)
endpoint <- storage_endpoint(url, key = "a2V5")
container <- storage_container(endpoint, "bench")

# ---- Candidates --------------------------------------------------------------

# Processor seconds of this process, or of those it waited for, for each thing.
own_cpu <- function(code, each) {
  before <- proc.time()
  force(code)
  sum((proc.time() - before)[c("user.self", "sys.self")]) / each
}
child_cpu <- function(code, each) {
  before <- proc.time()
  force(code)
  sum((proc.time() - before)[c("user.child", "sys.child")]) / each
}

transfer <- function(verb) {
  files <- if (verb == "upload") {
    storage_multiupload(container, from, names, progress = FALSE)
  } else {
    storage_multidownload(container, names, to(), progress = FALSE)
  }
  check(all(is.na(files$error)) && all(files$size == 8192), "a transfer failed")
}

curl <- function(lines) {
  config <- tempfile()
  on.exit(unlink(config))
  writeLines(c("silent", "fail", lines), config)
  check(system2("curl", c("--config", config), stdout = FALSE) == 0L, "curl failed")
}

curl_files <- function(verb) {
  curl(c(
    "no-progress-meter", "parallel", "parallel-max = 10",
    if (verb == "upload") "header = \"x-ms-blob-type: BlockBlob\"",
    rbind(
      sprintf("url = \"%s/bench/%s\"", url, names),
      sprintf("%s = \"%s\"", if (verb == "upload") "upload-file" else "output",
        if (verb == "upload") from else to()),
      if (verb == "upload") rep("output = \"/dev/null\"", n)
    )
  ))
}

# ---- Measures ----------------------------------------------------------------

for (verb in c("upload", "download")) {
  times <- measure(sprintf("processor time of one %s of 8 KB, 10 at once", verb), list(
    pool = function() own_cpu(for (i in 1:4) transfer(verb), 4L * n),
    "curl -Z --parallel-max 10" = function() child_cpu(for (i in 1:4) curl_files(verb), 4L * n)
  ), rounds, unit = "microseconds")
  for (landing in Sys.glob(file.path(directory, "to*"))) {
    back <- file.path(landing, names)
    check(identical(unname(tools::md5sum(from)), unname(tools::md5sum(back))),
      "other bytes came back")
  }
  goal_time(times, "curl -Z --parallel-max 10", 2)
  cat("\n")
}

list_all <- function(info) {
  found <- list_blobs(container, info = info)
  check(NROW(found) == pages * per_page, "blobs are missing")
}
times <- measure("processor time of a listing: ten pages of 5,000 blobs", list(
  "pool, info = \"partial\"" = function() own_cpu(list_all("partial"), 1),
  "pool, info = \"all\"" = function() own_cpu(list_all("all"), 1),
  "curl, to nowhere" = function() {
    child_cpu(curl(rbind(
      sprintf("url = \"%s/bench?restype=container&comp=list&marker=p%d\"", url, seq_len(pages)),
      "output = \"/dev/null\""
    )), 1)
  }
), rounds)
for (name in c("pool, info = \"partial\"", "pool, info = \"all\"")) {
  goal(paste("processor time of ten pages of 5,000 blobs,", sub("pool, ", "", name)),
    medians(times)[[name]], most = 1.5, unit = "s"
  )
}

stop_nginx()
unlink(directory, recursive = TRUE)
save_results()
