test_that("what is uploaded comes back: files, raw vectors, any size", {
  cont <- local_container()
  for (n in c(0, 1, 100, 1e5, 3e6)) {
    content <- bytes(n)
    dir <- local_files(list(data = content))
    name <- paste0("n", n)
    expect_silent(expect_null(storage_upload(cont, file.path(dir, "data"), name)))
    expect_identical(storage_download(cont, name, NULL), content)
    # small blocks: several requests
    expect_invisible(storage_upload(cont, content, name, blocksize = 1e6))
    to <- file.path(dir, "new", "deep", "copy")
    expect_silent(expect_null(storage_download(cont, name, to, blocksize = 7e5)))
    expect_identical(bytes_of(to), content)
  }
})

test_that("connections: what they are read from, and written to", {
  cont <- local_container()
  text <- c("one", "\u00e4 two", "")
  con <- textConnection(text, encoding = "UTF-8")
  storage_upload(cont, con, "text")
  close(con)
  expect_identical(storage_download(cont, "text", NULL), charToRaw(paste(text, collapse = "\n")))
  content <- bytes(3e6)
  con <- rawConnection(content)
  storage_upload(cont, con, "raw")
  close(con)
  dir <- local_files(list(data = content))
  con <- file(file.path(dir, "data"))
  storage_upload(cont, con, "file")
  close(con)
  for (name in c("raw", "file")) expect_identical(storage_download(cont, name, NULL), content)

  con <- rawConnection(raw(), "r+")
  expect_null(storage_download(cont, "raw", con))
  expect_identical(readBin(con, "raw", 1e7), content)
  close(con)
  con <- file(file.path(dir, "copy"), "wb")
  storage_download(cont, "raw", con)
  close(con)
  expect_identical(bytes_of(file.path(dir, "copy")), content)
  con <- rawConnection(raw())
  expect_input_error(storage_download(cont, "raw", con), "dest")
  expect_input_error(storage_upload(cont, con), "dest")
  close(con)
})

test_that("of a long connection only a part is in memory, and no file is left of it", {
  cont <- local_container()
  content <- bytes(40e6)
  dir <- local_files(list(data = content))
  left <- function() list.files(tempdir(), "^pool-(up|down)load-")
  for (again in 1:2) {
    con <- file(file.path(dir, "data"), "rb")
    if (again == 1) {
      storage_upload(cont, con, "long")
    } else {
      files <- storage_multiupload(cont, list(con, charToRaw("x")), c("long", "x"))
      expect_identical(files$src, rep("<memory>", 2L))
      expect_identical(files$size, c(40e6, 1))
    }
    close(con)
    expect_identical(left(), character())
    con <- file(file.path(dir, "copy"), "wb")
    storage_download(cont, "long", con)
    close(con)
    expect_identical(unname(tools::md5sum(file.path(dir, "copy"))),
      unname(tools::md5sum(file.path(dir, "data"))))
    expect_identical(left(), character())
    delete_blob(cont, "long", confirm = FALSE)
  }
  con <- file(file.path(dir, "copy"), "wb")
  expect_error(storage_download(cont, "long", con), class = "pool_http_error")
  close(con)
  expect_identical(file.size(file.path(dir, "copy")), 0)
  expect_identical(left(), character())

  # One that ends in an error, after much of it was read.
  packed <- file.path(dir, "packed")
  con <- gzfile(packed, "wb", compression = 1L)
  writeBin(content, con)
  close(con)
  half <- readBin(packed, "raw", file.size(packed))
  half[length(half) - 1e6 + 1:1000] <- as.raw(0)
  writeBin(half, packed)
  con <- gzfile(packed, "rb")
  withr::defer(close(con))
  try(suppressWarnings(storage_upload(cont, con, "torn")), silent = TRUE)
  expect_identical(left(), character())
})

