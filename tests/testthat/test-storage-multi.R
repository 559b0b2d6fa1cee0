some_files <- function(env = parent.frame()) {
  contents <- c(
    sprintf("f%d.txt", 1:5), sprintf("sub/g%d.txt", 1:5), "sub/deep/h.csv", "empty.txt", ".hidden",
    "a(1).txt"
  )
  contents <- setNames(as.list(contents), contents)
  contents$empty.txt <- raw()
  local_files(contents, env)
}

same_files <- function(x, y) {
  expect_true(all(file.exists(x)) && all(file.exists(y)))
  expect_identical(unname(tools::md5sum(x)), unname(tools::md5sum(y)))
}

test_that("vectors of names, and the table", {
  cont <- local_container()
  dir <- some_files()
  names <- sprintf("f%d.txt", 1:5)
  src <- file.path(dir, names)
  up <- withVisible(storage_multiupload(cont, src, paste0("up/", names)))
  expect_false(up$visible)
  up <- up$value
  expect_s3_class(up, "data.frame")
  expect_named(up, c("src", "dest", "size", "seconds", "attempts", "error"))
  expect_identical(up$src, src)
  expect_identical(up$dest, paste0("up/", names))
  expect_identical(up$size, file.size(src))
  expect_identical(up$error, rep(NA_character_, 5))
  expect_true(all(up$attempts == 1L) && all(up$seconds >= 0))

  to <- withr::local_tempdir()
  down <- storage_multidownload(cont, paste0("up/", names), file.path(to, "new", names))
  same_files(file.path(to, "new", names), src)
  expect_identical(down$size, up$size)
  expect_identical(down$src, paste0("up/", names))

  # The names are the sources' where they are left out.
  storage_multiupload(cont, src)
  withr::local_dir(to)
  storage_multidownload(cont, paste0("up/", names))
  same_files(names, src)
  expect_setequal(list_blobs(cont, info = "name"), c(paste0("up/", names), names))
  expect_identical(nrow(storage_multiupload(cont, src[1], "single")), 1L)
})

test_that("a wildcard and a directory", {
  cont <- local_container()
  dir <- some_files()
  storage_multiupload(cont, file.path(dir, "*"), "/")
  expect_setequal(list_blobs(cont, info = "name"),
    c(sprintf("f%d.txt", 1:5), "empty.txt", "a(1).txt"))
  to <- withr::local_tempdir()
  storage_multidownload(cont, "*", file.path(to, "new"))
  same_files(file.path(to, "new", list.files(file.path(to, "new"))),
    file.path(dir, list.files(file.path(to, "new"))))
  expect_true(file.exists(file.path(to, "new", "empty.txt")))

  storage_multiupload(cont, file.path(dir, "f?.txt"), "d/e")
  expect_identical(list_blobs(cont, "d", "name"), sprintf("d/e/f%d.txt", 1:5))
  storage_multidownload(cont, "d/e/f[12]*", to, on_error = "return") |>
    expect_error(class = "pool_input_error")
  storage_multidownload(cont, "/d/e/*2.txt", to)
  expect_true(file.exists(file.path(to, "f2.txt")))
  # Without a wildcard for it, what has one in the name of a file is that file.
  writeBin(charToRaw("star"), file.path(dir, "a*b"))
  storage_multiupload(cont, file.path(dir, "a*b"))
  expect_identical(storage_download(cont, "a*b", NULL), charToRaw("star"))
  storage_multidownload(cont, I("a*b"), file.path(to, "star"))
  expect_true(file.exists(file.path(to, "star")))
})

test_that("a tree", {
  cont <- local_container()
  dir <- some_files()
  storage_multiupload(cont, file.path(dir, "*"), "tree", recursive = TRUE)
  found <- list.files(dir, recursive = TRUE)
  expect_setequal(list_blobs(cont, info = "name"), file.path("tree", found))
  to <- withr::local_tempdir()
  storage_multidownload(cont, "tree/*", to, recursive = TRUE)
  expect_setequal(list.files(to, recursive = TRUE), found)
  same_files(file.path(to, found), file.path(dir, found))

  some <- withr::local_tempdir()
  storage_multidownload(cont, "tree/*.csv", some, recursive = TRUE)
  expect_identical(list.files(some, recursive = TRUE), "sub/deep/h.csv")
  withr::local_dir(some)
  storage_multidownload(cont, "tree/sub/*")
  expect_setequal(list.files(), c(sprintf("g%d.txt", 1:5), "sub"))
  # no 'dest': the root
  other <- local_container()
  storage_multiupload(other, file.path(dir, "sub", "*"))
  expect_setequal(list_blobs(other, info = "name"), sprintf("g%d.txt", 1:5))
})

