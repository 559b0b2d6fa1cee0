test_that("metadata of containers and blobs is set, kept and taken away", {
  cont <- local_container()
  storage_upload(cont, raw(1), "x")
  for (file in list(NULL, "x")) {
    get <- function() {
      if (is.null(file)) get_storage_metadata(cont) else get_storage_metadata(cont, file)
    }
    set <- function(...) {
      if (is.null(file)) set_storage_metadata(cont, ...) else set_storage_metadata(cont, file, ...)
    }
    expect_length(get(), 0L)
    one <- withVisible(set(name1 = "value1"))
    expect_false(one$visible)
    expect_identical(one$value, list(name1 = "value1"))
    expect_identical(get(), list(name1 = "value1"))
    set(name2 = "value2")
    expect_identical(get(), list(name1 = "value1", name2 = "value2"))
    set(NAME1 = 1e5)
    expect_identical(get(), list(name2 = "value2", name1 = "100000"))
    set(name2 = NULL)
    expect_named(get(), "name1")
    set(name3 = "value3", keep_existing = FALSE)
    expect_identical(get(), list(name3 = "value3"))
    set(keep_existing = FALSE)
    expect_length(get(), 0L)
  }
})

test_that("properties", {
  cont <- local_container()
  props <- get_storage_properties(cont)
  expect_type(props, "list")
  expect_true(nzchar(props$etag))
  storage_upload(cont, bytes(100), "x")
  props <- get_storage_properties(cont, "x")
  expect_identical(props[["content-length"]], "100")
  expect_identical(props[["x-ms-blob-type"]], "BlockBlob")
  expect_identical(http_failure(get_storage_properties(cont, "none"))$status, 404L)
})

test_that("bad metadata", {
  cont <- storage_container("https://acc.blob.core.windows.net/docs")
  expect_input_error(set_storage_metadata(cont, "x", 1), "...")
  expect_input_error(set_storage_metadata(cont, "x", a = 1, A = 2), "...")
  expect_input_error(set_storage_metadata(cont, "x", `a b` = 1), "...")
  expect_input_error(set_storage_metadata(cont, "x", a = c("x", "y")), "...")
  expect_input_error(set_storage_metadata(cont, "x", a = "\u00e4"), "...")
  expect_input_error(set_storage_metadata(cont, "x", a = "x\r\ny: z"), "...")
  expect_input_error(set_storage_metadata(cont, 1), "file")
  expect_input_error(set_storage_metadata(1), "object")
  expect_input_error(set_storage_metadata(cont, "x", keep_existing = NULL), "keep_existing")
  expect_input_error(get_storage_metadata(1), "object")
  expect_input_error(get_storage_properties(cont, "x", snapshot = 1), "snapshot")
  expect_input_error(get_storage_properties(cont, "x", version = NA_character_), "version")
})