test_that("an existing file stays what it was, unless it may be replaced", {
  cont <- local_container()
  storage_upload(cont, charToRaw("new"), "x")
  dir <- local_files(list(x = "old"))
  path <- file.path(dir, "x")
  expect_input_error(storage_download(cont, "x", path), "dest")
  expect_error(storage_download(cont, "missing", path, overwrite = TRUE), class = "pool_http_error")
  expect_identical(bytes_of(path), charToRaw("old"))
  expect_silent(storage_download(cont, "x", path, overwrite = TRUE))
  expect_identical(bytes_of(path), charToRaw("new"))
  expect_identical(list.files(dir, all.files = TRUE, no.. = TRUE), "x")
})

test_that("the defaults of 'dest' are the last part of the name", {
  cont <- local_container()
  dir <- local_files(list(`sub/a b.txt` = "x"))
  storage_upload(cont, file.path(dir, "sub", "a b.txt"))
  expect_identical(list_blobs(cont, info = "name"), "a b.txt")
  storage_upload(cont, charToRaw("y"), "deep/er/name.txt")
  withr::local_dir(dir)
  storage_download(cont, "deep/er/name.txt")
  expect_identical(bytes_of("name.txt"), charToRaw("y"))
  for (name in c("..", "a/..", "a/", "~")) {
    storage_upload(cont, charToRaw("z"), name)
    if (name == "~") {
      storage_download(cont, name)
      expect_true(file.exists("./~"))
    } else {
      expect_input_error(storage_download(cont, name), "dest")
    }
  }
})

test_that("names are data", {
  for (style in c("path", "host")) {
    cont <- local_container(azurite(style))
    names <- c("a#b", "a?b=c&d", "%41", "%", "100%25", "../x", "a/../b", "./x", "..", "a//b",
      "a b", "a+b",
      "\u00e4\u65e5\u672c/\U1f600", "x;y=z:@,!$'()*", "q\"<>|^`{}[]", "a%2Fb", strrep("n", 1024),
      paste(rep("seg", 256), collapse = "/"), "~x", "tr/", ".hidden")
    for (name in names) {
      storage_upload(cont, charToRaw(name), name)
    }
    storage_upload(cont, charToRaw("lead"), I("/lead"))
    expect_setequal(list_blobs(cont, info = "name"), c(names, "/lead"))
    for (name in names) {
      expect_identical(rawToChar(storage_download(cont, name, NULL)), rawToChar(charToRaw(name)))
      expect_true(storage_file_exists(cont, name))
    }
    expect_identical(storage_download(cont, I("/lead"), NULL), charToRaw("lead"))
    expect_false(storage_file_exists(cont, "lead"))
    expect_false(storage_file_exists(cont, "A"))
    delete_blob(cont, "%41", confirm = FALSE)
    expect_false(storage_file_exists(cont, "%41"))
  }
})

test_that("types, metadata and digests are stored", {
  cont <- local_container()
  dir <- local_files(list(x.csv = "a,b\n", y.unknown = "?"))
  storage_upload(cont, file.path(dir, "x.csv"), put_md5 = TRUE,
    metadata = list(rows = 1, by = "me"))
  props <- get_storage_properties(cont, "x.csv")
  expect_identical(props[["content-type"]], "text/csv")
  expect_identical(props[["content-md5"]], pool:::md5_text(charToRaw("a,b\n")))
  expect_identical(get_storage_metadata(cont, "x.csv"), list(rows = "1", by = "me"))
  storage_upload(cont, file.path(dir, "y.unknown"))
  expect_identical(get_storage_properties(cont, "y.unknown")[["content-type"]],
    "application/octet-stream")
  storage_upload(cont, charToRaw("<p>"), "z", content_type = "text/html; charset=utf-8")
  expect_identical(get_storage_properties(cont, "z")[["content-type"]], "text/html; charset=utf-8")
  expect_silent(storage_download(cont, "x.csv", NULL, check_md5 = TRUE))
  storage_upload(cont, bytes(3000), "blocks", blocksize = 1000)
  expect_warning(storage_download(cont, "blocks", NULL, check_md5 = TRUE), "MD5")
  to <- file.path(dir, c("1", "2"))
  expect_warning(
    storage_multidownload(cont, c("x.csv", "blocks"), to, check_md5 = TRUE), "1 of the blobs"
  )
  expect_silent(storage_multidownload(cont, c("x.csv", "blocks"), to, overwrite = TRUE))
  storage_upload(cont, bytes(3000), "blocks", blocksize = 1000, put_md5 = TRUE)
  expect_silent(storage_download(cont, "blocks", NULL, check_md5 = TRUE))
  expect_identical(get_storage_properties(cont, "blocks")[["content-md5"]],
    pool:::md5_text(bytes(3000)))
})

