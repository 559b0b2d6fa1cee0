# doAzureParallel's page on persistent storage, in its own words, from the credentials to
# the files in the container; its example of a job that is not waited for; and what a
# later session sees. The account's name is put in, `doAzureParallel::` and
# `rAzureBatch::` are left out.

page <- c(
  'setCredentials("credentials.json")',
  "# Using rAzureBatch directly for storage uploads",
  'config <- rjson::fromJSON(file = paste0("credentials.json"))',
  "",
  "storageCredentials <- SharedKeyCredentials$new(",
  "  name = config$sharedKey$storageAccount$name,",
  "  key = config$sharedKey$storageAccount$key",
  ")",
  "",
  "storageAccountName <- storageCredentials$name",
  'inputContainerName <- "datasets"',
  "",
  "storageClient <- StorageServiceClient$new(",
  "  authentication = storageCredentials,",
  '  url = sprintf("https://%s.blob.%s",',
  "               storageCredentials$name,",
  "               config$sharedKey$storageAccount$endpointSuffix",
  "               )",
  ")",
  "",
  "# Pushing output files",
  'storageAccount <- "devstoreaccount1"',
  'outputFolder <- "outputs"',
  "",
  "storageClient$containerOperations$createContainer(outputFolder)",
  'writeToken <- storageClient$generateSasToken("w", "c", outputFolder)',
  "containerUrl <- createBlobUrl(storageAccount = storageAccount,",
  "                              containerName = outputFolder,",
  "                              sasToken = writeToken)",
  "",
  'output <- createOutputFile("test-*.txt", containerUrl)',
  "",
  "foreach(i = 1:3, .options.azure = list(outputFiles = list(output))) %dopar% {",
  '  fileName <- paste0("test-", i, ".txt")',
  "  file.create(fileName) ",
  "  fileConn<-file(fileName)",
  "  close(fileConn)",
  "  NULL",
  "}",
  "",
  "# Bad practice",
  'writeToken <- storageClient$generateSasToken("w", "c", outputFolder)',
  "containerUrl <- createBlobUrl(storageAccount = storageAccount,",
  "                              containerName = outputFolder,",
  "                              sasToken = writeToken)",
  "",
  'output <- createOutputFile("a.txt", containerUrl)',
  "",
  "# The task output would be one of the three outputs instead of one output ",
  "foreach(i = 1:3, .options.azure = list(outputFiles = list(output))) %dopar% {",
  '  fileName <- paste0("a.txt")',
  "",
  "  file.create(fileName) ",
  "  fileConn<-file(fileName)",
  "  writeLines(paste0(i), fileConn)",
  "  close(fileConn)",
  "",
  "  fileName",
  "}",
  "",
  "# set the .options.azure option in the foreach loop",
  "number_of_iterations <- 4",
  "opt <- list(job = 'unique_job_id', wait = FALSE)",
  "job_id <- foreach(i = 1:number_of_iterations, .options.azure = opt) %dopar% {",
  "  Sys.sleep(0.2)",
  "  i^2",
  "}"
)

later <- c(
  'setCredentials("credentials.json")',
  'my_job_id <- "unique_job_id"',
  "state <- getJobResult(my_job_id)",
  "waitForTasksToComplete(my_job_id, timeout = 120)",
  "results <- getJobResult(my_job_id)",
  "saveRDS(list(state, results, getJobList(), listStorageFiles('outputs'),",
  "  getStorageFile('outputs', 'a.txt')), 'found.rds')"
)

# Each piece in a session of its own, which the ones before have left.
run_page <- function(account, options, env = parent.frame()) {
  skip_if_not_installed("rjson")
  skip_if_not_installed("callr")
  dir <- withr::local_tempdir(.local_envir = env)
  path <- file.path(dir, "credentials.json")
  writeLines(jsonlite::toJSON(account, auto_unbox = TRUE), path)
  Sys.chmod(path, "600")
  set <- paste0("options(", paste(names(options), "=", vapply(options, deparse, ""),
    collapse = ", "), ")")
  said <- character()
  for (piece in list(page, later)) {
    writeLines(c("library(pool)", set, piece), file.path(dir, "page.R"))
    done <- callr::rscript("page.R", wd = dir, libpath = .libPaths(), show = FALSE,
      fail_on_status = FALSE, stderr = "2>&1", timeout = 300)
    said <- c(said, done$stdout)
    expect(done$status == 0L, paste0("the page ended with an error:\n", done$stdout))
  }
  list(said = said, found = if (file.exists(file.path(dir, "found.rds"))) {
    readRDS(file.path(dir, "found.rds"))
  })
}

expect_page <- function(ran) {
  found <- ran$found
  # The values of the loops, printed: three NULL, three names.
  expect_match(ran$said[[1]], "NULL\n\n\\[\\[2\\]\\]\nNULL\n\n\\[\\[3\\]\\]\nNULL")
  expect_match(ran$said[[1]], "[1] \"a.txt\"", fixed = TRUE)
  expect_false(grepl(azurite_key, paste(ran$said, collapse = ""), fixed = TRUE))
  expect_false(grepl("sig=[^<]", paste(ran$said, collapse = "")))
  if (inherits(found[[1]], "pool_job_state")) {
    expect_identical(found[[1]]$jobId, "unique_job_id")
    expect_length(capture.output(print(found[[1]])), 1L)
  }
  expect_identical(found[[2]], list(1, 4, 9, 16))
  # Three loops; other tests may have left a job.
  expect_identical(subset(found[[3]], Id == "unique_job_id")$State, "completed")
  expect_gte(sum(found[[3]]$State == "completed"), 3)
  expect_identical(found[[4]]$FilePath, c("a.txt", "test-1.txt", "test-2.txt", "test-3.txt"))
  expect_identical(found[[4]]$ContentLength[-1], c("0", "0", "0"))
  expect_true(found[[5]] %in% c("1\n", "2\n", "3\n"))
}

test_that("the page runs on the emulator, its account in the path of plain URLs", {
  local_account_jobs() # its containers go with the test
  expect_page(run_page(azurite_credentials(), list(pool.progress = FALSE)))
})

test_that("the page runs on https://%s.blob.%s", {
  tls <- local_azurite_tls()
  account <- list(sharedKey = list(storageAccount = list(
    name = azurite_account, key = azurite_key,
    endpointSuffix = paste0("localhost:", tls$ports[["blob"]]),
    queueEndpoint = sprintf("https://%s.queue.localhost:%s", azurite_account,
      tls$ports[["queue"]])
  )))
  expect_page(run_page(account, list(pool.progress = FALSE, pool.ca_file = tls$ca)))
})
