# The real AzureStor as the other side: what it writes is read here, what is
# written here it reads, and each takes the other's endpoints and containers.

theirs <- function(name) getExportedValue("AzureStor", name)

local_both <- function(env = parent.frame()) {
  skip_if_not_installed("AzureStor")
  withr::local_options(azure_storage_progress_bar = FALSE, azure_storage_retries = 1,
    .local_envir = env)
  local_container(azurite("host"), env)
}

test_that("an endpoint is theirs, to the letter", {
  skip_if_not_installed("AzureStor")
  loadNamespace("AzureStor")
  url <- "https://acc.blob.core.windows.net"
  expect_identical(
    storage_endpoint(url, key = "a2V5"), theirs("storage_endpoint")(url, key = "a2V5")
  )
  expect_identical(
    storage_container(storage_endpoint(url, key = "a2V5"), "docs"),
    theirs("storage_container")(theirs("storage_endpoint")(url, key = "a2V5"), "docs")
  )
  queue <- sub("blob", "queue", url)
  expect_identical(storage_endpoint(queue), theirs("storage_endpoint")(queue))
})

test_that("blobs go both ways", {
  cont <- local_both()
  dir <- local_files(list(x.csv = "a,b\n1,2\n", big = bytes(1e5)))
  theirs("storage_upload")(cont, file.path(dir, "x.csv"), "theirs.csv")
  theirs("upload_blob")(cont, file.path(dir, "big"), "theirs/big", blocksize = 1e4)
  expect_identical(storage_download(cont, "theirs.csv", NULL), bytes_of(file.path(dir, "x.csv")))
  expect_identical(storage_download(cont, "theirs/big", NULL), bytes(1e5))
  storage_upload(cont, file.path(dir, "x.csv"), "ours.csv")
  upload_blob(cont, file.path(dir, "big"), "ours/big", blocksize = 1e4)
  expect_identical(theirs("storage_download")(cont, "ours.csv", NULL),
    bytes_of(file.path(dir, "x.csv")))
  expect_identical(theirs("storage_download")(cont, "ours/big", NULL, blocksize = 3e4), bytes(1e5))
  expect_identical(
    get_storage_properties(cont, "ours.csv")[["content-type"]],
    get_storage_properties(cont, "theirs.csv")[["content-type"]]
  )

  their_list <- theirs("list_blobs")(cont)
  our_list <- list_blobs(cont)
  expect_identical(our_list$name, their_list$name)
  expect_identical(our_list$size, their_list$size)
  expect_identical(our_list$blobtype, their_list$blobtype)
  expect_identical(names(our_list), names(their_list))
  expect_identical(list_blobs(cont, info = "name"), theirs("list_blobs")(cont, info = "name"))
  expect_identical(list_blobs(cont, "ours", "name"), theirs("list_blobs")(cont, "ours", "name"))
  flat <- theirs("list_blobs")(cont, recursive = FALSE)
  expect_identical(list_blobs(cont, recursive = FALSE)[c("name", "size", "isdir")],
    flat[c("name", "size", "isdir")])
  # They set no digest where none is asked for, so ours may be there.
  ours <- names(list_blobs(cont, info = "all"))
  other <- names(theirs("list_blobs")(cont, info = "all"))
  expect_gt(length(ours), 10L)
  expect_setequal(setdiff(ours, "Content-MD5"), setdiff(other, c("Content-MD5", "Type")))
})

test_that("metadata, snapshots, leases, append blobs, objects and signatures go both ways", {
  cont <- local_both()
  storage_upload(cont, charToRaw("x"), "x")
  theirs("set_storage_metadata")(cont, "x", a = "1")
  expect_identical(get_storage_metadata(cont, "x"), list(a = "1"))
  set_storage_metadata(cont, "x", b = "2")
  expect_identical(theirs("get_storage_metadata")(cont, "x"), list(a = "1", b = "2"))
  ours <- get_storage_properties(cont, "x")
  other <- theirs("get_storage_properties")(cont, "x")
  varying <- c("date", "x-ms-request-id", "connection", "keep-alive", "x-ms-client-request-id")
  expect_setequal(setdiff(names(ours), varying), setdiff(names(other), varying))

  snapshot <- theirs("create_blob_snapshot")(cont, "x")
  expect_identical(list_blob_snapshots(cont, "x"), snapshot)
  lease <- theirs("acquire_lease")(cont, "x", duration = 15)
  expect_silent(storage_upload(cont, charToRaw("y"), "x", lease = lease))
  release_lease(cont, "x", lease)

  dir <- local_files(list(a = "line\n"))
  # (Of append blobs they can only read: Azurite wants no type of blob with a block.)
  storage_upload(cont, file.path(dir, "a"), "log", type = "AppendBlob")
  storage_upload(cont, file.path(dir, "a"), "log", type = "AppendBlob", append = TRUE)
  expect_identical(rawToChar(theirs("storage_download")(cont, "log", NULL)), "line\nline\n")

  theirs("storage_save_rds")(mtcars, cont, "t.rds")
  expect_identical(storage_load_rds(cont, "t.rds"), mtcars)
  storage_save_rds(mtcars, cont, "o.rds")
  expect_identical(theirs("storage_load_rds")(cont, "o.rds"), mtcars)
  theirs("storage_write_csv")(iris, cont, "t.csv")
  storage_write_csv(iris, cont, "o.csv")
  expect_identical(storage_read_csv(cont, "t.csv"), theirs("storage_read_csv")(cont, "o.csv"))

  sas <- get_account_sas(cont$endpoint, permissions = "rl")
  with_sas <- theirs("storage_container")(
    theirs("storage_endpoint")(cont$endpoint$url, sas = sas, service = "blob"), cont$name
  )
  expect_identical(theirs("storage_download")(with_sas, "x", NULL), charToRaw("y"))
})

test_that("many files go both ways", {
  cont <- local_both()
  dir <- local_files(list(a = "1", b = "22", `sub/c` = "333"))
  storage_multiupload(cont, file.path(dir, "*"), "up", recursive = TRUE)
  for (name in c("a", "b", "sub/c")) {
    expect_identical(theirs("storage_download")(cont, paste0("up/", name), NULL),
      bytes_of(file.path(dir, name)))
  }
  for (name in c("a", "b", "sub/c")) {
    theirs("storage_upload")(cont, file.path(dir, name), paste0("down/", name))
  }
  to <- withr::local_tempdir()
  storage_multidownload(cont, "down/*", to, recursive = TRUE)
  expect_setequal(list.files(to, recursive = TRUE), c("a", "b", "sub/c"))
})

test_that("nodes of the pool upload with ours and with theirs", {
  cont <- local_both()
  dir <- local_files(setNames(as.list(sprintf("content %d", 1:6)), sprintf("f%d", 1:6)))
  src_files <- file.path(dir, sprintf("f%d", 1:6))
  dest_files <- sprintf("f%d", 1:6)
  local_pool(2)
  pool_export("cont", environment())
  pool_map(function(src, dest) pool::storage_upload(cont, src, dest), src_files, dest_files)
  expect_identical(list_blobs(cont, info = "name"), dest_files)
  pool_map(function(src, dest) AzureStor::storage_upload(cont, src, dest), src_files,
    paste0("theirs-", dest_files))
  expect_identical(storage_download(cont, "theirs-f3", NULL), charToRaw("content 3"))
})
