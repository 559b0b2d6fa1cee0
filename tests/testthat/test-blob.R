test_that("blobs are there, and go", {
  cont <- local_container()
  storage_upload(cont, raw(1), "x y")
  expect_true(blob_exists(cont, "x y"))
  expect_false(storage_file_exists(cont, "nonexistent"))
  expect_invisible(delete_storage_file(cont, "x y", confirm = FALSE))
  expect_false(blob_exists(cont, "x y"))
  e <- http_failure(delete_blob(cont, "x y", confirm = FALSE))
  expect_identical(c(e$status, e$code), c("404", "BlobNotFound"))
  cont$endpoint$key <- pool:::base64_encode("another")
  expect_identical(http_failure(blob_exists(cont, "x"))$status, 403L)
})

test_that("directories are what names begin with", {
  cont <- local_container()
  for (name in c("dir1/file1", "dir1/dir2/file2", "dir1/dir2/dir3/file3", "dirx")) {
    storage_upload(cont, raw(1), paste0("/", name))
  }
  for (dir in c("/", "dir1", "dir1/", "/dir1/dir2", "dir1/dir2/dir3")) {
    expect_true(blob_dir_exists(cont, dir))
  }
  for (dir in c("dir1/file1", "dir1/dir2/file2", "badfile", "dir1/badfile", "dir", "dirx")) {
    expect_false(storage_dir_exists(cont, dir))
  }
  expect_silent(create_storage_dir(cont, "newdir"))
  expect_false(storage_dir_exists(cont, "newdir"))
  expect_identical(nrow(list_blobs(cont)), 4L)
})

test_that("directories are deleted with what is in them", {
  cont <- local_container()
  all <- c("x", "dir1/x", "dir1/dir2/x", "dir1/dir2/dir3/x", "dir10/x", "dir1")
  for (name in all) storage_upload(cont, raw(1), name)
  storage_upload(cont, raw(1), I("/dir1/x"))
  expect_silent(delete_storage_dir(cont, "/", confirm = FALSE))
  expect_identical(nrow(list_blobs(cont)), 7L)
  delete_blob_dir(cont, "dir1/dir2", confirm = FALSE)
  expect_identical(nrow(list_blobs(cont)), 7L)
  delete_blob_dir(cont, "dir1", recursive = TRUE, confirm = FALSE)
  expect_setequal(list_blobs(cont, info = "name"), c("x", "dir10/x", "/dir1/x"))
  delete_blob_dir(cont, "/", recursive = TRUE, confirm = FALSE)
  expect_identical(nrow(list_blobs(cont)), 0L)
})

test_that("bad arguments", {
  cont <- storage_container("https://acc.blob.core.windows.net/docs")
  expect_input_error(blob_exists("docs", "x"), "container")
  expect_input_error(blob_exists(cont, 1), "blob")
  expect_input_error(blob_dir_exists(cont, NULL), "dir")
  expect_input_error(delete_blob(cont, ""), "blob")
  expect_input_error(delete_blob(cont, "x", confirm = "no"), "confirm")
  expect_input_error(delete_blob(cont, "x", lease = 1), "lease")
  expect_input_error(delete_blob_dir(cont, "x", recursive = NA), "recursive")
  expect_input_error(create_blob_dir(cont, 1), "dir")
})

test_that("only \"/\" empties a container", {
  cont <- local_container()
  for (name in c("x", "d/x", "./x")) storage_upload(cont, raw(1), name)
  for (bad in list("", I(""), "//")) {
    expect_input_error(delete_blob_dir(cont, bad, recursive = TRUE, confirm = FALSE), "dir")
    expect_input_error(delete_storage_dir(cont, bad, confirm = FALSE), "dir")
  }
  delete_blob_dir(cont, I("/"), recursive = TRUE, confirm = FALSE) # of the name "/"
  expect_identical(nrow(list_blobs(cont)), 3L)
  delete_storage_dir(cont, ".", recursive = TRUE, confirm = FALSE)
  expect_setequal(list_blobs(cont, info = "name"), c("x", "d/x"))
  delete_storage_dir(cont, "/", recursive = TRUE, confirm = FALSE)
  expect_identical(nrow(list_blobs(cont)), 0L)
})

test_that("the argument that is wrong is named as it was given", {
  cont <- storage_container("https://acc.blob.core.windows.net/docs")
  expect_input_error(storage_file_exists(cont, 1), "file")
  expect_input_error(delete_storage_file(cont, 1), "file")
  expect_input_error(delete_storage_file("docs", "x"), "container")
})