test_that("whether there is a digest is not asked for anew", {
  cont <- local_container()
  storage_upload(cont, bytes(3000), "blocks", blocksize = 1000)
  # Azurite alone answers ranges; nothing else is let through.
  cont$endpoint$url <- sub(":[0-9]+/", paste0(":", engine_proxy("HEAD|/|9|status:403"), "/"),
    cont$endpoint$url)
  expect_warning(got <- storage_download(cont, "blocks", NULL, check_md5 = TRUE), "MD5")
  expect_identical(got, bytes(3000))
})

test_that("a wrong digest is found", {
  cont <- local_container()
  storage_upload(cont, charToRaw("right"), "x")
  do_container_op(cont, "x", options = list(comp = "properties"), http_verb = "PUT",
    headers = list(`x-ms-blob-content-md5` = pool:::md5_text(charToRaw("wrong"))))
  path <- withr::local_tempfile()
  expect_error(storage_download(cont, "x", path, check_md5 = TRUE), class = "pool_transfer_error")
  expect_false(file.exists(path))
  expect_identical(storage_download(cont, "x", NULL), charToRaw("right"))
})

test_that("append blobs are made and added to", {
  cont <- local_container()
  dir <- local_files(list(a = bytes(25000)))
  path <- file.path(dir, "a")
  expect_silent(storage_upload(cont, path, "log", type = "AppendBlob", blocksize = 1e4))
  expect_silent(storage_upload(cont, path, "log", type = "AppendBlob", append = TRUE,
    blocksize = 1e4,
    put_md5 = TRUE))
  expect_silent(storage_upload(cont, charToRaw("end"), "log", type = "AppendBlob", append = TRUE))
  expect_identical(storage_download(cont, "log", NULL),
    c(bytes(25000), bytes(25000), charToRaw("end")))
  expect_identical(list_blobs(cont)$blobtype, "AppendBlob")
  storage_upload(cont, path, "log", type = "AppendBlob")
  expect_identical(list_blobs(cont)$size, 25000)

  storage_upload(cont, path, "block")
  expect_error(storage_upload(cont, path, "block", type = "AppendBlob", append = TRUE),
    class = "pool_http_error")
  expect_error(storage_upload(cont, path, "none", type = "AppendBlob", append = TRUE),
    class = "pool_http_error")
  expect_input_error(storage_upload(cont, path, "log", append = TRUE), "append")
})

test_that("two writers that add to one blob: both are whole", {
  cont <- local_container()
  storage_upload(cont, raw(), "log", type = "AppendBlob")
  local_pool(2)
  pool_export("cont", environment())
  pool_lapply(c(1, 2), function(k) {
    for (i in 1:20) {
      pool::storage_upload(cont, as.raw(rep(k, 100)), "log", type = "AppendBlob", append = TRUE)
    }
  })
  got <- as.integer(storage_download(cont, "log", NULL))
  expect_length(got, 4000)
  expect_identical(as.vector(table(got)), c(2000L, 2000L))
  runs <- rle(got)
  expect_true(all(runs$lengths %% 100 == 0))
})