test_that("what is in memory", {
  cont <- local_container()
  con <- textConnection("text")
  withr::defer(close(con))
  up <- multiupload_blob(cont, list(charToRaw("raw"), con), c("a", "b"))
  expect_identical(up$src, c("<memory>", "<memory>"))
  expect_identical(storage_download(cont, "a", NULL), charToRaw("raw"))
  expect_identical(storage_download(cont, "b", NULL), charToRaw("text"))
  dest <- file.path(withr::local_tempdir(), c("a", "b"))
  down <- multidownload_blob(cont, c("a", "b"), dest)
  expect_identical(down$size, c(3, 4))
  expect_identical(vapply(dest, readLines, "", warn = FALSE, USE.NAMES = FALSE), c("raw", "text"))
})

test_that("one that fails is a row, and then an error that lists all", {
  cont <- local_container()
  dir <- some_files()
  src <- file.path(dir, c("f1.txt", "none.txt", "f2.txt", "sub"))
  e <- tryCatch(storage_multiupload(cont, src), pool_transfer_error = identity)
  expect_s3_class(e, "pool_transfer_error")
  expect_identical(is.na(e$files$error), c(TRUE, FALSE, TRUE, FALSE))
  expect_match(conditionMessage(e), "2 of 4 files")
  expect_match(conditionMessage(e), "none.txt")
  expect_length(e$errors, 2L)
  expect_setequal(list_blobs(cont, info = "name"), c("f1.txt", "f2.txt"))
  files <- storage_multiupload(cont, src, on_error = "return")
  expect_identical(is.na(files$error), c(TRUE, FALSE, TRUE, FALSE))

  to <- withr::local_tempdir()
  writeBin(charToRaw("old"), file.path(to, "2"))
  e <- tryCatch(
    storage_multidownload(cont, c("f1.txt", "f2.txt", "missing"), file.path(to, 1:3)),
    pool_transfer_error = identity
  )
  expect_identical(is.na(e$files$error), c(TRUE, FALSE, FALSE))
  expect_s3_class(e$errors[[2]], "pool_http_error")
  expect_identical(e$errors[[2]]$status, 404L)
  expect_identical(e$errors[[2]]$code, "BlobNotFound")
  expect_true(nzchar(e$errors[[2]]$request_id))
  expect_setequal(list.files(to, all.files = TRUE, no.. = TRUE), c("1", "2"))
  expect_identical(bytes_of(file.path(to, "2")), charToRaw("old"))
  storage_multidownload(cont, c("f1.txt", "f2.txt"), file.path(to, 1:2), overwrite = TRUE)
  expect_identical(bytes_of(file.path(to, "2")), charToRaw("f2.txt"))
})

test_that("nothing is written outside of the destination", {
  cont <- local_container()
  names <- c("d/ok", "d/../up", "d/a/../../up2", "d//abs", "d/..", "d/x/", "d/./y", "../rel",
    "a/../../b")
  for (name in names) storage_upload(cont, charToRaw("x"), name)
  storage_upload(cont, charToRaw("x"), I("/tmp/absolute-name"))
  outer <- withr::local_tempdir()
  to <- file.path(outer, "in", "side")
  dir.create(to, recursive = TRUE)
  files <- storage_multidownload(cont, "*", to, recursive = TRUE, on_error = "return")
  expect_identical(nrow(files), 10L)
  expect_identical(files$src[is.na(files$error)], "d/ok")
  expect_match(files$error[files$src == "../rel"], "leads out")
  expect_match(files$error[files$src == "/tmp/absolute-name"], "leads out")
  expect_identical(list.files(outer, recursive = TRUE, all.files = TRUE), "in/side/d/ok")
  files <- storage_multidownload(cont, "d/*", to, recursive = TRUE, on_error = "return")
  expect_identical(list.files(outer, recursive = TRUE, all.files = TRUE),
    c("in/side/d/ok", "in/side/ok"))
  expect_error(storage_multidownload(cont, "../*", to, recursive = TRUE), NA)
  expect_identical(list.files(outer), "in")
  expect_false(file.exists("/tmp/absolute-name"))
})

