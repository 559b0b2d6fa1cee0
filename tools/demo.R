# Uploads some hundred real files to a blob service and downloads them again: on the
# nodes of the pool, on a cluster of package parallel, and all at once in this session.
# Ends with status 1 if a file comes back changed.
#
#   tools/with-azurite.sh BUILD_DIRECTORY Rscript tools/demo.R

library(pool)

# ---- The files: R's own documentation on this machine ------------------------

wanted <- 120L
nodes <- 10L

# Full paths, named by what the blobs will be called.
real_files <- function(n) {
  roots <- c(doc = R.home("doc"), share = R.home("share"), library = .Library)
  found <- lapply(names(roots), function(kind) {
    path <- list.files(roots[[kind]], recursive = TRUE)
    full <- file.path(roots[[kind]], path)
    names(full) <- file.path(kind, path)
    full
  })
  found <- unlist(found)
  stopifnot("too few files in this R installation" = length(found) > 100L)
  utils::head(found, n)
}

files <- real_files(wanted)
src_files <- unname(files)
dest_files <- names(files)

# ---- The service -------------------------------------------------------------

# The emulator's account and key are the same everywhere and documented.
endpoint <- storage_endpoint(
  sprintf(
    "http://devstoreaccount1.blob.localhost:%s",
    Sys.getenv("AZURITE_PORT")
  ),
  key = paste0(
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErC",
    "z4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
  )
)

# ---- What is measured --------------------------------------------------------

clock <- function(expr) system.time(expr)[["elapsed"]]

# Where the downloads go: the client makes the folders.
landing <- function(name) file.path(tempdir(), name, dest_files)

# How many of the files did not come back as they went.
changed <- function(local) {
  sum(!mapply(identical, unname(tools::md5sum(local)),
    unname(tools::md5sum(src_files))))
}

cat(sprintf(
  "%d files of this R installation, %.1f MB, to a blob service and back\n",
  length(src_files), sum(file.size(src_files)) / 1e6
))

# The service is slow while its code is new to it: that is nobody's time.
cont <- create_storage_container(endpoint, "warm-up")
storage_multiupload(cont, src_files, dest_files)
storage_multidownload(cont, dest_files, landing("warm-up"))

# ---- Through the pool --------------------------------------------------------

cont <- create_storage_container(endpoint, "pool")
local_files <- landing("pool")

pool_times <- c(
  start = clock(init_pool()),
  upload = clock({
    pool_export("cont")
    pool_map(function(src, dest) storage_upload(cont, src, dest), src_files, dest_files)
  }),
  download = clock(
    pool_map(function(src, dest) storage_download(cont, src, dest), dest_files, local_files)
  )
)
stopifnot(pool_size() == nodes)
pool_changed <- changed(local_files)
suppressMessages(delete_pool())

# ---- On a cluster of package parallel ----------------------------------------

cont <- create_storage_container(endpoint, "parallel")
local_files <- landing("parallel")

parallel_times <- c(
  start = clock(cl <- parallel::makeCluster(nodes)),
  upload = clock({
    parallel::clusterExport(cl, "cont")
    parallel::clusterMap(
      cl, function(src, dest) pool::storage_upload(cont, src, dest),
      src_files, dest_files
    )
  }),
  download = clock(
    parallel::clusterMap(
      cl, function(src, dest) pool::storage_download(cont, src, dest),
      dest_files, local_files
    )
  )
)
parallel::stopCluster(cl)
parallel_changed <- changed(local_files)

# ---- All at once, in this session --------------------------------------------

cont <- create_storage_container(endpoint, "session")
local_files <- landing("session")

session_times <- c(
  start = 0,
  upload = clock(storage_multiupload(cont, src_files, dest_files)),
  download = clock(storage_multidownload(cont, dest_files, local_files))
)
session_changed <- changed(local_files)

# ---- What came out -----------------------------------------------------------

row <- function(label, ...) {
  cat(sprintf("%-22s %s\n", label, paste(sprintf("%17s", c(...)), collapse = "")))
}
seconds <- function(step) {
  sprintf("%.2f s", c(pool_times[[step]], parallel_times[[step]], session_times[[step]]))
}
differ <- function(n) if (n) "DIFFER" else "equal"

cat("\n")
row("", "pool", "parallel (PSOCK)", "at once")
labels <- c(
  start = sprintf("start %d nodes", nodes),
  upload = sprintf("upload %d files", length(src_files)),
  download = "download them again"
)
for (step in names(labels)) {
  row(labels[[step]], seconds(step))
}
row("together", sprintf("%.2f s", c(sum(pool_times), sum(parallel_times), sum(session_times))))
all_changed <- c(pool_changed, parallel_changed, session_changed)
row("checksums", vapply(all_changed, differ, ""))
quit(status = if (any(all_changed > 0)) 1L else 0L)