test_that("by URL", {
  cont <- local_container()
  for (name in c("a b/%41#", "../x")) {
    url <- pool:::blob_url(cont, name)
    upload_to_url(charToRaw(name), url, key = azurite_key)
    expect_identical(storage_download(cont, name, NULL), charToRaw(name))
    path <- withr::local_tempfile()
    download_from_url(url, path, key = azurite_key)
    expect_identical(bytes_of(path), charToRaw(name))
    sas <- get_service_sas(cont$endpoint, cont$name)
    expect_identical(download_from_url(paste0(url, "?", sas), NULL), charToRaw(name))
  }
  expect_input_error(download_from_url(paste0(cont$endpoint$url, "/", cont$name), NULL), "src")
  expect_input_error(upload_to_url(raw(1), "nowhere"), "dest")
})

test_that("a failed transfer is an error with all that is known, and no secret", {
  cont <- local_container()
  e <- http_failure(storage_download(cont, "missing", NULL))
  expect_s3_class(e, c("pool_http_error", "pool_transfer_error", "pool_error"))
  expect_identical(e$status, 404L)
  expect_identical(nrow(e$files), 1L)
  gone <- storage_container(cont$endpoint, "not-there")
  for (src in list(charToRaw("x"), textConnection("x"), rawConnection(raw(3)))) {
    expect_identical(http_failure(storage_upload(gone, src, "x"))$status, 404L)
    if (inherits(src, "connection")) close(src)
  }
  bad <- cont
  bad$endpoint$key <- pool:::base64_encode("another key that is wrong")
  e <- http_failure(storage_upload(bad, charToRaw("x"), "x"))
  expect_identical(e$status, 403L)
  expect_false(grepl(bad$endpoint$key, paste(deparse(conditionCall(e)), conditionMessage(e)),
    fixed = TRUE))
  bad$endpoint$key <- "not base64!"
  expect_input_error(storage_upload(bad, charToRaw("x"), "x"), "key")
})

test_that("bad arguments of a transfer", {
  cont <- storage_container("https://acc.blob.core.windows.net/docs", key = "a2V5")
  dir <- local_files(list(x = "x"))
  path <- file.path(dir, "x")
  for (bad in list(NULL, NA_character_, 1, c(path, path), dir, file.path(dir, "none"),
    list(path))) {
    expect_input_error(upload_blob(cont, bad, "x"), "src")
  }
  expect_input_error(upload_blob("docs", path), "container")
  expect_input_error(upload_blob(cont, raw(1)), "dest")
  expect_input_error(upload_blob(cont, path, ""), "dest")
  expect_input_error(upload_blob(cont, path, strrep("x", 1025)), "dest")
  expect_input_error(upload_blob(cont, path, "x", type = "PageBlob"), "type")
  for (bad in list(0, -1, 1.5, NA_real_, "1", c(1, 2), 1e12)) {
    expect_input_error(upload_blob(cont, path, "x", blocksize = bad), "blocksize")
    expect_input_error(download_blob(cont, "x", NULL, blocksize = bad), "blocksize")
  }
  appended <- function(blocksize, version) {
    cont$endpoint$api_version <- version
    pool:::upload_options(cont, "AppendBlob", blocksize, NULL, FALSE, FALSE, FALSE, NULL, NULL)
  }
  expect_input_error(appended(4 * 2^20 + 1, "2021-06-08"), "blocksize")
  expect_input_error(appended(100 * 2^20 + 1, "2022-11-02"), "blocksize")
  expect_identical(appended(4 * 2^20, "2021-06-08")$blocksize, 4 * 2^20)
  expect_identical(appended(100 * 2^20, "2022-11-02")$blocksize, 100 * 2^20)
  expect_input_error(upload_blob(cont, path, "x", lease = 1), "lease")
  expect_input_error(upload_blob(cont, path, "x", lease = "a\r\nx: y"), "lease")
  expect_input_error(upload_blob(cont, path, "x", put_md5 = NA), "put_md5")
  expect_input_error(upload_blob(cont, path, "x", append = "yes"), "append")
  expect_input_error(upload_blob(cont, path, "x", use_azcopy = TRUE), "use_azcopy")
  expect_input_error(upload_blob(cont, path, "x", metadata = list(1)), "metadata")
  expect_input_error(upload_blob(cont, path, "x", metadata = list(`a-b` = 1)), "metadata")
  expect_input_error(upload_blob(cont, path, "x", metadata = list(a = "x\ny")), "metadata")
  expect_input_error(upload_blob(cont, path, "x", content_type = "a\nb"), "content_type")
  expect_input_error(upload_blob(cont, path, "x", progress = 1), "progress")
  expect_input_error(download_blob(cont, 1, NULL), "src")
  expect_input_error(download_blob(cont, "x", dir), "dest")
  expect_input_error(download_blob(cont, "x", ""), "dest")
  expect_input_error(download_blob(cont, "x", 1), "dest")
  expect_input_error(download_blob(cont, "x", NULL, overwrite = NA), "overwrite")
  expect_input_error(download_blob(cont, "x", NULL, check_md5 = 2:3), "check_md5")
  expect_input_error(download_blob(cont, "x", NULL, snapshot = 1), "snapshot")
})

