# The real AzureRMR and AzureStor on the nodes of the pool: the documented line puts a
# pool_cluster() where AzureRMR keeps its cluster.

azurermr <- function(name) getExportedValue("AzureRMR", name)

# The line, and its end.
local_azurermr <- function(env = parent.frame()) {
  skip_if_not_installed("AzureRMR")
  loadNamespace("AzureRMR")
  assign("pool", pool_cluster(), envir = AzureRMR:::.AzureR)
  withr::defer(suppressMessages(azurermr("delete_pool")()), envir = env)
}

test_that("AzureRMR's pool functions run on the nodes", {
  local_pool(2)
  local_azurermr()
  pids <- node_pids()
  expect_true(azurermr("pool_exists")())
  expect_identical(azurermr("pool_size")(), 2L)
  expect_silent(azurermr("init_pool")(2))
  expect_identical(unlist(azurermr("pool_call")(Sys.getpid)), pids)
  expect_identical(azurermr("pool_sapply")(1:5, at_top(function(x) x)), 1:5)
  expect_identical(azurermr("pool_lapply")(1:3, sqrt), lapply(1:3, sqrt))
  expect_identical(
    azurermr("pool_map")(at_top(function(x, y) x + y), 1:5, 2), list(3, 4, 5, 6, 7)
  )
  y <- 42
  azurermr("pool_export")("y", environment())
  expect_identical(azurermr("pool_evalq")(y), list(42, 42))
  expect_identical(pool_evalq(y), list(42, 42))
  azurermr("init_pool")(2)
  expect_identical(azurermr("pool_evalq")(ls()), list(character(), character()))
  expect_identical(unlist(azurermr("pool_call")(getwd)), rep(getwd(), 2))
  # It takes the cluster away, not the pool.
  expect_message(azurermr("delete_pool")(), "Deleting background pool")
  expect_false(azurermr("pool_exists")())
  expect_usable(pids)
})

test_that("AzureStor transfers 200 files on the nodes, byte for byte", {
  skip_if_not_installed("AzureStor")
  withr::local_options(azure_storage_progress_bar = FALSE, azure_storage_retries = 1)
  container <- local_container(azurite("host"))
  local_pool(10)
  local_azurermr()
  pids <- node_pids()
  names <- sprintf("f%03d.bin", 1:200)
  sizes <- c(0, 1, 4096, 1e5, 3e6, rep_len(c(10, 777, 20000), 195))
  contents <- lapply(seq_along(names), function(i) bytes(sizes[[i]], seed = i))
  from <- local_files(stats::setNames(contents, names))
  expect_silent(
    getExportedValue("AzureStor", "storage_multiupload")(container, file.path(from, names), names)
  )
  expect_identical(sort(list_blobs(container, info = "name")), names)
  to <- withr::local_tempdir()
  expect_silent(getExportedValue("AzureStor", "storage_multidownload")(
    container, names, file.path(to, names)
  ))
  expect_identical(
    unname(tools::md5sum(file.path(to, names))), unname(tools::md5sum(file.path(from, names)))
  )
  expect_identical(file.size(file.path(to, names)), sizes)
  # What they loaded to do so is loaded on our nodes, which are still the same.
  expect_identical(node_pids(), pids)
  expect_true(all(unlist(pool_call(at_top(function() isNamespaceLoaded("AzureStor"))))))
  # And with a pattern, as most call it.
  there <- withr::local_tempdir()
  getExportedValue("AzureStor", "storage_multidownload")(container, "f01*", there)
  expect_setequal(list.files(there), names[10:19])
  expect_free()
})

test_that("an error of one transfer is AzureStor's own, and the next one runs", {
  skip_if_not_installed("AzureStor")
  withr::local_options(azure_storage_progress_bar = FALSE, azure_storage_retries = 0)
  container <- local_container(azurite("host"))
  local_pool(10)
  local_azurermr()
  dir <- local_files(list(a = "1", b = "22"))
  storage_upload(container, file.path(dir, "a"), "a")
  e <- error_of(getExportedValue("AzureStor", "storage_multidownload")(
    container, c("a", "absent"), file.path(dir, c("x", "y"))
  ))
  expect_match(conditionMessage(e), "one node produced an error: .*404")
  getExportedValue("AzureStor", "storage_multiupload")(
    container, file.path(dir, c("a", "b")), c("a2", "b2")
  )
  expect_setequal(list_blobs(container, info = "name"), c("a", "a2", "b2"))
})