test_that("many at once, also with few connections", {
  cont <- local_container()
  contents <- lapply(1:150, function(i) bytes(i * 37 %% 5000, i))
  names <- sprintf("m/%03d", 1:150)
  for (most in c(1, 32)) {
    up <- storage_multiupload(cont, contents, names, max_concurrent_transfers = most)
    expect_true(all(is.na(up$error)))
    to <- withr::local_tempdir()
    storage_multidownload(cont, "m/*", to, max_concurrent_transfers = most)
    back <- lapply(file.path(to, sprintf("%03d", 1:150)), bytes_of)
    expect_identical(back, contents)
  }
})

test_that("progress is shown when asked for, and not otherwise", {
  cont <- local_container()
  dir <- some_files()
  src <- file.path(dir, sprintf("f%d.txt", 1:5))
  expect_silent(storage_multiupload(cont, src))
  shown <- list()
  ended <- 0
  local_binding(progress_display = function(transfers) {
    list(update = function(...) shown[[length(shown) + 1L]] <<- c(...),
      end = function() ended <<- ended + 1)
  })
  expect_silent(storage_multiupload(cont, src, progress = TRUE))
  expect_gt(length(shown), 0L)
  expect_identical(shown[[length(shown)]], c(5, 5, 30, 30))
  expect_identical(ended, 1)
  expect_silent(storage_multiupload(cont, src, progress = FALSE))
  expect_identical(ended, 1)
  withr::local_options(pool.progress = TRUE)
  expect_true(pool:::show_progress())
  withr::local_options(azure_storage_progress_bar = FALSE)
  expect_false(pool:::show_progress())
  line <- pool:::progress_line("Uploading", 3, 10, 5e6, 2e7, 2)
  expect_identical(line, "Uploading: 3 of 10 files, 5.0 MB of 20.0 MB, 2.5 MB/s, 6 s left")
  expect_identical(pool:::progress_line("Uploading", 0, 1, 0, 10, 0), "Uploading: 0 B of 10 B")
})

test_that("bad arguments of many transfers", {
  cont <- storage_container("https://acc.blob.core.windows.net/docs", key = "a2V5")
  dir <- some_files()
  src <- file.path(dir, c("f1.txt", "f2.txt"))
  expect_input_error(storage_multiupload(cont, character()), "src")
  expect_input_error(storage_multiupload(cont, 1), "src")
  expect_input_error(storage_multiupload(cont, file.path(dir, "none*")), "src")
  expect_input_error(storage_multiupload(cont, src, "/"), "dest")
  expect_input_error(storage_multiupload(cont, src, c("x", "x")), "dest")
  expect_input_error(storage_multiupload(cont, file.path(dir, "*"), c("x", "y")), "dest")
  expect_input_error(storage_multiupload(cont, src, type = "foo"), "type")
  expect_input_error(storage_multiupload(cont, src, append = TRUE, type = "AppendBlob"), "append")
  expect_input_error(storage_multiupload(cont, src, recursive = NA), "recursive")
  expect_input_error(storage_multiupload(cont, src, on_error = "maybe"), "on_error")
  for (bad in list(0, -1, 1.5, NA, "x", 1:2)) {
    expect_input_error(storage_multiupload(cont, src, max_concurrent_transfers = bad),
      "max_concurrent_transfers")
    expect_input_error(storage_multidownload(cont, "x", "y", max_concurrent_transfers = bad),
      "max_concurrent_transfers")
  }
  expect_input_error(storage_multidownload(cont, character()), "src")
  expect_input_error(storage_multidownload(cont, c("a", "b"), dir), "dest")
  expect_input_error(storage_multidownload(cont, c("a/x", "b/x")), "dest")
  expect_input_error(storage_multidownload(cont, "*", c("a", "b")), "dest")
  expect_input_error(storage_multidownload(cont, "*", src[1]), "dest")
  expect_input_error(storage_multidownload(cont, "a", dir), "dest")
  expect_input_error(storage_multidownload(cont, "*", ""), "dest")
  expect_input_error(storage_multidownload(cont, "*", "", recursive = TRUE), "dest")
  expect_input_error(storage_multidownload(cont, c("a", "b"), c("x", "")), "dest")
  expect_input_error(storage_multidownload(cont, "a", ""), "dest")
})