test_that("a block that was added, but whose answer was lost, is not added again", {
  cont <- local_container()
  storage_upload(cont, charToRaw("one"), "log", type = "AppendBlob")
  port <- engine_proxy(c("PUT|appendblock|1|lost", "HEAD|log|1|status:503"))
  there <- cont
  there$endpoint$url <- sub(":[0-9]+/", paste0(":", port, "/"), cont$endpoint$url)
  storage_upload(there, charToRaw("two"), "log", type = "AppendBlob", append = TRUE)
  expect_identical(rawToChar(storage_download(cont, "log", NULL)), "onetwo")
})

test_that("a deletion whose answer was lost is none of a missing blob", {
  cont <- local_container()
  storage_upload(cont, charToRaw("one"), "x")
  port <- engine_proxy("DELETE|x|1|lost")
  there <- cont
  there$endpoint$url <- sub(":[0-9]+/", paste0(":", port, "/"), cont$endpoint$url)
  expect_silent(delete_blob(there, "x", confirm = FALSE))
  expect_false(blob_exists(cont, "x"))
})

test_that("a file that a fault hits is whole, or as it was", {
  cont <- local_container()
  content <- lapply(1:6, function(i) bytes(5000 + i, i))
  storage_multiupload(cont, content, sprintf("f%d", 1:6))
  withr::local_options(pool.http_retries = 1)
  port <- engine_proxy(c("GET|f2|9|status:403", "GET|f3|1|half", "GET|f4|9|reset",
    "GET|f5|1|status:503"))
  there <- cont
  there$endpoint$url <- sub(":[0-9]+/", paste0(":", port, "/"), cont$endpoint$url)
  to <- withr::local_tempdir()
  old <- charToRaw("as it was")
  for (i in 1:6) writeBin(old, file.path(to, i))
  files <- storage_multidownload(there, sprintf("f%d", 1:6), file.path(to, 1:6),
    overwrite = TRUE, on_error = "return")
  expect_identical(is.na(files$error), c(TRUE, FALSE, TRUE, FALSE, TRUE, TRUE))
  for (i in 1:6) {
    expect_identical(bytes_of(file.path(to, i)), if (i %in% c(2, 4)) old else content[[i]])
  }
  expect_length(list.files(to, all.files = TRUE, no.. = TRUE), 6L)
})

