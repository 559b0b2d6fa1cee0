# Uploads some hundred real files to a blob service and downloads them again
# through the pool, with AzureStor as it is on CRAN; then the same on a cluster
# of package parallel. Ends with status 1 if a file comes back changed.
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
  # AzureStor does not escape what a URL cannot hold.
  plain <- grepl("^[A-Za-z0-9._/-]+$", names(found))
  found <- found[plain & file.size(found) > 0]
  stopifnot("too few files in this R installation" = length(found) > 100L)
  utils::head(found, n)
}

files <- real_files(wanted)
src_files <- unname(files)
dest_files <- names(files)

# ---- The service -------------------------------------------------------------

# The emulator's account and key are the same everywhere and documented.
endpoint <- AzureStor::storage_endpoint(
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

# Where the downloads go, its folders made.
landing <- function(name) {
  local <- file.path(tempdir(), name, dest_files)
  for (dir in unique(dirname(local))) {
    dir.create(dir, recursive = TRUE, showWarnings = FALSE)
  }
  local
}

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
cont <- AzureStor::create_storage_container(endpoint, "warm-up")
local_files <- landing("warm-up")
for (i in seq_along(src_files)) {
  AzureStor::storage_upload(cont, src_files[i], dest_files[i])
  AzureStor::storage_download(cont, dest_files[i], local_files[i])
}

# ---- Through the pool --------------------------------------------------------

cont <- AzureStor::create_storage_container(endpoint, "pool")
local_files <- landing("pool")

pool_times <- c(
  start = clock(init_pool()),
  upload = clock({
    pool_export("cont")
    pool_map(
      function(src, dest) AzureStor::storage_upload(cont, src, dest),
      src_files, dest_files
    )
  }),
  download = clock(
    pool_map(
      function(src, dest) AzureStor::storage_download(cont, src, dest),
      dest_files, local_files
    )
  )
)
stopifnot(pool_size() == nodes)
pool_changed <- changed(local_files)
suppressMessages(delete_pool())

# ---- On a cluster of package parallel ----------------------------------------

cont <- AzureStor::create_storage_container(endpoint, "parallel")
local_files <- landing("parallel")

parallel_times <- c(
  start = clock(cl <- parallel::makeCluster(nodes)),
  upload = clock({
    parallel::clusterExport(cl, "cont")
    parallel::clusterMap(
      cl, function(src, dest) AzureStor::storage_upload(cont, src, dest),
      src_files, dest_files
    )
  }),
  download = clock(
    parallel::clusterMap(
      cl, function(src, dest) AzureStor::storage_download(cont, src, dest),
      dest_files, local_files
    )
  )
)
parallel::stopCluster(cl)
parallel_changed <- changed(local_files)

# ---- What came out -----------------------------------------------------------

row <- function(label, p, q, more = "") {
  cat(sprintf("%-22s %8.2f s %16.2f s%s\n", label, p, q, more))
}
cat(sprintf("\n%-22s %10s %18s\n", "", "pool", "parallel (PSOCK)"))
labels <- c(
  start = sprintf("start %d nodes", nodes),
  upload = sprintf("upload %d files", length(src_files)),
  download = "download them again"
)
for (step in names(labels)) {
  row(labels[[step]], pool_times[[step]], parallel_times[[step]])
}
row("together", sum(pool_times), sum(parallel_times), sprintf(
  "  (%.1f times as long)", sum(parallel_times) / sum(pool_times)
))
cat(sprintf(
  "%-22s %10s %18s\n", "checksums",
  if (pool_changed) "DIFFER" else "equal",
  if (parallel_changed) "DIFFER" else "equal"
))
quit(status = if (pool_changed || parallel_changed) 1L else 0L)