test_that("of a raw connection all is uploaded, of others what bytes there are", {
  cont <- local_container()
  both <- rawConnection(raw(), "r+")
  withr::defer(close(both))
  writeBin(charToRaw("written"), both)
  storage_upload(cont, both, "x")
  expect_identical(storage_download(cont, "x", NULL), charToRaw("written"))
  storage_upload(cont, both, "x")
  expect_identical(storage_download(cont, "x", NULL), charToRaw("written"))
  out <- rawConnection(raw(), "w")
  withr::defer(close(out))
  writeBin(charToRaw("out"), out)
  storage_upload(cont, out, "x")
  expect_identical(storage_download(cont, "x", NULL), charToRaw("out"))

  dir <- local_files(list(data = "text\n"))
  for (open in c("r", "rt", "w", "wb")) {
    con <- file(file.path(dir, if (open %in% c("w", "wb")) "new" else "data"), open)
    expect_input_error(storage_upload(cont, con, "y"), "src")
    expect_input_error(storage_multiupload(cont, list(con), "y"), "src")
    close(con)
  }
  con <- file(file.path(dir, "new"), "w")
  expect_input_error(storage_download(cont, "x", con), "dest")
  close(con)
  expect_identical(file.size(file.path(dir, "new")), 0)
  con <- file(file.path(dir, "data"), "rb")
  readBin(con, "raw", 2)
  storage_upload(cont, con, "y")
  close(con)
  expect_identical(storage_download(cont, "y", NULL), charToRaw("xt\n"))
})

test_that("a snapshot's URL is the snapshot's, and no other query is taken for a signature", {
  cont <- local_container()
  storage_upload(cont, charToRaw("old"), "x")
  snapshot <- create_blob_snapshot(cont, "x")
  storage_upload(cont, charToRaw("new"), "x")
  url <- pool:::blob_url(cont, "x", list(snapshot = snapshot))
  expect_identical(download_from_url(url, NULL, key = azurite_key), charToRaw("old"))
  sas <- get_account_sas(cont$endpoint)
  expect_identical(download_from_url(paste0(url, "&", sas), NULL), charToRaw("old"))
  bare <- pool:::blob_url(cont, "x")
  expect_identical(download_from_url(bare, NULL, key = azurite_key, snapshot = snapshot),
    charToRaw("old"))
  expect_identical(download_from_url(paste0(bare, "?", sas), NULL), charToRaw("new"))
  expect_input_error(download_from_url(paste0(bare, "?timeout=3"), NULL, key = azurite_key), "src")
  expect_input_error(upload_to_url(raw(1), url, key = azurite_key), "dest")
})

test_that("what fails has its files and errors, whatever is uploaded", {
  cont <- local_container()
  e <- http_failure(storage_download(cont, "missing", NULL))
  expect_identical(e$files$dest, "<memory>")
  expect_length(e$errors, 1L)
  expect_s3_class(e$errors[[1]], "pool_http_error")
  expect_identical(e$errors[[1]]$code, "BlobNotFound")
  e <- http_failure(storage_upload(cont, raw(3), "none", type = "AppendBlob", append = TRUE))
  expect_s3_class(e, "pool_transfer_error")
  expect_identical(e$status, 404L)
  expect_identical(e$files[c("src", "dest", "size")],
    data.frame(src = "<memory>", dest = "none", size = 3))
  expect_match(e$files$error, "404")
  expect_no_match(e$files$error, "request")
  expect_length(e$errors, 1L)
})

test_that("what cannot be used is refused", {
  cont <- storage_container("https://acc.blob.core.windows.net/docs", key = "a2V5")
  append <- function(...) upload_blob(cont, raw(1), "x", type = "AppendBlob", append = TRUE, ...)
  expect_input_error(append(metadata = list(a = "1")), "metadata")
  expect_input_error(append(content_type = "text/csv"), "content_type")
  expect_input_error(upload_blob(cont, raw(1), "x", type = "AppendBlob", blocksize = 2^22 + 1),
    "blocksize")
})

test_that("the type of a file is that of its name's ending, and of nothing else", {
  expect_identical(pool:::content_type("/x/csv"), "application/octet-stream")
  expect_identical(pool:::content_type("/a.csv/b"), "application/octet-stream")
  expect_identical(pool:::content_type("/x/y.tar.CSV"), "text/csv")
  expect_identical(pool:::content_type("y."), "application/octet-stream")
})
